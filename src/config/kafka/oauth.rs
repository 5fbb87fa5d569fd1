//! A login by OAuth token: where the token comes from.
//!
//! The names of extensions and the characters of their values are those of RFC 7628, section 3.1, which librdkafka checks
//! only when it has a token. Commas separate extensions in librdkafka's property, and a backslash escapes them there.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    config::{
        catalogue::{
            KAFKA_OAUTH_CA_LOCATION, KAFKA_OAUTH_CLIENT_ID, KAFKA_OAUTH_CLIENT_SECRET, KAFKA_OAUTH_CLIENT_SECRET_FILE,
            KAFKA_OAUTH_EXTENSIONS, KAFKA_OAUTH_SCOPE, KAFKA_OAUTH_TOKEN_FILE, KAFKA_OAUTH_TOKEN_URL, Variable,
        },
        describe::Row,
        files::is_read_once,
        plain_http::{is_loopback, unencrypted_authority},
        validate::Validator,
    },
    domain::{PublicUrl, PublicUrlError},
};

/// A login by OAuth token.
#[derive(Debug, Clone)]
pub struct OAuthConfig {
    /// Where the token comes from.
    pub source: TokenSource,
    /// Names and values that are sent with each token.
    pub extensions: Vec<(String, String)>,
}

/// Where OAuth tokens come from.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// An identity provider issues them for a client id and its secret.
    ClientCredentials(ClientCredentials),
    /// Another program keeps a current token in this file.
    File(PathBuf),
}

/// The request for a token with OAuth's grant type `client_credentials` (RFC 6749, section 4.4).
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The URL of the identity provider's token endpoint.
    pub token_url: String,
    /// The id of the service at the identity provider.
    pub client_id: String,
    /// The secret of that client id.
    pub client_secret: SecretString,
    /// The file that the secret was read from.
    pub client_secret_file: Option<PathBuf>,
    /// The requested scopes, separated by spaces.
    pub scope: Option<String>,
    /// A file or folder of authorities that the token endpoint is trusted by, or `probe` for those of the system. `None`
    /// means those of the brokers.
    pub ca_location: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct OAuthSection {
    token_url: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    client_secret_file: Option<String>,
    scope: Option<String>,
    extensions: Option<String>,
    ca_location: Option<String>,
    token_file: Option<String>,
}

/// The variables whose flag is true.
pub(super) fn set_variables<const N: usize>(
    variables: [(&'static Variable, bool); N],
) -> impl Iterator<Item = &'static Variable> {
    variables.into_iter().filter(|(_, is_set)| *is_set).map(|(variable, _)| variable)
}

impl OAuthSection {
    /// The variables that are set.
    pub(super) fn set(&self) -> impl Iterator<Item = &'static Variable> + use<> {
        self.set_for_client_credentials().chain(set_variables([
            (&KAFKA_OAUTH_EXTENSIONS, self.extensions.is_some()),
            (&KAFKA_OAUTH_TOKEN_FILE, self.token_file.is_some()),
        ]))
    }

    fn set_for_client_credentials(&self) -> impl Iterator<Item = &'static Variable> + use<> {
        set_variables([
            (&KAFKA_OAUTH_TOKEN_URL, self.token_url.is_some()),
            (&KAFKA_OAUTH_CLIENT_ID, self.client_id.is_some()),
            (&KAFKA_OAUTH_CLIENT_SECRET, self.client_secret.is_some()),
            (&KAFKA_OAUTH_CLIENT_SECRET_FILE, self.client_secret_file.is_some()),
            (&KAFKA_OAUTH_SCOPE, self.scope.is_some()),
            (&KAFKA_OAUTH_CA_LOCATION, self.ca_location.is_some()),
        ])
    }

    /// Checks the variables. The file of a token is not opened, because the program that writes it may start later.
    pub(super) fn validate(self, validator: &mut Validator) -> Option<OAuthConfig> {
        let extensions = match &self.extensions {
            Some(text) => extensions(text, validator),
            None => Some(Vec::new()),
        };
        let source = match &self.token_file {
            Some(path) => {
                for variable in self.set_for_client_credentials() {
                    validator
                        .report(variable, "contradicts KAFKA_OAUTH_TOKEN_FILE, which is also set; remove one of them");
                }
                Some(TokenSource::File(path.into()))
            }
            None => self.client_credentials(validator).map(TokenSource::ClientCredentials),
        };
        Some(OAuthConfig { source: source?, extensions: extensions? })
    }

    fn client_credentials(self, validator: &mut Validator) -> Option<ClientCredentials> {
        let token_url = token_url(self.token_url, validator);
        let client_id = client_id(self.client_id, validator);
        let scope = self.scope.map(|text| scope(text, validator));
        let ca_location = self.ca_location.map(|path| match path.as_str() {
            "probe" => Some(path),
            _ => validator.check_readable(&KAFKA_OAUTH_CA_LOCATION, path),
        });
        let secret = validator.read_secret(
            [&KAFKA_OAUTH_CLIENT_SECRET, &KAFKA_OAUTH_CLIENT_SECRET_FILE],
            [self.client_secret, self.client_secret_file],
            "the secret of that client, or its path into KAFKA_OAUTH_CLIENT_SECRET_FILE",
        )?;
        validator.check_one_line(&secret);
        Some(ClientCredentials {
            token_url: token_url?,
            client_id: client_id?,
            client_secret: secret.text.into(),
            client_secret_file: secret.file,
            // A value with a problem never reaches a caller.
            scope: scope.flatten(),
            ca_location: ca_location.flatten(),
        })
    }
}

fn token_url(given: Option<String>, validator: &mut Validator) -> Option<String> {
    let Some(text) = given else {
        let instead = "the URL of your identity provider's token endpoint, or the path of a file with a token into \
                       KAFKA_OAUTH_TOKEN_FILE";
        validator.report_missing(&KAFKA_OAUTH_TOKEN_URL, instead);
        return None;
    };
    // It has the same parts as a public URL. A slash at its end is significant here.
    let Err(error) = PublicUrl::parse(&text) else { return Some(text) };
    validator.report(&KAFKA_OAUTH_TOKEN_URL, url_problem(error));
    None
}

fn url_problem(error: PublicUrlError) -> &'static str {
    match error {
        PublicUrlError::Scheme => {
            "does not start with https://; write the URL of your identity provider's token endpoint"
        }
        PublicUrlError::Host => "has no valid host; write the URL of your identity provider's token endpoint",
        PublicUrlError::UserInfo | PublicUrlError::Credentials => {
            "contains a user name or an '@'; write the client id into KAFKA_OAUTH_CLIENT_ID and its secret into \
             KAFKA_OAUTH_CLIENT_SECRET"
        }
        PublicUrlError::Port => "has an invalid port; write a number from 1 to 65535 after the host, or omit the port",
        PublicUrlError::Query => {
            "has a query or fragment; remove everything from the '?' or '#' on, and write the scope into KAFKA_OAUTH_SCOPE"
        }
        PublicUrlError::Path => "has a path with a space or an empty segment; write it percent-encoded",
    }
}

/// HTTP's Basic authentication, which librdkafka uses, ends the name at the first colon.
fn client_id(given: Option<String>, validator: &mut Validator) -> Option<String> {
    if given.is_none() {
        validator.report_missing(&KAFKA_OAUTH_CLIENT_ID, "the client id of the service at your identity provider");
    }
    let id = given?;
    if id.contains(|c: char| c == ':' || c.is_control()) {
        validator.report(
            &KAFKA_OAUTH_CLIENT_ID,
            "contains a colon or a control character; write the client id alone, and its secret into \
             KAFKA_OAUTH_CLIENT_SECRET",
        );
    }
    Some(id)
}

fn scope(text: String, validator: &mut Validator) -> Option<String> {
    // The characters of RFC 6749, section 3.3.
    if text.bytes().all(|b| matches!(b, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~')) {
        return Some(text);
    }
    let problem = "contains a character that no scope can have; write ASCII words without quotes or backslashes, separated \
                   by spaces";
    validator.report(&KAFKA_OAUTH_SCOPE, problem);
    None
}

fn extensions(text: &str, validator: &mut Validator) -> Option<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (index, item) in text.split(',').enumerate() {
        match extension(item, &found) {
            Ok((name, value)) => found.push((name.to_owned(), value.to_owned())),
            Err(problem) => {
                validator.report(&KAFKA_OAUTH_EXTENSIONS, format!("item {} {problem}", index + 1));
                return None;
            }
        }
    }
    Some(found)
}

fn extension<'a>(item: &'a str, earlier: &[(String, String)]) -> Result<(&'a str, &'a str), &'static str> {
    let problem = "is not an extension; write name=value, the name in letters, separated by commas, such as \
                   logicalCluster=lkc-1,identityPoolId=pool-1";
    let (name, value) = item.trim().split_once('=').ok_or(problem)?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic());
    let is_value = !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if !is_name || !is_value {
        return Err(problem);
    }
    if name.eq_ignore_ascii_case("auth") {
        return Err("has the name auth, which is the token's; remove it");
    }
    if earlier.iter().any(|(other, _)| other == name) {
        return Err("repeats an earlier extension; remove one of them");
    }
    Ok((name, value))
}

impl OAuthConfig {
    /// Reads the file of the client secret again, if there is one.
    pub(super) fn reload(&self, validator: &mut Validator) -> Option<Self> {
        let TokenSource::ClientCredentials(client) = &self.source else { return Some(self.clone()) };
        let file = client.client_secret_file.clone().filter(|file| !is_read_once(file));
        let Some(file) = file else { return Some(self.clone()) };
        let secret = validator.read_secret_file(&KAFKA_OAUTH_CLIENT_SECRET_FILE, file)?;
        validator.check_one_line(&secret);
        let client = ClientCredentials { client_secret: secret.text.into(), ..client.clone() };
        Some(Self { source: TokenSource::ClientCredentials(client), ..self.clone() })
    }

    /// The extensions, as they are written in the variable and in librdkafka's property.
    pub(crate) fn joined_extensions(&self) -> String {
        let items: Vec<_> = self.extensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        items.join(",")
    }

    /// Warns about plain HTTP to another machine, because the request contains the client secret.
    pub(super) fn warning(&self) -> Option<String> {
        let TokenSource::ClientCredentials(client) = &self.source else { return None };
        let authority = unencrypted_authority(&client.token_url)?;
        (!is_loopback(authority))
            .then(|| format!("{} is not https; the network can read the client secret", KAFKA_OAUTH_TOKEN_URL.name))
    }

    /// The effective values; all are empty without a login by token.
    pub(super) fn describe(oauth: Option<&Self>) -> [Row; 8] {
        let client = oauth.and_then(|oauth| match &oauth.source {
            TokenSource::ClientCredentials(client) => Some(client),
            TokenSource::File(_) => None,
        });
        let file = oauth.and_then(|oauth| match &oauth.source {
            TokenSource::ClientCredentials(_) => None,
            TokenSource::File(path) => Some(path),
        });
        let of_client = |text: fn(&ClientCredentials) -> Option<String>| client.and_then(text).unwrap_or_default();
        let path = |path: &PathBuf| path.display().to_string();
        [
            (KAFKA_OAUTH_TOKEN_URL.name, of_client(|client| Some(client.token_url.clone()))),
            (KAFKA_OAUTH_CLIENT_ID.name, of_client(|client| Some(client.client_id.clone()))),
            (KAFKA_OAUTH_CLIENT_SECRET.name, of_client(|_| Some("[redacted]".to_owned()))),
            (
                KAFKA_OAUTH_CLIENT_SECRET_FILE.name,
                of_client(|client| client.client_secret_file.as_ref().map(|path| path.display().to_string())),
            ),
            (KAFKA_OAUTH_SCOPE.name, of_client(|client| client.scope.clone())),
            (KAFKA_OAUTH_EXTENSIONS.name, oauth.map(Self::joined_extensions).unwrap_or_default()),
            (KAFKA_OAUTH_CA_LOCATION.name, of_client(|client| client.ca_location.clone())),
            (KAFKA_OAUTH_TOKEN_FILE.name, file.map(path).unwrap_or_default()),
        ]
    }
}
