//! Requests the credentials of a role from AWS STS, for a token of another identity provider.
//!
//! The request and its response are those of
//! [`AssumeRoleWithWebIdentity`](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html). It is
//! not signed: the token is what proves the identity.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, header};
use roxmltree::{Document, Node};

use super::{
    error::CredentialError,
    issuer::{AwsCredentials, Issuer},
    token_file::{TokenForm, read_token},
};
use crate::config::{AwsKeys, WebIdentity};

pub(super) const STS: Issuer = Issuer {
    name: "AWS STS",
    hint: "check AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and the trust policy of the role, and that STS can be reached",
};

/// The domain of the regions that begin so, if it is not `amazonaws.com`, as the AWS SDKs have it in their `partitions.json`.
const DOMAINS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
];

/// The URL of the service in a region.
pub(super) fn url(identity: &WebIdentity, region: &str) -> String {
    let domain = DOMAINS.iter().find(|(regions, _)| region.starts_with(regions));
    let domain = domain.map_or("amazonaws.com", |(_, domain)| domain);
    identity.sts_url.clone().unwrap_or_else(|| format!("https://sts.{region}.{domain}"))
}

pub(super) async fn fetch(
    client: &Client,
    identity: &WebIdentity,
    region: &str,
) -> Result<AwsCredentials, CredentialError> {
    let token = read_token("AWS_WEB_IDENTITY_TOKEN_FILE", &identity.token_file, TokenForm::Word).await?;
    let form = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", &identity.role_arn),
        ("RoleSessionName", &identity.session_name),
        ("WebIdentityToken", &token),
    ];
    let body: Vec<_> =
        form.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))).collect();
    let request = client
        .post(url(identity, region))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.join("&"));
    match STS.send(request).await? {
        Ok(body) => parsed(&body).ok_or_else(|| STS.malformed()),
        Err((status, body)) => Err(STS.rejected(status, &message_of(&body))),
    }
}

fn parsed(body: &[u8]) -> Option<AwsCredentials> {
    let document = Document::parse(str::from_utf8(body).ok()?).ok()?;
    let credentials = element(document.root(), "Credentials")?;
    let text = |name: &str| element(credentials, name)?.text().map(str::trim).filter(|text| !text.is_empty());
    Some(AwsCredentials {
        keys: AwsKeys {
            access_key_id: text("AccessKeyId")?.to_owned(),
            secret_access_key: text("SecretAccessKey")?.into(),
            session_token: Some(text("SessionToken")?.into()),
        },
        expires: Some(text("Expiration")?.parse().ok()?),
    })
}

/// The code and the message of an error. It does not repeat the token.
fn message_of(body: &[u8]) -> String {
    let text = str::from_utf8(body).unwrap_or_default();
    let Ok(document) = Document::parse(text) else { return String::new() };
    let text = |name: &str| {
        element(document.root(), name).and_then(|found| found.text()).unwrap_or_default().trim().to_owned()
    };
    [text("Code"), text("Message")].join(" ")
}

fn element<'a>(below: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    below.descendants().find(|node| node.is_element() && node.tag_name().name() == name)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn credentials_are_read_from_the_answer() {
        let answer = "<?xml version=\"1.0\"?><R xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Credentials>\
                      <AccessKeyId> ASIA1 </AccessKeyId><SecretAccessKey>a&amp;b</SecretAccessKey>\
                      <SessionToken>t</SessionToken><Expiration>2026-11-20T11:04:00Z</Expiration></Credentials></R>";
        let credentials = parsed(answer.as_bytes()).unwrap();
        assert_eq!(credentials.keys.access_key_id, "ASIA1");
        assert_eq!(credentials.keys.secret_access_key.expose_secret(), "a&b");
        assert_eq!(credentials.keys.session_token.unwrap().expose_secret(), "t");
        assert_eq!(credentials.expires.unwrap().to_string(), "2026-11-20T11:04:00.000Z");
        for part in ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "Credentials"] {
            assert!(parsed(answer.replace(part, "Other").as_bytes()).is_none(), "{part}");
        }
        for text in ["", "{}", "<html>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<Credentials/>"] {
            assert!(parsed(text.as_bytes()).is_none() && message_of(text.as_bytes()).trim().is_empty(), "{text}");
        }
    }

    #[test]
    fn service_of_the_region_is_asked_unless_another_one_is_set() {
        let mut identity = WebIdentity {
            role_arn: String::new(),
            token_file: "/token".into(),
            session_name: String::new(),
            sts_url: None,
        };
        assert_eq!(url(&identity, "us-gov-west-1"), "https://sts.us-gov-west-1.amazonaws.com");
        assert_eq!(url(&identity, "cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn");
        assert_eq!(url(&identity, "us-isob-east-1"), "https://sts.us-isob-east-1.sc2s.sgov.gov");
        assert_eq!(url(&identity, "eusc-de-east-1"), "https://sts.eusc-de-east-1.amazonaws.eu");
        identity.sts_url = Some("http://127.0.0.1:1".to_owned());
        assert_eq!(url(&identity, "cn-north-1"), "http://127.0.0.1:1");
    }
}
