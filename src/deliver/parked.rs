//! Retries parked dead letters and notices while events are published directly.
//!
//! A dead letter is parked when its topic accepts no records, and a notice when its schema has no id, so that events do not wait
//! for them. Neither has a guaranteed order, so they can be retried in parallel with direct publishing. The pause between retries doubles from one
//! second up to one minute.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use durable_spool::{Entry, Position, ReadLimit};
use tokio::time::sleep;

use super::{
    dispatcher::Dispatcher,
    outbound::{OutboundRecord, report_published},
    publish::publish_unordered,
};
use crate::{domain::FailureClass, kafka::Record, traces::SpanStart};

const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// How much is read from the spool at once.
const BATCH: ReadLimit = ReadLimit { entries: 100, bytes: 1 << 20 };

/// Publishes parked dead letters and notices. For a parked event that its topic rejected, this is the dead letter of its request.
#[derive(Debug, Default)]
pub(super) struct ParkedRetry {
    /// Records that cannot be decoded, or that the topic rejects in every form. They are retried after the next start.
    rejected: BTreeSet<Position>,
    /// The record at which the last round ended. The next round starts behind it, so that it does not block the others.
    last_failed: Option<Position>,
}

/// The result of one round of retries, or of one retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RetryResult {
    /// No record is left to retry, except notices whose schemas have no id.
    Done,
    /// A topic does not accept the record now.
    Unavailable,
}

impl ParkedRetry {
    /// Retries until it is dropped. Dropping it is safe at any time, but a dead letter may then be published twice.
    pub(super) async fn run(&mut self, dispatcher: &Arc<Dispatcher>) {
        let mut pause = MIN_PAUSE;
        loop {
            sleep(pause).await;
            let round = self.round(dispatcher).await;
            if round == RetryResult::Done {
                dispatcher.state().accepts_dead_letters = true;
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    async fn round(&mut self, dispatcher: &Arc<Dispatcher>) -> RetryResult {
        let mut after = self.last_failed.take();
        let skipped_records = after.is_some();
        loop {
            let Ok(entries) = dispatcher.spool.read_parked(after, BATCH).await else { return RetryResult::Unavailable };
            let Some(last) = entries.last() else {
                // The next round retries the records in front of the one where this round started.
                return if skipped_records { RetryResult::Unavailable } else { RetryResult::Done };
            };
            after = Some(last.position);
            for entry in entries {
                if !self.rejected.contains(&entry.position)
                    && self.retry(dispatcher, &entry).await == RetryResult::Unavailable
                {
                    self.last_failed = Some(entry.position);
                    return RetryResult::Unavailable;
                }
            }
        }
    }

    async fn retry(&mut self, dispatcher: &Arc<Dispatcher>, entry: &Entry) -> RetryResult {
        for form in forms(entry) {
            let start = SpanStart::now();
            match publish_unordered(&*dispatcher.sink, &form, dispatcher.ack_timeout).await {
                Ok(position) => {
                    report_published(&dispatcher.tracer, &form, &position, start);
                    return self.remove(dispatcher, entry.position).await;
                }
                Err(reason) if reason.class() == FailureClass::Record => {}
                // This says nothing about the dead-letter topic, and other records are not affected.
                Err(PublishFailure::NoSchemaId) => return RetryResult::Done,
                Err(reason) => {
                    tracing::debug!(%reason, "the topics do not accept parked records");
                    return RetryResult::Unavailable;
                }
            }
        }
        self.rejected.insert(entry.position);
        RetryResult::Done
    }

    async fn remove(&mut self, dispatcher: &Arc<Dispatcher>, position: Position) -> RetryResult {
        dispatcher.metrics.spool.drained.inc();
        match dispatcher.spool.remove_parked(position).await {
            Ok(()) => RetryResult::Done,
            Err(_unreadable) => RetryResult::Unavailable,
        }
    }
}

/// The forms in which this record may be published, best first.
fn forms(entry: &Entry) -> Vec<Record> {
    let Ok(outbound) = OutboundRecord::decode(&entry.bytes) else { return Vec::new() };
    let fallbacks = outbound.fallbacks().collect::<Vec<_>>();
    let whole = (outbound.is_dead_letter() || outbound.is_notice()).then_some(outbound.record);
    whole.into_iter().chain(fallbacks).collect()
}
