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
mod commands;
mod console;
mod dead_letters;
mod describe;
mod environment;
mod files;
mod http;
mod kafka;
mod loader;
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
mod trace_sampler;
mod traces;
mod trusthub;
mod twilio;
mod validate;

use std::ffi::OsString;

pub use accounts::AccountsFile;
pub use callbacks::CallbackConfig;
pub use catalogue::{VARIABLES, Variable};
pub use commands::{ExplainConfig, load_drain, load_probe};
pub(crate) use commands::{
    load_admin, load_dead_letters, load_explain, load_kafka, load_reconcile, load_simulate, load_spool,
    load_trusthub_access, load_twilio,
};
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
pub use simulator::{SimulateCommandConfig, SimulatorConfig};
pub use spool::SpoolConfig;
pub use trace_sampler::SamplerConfig;
pub(crate) use traces::CALLBACK_SPANS;
pub use traces::{ExportConfig, SpanEncoding, TracesConfig};
pub use trusthub::TrustHubConfig;
pub use twilio::{ListedAccount, TwilioConfig};
pub use twilio_accounts::{AccountConfig, ApiKey};

use crate::domain::PublicUrl;
use describe::joined;
use environment::Environment;
use loader::{load_with, read_logging};
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
