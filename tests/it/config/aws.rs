//! The variables of a login to Amazon MSK by IAM.

use secrecy::ExposeSecret as _;
use trusthub_bridge::config::{
    AwsCredentialSource, Config, ContainerAuthorization, MskIamConfig, SaslLogin, Security, VARIABLES,
};

use super::{PASSWORD, config, described, load};

const MSK: [(&str, &str); 3] =
    [("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"), ("KAFKA_SASL_MECHANISM", "aws_msk_iam"), ("AWS_REGION", "eu-central-1")];
const ROLE: (&str, &str) = ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/bridge");
const TOKEN_FILE: (&str, &str) = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/secrets/token");
const ID: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
const SECRET: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "aws/secret+");
const AGENT: (&str, &str) = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials");

fn msk(more: &[(&str, &str)]) -> MskIamConfig {
    match &*config(&[&MSK, more].concat()).kafka.credentials.security() {
        Security::Sasl { login: SaslLogin::MskIam(msk), tls: Some(_) } => (**msk).clone(),
        other => panic!("no login by IAM: {other:?}"),
    }
}

/// Configurations with this secret: as a key, and as what an agent requires.
pub(super) fn with_secrets(secret: &str) -> [Config; 2] {
    let secret: String = secret.split(' ').collect();
    let keys = [ID, ("AWS_SECRET_ACCESS_KEY", &*secret), ("AWS_SESSION_TOKEN", &*secret)];
    let agent = [AGENT, ("AWS_CONTAINER_AUTHORIZATION_TOKEN", &*secret)];
    let configs = [&keys[..], &agent].map(|more| config(&[&MSK, more].concat()));
    for config in &configs {
        assert!(!format!("{config:?} {:?}", config.describe()).contains(&secret));
    }
    configs
}

#[test]
fn source_of_credentials_is_the_first_one_that_is_set() {
    let agent_token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent-token");
    let all = [ID, SECRET, ("AWS_SESSION_TOKEN", "session"), ROLE, TOKEN_FILE, AGENT, agent_token];
    let AwsCredentialSource::Environment(keys) = msk(&all).credentials else { panic!("not the environment") };
    assert_eq!((keys.access_key_id.as_str(), keys.secret_access_key.expose_secret()), (ID.1, SECRET.1));
    assert_eq!(keys.session_token.unwrap().expose_secret(), "session");

    let AwsCredentialSource::WebIdentity(identity) = msk(&all[3..]).credentials else { panic!("not a role") };
    assert_eq!((identity.role_arn.as_str(), identity.token_file.to_str()), (ROLE.1, Some(TOKEN_FILE.1)));
    assert_eq!((identity.session_name.as_str(), identity.sts_url), ("trusthub-bridge", None));

    let AwsCredentialSource::Container { url, authorization } = msk(&all[5..]).credentials else { panic!("no agent") };
    assert_eq!(url, AGENT.1);
    assert!(
        matches!(authorization, Some(ContainerAuthorization::Token(token)) if token.expose_secret() == "agent-token")
    );

    let by_path = [
        AGENT,
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/id"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t"),
        agent_token,
    ];
    let AwsCredentialSource::Container { url, authorization } = msk(&by_path).credentials else { panic!("no agent") };
    assert_eq!(url, "http://169.254.170.2/v2/id");
    assert!(matches!(authorization, Some(ContainerAuthorization::File(path)) if path.to_str() == Some("/t")));

    let AwsCredentialSource::InstanceMetadata { endpoint } = msk(&[]).credentials else { panic!("not an instance") };
    assert_eq!(endpoint, "http://169.254.169.254");
}

#[test]
fn region_may_be_the_default_one() {
    let [protocol, mechanism, region] = MSK;
    let by_default = config(&[protocol, mechanism, ("AWS_DEFAULT_REGION", "us-gov-west-1"), ID, SECRET]);
    assert_eq!(described(&by_default, "AWS_REGION"), "us-gov-west-1");
    let both = config(&[protocol, mechanism, region, ("AWS_DEFAULT_REGION", "us-gov-west-1"), ID, SECRET]);
    assert_eq!(described(&both, "AWS_REGION"), region.1);
    assert_eq!(described(&both, "AWS_ACCESS_KEY_ID"), ID.1);
    for secret in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        assert!(VARIABLES.iter().any(|variable| variable.name == secret && variable.secret));
    }
    assert_eq!(described(&both, "AWS_SECRET_ACCESS_KEY"), "[redacted]");
    assert!(!format!("{both:?}").contains(SECRET.1));
}

#[test]
fn variables_of_aws_have_no_effect_without_the_mechanism() {
    let config = config(&[("AWS_REGION", "x y"), ("AWS_ROLE_ARN", "x"), ("AWS_ACCESS_KEY_ID", "a b")]);
    for name in VARIABLES.iter().map(|variable| variable.name).filter(|name| name.starts_with("AWS_")) {
        assert_eq!(described(&config, name), "", "{name}");
    }
}

#[test]
fn connection_that_the_network_can_read_gets_a_warning() {
    let [_, mechanism, region] = MSK;
    let sts = |url| [&MSK[..], &[ROLE, TOKEN_FILE, ("AWS_ENDPOINT_URL_STS", url)]].concat();
    for (variables, expected) in [
        (vec![("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext"), mechanism, region], "only with TLS"),
        (sts("http://sts.example.com"), "AWS_ENDPOINT_URL_STS is not https; the network can read the credentials"),
    ] {
        let warnings = load(&variables).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{warnings:?}");
    }
    for url in ["http://127.0.0.1:4566", "https://sts.example.com"] {
        assert!(load(&sts(url)).unwrap().warnings.is_empty());
    }
}

#[test]
fn mistake_in_a_login_by_iam_is_reported() {
    let [protocol, mechanism, region] = MSK;
    let agent = |url| vec![protocol, mechanism, region, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)];
    let with = |more: &[(&'static str, &'static str)]| [&MSK[..], more].concat();
    for (variables, name, text) in [
        (vec![protocol, mechanism], "AWS_REGION", "the region of the Kafka cluster, such as eu-central-1"),
        (vec![protocol, mechanism, ("AWS_REGION", "EU central")], "AWS_REGION", "is not a region"),
        (vec![protocol, mechanism, ("AWS_DEFAULT_REGION", "a.b")], "AWS_DEFAULT_REGION", "is not a region"),
        (with(&[ID]), "AWS_SECRET_ACCESS_KEY", "the secret access key that belongs to AWS_ACCESS_KEY_ID"),
        (with(&[SECRET]), "AWS_ACCESS_KEY_ID", "write the id of the access key"),
        (with(&[ID, ("AWS_SECRET_ACCESS_KEY", "a\nb")]), "AWS_SECRET_ACCESS_KEY", "a line break"),
        (with(&[ID, SECRET, ("AWS_SESSION_TOKEN", "a b")]), "AWS_SESSION_TOKEN", "contains a space"),
        (with(&[ROLE]), "AWS_WEB_IDENTITY_TOKEN_FILE", "or remove AWS_ROLE_ARN"),
        (with(&[TOKEN_FILE]), "AWS_ROLE_ARN", "or remove AWS_WEB_IDENTITY_TOKEN_FILE"),
        (with(&[TOKEN_FILE, ("AWS_ROLE_ARN", "bridge")]), "AWS_ROLE_ARN", "write arn:aws:iam::"),
        (with(&[TOKEN_FILE, ROLE, ("AWS_ROLE_SESSION_NAME", "a")]), "AWS_ROLE_SESSION_NAME", "write 2 to 64 letters"),
        (
            with(&[TOKEN_FILE, ROLE, ("AWS_ENDPOINT_URL_STS", "sts")]),
            "AWS_ENDPOINT_URL_STS",
            "write https:// or http://",
        ),
        (agent("http://169.254.170.3/x"), "AWS_CONTAINER_CREDENTIALS_FULL_URI", "to another machine without TLS"),
        (agent("http://example.com?@127.0.0.1/"), "AWS_CONTAINER_CREDENTIALS_FULL_URI", "write an https:// URL"),
        (agent("http://127.0.0.1/x#y"), "AWS_CONTAINER_CREDENTIALS_FULL_URI", "is not a URL"),
        (agent("http://example.com/x"), "AWS_CONTAINER_CREDENTIALS_FULL_URI", "write an https:// URL"),
        (
            with(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "x")]),
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "beginning with /",
        ),
        (
            with(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/a b")]),
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "is not a path",
        ),
        (
            with(&[AGENT, ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\nb")]),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "remove it",
        ),
        (with(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", "x")]), "AWS_EC2_METADATA_SERVICE_ENDPOINT", "is not a URL"),
        (with(&[("AWS_EC2_METADATA_DISABLED", "maybe")]), "AWS_EC2_METADATA_DISABLED", "write true or false"),
        (with(&[("AWS_EC2_METADATA_DISABLED", "true")]), "AWS_ACCESS_KEY_ID", "let the pod have a role"),
        (
            with(&[ID, SECRET, ("KAFKA_SASL_USERNAME", "x")]),
            "KAFKA_SASL_USERNAME",
            "which logs in with AWS credentials",
        ),
        (
            with(&[ID, SECRET, ("KAFKA_SASL_PASSWORD", PASSWORD)]),
            "KAFKA_SASL_PASSWORD",
            "write KAFKA_SASL_MECHANISM=SCRAM-SHA-512",
        ),
        (
            with(&[ID, SECRET, ("KAFKA_OAUTH_SCOPE", "x")]),
            "KAFKA_OAUTH_SCOPE",
            "write KAFKA_SASL_MECHANISM=OAUTHBEARER",
        ),
    ] {
        let problems = load(&variables).unwrap_err().to_string();
        let line = problems
            .lines()
            .find(|line| line.starts_with(&format!("{name}: ")) || line.contains(&format!(" {name}: ")));
        assert!(line.is_some_and(|line| line.contains(text)), "{variables:?}: {problems}");
    }
    for url in [
        "https://example.com/x",
        "http://localhost:1/x",
        "http://[::1]/x",
        "http://[fd00:ec2::23]/v1",
        "http://127.0.0.1:8080/credentials?foo=bar",
    ] {
        assert!(load(&agent(url)).is_ok(), "{url}");
    }
}

#[test]
fn agent_of_a_container_may_require_an_authorization_with_a_space() {
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic static%20token2");
    let path = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials?id=1");
    let AwsCredentialSource::Container { url, authorization } = msk(&[path, token]).credentials else {
        panic!("no agent")
    };
    assert_eq!(url, "http://169.254.170.2/v2/credentials?id=1");
    assert!(matches!(authorization, Some(ContainerAuthorization::Token(found)) if found.expose_secret() == token.1));
}
