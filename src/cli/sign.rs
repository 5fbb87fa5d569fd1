//! `sign`: prints the headers that Twilio would sign a request with.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use secrecy::SecretString;
use twilio_signature::{Pair, SharedKey, SigningKey, decode_form, sign, url_with_body_hash};

use super::{
    output::{Failure, print, say},
    variables::Variables,
};
use crate::{config, explain::is_json};

/// The text of `sign --help`.
pub(super) const LONG: &str = "Print the headers that sign a request

An auth token needs only X-Twilio-Signature. A SharedKey also needs
X-Twilio-Webhooks-Signature-Settings. Pass the headers to curl:

  trusthub-bridge sign --url URL --body 'Status=draft' |
    curl -d 'Status=draft' -H @- URL";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The URL configured at Twilio, with its query
    #[arg(long)]
    url: String,
    /// The HTTP method; the signature of a GET covers only its URL
    #[arg(long, value_enum, default_value_t = Method::Post, ignore_case = true)]
    method: Method,
    /// The body as it is sent
    #[arg(long)]
    body: Option<String>,
    /// A file that contains the body as it is sent, or - for stdin
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    body_file: Option<PathBuf>,
    /// A form field, not percent-encoded; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", conflicts_with_all = ["body", "body_file", "body_hash"])]
    params: Vec<String>,
    /// Sign the hash of the body, added to the URL, instead of the form fields; always used for a JSON object
    #[arg(long)]
    body_hash: bool,
    /// The auth token. Other users can see command-line arguments, so prefer TWILIO_AUTH_TOKEN or TWILIO_AUTH_TOKEN_FILE,
    /// whose first token is used
    #[arg(long)]
    token: Option<String>,
    /// A SharedKey instead of an auth token, which signs with HMAC_SHA256, or with the algorithm in ID:HMAC_SHA1=SECRET.
    /// TWILIO_SHARED_KEYS is safer: without a token, its first key is used
    #[arg(long, value_name = "ID=SECRET", conflicts_with = "token")]
    shared_key: Option<String>,
}

/// What signs the request.
struct RequestSigner {
    key: SigningKey,
    /// The header that names a SharedKey.
    settings: Option<String>,
}

impl RequestSigner {
    fn from_auth_token(token: &SecretString) -> Result<Self, Failure> {
        Ok(Self { key: SigningKey::from_auth_token(token).map_err(Failure::usage)?, settings: None })
    }

    fn from_shared_key(key: &SharedKey) -> Self {
        let algorithm = key.default_algorithm();
        Self { key: key.signing_key(algorithm).clone(), settings: Some(key.settings(algorithm)) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Method {
    Get,
    Post,
}

pub(super) fn run(arguments: Arguments, variables: Variables) -> Result<(), Failure> {
    let RequestSigner { key, settings } = read_signer(&arguments, variables)?;
    let body = read_body(&arguments)?;
    let (url, _fragment) = arguments.url.split_once('#').unwrap_or((&arguments.url, ""));
    let (url, form) = match arguments.method {
        Method::Get if !body.is_empty() => {
            return Err(Failure::usage("--method get: a GET has no body; omit it"));
        }
        Method::Get => (url.to_owned(), Vec::new()),
        Method::Post if arguments.body_hash || is_json(&body) => (add_body_hash(url, &body), Vec::new()),
        Method::Post => (url.to_owned(), form_fields(&arguments.params, &body)?),
    };
    print(&format!("X-Twilio-Signature: {}", sign(&key, &url, &form)))?;
    settings.map_or(Ok(()), |settings| print(&format!("X-Twilio-Webhooks-Signature-Settings: {settings}")))
}

/// The content type of a body as `sign` treats it.
pub(super) fn content_type(body: &[u8]) -> &'static str {
    if is_json(body) { "application/json" } else { "application/x-www-form-urlencoded" }
}

fn read_signer(arguments: &Arguments, variables: Variables) -> Result<RequestSigner, Failure> {
    if let Some(token) = &arguments.token {
        return RequestSigner::from_auth_token(&token.as_str().into());
    }
    if let Some(setting) = &arguments.shared_key {
        let key = SharedKey::parse(setting).map_err(|problem| Failure::usage(format!("--shared-key {problem}")))?;
        return Ok(RequestSigner::from_shared_key(&key));
    }
    let twilio = config::load_twilio(variables).map_err(Failure::usage)?;
    match (twilio.auth_tokens.first(), twilio.shared_keys.first()) {
        (Some(token), _) => RequestSigner::from_auth_token(token),
        (None, Some(key)) => Ok(RequestSigner::from_shared_key(key)),
        (None, None) => Err(Failure::usage("TWILIO_AUTH_TOKEN: is required but not set")),
    }
}

fn read_body(arguments: &Arguments) -> Result<Vec<u8>, Failure> {
    match (&arguments.body, &arguments.body_file) {
        (Some(body), _) => Ok(body.clone().into()),
        (None, Some(file)) => read(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display()))),
        (None, None) => Ok(Vec::new()),
    }
}

pub(super) fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return fs::read(file);
    }
    let mut body = Vec::new();
    io::stdin().lock().read_to_end(&mut body)?;
    Ok(body)
}

/// Adds `bodySHA256` to the URL. The request must be sent to exactly the signed URL, so the new URL is printed.
fn add_body_hash(url: &str, body: &[u8]) -> String {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    if query.split('&').any(|parameter| parameter.starts_with("bodySHA256=")) {
        return url.to_owned();
    }
    let url = url_with_body_hash(url, body);
    say(&format!("send it to {url}"));
    url
}

fn form_fields(params: &[String], body: &[u8]) -> Result<Vec<Pair>, Failure> {
    if params.is_empty() {
        return decode_form(body).map_err(|_| Failure::usage("the form has more fields than a callback may have"));
    }
    let pair = |param: &String| match param.split_once('=') {
        Some((name, value)) => Ok((name.into(), value.into())),
        None => Err(Failure::usage(format!("--param {param}: write NAME=VALUE"))),
    };
    params.iter().map(pair).collect()
}
