//! Logins to Kafka: each protocol and mechanism accepts its own settings, and no others.

use secrecy::ExposeSecret as _;
use trusthub_bridge::config::{Config, PasswordLogin, SaslLogin, SaslMechanism, Security, TokenSource};

use super::{OAUTHBEARER, PASSWORD, PEM, config, described, file, load, password_login};

#[test]
fn each_security_protocol_accepts_exactly_its_own_settings() {
    let pem = file("security.pem", PEM).display().to_string();
    let login = [("KAFKA_SASL_USERNAME", "bridge"), ("KAFKA_SASL_PASSWORD", PASSWORD)];

    let ssl = config(&[("KAFKA_SECURITY_PROTOCOL", "SSL")]).kafka.credentials.security();
    assert!(matches!(&*ssl, Security::Ssl { tls } if tls.ca_location == "probe" && tls.client_certificate.is_none()));

    let mutual = config(&[
        ("KAFKA_SECURITY_PROTOCOL", "ssl"),
        ("KAFKA_SSL_CA_LOCATION", &pem),
        ("KAFKA_SSL_CERTIFICATE_LOCATION", &pem),
        ("KAFKA_SSL_KEY_LOCATION", &pem),
    ]);
    let mutual = mutual.kafka.credentials.security();
    let tls = mutual.tls().unwrap();
    let client = tls.client_certificate.as_ref().unwrap();
    assert_eq!([&tls.ca_location, &client.certificate_location, &client.key_location], [&pem; 3]);

    for (name, expected) in [
        ("PLAIN", SaslMechanism::Plain),
        ("SCRAM-SHA-256", SaslMechanism::ScramSha256),
        ("scram-sha-512", SaslMechanism::ScramSha512),
    ] {
        for protocol in ["sasl_plaintext", "sasl_ssl"] {
            let wanted = [("KAFKA_SECURITY_PROTOCOL", protocol), ("KAFKA_SASL_MECHANISM", name), login[0], login[1]];
            let security = config(&wanted).kafka.credentials.security();
            assert_eq!(security.protocol(), protocol);
            let PasswordLogin { mechanism, username, password, .. } = password_login(&security);
            assert_eq!((mechanism, username.as_str(), password.expose_secret()), (expected, "bridge", PASSWORD));
        }
    }
}

fn token_source(config: &Config) -> TokenSource {
    match &*config.kafka.credentials.security() {
        Security::Sasl { login: SaslLogin::Token(oauth), .. } => oauth.source.clone(),
        other => panic!("no login by token: {other:?}"),
    }
}

#[test]
fn token_comes_from_an_identity_provider_or_from_a_file() {
    let secret = file("client-secret", format!("{PASSWORD}\n").as_bytes());
    let by_provider = config(
        &[
            &OAUTHBEARER[..],
            &[
                ("KAFKA_OAUTH_TOKEN_URL", "https://idp.example/oauth/token/"),
                ("KAFKA_OAUTH_CLIENT_ID", "bridge"),
                ("KAFKA_OAUTH_CLIENT_SECRET_FILE", secret.to_str().unwrap()),
                ("KAFKA_OAUTH_SCOPE", "api://kafka/.default publish"),
                ("KAFKA_OAUTH_EXTENSIONS", "logicalCluster=lkc-1, identityPoolId=pool-a=b"),
            ],
        ]
        .concat(),
    );
    let TokenSource::ClientCredentials(client) = token_source(&by_provider) else { panic!("no client credentials") };
    assert_eq!(client.token_url, "https://idp.example/oauth/token/", "its last slash is significant");
    assert_eq!((client.client_id.as_str(), client.client_secret.expose_secret()), ("bridge", PASSWORD));
    assert_eq!((client.scope.as_deref(), &client.ca_location), (Some("api://kafka/.default publish"), &None));
    assert_eq!(described(&by_provider, "KAFKA_SASL_MECHANISM"), "OAUTHBEARER");
    assert_eq!(described(&by_provider, "KAFKA_OAUTH_CLIENT_SECRET"), "[redacted]");
    assert_eq!(described(&by_provider, "KAFKA_OAUTH_EXTENSIONS"), "logicalCluster=lkc-1,identityPoolId=pool-a=b");

    let token = ("KAFKA_OAUTH_TOKEN_FILE", "/nowhere/yet");
    let by_file = config(&[&OAUTHBEARER[..], &[token]].concat());
    assert!(matches!(token_source(&by_file), TokenSource::File(path) if path.to_str() == Some(token.1)));
    assert_eq!(described(&by_file, token.0), token.1);
    assert_eq!(described(&by_file, "KAFKA_OAUTH_CLIENT_SECRET"), "");
}

#[test]
fn client_secret_that_the_network_can_read_is_a_warning() {
    let warnings = |url| {
        let client = [
            ("KAFKA_OAUTH_TOKEN_URL", url),
            ("KAFKA_OAUTH_CLIENT_ID", "bridge"),
            ("KAFKA_OAUTH_CLIENT_SECRET", PASSWORD),
        ];
        load(&[&OAUTHBEARER[..], &client].concat()).unwrap().warnings
    };
    let expected = "KAFKA_OAUTH_TOKEN_URL is not https; the network can read the client secret";
    assert_eq!(warnings("http://keycloak:8080/token"), [expected]);
    for url in ["https://keycloak/token", "http://127.0.0.1:8080/token", "http://localhost/token"] {
        assert_eq!(warnings(url), [""; 0]);
    }
}
