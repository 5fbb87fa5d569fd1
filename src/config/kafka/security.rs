//! Encryption and login, as a type in which a wrong combination cannot be written.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use crate::config::{
    Row,
    catalogue::{
        KAFKA_SASL_MECHANISM, KAFKA_SASL_PASSWORD, KAFKA_SASL_PASSWORD_FILE, KAFKA_SASL_USERNAME,
        KAFKA_SECURITY_PROTOCOL, KAFKA_SSL_CA_LOCATION, KAFKA_SSL_CERTIFICATE_LOCATION, KAFKA_SSL_KEY_LOCATION,
        Variable,
    },
    validate::Reader,
};

/// How the connection to Kafka is encrypted and who logs in.
#[derive(Debug, Clone)]
pub enum Security {
    /// Neither encryption nor login.
    Plaintext,
    /// Encryption; login by client certificate, if there is one.
    Ssl {
        /// What is trusted and shown.
        tls: Tls,
    },
    /// Login by user name and password.
    Sasl {
        /// How the password is proven.
        mechanism: SaslMechanism,
        /// The user.
        username: String,
        /// The password.
        password: SecretString,
        /// The file that the password came from.
        password_file: Option<PathBuf>,
        /// Encryption, if any.
        tls: Option<Tls>,
    },
}

/// TLS to the brokers. Their certificates are always checked; there is nothing here to turn that off.
#[derive(Debug, Clone)]
pub struct Tls {
    /// A file or folder of trusted authorities, or `probe` for the system's.
    pub ca_location: String,
    /// What this service shows for mutual TLS.
    pub client_certificate: Option<ClientCertificate>,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The file of the certificate.
    pub certificate_location: String,
    /// The file of the private key.
    pub key_location: String,
}

/// The SASL mechanisms that need only a user name and a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// The password itself is sent.
    Plain,
    /// Salted challenge and response with SHA-256.
    ScramSha256,
    /// Salted challenge and response with SHA-512.
    ScramSha512,
}

const MECHANISMS: [(&str, SaslMechanism); 3] = [
    ("PLAIN", SaslMechanism::Plain),
    ("SCRAM-SHA-256", SaslMechanism::ScramSha256),
    ("SCRAM-SHA-512", SaslMechanism::ScramSha512),
];
/// Known to Kafka clients, but not taken here; named so that the problem can say so.
const OTHER_MECHANISMS: [&str; 3] = ["GSSAPI", "OAUTHBEARER", "AWS_MSK_IAM"];

impl SaslMechanism {
    /// The name that Kafka knows it by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

const PROTOCOLS: [(&str, Protocol); 4] = [
    ("plaintext", Protocol::Plaintext),
    ("ssl", Protocol::Ssl),
    ("sasl_plaintext", Protocol::SaslPlaintext),
    ("sasl_ssl", Protocol::SaslSsl),
];

#[derive(Deserialize)]
pub(super) struct SaslSection {
    mechanism: Option<String>,
    username: Option<String>,
    password: Option<String>,
    password_file: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct SslSection {
    ca_location: Option<String>,
    certificate_location: Option<String>,
    key_location: Option<String>,
}

/// Reads the protocol and what belongs to it; what does not belong to it contradicts it.
pub(super) fn read(
    protocol: Option<String>,
    sasl: SaslSection,
    ssl: SslSection,
    reader: &mut Reader,
) -> Option<Security> {
    match reader.word(&KAFKA_SECURITY_PROTOCOL, protocol, &PROTOCOLS)? {
        Protocol::Plaintext => {
            sasl.refuse(reader);
            ssl.refuse(reader);
            Some(Security::Plaintext)
        }
        Protocol::Ssl => {
            sasl.refuse(reader);
            ssl.read(reader).map(|tls| Security::Ssl { tls })
        }
        Protocol::SaslPlaintext => {
            ssl.refuse(reader);
            sasl.read(None, reader)
        }
        Protocol::SaslSsl => {
            let tls = ssl.read(reader);
            sasl.read(tls, reader)
        }
    }
}

impl SaslSection {
    fn read(self, tls: Option<Tls>, reader: &mut Reader) -> Option<Security> {
        let mechanism = read_mechanism(self.mechanism, reader);
        if self.username.is_none() {
            reader.missing(&KAFKA_SASL_USERNAME, "the user that logs in to Kafka");
        }
        let password = reader.secret(
            [&KAFKA_SASL_PASSWORD, &KAFKA_SASL_PASSWORD_FILE],
            [self.password, self.password_file],
            "the password of that user, or its path into KAFKA_SASL_PASSWORD_FILE",
        )?;
        if password.text.contains(char::is_control) {
            reader.report(password.source, "contains a line break or another control character; remove it");
        }
        Some(Security::Sasl {
            mechanism: mechanism?,
            username: self.username?,
            password: password.text.into(),
            password_file: password.file,
            tls,
        })
    }

    fn refuse(&self, reader: &mut Reader) {
        let instead = "remove it, or write KAFKA_SECURITY_PROTOCOL=sasl_ssl";
        refuse(&KAFKA_SASL_MECHANISM, self.mechanism.as_ref(), instead, reader);
        refuse(&KAFKA_SASL_USERNAME, self.username.as_ref(), instead, reader);
        refuse(&KAFKA_SASL_PASSWORD, self.password.as_ref(), instead, reader);
        refuse(&KAFKA_SASL_PASSWORD_FILE, self.password_file.as_ref(), instead, reader);
    }
}

fn read_mechanism(given: Option<String>, reader: &mut Reader) -> Option<SaslMechanism> {
    let allowed = "write PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512";
    let Some(text) = given else {
        reader.missing(&KAFKA_SASL_MECHANISM, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
        return None;
    };
    if let Some(other) = OTHER_MECHANISMS.iter().find(|other| other.eq_ignore_ascii_case(&text)) {
        reader.report(&KAFKA_SASL_MECHANISM, format!("{other} is not supported; {allowed}"));
        return None;
    }
    reader.word(&KAFKA_SASL_MECHANISM, Some(text), &MECHANISMS)
}

impl SslSection {
    fn read(self, reader: &mut Reader) -> Option<Tls> {
        let ca_location = match self.ca_location {
            Some(path) if path != "probe" => reader.path(&KAFKA_SSL_CA_LOCATION, path),
            other => reader.text(&KAFKA_SSL_CA_LOCATION, other),
        };
        let certificate = self.certificate_location.map(|path| reader.path(&KAFKA_SSL_CERTIFICATE_LOCATION, path));
        let key = self.key_location.map(|path| reader.path(&KAFKA_SSL_KEY_LOCATION, path));
        if certificate.is_some() && key.is_none() {
            reader
                .missing(&KAFKA_SSL_KEY_LOCATION, "the file of the key that belongs to KAFKA_SSL_CERTIFICATE_LOCATION");
        }
        if key.is_some() && certificate.is_none() {
            reader.missing(
                &KAFKA_SSL_CERTIFICATE_LOCATION,
                "the file of the certificate that belongs to KAFKA_SSL_KEY_LOCATION",
            );
        }
        let client_certificate = certificate.flatten().zip(key.flatten());
        Some(Tls {
            ca_location: ca_location?,
            client_certificate: client_certificate
                .map(|(certificate_location, key_location)| ClientCertificate { certificate_location, key_location }),
        })
    }

    fn refuse(&self, reader: &mut Reader) {
        let instead = "remove it, or write KAFKA_SECURITY_PROTOCOL=ssl or sasl_ssl";
        // The default may be written down.
        let ca_location = self.ca_location.as_ref().filter(|path| *path != "probe");
        refuse(&KAFKA_SSL_CA_LOCATION, ca_location, instead, reader);
        refuse(&KAFKA_SSL_CERTIFICATE_LOCATION, self.certificate_location.as_ref(), instead, reader);
        refuse(&KAFKA_SSL_KEY_LOCATION, self.key_location.as_ref(), instead, reader);
    }
}

fn refuse(variable: &Variable, given: Option<&String>, instead: &str, reader: &mut Reader) {
    if given.is_some() {
        reader.report(variable, format!("contradicts KAFKA_SECURITY_PROTOCOL, which does not use it; {instead}"));
    }
}

impl Security {
    pub(super) fn describe(&self) -> [Row; 8] {
        let login = self.describe_login();
        let [mechanism, username, password, password_file] = login;
        let tls = self.tls();
        let client = tls.and_then(|tls| tls.client_certificate.as_ref());
        [
            (KAFKA_SECURITY_PROTOCOL.name, self.protocol().to_owned()),
            (KAFKA_SASL_MECHANISM.name, mechanism),
            (KAFKA_SASL_USERNAME.name, username),
            (KAFKA_SASL_PASSWORD.name, password),
            (KAFKA_SASL_PASSWORD_FILE.name, password_file),
            (KAFKA_SSL_CA_LOCATION.name, tls.map(|tls| tls.ca_location.clone()).unwrap_or_default()),
            (
                KAFKA_SSL_CERTIFICATE_LOCATION.name,
                client.map(|pair| pair.certificate_location.clone()).unwrap_or_default(),
            ),
            (KAFKA_SSL_KEY_LOCATION.name, client.map(|pair| pair.key_location.clone()).unwrap_or_default()),
        ]
    }

    fn describe_login(&self) -> [String; 4] {
        match self {
            Self::Plaintext | Self::Ssl { .. } => Default::default(),
            Self::Sasl { mechanism, username, password_file, .. } => [
                mechanism.as_str().to_owned(),
                username.clone(),
                "[redacted]".to_owned(),
                password_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            ],
        }
    }

    /// The value of librdkafka's `security.protocol`.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl { .. } => "ssl",
            Self::Sasl { tls: None, .. } => "sasl_plaintext",
            Self::Sasl { tls: Some(_), .. } => "sasl_ssl",
        }
    }

    /// The TLS settings, where the connection is encrypted.
    #[must_use]
    pub fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Plaintext => None,
            Self::Ssl { tls } => Some(tls),
            Self::Sasl { tls, .. } => tls.as_ref(),
        }
    }
}
