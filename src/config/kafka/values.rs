//! The format of values, and the registry that has their schemas.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::watch;

use crate::{
    config::{
        catalogue::{
            CE_MODE, KAFKA_VALUE_FORMAT, SCHEMA_REGISTRY_AUTO_REGISTER, SCHEMA_REGISTRY_PASSWORD,
            SCHEMA_REGISTRY_PASSWORD_FILE, SCHEMA_REGISTRY_URL, SCHEMA_REGISTRY_USERNAME, Variable,
        },
        describe::Row,
        files::{CredentialFiles, is_read_once},
        plain_http::{is_loopback, unencrypted_authority},
        problems::Problems,
        validate::Validator,
    },
    domain::{PublicUrl, PublicUrlError},
};

/// The format in which values are written. Every reader reads all formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueFormat {
    /// JSON.
    #[default]
    Json,
    /// Avro in the wire format of Confluent's clients.
    Avro,
}

const FORMATS: [(&str, ValueFormat); 2] = [("json", ValueFormat::Json), ("avro", ValueFormat::Avro)];

/// Where the CloudEvents attributes of an event are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventMode {
    /// In headers.
    #[default]
    Binary,
    /// In the value, together with the data.
    Structured,
}

const MODES: [(&str, EventMode); 2] = [("binary", EventMode::Binary), ("structured", EventMode::Structured)];

/// The format of the values of events and states.
#[derive(Debug, Clone, Default)]
pub struct ValueConfig {
    /// The format. [`ValueFormat::Avro`] has a registry and [`EventMode::Binary`].
    pub format: ValueFormat,
    /// Where the attributes of events are.
    pub mode: EventMode,
    /// The schema registry, if there is one.
    pub registry: Option<RegistryConfig>,
}

/// A schema registry with Confluent's API.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// Scheme, host, optional port and optional path prefix, without a trailing slash.
    pub url: String,
    /// The user, for HTTP Basic.
    pub user: Option<RegistryUser>,
    /// Whether schemas are registered, and not only looked up.
    pub auto_register: bool,
}

/// A user of the schema registry.
#[derive(Debug, Clone)]
pub struct RegistryUser {
    /// The name.
    pub name: String,
    /// The password, which its file can renew.
    pub password: RegistryPassword,
}

/// The password of a user of the schema registry. Clones share it.
#[derive(Debug, Clone)]
pub struct RegistryPassword {
    current: watch::Sender<SecretString>,
    file: Option<PathBuf>,
}

impl RegistryPassword {
    /// A password that was read from this file, if any.
    #[must_use]
    pub fn new(password: SecretString, file: Option<PathBuf>) -> Self {
        Self { current: watch::Sender::new(password), file }
    }

    /// The password of the next request.
    #[must_use]
    pub fn current(&self) -> SecretString {
        self.current.borrow().clone()
    }

    /// The present state of its file, if there is one.
    pub(crate) fn files(&self) -> CredentialFiles {
        CredentialFiles::snapshot(self.file.clone())
    }

    /// Reads its file again. Returns whether the password has changed.
    ///
    /// # Errors
    /// [`Problems`] of the file.
    pub(crate) fn reload(&self) -> Result<bool, Problems> {
        let Some(file) = self.file.clone().filter(|file| !is_read_once(file)) else { return Ok(false) };
        let mut validator = Validator::default();
        let secret = validator.read_secret_file(&SCHEMA_REGISTRY_PASSWORD_FILE, file);
        let text = validator.finish(secret)?.text;
        Ok(self.current.send_if_modified(|current| {
            let is_changed = current.expose_secret() != text;
            if is_changed {
                *current = text.into();
            }
            is_changed
        }))
    }

    /// Completes when the password is another one than now.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let (mut current, sender) = (self.current.subscribe(), self.current.clone());
        async move {
            // The sender, which lives as long as this, keeps the channel open.
            let _ = current.changed().await;
            drop(sender);
        }
    }
}

#[derive(Deserialize)]
pub(super) struct CloudEventsSection {
    mode: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RegistrySection {
    url: Option<String>,
    username: Option<String>,
    password: Option<String>,
    password_file: Option<String>,
    auto_register: Option<String>,
}

pub(super) fn format(given: Option<String>, validator: &mut Validator) -> Option<ValueFormat> {
    validator.parse_choice(&KAFKA_VALUE_FORMAT, given, &FORMATS)
}

pub(super) fn validate(
    format: Option<ValueFormat>,
    events: CloudEventsSection,
    registry: RegistrySection,
    validator: &mut Validator,
) -> Option<ValueConfig> {
    let mode = validator.parse_choice(&CE_MODE, events.mode, &MODES);
    let registry = registry.validate(validator);
    if format == Some(ValueFormat::Avro) {
        if mode == Some(EventMode::Structured) {
            let problem =
                "cannot be structured with KAFKA_VALUE_FORMAT=avro, whose values are the data alone; write binary";
            validator.report(&CE_MODE, problem);
        }
        if registry.is_none() {
            let instead = "the URL of the schema registry, or KAFKA_VALUE_FORMAT=json";
            validator.report_missing(&SCHEMA_REGISTRY_URL, instead);
        }
    }
    Some(ValueConfig { format: format?, mode: mode?, registry })
}

impl RegistrySection {
    /// `None` also after a problem, which then ends the validation as a whole.
    fn validate(self, validator: &mut Validator) -> Option<RegistryConfig> {
        let Some(url) = &self.url else {
            self.report_unused(validator);
            return None;
        };
        // It has the same parts as a public URL.
        let url = match PublicUrl::parse(url) {
            Ok(url) => Some(url.as_str().to_owned()),
            Err(error) => {
                validator.report(&SCHEMA_REGISTRY_URL, problem(error));
                None
            }
        };
        let user = user(self.username, [self.password, self.password_file], validator);
        let auto_register = validator.parse_bool(&SCHEMA_REGISTRY_AUTO_REGISTER, self.auto_register);
        Some(RegistryConfig { url: url?, user, auto_register: auto_register? })
    }

    fn report_unused(&self, validator: &mut Validator) {
        let given = [
            (&SCHEMA_REGISTRY_USERNAME, &self.username),
            (&SCHEMA_REGISTRY_PASSWORD, &self.password),
            (&SCHEMA_REGISTRY_PASSWORD_FILE, &self.password_file),
            (&SCHEMA_REGISTRY_AUTO_REGISTER, &self.auto_register),
        ];
        let given = given.into_iter().filter(|(_, text)| text.is_some());
        given.for_each(|(variable, _): (&Variable, _)| {
            validator.report(variable, "has no effect without SCHEMA_REGISTRY_URL; set that as well, or remove this");
        });
    }
}

fn user(name: Option<String>, password: [Option<String>; 2], validator: &mut Validator) -> Option<RegistryUser> {
    if name.is_none() && password.iter().all(Option::is_none) {
        return None;
    }
    if name.is_none() {
        validator.report_missing(&SCHEMA_REGISTRY_USERNAME, "the user to whom the password belongs");
    }
    if name.as_ref().is_some_and(|name| name.contains(':')) {
        validator.report(
            &SCHEMA_REGISTRY_USERNAME,
            "contains a colon, which HTTP Basic does not permit; write the name alone",
        );
    }
    let variables = [&SCHEMA_REGISTRY_PASSWORD, &SCHEMA_REGISTRY_PASSWORD_FILE];
    let missing = "the password of that user, or its path into SCHEMA_REGISTRY_PASSWORD_FILE";
    let password = validator.read_secret(variables, password, missing)?;
    Some(RegistryUser { name: name?, password: RegistryPassword::new(password.text.into(), password.file) })
}

fn problem(error: PublicUrlError) -> &'static str {
    match error {
        PublicUrlError::Scheme => "does not start with https:// or http://; write it as https://registry.example.com",
        PublicUrlError::Host => "has no valid host; write it as https://registry.example.com",
        PublicUrlError::UserInfo | PublicUrlError::Credentials => {
            "contains a user name or an '@'; set SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD, and write only \
             scheme, host, port and path here"
        }
        PublicUrlError::Port => "has an invalid port; write a number from 1 to 65535 after the host, or omit the port",
        PublicUrlError::Query => "has a query or fragment; remove everything from the '?' or '#' on",
        PublicUrlError::Path => {
            "has a path that is not a plain prefix; write it as https://registry.example.com/apis/ccompat/v7"
        }
    }
}

impl ValueConfig {
    /// Warns about a password that the network can read.
    pub(in crate::config) fn warning(&self) -> Option<String> {
        let registry = self.registry.as_ref().filter(|registry| registry.user.is_some())?;
        let authority = unencrypted_authority(&registry.url)?;
        (!is_loopback(authority)).then(|| {
            let name = SCHEMA_REGISTRY_URL.name;
            format!("{name} is not https; the network can read SCHEMA_REGISTRY_PASSWORD, so use https")
        })
    }

    pub(super) fn describe_format(&self) -> Row {
        (KAFKA_VALUE_FORMAT.name, word(&FORMATS, self.format))
    }

    pub(super) fn describe_events(&self) -> [Row; 6] {
        let registry = self.registry.as_ref();
        let user = registry.and_then(|registry| registry.user.as_ref());
        let password_file = user.and_then(|user| user.password.file.as_ref());
        let default = || SCHEMA_REGISTRY_AUTO_REGISTER.default.to_owned();
        [
            (CE_MODE.name, word(&MODES, self.mode)),
            (SCHEMA_REGISTRY_URL.name, registry.map(|registry| registry.url.clone()).unwrap_or_default()),
            (SCHEMA_REGISTRY_USERNAME.name, user.map(|user| user.name.clone()).unwrap_or_default()),
            (SCHEMA_REGISTRY_PASSWORD.name, user.map(|_| "[redacted]".to_owned()).unwrap_or_default()),
            (
                SCHEMA_REGISTRY_PASSWORD_FILE.name,
                password_file.map(|path| path.display().to_string()).unwrap_or_default(),
            ),
            (
                SCHEMA_REGISTRY_AUTO_REGISTER.name,
                registry.map_or_else(default, |registry| registry.auto_register.to_string()),
            ),
        ]
    }
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> String {
    words.iter().find(|(_, known)| *known == value).map(|(word, _)| (*word).to_owned()).unwrap_or_default()
}
