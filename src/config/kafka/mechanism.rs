//! The words of `KAFKA_SASL_MECHANISM`.

use crate::config::{catalogue::KAFKA_SASL_MECHANISM, validate::Validator};

/// The SASL mechanisms that need a user name and a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// The password itself is sent.
    Plain,
    /// Salted challenge-response with SHA-256.
    ScramSha256,
    /// Salted challenge-response with SHA-512.
    ScramSha512,
}

/// A word of `KAFKA_SASL_MECHANISM`.
#[derive(Clone, Copy)]
pub(super) enum Mechanism {
    Password(SaslMechanism),
    Token,
    MskIam,
}

/// The words of `KAFKA_SASL_MECHANISM`.
const MECHANISMS: [(&str, Mechanism); 5] = [
    ("PLAIN", Mechanism::Password(SaslMechanism::Plain)),
    ("SCRAM-SHA-256", Mechanism::Password(SaslMechanism::ScramSha256)),
    ("SCRAM-SHA-512", Mechanism::Password(SaslMechanism::ScramSha512)),
    (OAUTHBEARER, Mechanism::Token),
    (AWS_MSK_IAM, Mechanism::MskIam),
];
/// Kafka's name of the mechanism that sends a token.
pub(super) const OAUTHBEARER: &str = "OAUTHBEARER";
/// The name of Amazon MSK for a login by IAM.
pub(super) const AWS_MSK_IAM: &str = "AWS_MSK_IAM";
/// A mechanism of Kafka that is not supported, so that the problem can name it.
const UNSUPPORTED: &str = "GSSAPI";
/// The words of `KAFKA_SASL_MECHANISM`, as a problem names them.
const SUPPORTED: &str = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM";

impl SaslMechanism {
    /// Returns Kafka's name of the mechanism.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Reads the mechanism, which is required. Reports one that is missing or not supported.
pub(super) fn read_mechanism(given: Option<String>, validator: &mut Validator) -> Option<Mechanism> {
    let Some(text) = given else {
        validator.report_missing(&KAFKA_SASL_MECHANISM, SUPPORTED);
        return None;
    };
    if UNSUPPORTED.eq_ignore_ascii_case(&text) {
        validator.report(&KAFKA_SASL_MECHANISM, format!("{UNSUPPORTED} is not supported; write {SUPPORTED}"));
        return None;
    }
    validator.parse_choice(&KAFKA_SASL_MECHANISM, Some(text), &MECHANISMS)
}
