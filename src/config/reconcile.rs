//! The schedule of reconciliation, and the configuration of the commands that call Trust Hub.

use std::time::Duration;

use serde::Deserialize;

use super::{
    KafkaConfig, LoggingConfig, TrustHubConfig, TwilioConfig,
    catalogue::{RECONCILE_GRACE_SECS, RECONCILE_INTERVAL_SECS},
    describe::Row,
    validate::Validator,
};

/// When reconciliation runs, and which changes it ignores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconcileConfig {
    /// The time from one run to the next; `None` turns scheduled reconciliation off.
    pub interval: Option<Duration>,
    /// How long after a change no event is published, because its callback may still arrive.
    pub grace: Duration,
}

/// What requests to Trust Hub need.
#[derive(Debug, Clone)]
pub struct TrustHubAccess {
    /// The REST API.
    pub trusthub: TrustHubConfig,
    /// The accounts with their credentials; at least one account has a SID.
    pub twilio: TwilioConfig,
    /// The format and the filter of the log.
    pub logging: LoggingConfig,
    /// One sentence for each variable whose name is almost that of a known one, and for each that has no effect or is
    /// insecure.
    pub warnings: Vec<String>,
}

impl TrustHubAccess {
    pub(super) fn with_warnings(self, mut warnings: Vec<String>) -> Self {
        warnings.extend(warnings_of(&self.twilio, &self.trusthub));
        warnings.extend(self.twilio.missing_credentials());
        Self { warnings, ..self }
    }
}

/// Warns about credentials for Trust Hub.
pub(super) fn warnings_of(twilio: &TwilioConfig, trusthub: &TrustHubConfig) -> impl Iterator<Item = String> + use<> {
    // The tokens of a simulator on this machine have any form.
    let of_tokens = if trusthub.is_on_this_machine() { Vec::new() } else { twilio.token_warnings() };
    of_tokens.into_iter().chain(twilio.warning()).chain(trusthub.warning())
}

/// What `reconcile` needs to compare Trust Hub with the event topic.
#[derive(Debug, Clone)]
pub struct ReconcileCommandConfig {
    /// The access to Trust Hub.
    pub access: TrustHubAccess,
    /// The cluster with the event topic.
    pub kafka: KafkaConfig,
    /// The changes to ignore.
    pub reconcile: ReconcileConfig,
}

#[derive(Deserialize)]
pub(super) struct ReconcileSection {
    interval_secs: Option<String>,
    grace_secs: Option<String>,
}

impl ReconcileSection {
    pub(super) fn validate(self, validator: &mut Validator) -> Option<ReconcileConfig> {
        let interval = validator.parse_number(&RECONCILE_INTERVAL_SECS, self.interval_secs, 0..=604_800);
        let grace = validator.parse_number(&RECONCILE_GRACE_SECS, self.grace_secs, 0..=86_400);
        let interval = interval.map(|seconds| (seconds > 0).then(|| Duration::from_secs(seconds)))?;
        Some(ReconcileConfig { interval, grace: Duration::from_secs(grace?) })
    }
}

impl ReconcileConfig {
    /// Reports a problem if no account is configured: reconciliation needs at least one to authenticate with.
    pub(super) fn check_accounts(self, twilio: Option<&TwilioConfig>, validator: &mut Validator) {
        let Some(twilio) = twilio.filter(|twilio| self.interval.is_some() && twilio.credentials().next().is_none())
        else {
            return;
        };
        let problem = if twilio.account_sid.is_none() && twilio.accounts.is_none() {
            "needs an account to authenticate with; set TWILIO_ACCOUNT_SID or TWILIO_ACCOUNTS_FILE, or write 0 here"
        } else {
            "needs credentials for the REST API, which SharedKeys are not; set TWILIO_AUTH_TOKEN, or write api_key and \
             api_secret into TWILIO_ACCOUNTS_FILE, or write 0 here"
        };
        validator.report(&RECONCILE_INTERVAL_SECS, problem);
    }

    pub(super) fn describe(self) -> Vec<Row> {
        let seconds = self.interval.unwrap_or_default().as_secs();
        vec![
            (RECONCILE_INTERVAL_SECS.name, seconds.to_string()),
            (RECONCILE_GRACE_SECS.name, self.grace.as_secs().to_string()),
        ]
    }
}
