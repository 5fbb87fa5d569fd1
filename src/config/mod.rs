//! The configuration, which is read from environment variables and validated before anything starts.
//!
//! [`load`] takes the variables as an argument and never reads them from the process. It reports all problems at once, each
//! with what to write instead. It never repeats a value, because a secret may have been written to the wrong variable.
//!
//! Each file has one or more sections. A section is a group of variables with the same prefix: a private `…Section` holds
//! their texts, and its `validate` turns them into a public `…Config`. `catalogue` lists every variable.

mod accounts;
mod callbacks;
mod catalogue;
mod console;
mod dead_letters;
mod describe;
mod environment;
mod files;
mod http;
mod kafka;
mod logging;
mod plain_http;
mod probe;
mod problems;
mod reconcile;
mod shared_keys;
mod simulator;
mod spool;
mod suggest;
mod token_form;
mod traces;
mod trusthub;
mod twilio;
mod validate;

use std::ffi::OsString;

pub use accounts::AccountsFile;
pub use callbacks::CallbackConfig;
pub use catalogue::{VARIABLES, Variable};
pub use console::ConsoleConfig;
pub use dead_letters::DeadLettersConfig;
pub use files::CredentialFiles;
pub use http::{AdminConfig, HttpConfig};
pub use kafka::{
    AwsCredentialSource, AwsKeys, CertificateExpiry, Certificates, ClientCertificate, ClientCredentials,
    ContainerAuthorization, EventMode, KafkaConfig, KafkaCredentials, MskIamConfig, OAuthConfig, PasswordLogin,
    REFUSED_PROPERTIES, RefusedProperty, RegistryConfig, RegistryPassword, RegistryUser, SaslLogin, SaslMechanism,
    Security, Tls, TokenSource, ValueConfig, ValueFormat, WebIdentity,
};
pub use logging::{LogFormat, LoggingConfig, ShutdownConfig, log_filter};
pub use probe::{ProbeConfig, ProbeKey, ProbeSigner};
pub use problems::Problems;
pub use reconcile::{ReconcileCommandConfig, ReconcileConfig, TrustHubAccess};
use serde::de::DeserializeOwned;
pub use simulator::{SimulateCommandConfig, SimulatorConfig};
pub use spool::SpoolConfig;
pub use traces::{ExportConfig, SamplerConfig, SpanEncoding, TracesConfig};
pub use trusthub::TrustHubConfig;
pub use twilio::{ListedAccount, TwilioConfig};
pub use twilio_accounts::{AccountConfig, ApiKey};

use crate::domain::{PublicUrl, SignatureMode};
use describe::joined;
use environment::Environment;
use validate::Validator;

/// The validated configuration of the service.
#[derive(Debug, Clone)]
pub struct Config {
    /// The public listener.
    pub http: HttpConfig,
    /// The listener for probes and metrics.
    pub admin: AdminConfig,
    /// The web console.
    pub console: ConsoleConfig,
    /// The base URLs that Twilio calls; at least one.
    pub public_urls: Vec<PublicUrl>,
    /// The accounts and the tokens that verify callbacks.
    pub twilio: TwilioConfig,
    /// The signature mode and the deduplication of callbacks.
    pub callbacks: CallbackConfig,
    /// The Kafka cluster and its topics.
    pub kafka: KafkaConfig,
    /// The durable queue on disk.
    pub spool: SpoolConfig,
    /// Trust Hub's REST API.
    pub trusthub: TrustHubConfig,
    /// The schedule of reconciliation.
    pub reconcile: ReconcileConfig,
    /// The traces of callbacks.
    pub traces: TracesConfig,
    /// The time limits of a stop.
    pub shutdown: ShutdownConfig,
    /// The address and the state file of the simulator. The service does not use them; `config` prints them.
    pub simulator: SimulatorConfig,
    /// The format and the filter of the log.
    pub logging: LoggingConfig,
}

/// The settings that decide about a captured request, besides its public URLs and accounts.
#[derive(Debug, Clone, Copy)]
pub struct ExplainConfig {
    /// The size limit of a request body.
    pub max_body_bytes: usize,
    /// What happens to callbacks whose signature does not match.
    pub signature_mode: SignatureMode,
}

/// A valid configuration, and warnings about its variables.
#[derive(Debug, Clone)]
pub struct LoadedConfig {
    /// The validated configuration.
    pub config: Config,
    /// One sentence for each variable whose name is almost that of a known one, and for each that has no effect or is
    /// insecure.
    pub warnings: Vec<String>,
}

/// Loads the configuration of the service.
///
/// # Errors
/// [`Problems`] with every missing, malformed or contradictory variable.
pub fn load(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<LoadedConfig, Problems> {
    let (config, mut warnings) = load_with(vars, read_sections)?;
    warnings.extend(reconcile::warnings_of(&config.twilio, &config.trusthub));
    warnings.extend(config.kafka.values.warning());
    warnings.extend(config.console.warning());
    warnings.extend(config.kafka.warnings());
    warnings.extend(config.traces.warning());
    if config.reconcile.interval.is_some() {
        warnings.extend(config.twilio.missing_credentials());
    }
    Ok(LoadedConfig { config, warnings })
}

/// Loads only the address of the admin port, for a command that sends a request to it.
///
/// # Errors
/// [`Problems`] of that variable.
pub(crate) fn load_admin(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<AdminConfig, Problems> {
    load_section(vars, "ADMIN_", |section: http::AdminSection, validator| section.validate(None, validator))
}

/// Loads only the accounts and their tokens.
///
/// # Errors
/// [`Problems`] of those variables.
pub(crate) fn load_twilio(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<TwilioConfig, Problems> {
    load_section(vars, "TWILIO_", twilio::TwilioSection::validate)
}

/// Loads only what a test callback needs: its signature, and the Kafka cluster in which its event arrives. That cluster may be
/// missing unless `requires_kafka`.
///
/// # Errors
/// [`Problems`] of those variables.
pub fn load_probe(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    requires_kafka: bool,
    shared_key: Option<&str>,
) -> Result<ProbeConfig, Problems> {
    let read = |environment: &Environment, validator: &mut Validator| {
        probe::read(environment, requires_kafka, shared_key, validator)
    };
    load_with(vars, read).map(|(probe, _)| probe)
}

/// Loads only the settings that decide about a captured request, besides its public URLs and accounts.
///
/// # Errors
/// [`Problems`] of those variables.
pub(crate) fn load_explain(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<ExplainConfig, Problems> {
    let read = |environment: &Environment, validator: &mut Validator| {
        let http = environment.section::<http::HttpSection>("HTTP_", validator)?.validate(validator);
        let signature = environment.section::<callbacks::SignatureSection>("SIGNATURE_", validator)?;
        let signature_mode = signature.validate(validator);
        Some(ExplainConfig { max_body_bytes: http?.max_body_bytes, signature_mode: signature_mode? })
    };
    load_with(vars, read).map(|(config, _)| config)
}

/// Loads only the spool section, for a command that inspects the spool.
///
/// # Errors
/// [`Problems`] of those variables.
pub(crate) fn load_spool(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<SpoolConfig, Problems> {
    load_section(vars, "SPOOL_", spool::SpoolSection::validate)
}

/// Loads only the spool and Kafka sections, for a command that drains the spool.
///
/// # Errors
/// [`Problems`] of those variables.
pub fn load_drain(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(SpoolConfig, KafkaConfig), Problems> {
    load_with(vars, read_drain).map(|(both, _)| both)
}

fn read_drain(environment: &Environment, validator: &mut Validator) -> Option<(SpoolConfig, KafkaConfig)> {
    let spool = environment.section::<spool::SpoolSection>("SPOOL_", validator)?.validate(validator);
    let kafka = kafka::KafkaSections::from(environment, validator)?.validate(validator);
    Some((spool?, kafka?))
}

/// Loads only the Kafka sections, for a command that works on topics.
///
/// # Errors
/// [`Problems`] of those variables.
pub(crate) fn load_kafka(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<KafkaConfig, Problems> {
    let loaded = load_with(vars, |environment, validator| {
        kafka::KafkaSections::from(environment, validator)?.validate(validator)
    });
    loaded.map(|(kafka, _)| kafka)
}

/// Loads only what the commands on dead letters need.
///
/// # Errors
/// [`Problems`] of those variables.
pub(crate) fn load_dead_letters(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<DeadLettersConfig, Problems> {
    let (config, warnings) = load_with(vars, dead_letters::read)?;
    Ok(DeadLettersConfig { warnings, ..config })
}

/// Loads only what `simulate` needs.
///
/// # Errors
/// [`Problems`] of those variables.
pub(crate) fn load_simulate(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<SimulateCommandConfig, Problems> {
    let (simulate, mut warnings) = load_with(vars, read_simulate)?;
    warnings.extend(simulate.simulator.warning());
    Ok(SimulateCommandConfig { warnings, ..simulate })
}

fn read_simulate(environment: &Environment, validator: &mut Validator) -> Option<SimulateCommandConfig> {
    let simulator = environment.section::<simulator::SimulatorSection>("SIMULATOR_", validator)?.validate(validator);
    let twilio = environment.section::<twilio::TwilioSection>("TWILIO_", validator)?;
    let accounts = twilio.validate_with_account("an account for the simulator", validator).map(simulator::accounts);
    let logging = read_logging(environment, validator);
    Some(SimulateCommandConfig { simulator: simulator?, accounts: accounts?, logging: logging?, warnings: Vec::new() })
}

/// Loads only what requests to Trust Hub need.
///
/// # Errors
/// [`Problems`] of those variables.
pub(crate) fn load_trusthub_access(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<TrustHubAccess, Problems> {
    load_with(vars, read_trusthub_access).map(|(access, warnings)| access.with_warnings(warnings))
}

/// Loads only what a reconciliation needs.
///
/// # Errors
/// [`Problems`] of those variables.
pub(crate) fn load_reconcile(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<ReconcileCommandConfig, Problems> {
    let (((access, kafka), reconcile), warnings) = load_with(vars, |environment, validator| {
        let access = read_trusthub_access(environment, validator);
        let reconcile =
            environment.section::<reconcile::ReconcileSection>("RECONCILE_", validator)?.validate(validator);
        let kafka =
            kafka::KafkaSections::from(environment, validator).and_then(|sections| sections.validate(validator));
        access.zip(kafka).zip(reconcile)
    })?;
    Ok(ReconcileCommandConfig { access: access.with_warnings(warnings), kafka, reconcile })
}

fn read_trusthub_access(environment: &Environment, validator: &mut Validator) -> Option<TrustHubAccess> {
    let trusthub = environment.section::<trusthub::TrustHubSection>("TRUSTHUB_", validator)?.validate(validator);
    let twilio = environment.section::<twilio::TwilioSection>("TWILIO_", validator)?;
    let twilio = twilio.validate_with_account("the account whose profiles to read", validator);
    if let Some(twilio) = &twilio {
        twilio.check_credentials(validator);
    }
    let logging = read_logging(environment, validator);
    Some(TrustHubAccess { trusthub: trusthub?, twilio: twilio?, logging: logging?, warnings: Vec::new() })
}

/// Runs `read` on the variables. Returns its result with the warnings about the names of the variables.
fn load_with<T>(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    read: impl FnOnce(&Environment, &mut Validator) -> Option<T>,
) -> Result<(T, Vec<String>), Problems> {
    let mut validator = Validator::default();
    let environment = Environment::collect(vars, &mut validator);
    let value = read(&environment, &mut validator);
    let warnings = environment.into_warnings();
    match validator.finish(value) {
        Ok(value) => Ok((value, warnings)),
        // A misspelled name can be the reason why a value is missing.
        Err(problems) => Err(problems.with_warnings(warnings)),
    }
}

fn load_section<S: DeserializeOwned, T>(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    prefix: &'static str,
    read: impl FnOnce(S, &mut Validator) -> Option<T>,
) -> Result<T, Problems> {
    let is_part = |name: &OsString| name.to_str().is_some_and(|name| name.starts_with(prefix));
    let part = vars.into_iter().filter(|(name, _)| is_part(name));
    let loaded = load_with(part, |environment, validator| {
        environment.section::<S>(prefix, validator).and_then(|section| read(section, validator))
    });
    loaded.map(|(section, _)| section)
}

/// Validates every section before it returns an error, so that one problem does not hide another.
fn read_sections(environment: &Environment, validator: &mut Validator) -> Option<Config> {
    let http = environment.section::<http::HttpSection>("HTTP_", validator)?.validate(validator);
    let admin = environment.section::<http::AdminSection>("ADMIN_", validator)?.validate(http.as_ref(), validator);
    let console = environment.section::<console::ConsoleSection>("CONSOLE_", validator)?;
    let console = console.validate(http.as_ref(), admin.as_ref(), validator);
    let public_urls = environment.section::<twilio::PublicSection>("PUBLIC_", validator)?.validate(validator);
    let twilio = environment.section::<twilio::TwilioSection>("TWILIO_", validator)?.validate(validator);
    twilio::check_candidates(public_urls.as_deref(), twilio.as_ref(), validator);
    let signature = environment.section::<callbacks::SignatureSection>("SIGNATURE_", validator)?;
    let dedup = environment.section::<callbacks::DedupSection>("DEDUP_", validator)?;
    let callbacks = callbacks::validate(signature, dedup, validator);
    let kafka = kafka::KafkaSections::from(environment, validator)?.validate(validator);
    let spool = environment.section::<spool::SpoolSection>("SPOOL_", validator)?.validate(validator);
    let trusthub = environment.section::<trusthub::TrustHubSection>("TRUSTHUB_", validator)?.validate(validator);
    let reconcile = environment.section::<reconcile::ReconcileSection>("RECONCILE_", validator)?.validate(validator);
    if let Some(reconcile) = reconcile {
        reconcile.check_accounts(twilio.as_ref(), validator);
    }
    let otel = environment.section::<traces::OtelSection>("OTEL_", validator)?;
    let trace = environment.section::<traces::TraceSection>("TRACE_", validator)?;
    let traces = traces::validate(otel, trace, validator);
    let shutdown = environment.section::<logging::ShutdownSection>("SHUTDOWN_", validator)?.validate(validator);
    let simulator = environment.section::<simulator::SimulatorSection>("SIMULATOR_", validator)?.validate(validator);
    let logging = read_logging(environment, validator);
    Some(Config {
        http: http?,
        admin: admin?,
        console: console?,
        public_urls: public_urls?,
        twilio: twilio?,
        callbacks: callbacks?,
        kafka: kafka?,
        spool: spool?,
        trusthub: trusthub?,
        reconcile: reconcile?,
        traces: traces?,
        shutdown: shutdown?,
        simulator: simulator?,
        logging: logging?,
    })
}

fn read_logging(environment: &Environment, validator: &mut Validator) -> Option<LoggingConfig> {
    let format = environment.section::<logging::LogSection>("LOG_", validator)?.validate(validator);
    let filter = environment.section::<logging::RustSection>("RUST_", validator)?.validate(validator);
    Some(LoggingConfig { format, filter: filter? })
}

impl Config {
    /// Returns the effective value of each of [`VARIABLES`] in their order. Secrets are redacted. The value is empty if a
    /// variable is not set and has no default.
    #[must_use]
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        [
            self.http.describe(),
            self.admin.describe(),
            self.console.describe(),
            vec![(catalogue::PUBLIC_URL.name, joined(&self.public_urls))],
            self.twilio.describe(),
            self.callbacks.describe(),
            self.kafka.describe(),
            self.spool.describe(),
            self.trusthub.describe(),
            self.reconcile.describe(),
            self.traces.describe(),
            self.shutdown.describe(),
            self.simulator.describe(),
            self.logging.describe(),
        ]
        .concat()
    }
}
