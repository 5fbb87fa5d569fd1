//! Everything that can be set, read from the environment and checked before anything starts.
//!
//! [`load`] takes the variables as an argument, never from the process itself. It names every problem at once, each
//! with what to write instead, and never repeats a value: one that stands in the wrong place may be a secret.

mod accounts;
mod callbacks;
mod catalogue;
mod environment;
mod files;
mod http;
mod kafka;
mod logging;
mod problems;
mod reconcile;
mod simulator;
mod spool;
mod suggest;
mod trusthub;
mod twilio;
mod validate;

use std::ffi::OsString;

pub use accounts::{Account, Accounts, ApiKey, parse_accounts};
pub use callbacks::Callbacks;
pub use catalogue::{VARIABLES, Variable};
pub use files::KeyFiles;
pub use http::{Admin, Http};
pub use kafka::{ClientCertificate, Kafka, REFUSED_PROPERTIES, RefusedProperty, SaslMechanism, Security, Tls};
pub use logging::{Log, LogFormat, Shutdown, log_filter};
pub use problems::Problems;
pub use reconcile::{Access, Reconcile, Reconciliation};
use serde::de::DeserializeOwned;
pub use simulator::{Simulator, SimulatorPlace};
pub use spool::Spool;
pub use trusthub::TrustHub;
pub use twilio::{Credentials, Probe, Twilio};

use crate::domain::PublicUrl;
use environment::Environment;
use validate::Reader;

/// The whole configuration, every value checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The public listener.
    pub http: Http,
    /// The listener for probes and metrics.
    pub admin: Admin,
    /// The addresses under which Twilio calls; at least one.
    pub public_urls: Vec<PublicUrl>,
    /// What proves that a callback comes from Twilio.
    pub twilio: Twilio,
    /// How callbacks are treated.
    pub callbacks: Callbacks,
    /// Where the events go.
    pub kafka: Kafka,
    /// Where they wait while Kafka does not take them.
    pub spool: Spool,
    /// Where the profiles can be asked for.
    pub trusthub: TrustHub,
    /// How often the profiles are compared with what was published.
    pub reconcile: Reconcile,
    /// How long stopping may take.
    pub shutdown: Shutdown,
    /// Where the simulator listens and what it remembers; only for `simulate` and `dev`.
    pub simulator: SimulatorPlace,
    /// What is logged, and how.
    pub log: Log,
}

/// A valid configuration, and what looks like a slip in its variables.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// One sentence for each variable that is not read but nearly has the name of one that is, and for each that is
    /// read but not used.
    pub warnings: Vec<String>,
}

/// Reads the configuration from environment variables.
///
/// # Errors
/// [`Problems`], which names every missing, malformed or contradictory variable.
pub fn load(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Loaded, Problems> {
    let (config, mut warnings) = load_with(vars, read_sections)?;
    warnings.extend(warnings_of(&config.twilio, &config.trusthub));
    Ok(Loaded { config, warnings })
}

/// Reads only where the admin port is, for a command that asks it.
///
/// # Errors
/// [`Problems`] of that one variable.
pub fn load_admin(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Admin, Problems> {
    load_section(vars, "ADMIN_", |section: http::AdminSection, reader| section.read(None, reader))
}

/// Reads only the tokens and the account, for a command that needs nothing else.
///
/// # Errors
/// [`Problems`] of those variables.
pub fn load_twilio(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Twilio, Problems> {
    load_section(vars, "TWILIO_", twilio::TwilioSection::read)
}

/// Reads only what a callback is signed with.
///
/// # Errors
/// [`Problems`] of those variables.
pub fn load_probe(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Probe, Problems> {
    load_with(vars, read_probe).map(|(probe, _)| probe)
}

fn read_probe(environment: &Environment, reader: &mut Reader) -> Option<Probe> {
    let urls = environment.section::<twilio::PublicSection>("PUBLIC_", reader)?.read(reader);
    let twilio = environment.section::<twilio::TwilioSection>("TWILIO_", reader)?.read(reader)?;
    let (account, token) = twilio.first_signer()?;
    Some(Probe { public_url: urls?.into_iter().next()?, account, token })
}

/// Reads only where the spool is, for a command that looks into it.
///
/// # Errors
/// [`Problems`] of those variables.
pub fn load_spool(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Spool, Problems> {
    load_section(vars, "SPOOL_", spool::SpoolSection::read)
}

/// Reads only where the spool and Kafka are, for a command that brings the one to the other.
///
/// # Errors
/// [`Problems`] of those variables.
pub fn load_drain(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<(Spool, Kafka), Problems> {
    load_with(vars, read_drain).map(|(both, _)| both)
}

fn read_drain(environment: &Environment, reader: &mut Reader) -> Option<(Spool, Kafka)> {
    let spool = environment.section::<spool::SpoolSection>("SPOOL_", reader)?.read(reader);
    let kafka = kafka::Sections::from(environment, reader)?.read(reader);
    Some((spool?, kafka?))
}

/// Reads only what the simulator needs.
///
/// # Errors
/// [`Problems`] of those variables.
pub fn load_simulator(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Simulator, Problems> {
    let (simulator, mut warnings) = load_with(vars, read_simulator)?;
    warnings.extend(simulator.place.warning());
    Ok(Simulator { warnings, ..simulator })
}

fn read_simulator(environment: &Environment, reader: &mut Reader) -> Option<Simulator> {
    let place = environment.section::<simulator::SimulatorSection>("SIMULATOR_", reader)?.read(reader);
    let twilio = environment.section::<twilio::TwilioSection>("TWILIO_", reader)?;
    let accounts = twilio.read_with_account("an account that may use the simulator", reader).map(simulator::accounts);
    let log = read_log(environment, reader);
    Some(Simulator { place: place?, accounts: accounts?, log: log?, warnings: Vec::new() })
}

/// Reads only what is needed to ask Trust Hub.
///
/// # Errors
/// [`Problems`] of those variables.
pub fn load_access(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Access, Problems> {
    load_with(vars, read_access).map(|(access, warnings)| access.warned_of(warnings))
}

/// Reads only what is needed to compare Trust Hub with the topic.
///
/// # Errors
/// [`Problems`] of those variables.
pub fn load_reconciliation(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Reconciliation, Problems> {
    let ((access, kafka), warnings) = load_with(vars, |environment, reader| {
        let access = read_access(environment, reader);
        let kafka = kafka::Sections::from(environment, reader).and_then(|sections| sections.read(reader));
        access.zip(kafka)
    })?;
    Ok(Reconciliation { access: access.warned_of(warnings), kafka })
}

fn read_access(environment: &Environment, reader: &mut Reader) -> Option<Access> {
    let trusthub = environment.section::<trusthub::TrustHubSection>("TRUSTHUB_", reader)?.read(reader);
    let twilio = environment.section::<twilio::TwilioSection>("TWILIO_", reader)?;
    let twilio = twilio.read_with_account("the account whose profiles are to be asked for", reader);
    let log = read_log(environment, reader);
    Some(Access { trusthub: trusthub?, twilio: twilio?, log: log?, warnings: Vec::new() })
}

impl Access {
    fn warned_of(self, mut warnings: Vec<String>) -> Self {
        warnings.extend(warnings_of(&self.twilio, &self.trusthub));
        Self { warnings, ..self }
    }
}

fn warnings_of(twilio: &Twilio, trusthub: &TrustHub) -> impl Iterator<Item = String> + use<> {
    [twilio.warning(), trusthub.warning()].into_iter().flatten()
}

/// What is read from the variables, with the warnings about their names.
fn load_with<T>(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    read: impl FnOnce(&Environment, &mut Reader) -> Option<T>,
) -> Result<(T, Vec<String>), Problems> {
    let mut reader = Reader::default();
    let environment = Environment::collect(vars, &mut reader);
    let value = read(&environment, &mut reader);
    Ok((reader.conclude(value)?, environment.into_warnings()))
}

fn load_section<S: DeserializeOwned, T>(
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    prefix: &'static str,
    read: impl FnOnce(S, &mut Reader) -> Option<T>,
) -> Result<T, Problems> {
    let is_part = |name: &OsString| name.to_str().is_some_and(|name| name.starts_with(prefix));
    let part = vars.into_iter().filter(|(name, _)| is_part(name));
    let loaded = load_with(part, |environment, reader| {
        environment.section::<S>(prefix, reader).and_then(|section| read(section, reader))
    });
    loaded.map(|(section, _)| section)
}

/// Reads every section before it gives up, so that no problem hides another.
fn read_sections(environment: &Environment, reader: &mut Reader) -> Option<Config> {
    let http = environment.section::<http::HttpSection>("HTTP_", reader)?.read(reader);
    let admin = environment.section::<http::AdminSection>("ADMIN_", reader)?.read(http.as_ref(), reader);
    let public_urls = environment.section::<twilio::PublicSection>("PUBLIC_", reader)?.read(reader);
    let twilio = environment.section::<twilio::TwilioSection>("TWILIO_", reader)?.read(reader);
    twilio::check_candidates(public_urls.as_deref(), twilio.as_ref(), reader);
    let signature = environment.section::<callbacks::SignatureSection>("SIGNATURE_", reader)?;
    let dedup = environment.section::<callbacks::DedupSection>("DEDUP_", reader)?;
    let callbacks = callbacks::read(signature, dedup, reader);
    let kafka = kafka::Sections::from(environment, reader)?.read(reader);
    let spool = environment.section::<spool::SpoolSection>("SPOOL_", reader)?.read(reader);
    let trusthub = environment.section::<trusthub::TrustHubSection>("TRUSTHUB_", reader)?.read(reader);
    let reconcile = environment.section::<reconcile::ReconcileSection>("RECONCILE_", reader)?.read(reader);
    if let Some(reconcile) = reconcile {
        reconcile.check_accounts(twilio.as_ref(), reader);
    }
    let shutdown = environment.section::<logging::ShutdownSection>("SHUTDOWN_", reader)?.read(reader);
    let simulator = environment.section::<simulator::SimulatorSection>("SIMULATOR_", reader)?.read(reader);
    let log = read_log(environment, reader);
    Some(Config {
        http: http?,
        admin: admin?,
        public_urls: public_urls?,
        twilio: twilio?,
        callbacks: callbacks?,
        kafka: kafka?,
        spool: spool?,
        trusthub: trusthub?,
        reconcile: reconcile?,
        shutdown: shutdown?,
        simulator: simulator?,
        log: log?,
    })
}

fn read_log(environment: &Environment, reader: &mut Reader) -> Option<Log> {
    let format = environment.section::<logging::LogSection>("LOG_", reader)?.read(reader);
    let filter = environment.section::<logging::RustSection>("RUST_", reader)?.read(reader);
    Some(Log { format, filter: filter? })
}

impl Config {
    /// The effective value of each of [`VARIABLES`], in their order; secrets are redacted, what is not set is empty.
    #[must_use]
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        [
            self.http.describe(),
            self.admin.describe(),
            vec![(catalogue::PUBLIC_URL.name, joined(&self.public_urls))],
            self.twilio.describe(),
            self.callbacks.describe(),
            self.kafka.describe(),
            self.spool.describe(),
            self.trusthub.describe(),
            self.reconcile.describe(),
            self.shutdown.describe(),
            self.simulator.describe(),
            self.log.describe(),
        ]
        .concat()
    }
}

/// One line of [`Config::describe`].
type Row = (&'static str, String);

fn joined(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
