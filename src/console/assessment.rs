//! The sentence at the top: whether everything is durable, or what is not.

use parking_lot::Mutex;

use super::{
    overview::{KafkaOverview, ServiceOverview, SpoolOverview},
    text::{counted, duration},
};
use crate::domain::{SignatureMode, Status, Timestamp, closed_set};

closed_set! {
    /// What the service can promise now.
    pub enum ServiceCondition {
        /// All accepted callbacks are in Kafka, and new ones go there.
        Durable => "durable",
        /// New callbacks go to the spool.
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
        let ServiceOverview { kafka, spool, is_stopping, .. } = overview;
        match kafka {
            _ if *is_stopping => Self::Stopping,
            KafkaOverview::Up if spool.records == 0 => Self::Durable,
            KafkaOverview::Up => Self::Draining,
            KafkaOverview::Unknown | KafkaOverview::Down { .. } if !spool.has_space => Self::Refusing,
            KafkaOverview::Down { .. } => Self::Spooling,
            KafkaOverview::Unknown => Self::Starting,
        }
    }

    /// How the condition is to be understood.
    pub(super) fn severity(self) -> Severity {
        match self {
            Self::Durable => Severity::Good,
            Self::Spooling | Self::Draining | Self::Starting | Self::Stopping => Severity::Waiting,
            Self::Refusing => Severity::Bad,
        }
    }

    /// The condition in one sentence.
    pub(super) fn sentence(self, spool: &SpoolOverview) -> String {
        let records = counted(spool.records, "record");
        let waiting = if spool.records == 1 { "waits" } else { "wait" };
        match self {
            Self::Durable => "Everything is durable in Kafka.".to_owned(),
            Self::Spooling => format!(
                "Kafka accepts no records. Callbacks are durable on this disk, where {records} {waiting} for Kafka."
            ),
            Self::Draining => {
                format!("Kafka accepts records, and {records} {waiting} on this disk to be published.")
            }
            Self::Refusing => format!(
                "Callbacks are lost unless Twilio repeats them: Kafka accepts no records, and the spool has no space. \
                 {records} {waiting} on this disk."
            ),
            Self::Starting => "Kafka has not answered yet. Callbacks are durable on this disk.".to_owned(),
            Self::Stopping => "The service is stopping.".to_owned(),
        }
    }
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
    let ServiceOverview { kafka, spool, keys, signature_mode, reconciliation, at, .. } = overview;
    let mut notes = Vec::new();
    if let KafkaOverview::Down { reason, detail } = kafka {
        notes.push((Severity::Waiting, format!("Kafka: {reason}. {detail}")));
    }
    if *kafka == KafkaOverview::Up && !spool.has_space {
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
    let overdue = reconciliation.and_then(|reconciliation| {
        let since = reconciliation.last_success?.until(*at);
        (since > reconciliation.interval.saturating_mul(OVERDUE_INTERVALS)).then_some(since)
    });
    if let Some(since) = overdue {
        let text = format!(
            "The last comparison with Trust Hub was {} ago. Another instance may make them; otherwise see the log.",
            duration(since)
        );
        notes.push((Severity::Waiting, text));
    }
    notes
}

#[cfg(test)]
mod tests;
