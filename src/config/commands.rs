//! What a command loads: only the sections that it needs, so that it runs where the others are missing.

use std::ffi::OsString;

use super::{
    AdminConfig, DeadLettersConfig, KafkaConfig, ProbeConfig, Problems, ReconcileCommandConfig, SimulateCommandConfig,
    SpoolConfig, TrustHubAccess, TwilioConfig, callbacks, dead_letters,
    environment::Environment,
    http, kafka,
    loader::{load_section, load_with, read_logging},
    probe, reconcile, simulator, spool, trusthub, twilio,
    validate::Validator,
};
use crate::domain::SignatureMode;

/// The settings that decide about a captured request, besides its public URLs and accounts.
#[derive(Debug, Clone, Copy)]
pub struct ExplainConfig {
    /// The size limit of a request body.
    pub max_body_bytes: usize,
    /// What happens to callbacks whose signature does not match.
    pub signature_mode: SignatureMode,
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
