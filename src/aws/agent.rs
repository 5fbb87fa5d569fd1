//! Requests credentials from the agent of a container, or from the instance metadata service of Amazon EC2.
//!
//! Both answer with the same JSON. The requests are those of the AWS SDKs:
//! [containers](https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html), [instances, version
//! 2](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html).

use reqwest::{Client, StatusCode, header};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    error::CredentialError,
    issuer::{AwsCredentials, Issuer},
    token_file::{TokenForm, read_token},
};
use crate::{
    config::{AwsKeys, ContainerAuthorization},
    domain::Timestamp,
};

pub(super) const CONTAINER: Issuer = Issuer {
    name: "the agent for AWS credentials",
    hint: "check AWS_CONTAINER_CREDENTIALS_FULL_URI, and the role of the task or the pod",
};
pub(super) const INSTANCE: Issuer = Issuer {
    name: "the AWS instance metadata service",
    hint: "check that the instance has a role; in a pod, use a role of the service account instead, whose AWS_ variables are not \
           set here",
};

/// The path of the names of the instance's roles; each has its credentials below it.
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// How long the token of a session with the metadata service is valid. It is used at once.
const SESSION_SECONDS: &str = "60";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IssuedKeys {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<Timestamp>,
}

pub(super) async fn fetch_container(
    client: &Client,
    url: &str,
    authorization: Option<&ContainerAuthorization>,
) -> Result<AwsCredentials, CredentialError> {
    let authorization = match authorization {
        Some(ContainerAuthorization::File(path)) => {
            Some(read_token("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path, TokenForm::Header).await?)
        }
        Some(ContainerAuthorization::Token(token)) => Some(token.expose_secret().to_owned()),
        None => None,
    };
    let mut request = client.get(url).header(header::ACCEPT, "application/json");
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    match CONTAINER.send(request).await? {
        Ok(body) => parsed(CONTAINER, &body),
        Err((status, body)) => Err(CONTAINER.rejected(status, &message_of(&body))),
    }
}

pub(super) async fn fetch_instance(client: &Client, endpoint: &str) -> Result<AwsCredentials, CredentialError> {
    let endpoint = endpoint.trim_end_matches('/');
    let session = client
        .put(format!("{endpoint}/latest/api/token"))
        .header("x-aws-ec2-metadata-token-ttl-seconds", SESSION_SECONDS)
        .header(header::CONTENT_LENGTH, "0");
    let session = text(INSTANCE.send(session).await?)?;
    let get = |path: &str| client.get(format!("{endpoint}{path}")).header("x-aws-ec2-metadata-token", &session);
    let roles = text(INSTANCE.send(get(ROLES)).await?)?;
    // An instance has at most one role.
    let role = roles.lines().next().unwrap_or_default().trim();
    if role.is_empty() || !role.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b)) {
        return Err(INSTANCE.malformed());
    }
    match INSTANCE.send(get(&format!("{ROLES}{role}"))).await? {
        Ok(body) => parsed(INSTANCE, &body),
        Err((status, body)) => Err(INSTANCE.rejected(status, &message_of(&body))),
    }
}

/// The body of an answer of the metadata service as text.
fn text(answer: Result<Vec<u8>, (StatusCode, Vec<u8>)>) -> Result<String, CredentialError> {
    match answer {
        Ok(body) => String::from_utf8(body).map_err(|_| INSTANCE.malformed()),
        // Its errors are pages of HTML.
        Err((status, _body)) => Err(INSTANCE.rejected(status, "")),
    }
}

fn parsed(issuer: Issuer, body: &[u8]) -> Result<AwsCredentials, CredentialError> {
    let Ok(issued) = serde_json::from_slice::<IssuedKeys>(body) else {
        // Both services can answer 200 with an error, for example if the role does not trust them.
        return Err(match words(body).filter(|words| !words.is_empty()) {
            Some(words) => issuer.rejected(StatusCode::OK, &words),
            None => issuer.malformed(),
        });
    };
    let keys = AwsKeys {
        access_key_id: issued.access_key_id,
        secret_access_key: issued.secret_access_key.into(),
        session_token: issued.token.map(Into::into),
    };
    Ok(AwsCredentials { keys, expires: issued.expiration })
}

/// What an answer that is not successful says.
fn message_of(body: &[u8]) -> String {
    words(body).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}

/// The code and the message of an error, and nothing else of the answer; `None` if it is no JSON object. Their names begin with
/// a capital letter or not, depending on the service.
fn words(body: &[u8]) -> Option<String> {
    let answer: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let word = |name: &str| {
        let found = answer.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_str()).unwrap_or_default().trim()
    };
    Some([word("code"), word("message")].join(" ").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(body: &str) -> String {
        parsed(INSTANCE, body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn answer_without_keys_is_reported_with_its_code_and_message() {
        let denied =
            r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role bridge","Token":"secret"}"#;
        assert!(
            problem(denied).starts_with(
                "the AWS instance metadata service answers HTTP 200: AssumeRoleUnauthorizedAccess EC2 cannot assume the role \
                 bridge; check that the instance has a role"
            ),
            "{}",
            problem(denied)
        );
        assert!(!problem(denied).contains("secret"));
        for body in ["", "{}", "[]", "<html>", r#"{"AccessKeyId":"A"}"#] {
            assert!(problem(body).contains("does not answer with credentials"), "{}", problem(body));
        }
    }

    #[test]
    fn refusal_of_an_agent_is_its_code_and_message() {
        let refusal = br#"{"code":"AccessDenied","message":" no such role ","requestId":"1"}"#;
        assert_eq!(message_of(refusal), "AccessDenied no such role");
        assert_eq!(message_of(b"no role"), "no role");
    }
}
