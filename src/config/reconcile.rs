//! How often Trust Hub is compared with the topic, and what a command needs that asks Trust Hub.

use std::time::Duration;

use serde::Deserialize;

use super::{Kafka, Log, Row, TrustHub, Twilio, catalogue::RECONCILE_INTERVAL_SECS, validate::Reader};

/// How often Trust Hub is compared with the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconcile {
    /// The time from one comparison to the next; `None` for no comparison.
    pub interval: Option<Duration>,
}

/// What is needed to ask Trust Hub.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where Trust Hub is.
    pub trusthub: TrustHub,
    /// The accounts; at least one is named.
    pub twilio: Twilio,
    /// What is logged, and how.
    pub log: Log,
    /// One sentence for each variable that is not read but nearly has the name of one that is, and for each that is
    /// read but not used.
    pub warnings: Vec<String>,
}

/// What is needed to compare Trust Hub with the topic.
#[derive(Debug, Clone)]
pub struct Reconciliation {
    /// The one side.
    pub access: Access,
    /// The other side.
    pub kafka: Kafka,
}

#[derive(Deserialize)]
pub(super) struct ReconcileSection {
    interval_secs: Option<String>,
}

impl ReconcileSection {
    pub(super) fn read(self, reader: &mut Reader) -> Option<Reconcile> {
        let seconds = reader.number(&RECONCILE_INTERVAL_SECS, self.interval_secs, 0..=604_800)?;
        Some(Reconcile { interval: (seconds > 0).then(|| Duration::from_secs(seconds)) })
    }
}

impl Reconcile {
    /// Trust Hub tells nothing to nobody.
    pub(super) fn check_accounts(self, twilio: Option<&Twilio>, reader: &mut Reader) {
        if self.interval.is_some() && twilio.is_some_and(|twilio| twilio.credentials().next().is_none()) {
            reader.report(
                &RECONCILE_INTERVAL_SECS,
                "needs an account to ask for; write TWILIO_ACCOUNT_SID or TWILIO_ACCOUNTS_FILE, or 0 here",
            );
        }
    }

    pub(super) fn describe(self) -> Vec<Row> {
        let seconds = self.interval.unwrap_or_default().as_secs();
        vec![(RECONCILE_INTERVAL_SECS.name, seconds.to_string())]
    }
}
