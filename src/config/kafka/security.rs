//! Encryption and authentication, as a type that cannot represent an invalid combination.

use std::{path::PathBuf, sync::Arc};

use secrecy::SecretString;
use serde::Deserialize;

use crate::config::{
    catalogue::{
        KAFKA_SASL_MECHANISM, KAFKA_SASL_PASSWORD, KAFKA_SASL_PASSWORD_FILE, KAFKA_SASL_USERNAME,
        KAFKA_SECURITY_PROTOCOL, Variable,
    },
    describe::Row,
    files::is_read_once,
    kafka::{
        mechanism::{AWS_MSK_IAM, Mechanism, OAUTHBEARER, SaslMechanism, read_mechanism},
        msk_iam::{AwsSection, MskIamConfig},
        oauth::{OAuthConfig, OAuthSection, set_variables},
        tls::{SslSection, Tls},
    },
    validate::Validator,
};

/// Encryption and authentication of the connections to Kafka.
#[derive(Debug, Clone)]
pub enum Security {
    /// Neither encryption nor authentication.
    Plaintext,
    /// Encryption, with authentication by client certificate if there is one.
    Ssl {
        /// The trusted authorities and the client certificate.
        tls: Tls,
    },
    /// Authentication by a password or a token.
    Sasl {
        /// What the service presents to Kafka.
        login: SaslLogin,
        /// Encryption, if any.
        tls: Option<Tls>,
    },
}

/// What the service presents to Kafka to log in.
#[derive(Debug, Clone)]
pub enum SaslLogin {
    /// A user name and a password.
    Password(PasswordLogin),
    /// An OAuth token, which is replaced before it expires (`OAUTHBEARER`).
    Token(OAuthConfig),
    /// A request to Amazon MSK, signed with AWS credentials, as a token (`AWS_MSK_IAM`). Clones share it, because all clients
    /// of a configuration share its tokens.
    MskIam(Arc<MskIamConfig>),
}

/// A Kafka user and its password.
#[derive(Debug, Clone)]
pub struct PasswordLogin {
    /// How the password is sent or proven.
    pub mechanism: SaslMechanism,
    /// The Kafka user.
    pub username: String,
    /// The password of the user.
    pub password: SecretString,
    /// The file that the password was read from.
    pub password_file: Option<PathBuf>,
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

/// Validates the protocol and the variables that it uses. A variable that it does not use is a contradiction.
pub(super) fn validate(
    protocol: Option<String>,
    sasl: SaslSection,
    oauth: OAuthSection,
    aws: AwsSection,
    ssl: SslSection,
    validator: &mut Validator,
) -> Option<Security> {
    match validator.parse_choice(&KAFKA_SECURITY_PROTOCOL, protocol, &PROTOCOLS)? {
        Protocol::Plaintext => {
            report_unused_login(&sasl, &oauth, validator);
            ssl.report_unused(validator);
            Some(Security::Plaintext)
        }
        Protocol::Ssl => {
            report_unused_login(&sasl, &oauth, validator);
            ssl.validate(validator).map(|tls| Security::Ssl { tls })
        }
        Protocol::SaslPlaintext => {
            ssl.report_unused(validator);
            sasl.validate(oauth, aws, validator).map(|login| Security::Sasl { login, tls: None })
        }
        Protocol::SaslSsl => {
            let tls = ssl.validate(validator);
            let login = sasl.validate(oauth, aws, validator);
            Some(Security::Sasl { login: login?, tls: Some(tls?) })
        }
    }
}

fn report_unused_login(sasl: &SaslSection, oauth: &OAuthSection, validator: &mut Validator) {
    let report = |variable: &Variable, validator: &mut Validator| {
        let problem = "contradicts KAFKA_SECURITY_PROTOCOL, which does not use it; remove it, or write \
                       KAFKA_SECURITY_PROTOCOL=sasl_ssl";
        validator.report(variable, problem);
    };
    if sasl.mechanism.is_some() {
        report(&KAFKA_SASL_MECHANISM, validator);
    }
    for variable in sasl.set().chain(oauth.set()) {
        report(variable, validator);
    }
}

impl SaslSection {
    fn validate(self, oauth: OAuthSection, aws: AwsSection, validator: &mut Validator) -> Option<SaslLogin> {
        match read_mechanism(self.mechanism.clone(), validator) {
            Some(Mechanism::Token) => {
                for variable in self.set() {
                    validator.report(
                        variable,
                        "contradicts KAFKA_SASL_MECHANISM=OAUTHBEARER, which does not use it; remove it, and set \
                         KAFKA_OAUTH_CLIENT_ID and KAFKA_OAUTH_CLIENT_SECRET instead",
                    );
                }
                oauth.validate(validator).map(SaslLogin::Token)
            }
            Some(Mechanism::MskIam) => {
                report_unused_oauth(&oauth, validator);
                for variable in self.set() {
                    validator.report(
                        variable,
                        "contradicts KAFKA_SASL_MECHANISM=AWS_MSK_IAM, which logs in with AWS credentials; remove it, or \
                         write KAFKA_SASL_MECHANISM=SCRAM-SHA-512",
                    );
                }
                aws.validate(validator).map(|msk| SaslLogin::MskIam(Arc::new(msk)))
            }
            Some(Mechanism::Password(mechanism)) => {
                report_unused_oauth(&oauth, validator);
                self.validate_password(mechanism, validator)
            }
            // The other variables cannot be checked without a mechanism, unless only a login by password has them.
            None if oauth.set().next().is_none() => {
                self.validate_password(SaslMechanism::Plain, validator);
                None
            }
            None => None,
        }
    }

    fn validate_password(self, mechanism: SaslMechanism, validator: &mut Validator) -> Option<SaslLogin> {
        if self.username.is_none() {
            validator.report_missing(&KAFKA_SASL_USERNAME, "the Kafka user");
        }
        let password = validator.read_secret(
            [&KAFKA_SASL_PASSWORD, &KAFKA_SASL_PASSWORD_FILE],
            [self.password, self.password_file],
            "the password of that user, or its path into KAFKA_SASL_PASSWORD_FILE",
        )?;
        validator.check_one_line(&password);
        Some(SaslLogin::Password(PasswordLogin {
            mechanism,
            username: self.username?,
            password: password.text.into(),
            password_file: password.file,
        }))
    }

    /// The variables that are set, without the mechanism.
    fn set(&self) -> impl Iterator<Item = &'static Variable> + use<> {
        set_variables([
            (&KAFKA_SASL_USERNAME, self.username.is_some()),
            (&KAFKA_SASL_PASSWORD, self.password.is_some()),
            (&KAFKA_SASL_PASSWORD_FILE, self.password_file.is_some()),
        ])
    }
}

impl PasswordLogin {
    /// Reads the file of the password again, if there is one.
    pub(super) fn reload(&self, validator: &mut Validator) -> Option<Self> {
        let Some(file) = self.password_file.clone().filter(|file| !is_read_once(file)) else {
            return Some(self.clone());
        };
        let password = validator.read_secret_file(&KAFKA_SASL_PASSWORD_FILE, file)?;
        validator.check_one_line(&password);
        Some(Self { password: password.text.into(), ..self.clone() })
    }
}

fn report_unused_oauth(oauth: &OAuthSection, validator: &mut Validator) {
    for variable in oauth.set() {
        validator.report(
            variable,
            "contradicts KAFKA_SASL_MECHANISM, which does not use it; remove it, or write KAFKA_SASL_MECHANISM=OAUTHBEARER",
        );
    }
}

impl Security {
    pub(super) fn describe(&self) -> Vec<Row> {
        let [mechanism, username, password, password_file] = self.describe_sasl();
        let mut rows = vec![
            (KAFKA_SECURITY_PROTOCOL.name, self.protocol().to_owned()),
            (KAFKA_SASL_MECHANISM.name, mechanism),
            (KAFKA_SASL_USERNAME.name, username),
            (KAFKA_SASL_PASSWORD.name, password),
            (KAFKA_SASL_PASSWORD_FILE.name, password_file),
        ];
        rows.extend(OAuthConfig::describe(match self.login() {
            Some(SaslLogin::Token(oauth)) => Some(oauth),
            _ => None,
        }));
        rows.extend(MskIamConfig::describe(match self.login() {
            Some(SaslLogin::MskIam(msk)) => Some(msk),
            _ => None,
        }));
        rows.extend(Tls::describe(self.tls()));
        rows
    }

    fn describe_sasl(&self) -> [String; 4] {
        match self.login() {
            None => Default::default(),
            Some(SaslLogin::Password(login)) => [
                login.mechanism.as_str().to_owned(),
                login.username.clone(),
                "[redacted]".to_owned(),
                login.password_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            ],
            Some(SaslLogin::Token(_)) => [OAUTHBEARER.to_owned(), String::new(), String::new(), String::new()],
            Some(SaslLogin::MskIam(_)) => [AWS_MSK_IAM.to_owned(), String::new(), String::new(), String::new()],
        }
    }

    pub(super) fn login(&self) -> Option<&SaslLogin> {
        match self {
            Self::Plaintext | Self::Ssl { .. } => None,
            Self::Sasl { login, .. } => Some(login),
        }
    }

    /// Returns the value of librdkafka's `security.protocol`.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl { .. } => "ssl",
            Self::Sasl { tls: None, .. } => "sasl_plaintext",
            Self::Sasl { tls: Some(_), .. } => "sasl_ssl",
        }
    }

    /// Returns the TLS settings, if the connection is encrypted.
    #[must_use]
    pub fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Plaintext => None,
            Self::Ssl { tls } => Some(tls),
            Self::Sasl { tls, .. } => tls.as_ref(),
        }
    }
}
