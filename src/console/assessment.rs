//! The sentence at the top: whether everything is durable, or what is not.

use parking_lot::Mutex;

use super::{
    overview::{KafkaOverview, ReconciliationOverview, ServiceOverview, SpoolOverview},
    text::{counted, duration},
};
use crate::domain::{PublishFailure, SignatureMode, Status, Timestamp, closed_set};

closed_set! {
    /// What the service can promise now.
    pub enum ServiceCondition {
        /// All accepted callbacks are in Kafka, and new ones go there.
        Durable => "durable",
        /// As before, except that records are parked: they are in no topic.
        Parked => "parked",
        /// New callbacks go to the spool, from which nothing can be published.
        Spooling => "spooling",
        /// Kafka accepts records, and those in the spool are being published.
        Draining => "draining",
        /// Callbacks are answered 503.
        Refusing => "refusing",
        /// Kafka has not answered since the start.
        Starting => "starting",
        /// The service is stopping.
        Stopping => "stopping",
    }
}

closed_set! {
    /// How a state is to be understood.
    pub enum Severity {
        /// Nothing to do.
        Good => "good",
        /// It passes without help.
        Waiting => "waiting",
        /// An operator should do something.
        Bad => "bad",
        /// Neither good nor bad.
        Neutral => "neutral",
    }
}

impl ServiceCondition {
    /// The condition of the service with this overview.
    pub(super) fn of(overview: &ServiceOverview) -> Self {
        let ServiceOverview { kafka, spool, outage, is_stopping, .. } = overview;
        // While records wait in the spool, new ones go there as well, also when Kafka accepts records.
        let uses_spool = *kafka != KafkaOverview::Up || spool.records > 0 || outage.is_some();
        match kafka {
            _ if *is_stopping => Self::Stopping,
            _ if uses_spool && !spool.has_space => Self::Refusing,
            KafkaOverview::Down { .. } => Self::Spooling,
            KafkaOverview::Unknown => Self::Starting,
            KafkaOverview::Up if outage.is_some() => Self::Spooling,
            KafkaOverview::Up if spool.records > 0 => Self::Draining,
            KafkaOverview::Up if spool.parked > 0 => Self::Parked,
            KafkaOverview::Up => Self::Durable,
        }
    }

    /// How the condition is to be understood.
    pub(super) fn severity(self) -> Severity {
        match self {
            Self::Durable => Severity::Good,
            Self::Spooling | Self::Draining | Self::Starting | Self::Stopping => Severity::Waiting,
            Self::Parked | Self::Refusing => Severity::Bad,
        }
    }

    /// The condition in one sentence. It has no number that changes all the time, because screen readers read each change.
    pub(super) fn sentence(self, spool: &SpoolOverview) -> String {
        let text = match self {
            Self::Durable => "All callbacks of this instance are durable in Kafka.",
            Self::Parked => {
                let (parked, are) = (counted(spool.parked, "record"), if spool.parked == 1 { "is" } else { "are" });
                return format!(
                    "{parked} {are} in no topic. The other callbacks of this instance are durable in Kafka."
                );
            }
            Self::Spooling => "Nothing is being published to Kafka. Callbacks are durable on this disk and wait there.",
            Self::Draining => "Callbacks are durable on this disk, from which they are being published to Kafka.",
            Self::Refusing => {
                "Callbacks are lost unless Twilio repeats them: they would have to wait for Kafka in the spool, which has \
                 no space."
            }
            Self::Starting => "Kafka has not answered yet. Callbacks are durable on this disk.",
            Self::Stopping => "The service is stopping.",
        };
        text.to_owned()
    }
}

/// How many records wait on the disk; `None` if there are none.
pub(super) fn waiting(spool: &SpoolOverview) -> Option<String> {
    let wait = if spool.records == 1 { "waits" } else { "wait" };
    (spool.records > 0).then(|| format!("{} {wait} on this disk for Kafka.", counted(spool.records, "record")))
}

/// How the status of a profile is to be understood.
pub(super) fn severity_of(status: Status) -> Severity {
    match status {
        Status::TwilioApproved | Status::ProvisionallyApproved => Severity::Good,
        Status::PendingReview | Status::InReview => Severity::Waiting,
        Status::TwilioRejected => Severity::Bad,
        Status::Draft | Status::Unknown => Severity::Neutral,
    }
}

/// Since when the service has been in its condition, as far as the console has watched.
#[derive(Debug, Default)]
pub(super) struct ConditionHistory(Mutex<Option<(ServiceCondition, Timestamp)>>);

impl ConditionHistory {
    /// Notes the present condition, and returns since when it has been so.
    pub(super) fn note(&self, condition: ServiceCondition, now: Timestamp) -> Timestamp {
        let mut noted = self.0.lock();
        match *noted {
            Some((same, since)) if same == condition => since,
            _ => {
                *noted = Some((condition, now));
                now
            }
        }
    }
}

/// A comparison that is later than this many intervals is overdue: it waits until the spool is empty.
const OVERDUE_INTERVALS: u32 = 3;

/// What an operator should know besides, one sentence each.
pub(super) fn notes(overview: &ServiceOverview) -> Vec<(Severity, String)> {
    let ServiceOverview { kafka, spool, outage, keys, signature_mode, reconciliation, at, .. } = overview;
    let mut notes: Vec<_> = publishing(kafka, *outage).into_iter().collect();
    if ServiceCondition::of(overview) != ServiceCondition::Refusing && *kafka == KafkaOverview::Up && !spool.has_space {
        let text = "The spool takes no record. If Kafka stopped accepting records now, callbacks would be answered 503: \
                    check the space on the disk of SPOOL_DIR, SPOOL_MAX_BYTES and SPOOL_MIN_FREE_BYTES.";
        notes.push((Severity::Bad, text.to_owned()));
    }
    if spool.parked > 0 {
        let parked = counted(spool.parked, "record");
        let text = format!(
            "{parked} parked, because neither topic accepts it or it is damaged: see `trusthub-bridge spool ls`."
        );
        notes.push((Severity::Bad, text));
    }
    if keys.reload_failed {
        let text = "A credential file was changed, but is not valid, so the previous keys stay in use: the log says what \
                    is wrong with it.";
        notes.push((Severity::Bad, text.to_owned()));
    }
    match signature_mode {
        SignatureMode::Enforce => {}
        SignatureMode::ReportOnly => notes.push((
            Severity::Bad,
            "SIGNATURE_MODE is report-only: callbacks whose signature does not match are answered 204 and kept as dead \
             letters. Set it to enforce as soon as genuine callbacks match."
                .to_owned(),
        )),
    }
    notes.extend(reconciliation.and_then(|reconciliation| comparisons(&reconciliation, *at)));
    notes
}

/// Why nothing is being published.
fn publishing(kafka: &KafkaOverview, outage: Option<PublishFailure>) -> Option<(Severity, String)> {
    let text = match (kafka, outage) {
        (KafkaOverview::Down { reason, detail }, _) => format!("Kafka: {reason}. {detail}"),
        (_, Some(PublishFailure::NoSchemaId)) => {
            "The schema registry has not said which id the schema of the records has, so they cannot be published: check \
             SCHEMA_REGISTRY_URL and the log."
                .to_owned()
        }
        (_, Some(reason)) => format!("Publishing fails, for the reason {reason}: see the log."),
        (KafkaOverview::Up | KafkaOverview::Unknown, None) => return None,
    };
    Some((Severity::Waiting, text))
}

/// Whether comparisons with Trust Hub fail or do not happen.
fn comparisons(reconciliation: &ReconciliationOverview, at: Timestamp) -> Option<(Severity, String)> {
    let ReconciliationOverview { interval, started, last_success, failures, .. } = *reconciliation;
    if last_success.is_none() && failures > 0 {
        let failed = counted(failures, "comparison");
        let text =
            format!("No comparison with Trust Hub has succeeded since the start, and {failed} failed: see the log.");
        return Some((Severity::Bad, text));
    }
    let since = last_success.unwrap_or(started).until(at);
    let is_overdue = since > interval.saturating_mul(OVERDUE_INTERVALS);
    let last = match last_success {
        Some(_) => "The last comparison with Trust Hub was",
        None => "This instance has not compared Trust Hub since its start",
    };
    let text = format!("{last} {} ago. Another instance may make them; otherwise see the log.", duration(since));
    is_overdue.then_some((Severity::Waiting, text))
}

#[cfg(test)]
mod tests;
