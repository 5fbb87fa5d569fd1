//! A login to Amazon MSK by IAM: the region, and where the credentials come from.
//!
//! The variables, their order and the hosts that may be asked without TLS are those of the AWS SDKs
//! ([reference](https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html)). The variables decide which
//! source is used, so that a source that fails is reported and not replaced by another one.

use std::{net::IpAddr, path::PathBuf};

use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    config::{
        catalogue::{
            AWS_ACCESS_KEY_ID, AWS_CONTAINER_AUTHORIZATION_TOKEN, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE,
            AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_DEFAULT_REGION,
            AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT, AWS_ENDPOINT_URL_STS, AWS_REGION,
            AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_WEB_IDENTITY_TOKEN_FILE,
            Variable,
        },
        describe::Row,
        plain_http::{host_of, is_loopback, unencrypted_authority},
        validate::Validator,
    },
    domain::PublicUrl,
};

/// The address of Amazon ECS's agent, which `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` is relative to.
const ECS_AGENT: &str = "http://169.254.170.2";
/// The addresses of the agents of Amazon ECS and EKS, which the SDKs ask without TLS, besides those of this machine.
const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
/// The address of the instance metadata service of Amazon EC2.
const INSTANCE_METADATA: &str = "http://169.254.169.254";
/// The name of a session that has none; AWS shows it in its audit log.
const SESSION_NAME: &str = "trusthub-bridge";

/// A login to Amazon MSK by IAM (`AWS_MSK_IAM`).
#[derive(Debug, Clone)]
pub struct MskIamConfig {
    /// The region of the cluster, such as `eu-central-1`.
    pub region: String,
    /// Where the credentials come from.
    pub credentials: AwsCredentialSource,
}

/// Where AWS credentials come from.
#[derive(Debug, Clone)]
pub enum AwsCredentialSource {
    /// The environment has them.
    Environment(AwsKeys),
    /// AWS STS issues them for a role and a token of another identity provider, such as that of a Kubernetes cluster.
    WebIdentity(WebIdentity),
    /// An agent on the machine of the container has them.
    Container {
        /// The URL of the agent.
        url: String,
        /// What the agent requires.
        authorization: Option<ContainerAuthorization>,
    },
    /// The instance metadata service of Amazon EC2 has them.
    InstanceMetadata {
        /// The base URL of the service.
        endpoint: String,
    },
}

/// An access key, with the token of its session if it is temporary.
#[derive(Debug, Clone)]
pub struct AwsKeys {
    /// The id of the access key, which is not a secret.
    pub access_key_id: String,
    /// The key with which requests are signed.
    pub secret_access_key: SecretString,
    /// What a request with a temporary key must contain.
    pub session_token: Option<SecretString>,
}

/// A role, and the token for which AWS STS issues its credentials.
#[derive(Debug, Clone)]
pub struct WebIdentity {
    /// The name of the role.
    pub role_arn: String,
    /// The file in which another program keeps a current token.
    pub token_file: PathBuf,
    /// The name of the session.
    pub session_name: String,
    /// The base URL of STS; `None` for that of the region.
    pub sts_url: Option<String>,
}

/// What the agent of a container requires in the header `Authorization`.
#[derive(Debug, Clone)]
pub enum ContainerAuthorization {
    /// This text.
    Token(SecretString),
    /// The content of a file, which another program renews.
    File(PathBuf),
}

#[derive(Deserialize)]
pub(super) struct AwsSection {
    region: Option<String>,
    default_region: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    role_arn: Option<String>,
    role_session_name: Option<String>,
    web_identity_token_file: Option<String>,
    endpoint_url_sts: Option<String>,
    container_credentials_relative_uri: Option<String>,
    container_credentials_full_uri: Option<String>,
    container_authorization_token: Option<String>,
    container_authorization_token_file: Option<String>,
    ec2_metadata_service_endpoint: Option<String>,
    ec2_metadata_disabled: Option<String>,
}

impl AwsSection {
    /// Checks the variables. Files of tokens are not opened, because the programs that write them may start later.
    pub(super) fn validate(mut self, validator: &mut Validator) -> Option<MskIamConfig> {
        let region = self.region(validator);
        let is_metadata_disabled =
            self.ec2_metadata_disabled.take().map(|text| validator.parse_bool(&AWS_EC2_METADATA_DISABLED, Some(text)));
        let credentials = if self.access_key_id.is_some() || self.secret_access_key.is_some() {
            self.keys(validator).map(AwsCredentialSource::Environment)
        } else if self.role_arn.is_some() || self.web_identity_token_file.is_some() {
            self.web_identity(validator).map(AwsCredentialSource::WebIdentity)
        } else if self.container_credentials_relative_uri.is_some() || self.container_credentials_full_uri.is_some() {
            self.container(validator)
        } else if is_metadata_disabled.flatten() == Some(true) {
            let instead = "the id of an access key, or let the pod have a role: AWS_ROLE_ARN with \
                           AWS_WEB_IDENTITY_TOKEN_FILE, or AWS_CONTAINER_CREDENTIALS_FULL_URI";
            validator.report_missing(&AWS_ACCESS_KEY_ID, instead);
            None
        } else {
            let variable = &AWS_EC2_METADATA_SERVICE_ENDPOINT;
            let endpoint = self.ec2_metadata_service_endpoint.unwrap_or_else(|| INSTANCE_METADATA.to_owned());
            base_url(variable, endpoint, validator).map(|endpoint| AwsCredentialSource::InstanceMetadata { endpoint })
        };
        Some(MskIamConfig { region: region?, credentials: credentials? })
    }

    fn region(&mut self, validator: &mut Validator) -> Option<String> {
        let (variable, given) = match (self.region.take(), self.default_region.take()) {
            (None, Some(region)) => (&AWS_DEFAULT_REGION, Some(region)),
            (region, _) => (&AWS_REGION, region),
        };
        let Some(region) = given else {
            validator.report_missing(variable, "the region of the Kafka cluster, such as eu-central-1");
            return None;
        };
        // It becomes part of the names of hosts.
        let is_region = region.len() <= 32
            && region.starts_with(|first: char| first.is_ascii_lowercase())
            && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_region {
            validator.report(variable, "is not a region; write the code of the cluster's region, such as eu-central-1");
        }
        Some(region)
    }

    fn keys(self, validator: &mut Validator) -> Option<AwsKeys> {
        let id = required_text(&AWS_ACCESS_KEY_ID, self.access_key_id, "the id of the access key", validator);
        let instead = "the secret access key that belongs to AWS_ACCESS_KEY_ID";
        let secret = required_text(&AWS_SECRET_ACCESS_KEY, self.secret_access_key, instead, validator);
        let token = self.session_token.map(|token| checked_text(&AWS_SESSION_TOKEN, token, validator));
        Some(AwsKeys {
            access_key_id: id?,
            secret_access_key: secret?.into(),
            session_token: token.map(SecretString::from),
        })
    }

    fn web_identity(self, validator: &mut Validator) -> Option<WebIdentity> {
        let instead = "the name of the role, arn:aws:iam::…:role/…, or remove AWS_WEB_IDENTITY_TOKEN_FILE";
        let role_arn = required_text(&AWS_ROLE_ARN, self.role_arn, instead, validator);
        if role_arn.as_ref().is_some_and(|arn| !arn.starts_with("arn:")) {
            validator.report(&AWS_ROLE_ARN, "is not the name of a role; write arn:aws:iam::…:role/…");
        }
        if self.web_identity_token_file.is_none() {
            let instead = "the path of the file with the token of the role's identity provider, or remove AWS_ROLE_ARN";
            validator.report_missing(&AWS_WEB_IDENTITY_TOKEN_FILE, instead);
        }
        let session_name = self.role_session_name.unwrap_or_else(|| SESSION_NAME.to_owned());
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        if !(2..=64).contains(&session_name.len()) || !session_name.bytes().all(is_allowed) {
            validator.report(
                &AWS_ROLE_SESSION_NAME,
                "is not the name of a session; write 2 to 64 letters, digits and characters of _+=,.@-",
            );
        }
        let sts_url = self.endpoint_url_sts.map(|url| base_url(&AWS_ENDPOINT_URL_STS, url, validator));
        Some(WebIdentity {
            role_arn: role_arn?,
            token_file: self.web_identity_token_file?.into(),
            session_name,
            // A value with a problem never reaches a caller.
            sts_url: sts_url.flatten(),
        })
    }

    fn container(self, validator: &mut Validator) -> Option<AwsCredentialSource> {
        let url = match (self.container_credentials_relative_uri, self.container_credentials_full_uri) {
            (Some(path), _) => agent_path(&path, validator),
            (None, url) => agent_url(url?, validator),
        };
        let token = self
            .container_authorization_token
            .map(|token| header_text(&AWS_CONTAINER_AUTHORIZATION_TOKEN, token, validator));
        // The file comes first, as in the SDKs, because it can be renewed.
        let authorization = match (self.container_authorization_token_file, token) {
            (Some(path), _) => Some(ContainerAuthorization::File(path.into())),
            (None, token) => token.map(|token| ContainerAuthorization::Token(token.into())),
        };
        Some(AwsCredentialSource::Container { url: url?, authorization })
    }
}

fn agent_path(path: &str, validator: &mut Validator) -> Option<String> {
    let url = format!("{ECS_AGENT}{path}");
    if path.starts_with('/') && request_url(&url).is_some() {
        return Some(url);
    }
    validator.report(
        &AWS_CONTAINER_CREDENTIALS_RELATIVE_URI,
        "is not a path; write it as Amazon ECS sets it, beginning with /",
    );
    None
}

fn agent_url(url: String, validator: &mut Validator) -> Option<String> {
    let Some(parsed) = request_url(&url) else {
        validator.report(
            &AWS_CONTAINER_CREDENTIALS_FULL_URI,
            "is not a URL; write https:// or http://, a host, and a port, a path or a query if it has them",
        );
        return None;
    };
    let is_agent = |authority: &str| {
        let host = host_of(authority);
        let is_known = |agent: &str| agent.parse::<IpAddr>().ok() == host.parse().ok();
        is_loopback(authority) || host.parse::<IpAddr>().is_ok() && AGENTS.iter().any(|agent| is_known(agent))
    };
    // The host is that of the request: a text before the query could name another one.
    if unencrypted_authority(parsed.as_str()).is_none_or(is_agent) {
        return Some(url);
    }
    validator.report(
        &AWS_CONTAINER_CREDENTIALS_FULL_URI,
        "would send the authorization to another machine without TLS; write an https:// URL, or one of this machine or of the \
         agent of Amazon ECS or EKS",
    );
    None
}

/// Parses the URL of a request, which may have a query.
fn request_url(url: &str) -> Option<Url> {
    let before_query = url.split_once('?').map_or(url, |(before, _)| before);
    let is_valid = PublicUrl::parse(before_query).is_ok();
    Url::parse(url).ok().filter(|url| is_valid && url.fragment().is_none())
}

fn base_url(variable: &'static Variable, url: String, validator: &mut Validator) -> Option<String> {
    if PublicUrl::parse(&url).is_ok() {
        return Some(url);
    }
    validator.report(variable, "is not a URL; write https:// or http://, a host, and a port or a path if it has them");
    None
}

fn required_text(
    variable: &'static Variable,
    given: Option<String>,
    instead: &str,
    validator: &mut Validator,
) -> Option<String> {
    if given.is_none() {
        validator.report_missing(variable, instead);
    }
    given.map(|text| checked_text(variable, text, validator))
}

/// Returns the text, which becomes part of a URL or a header.
fn checked_text(variable: &'static Variable, text: String, validator: &mut Validator) -> String {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        validator.report(
            variable,
            "contains a space, a line break or another character that is not visible ASCII; remove it",
        );
    }
    text
}

/// Returns the text, which becomes the value of a header, such as `Basic dXNlcg==`.
fn header_text(variable: &'static Variable, text: String, validator: &mut Validator) -> String {
    let text = text.trim().to_owned();
    if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        validator.report(variable, "contains a line break or another character that is not ASCII; remove it");
    }
    text
}

impl MskIamConfig {
    /// Warns about requests that the network can read.
    pub(super) fn warning(&self) -> Option<String> {
        let AwsCredentialSource::WebIdentity(WebIdentity { sts_url: Some(url), .. }) = &self.credentials else {
            return None;
        };
        let authority = unencrypted_authority(url)?;
        (!is_loopback(authority))
            .then(|| format!("{} is not https; the network can read the credentials", AWS_ENDPOINT_URL_STS.name))
    }

    /// The effective values; all are empty without this login.
    pub(super) fn describe(msk: Option<&Self>) -> [Row; 15] {
        let source = msk.map(|msk| &msk.credentials);
        let keys = match source {
            Some(AwsCredentialSource::Environment(keys)) => Some(keys),
            _ => None,
        };
        let identity = match source {
            Some(AwsCredentialSource::WebIdentity(identity)) => Some(identity),
            _ => None,
        };
        let (agent, authorization) = match source {
            Some(AwsCredentialSource::Container { url, authorization }) => (Some(url), authorization.as_ref()),
            _ => (None, None),
        };
        let metadata = match source {
            Some(AwsCredentialSource::InstanceMetadata { endpoint }) => Some(endpoint),
            _ => None,
        };
        let redacted = |is_set: bool| if is_set { "[redacted]".to_owned() } else { String::new() };
        let path = |path: &PathBuf| path.display().to_string();
        let token_file = match authorization {
            Some(ContainerAuthorization::File(file)) => Some(file),
            _ => None,
        };
        let is_token = matches!(authorization, Some(ContainerAuthorization::Token(_)));
        let text = |text: Option<&String>| text.cloned().unwrap_or_default();
        [
            (AWS_REGION.name, text(msk.map(|msk| &msk.region))),
            (AWS_DEFAULT_REGION.name, String::new()),
            (AWS_ACCESS_KEY_ID.name, text(keys.map(|keys| &keys.access_key_id))),
            (AWS_SECRET_ACCESS_KEY.name, redacted(keys.is_some())),
            (AWS_SESSION_TOKEN.name, redacted(keys.is_some_and(|keys| keys.session_token.is_some()))),
            (AWS_ROLE_ARN.name, text(identity.map(|identity| &identity.role_arn))),
            (AWS_WEB_IDENTITY_TOKEN_FILE.name, identity.map(|identity| path(&identity.token_file)).unwrap_or_default()),
            (AWS_ROLE_SESSION_NAME.name, text(identity.map(|identity| &identity.session_name))),
            (AWS_ENDPOINT_URL_STS.name, text(identity.and_then(|identity| identity.sts_url.as_ref()))),
            (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI.name, String::new()),
            (AWS_CONTAINER_CREDENTIALS_FULL_URI.name, text(agent)),
            (AWS_CONTAINER_AUTHORIZATION_TOKEN.name, redacted(is_token)),
            (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.name, token_file.map(path).unwrap_or_default()),
            (AWS_EC2_METADATA_SERVICE_ENDPOINT.name, text(metadata)),
            (AWS_EC2_METADATA_DISABLED.name, String::new()),
        ]
    }
}
