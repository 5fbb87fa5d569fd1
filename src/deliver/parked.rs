//! Retries parked dead letters and notices while events are published directly.
//!
//! A dead letter is parked when its topic accepts no records, and a notice when its schema has no id, so that events do not wait
//! for them. They can be retried in parallel with direct publishing: dead letters have no guaranteed order, and the notices of a
//! profile with a parked one are all parked. Of these, only the last one is published. It replaces the others, which leave the spool.
//! The pause between retries doubles from one second up to one minute.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use durable_spool::{Entry, Position, ReadLimit, SpoolUnavailable};
use tokio::time::sleep;

use super::{
    dispatcher::Dispatcher,
    outbound::{OutboundRecord, report_published},
    publish::publish_unordered,
};
use crate::{
    domain::{FailureClass, PublishFailure},
    kafka::Record,
    traces::SpanStart,
};

const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// How much is read from the spool at once.
const BATCH: ReadLimit = ReadLimit { entries: 100, bytes: 1 << 20 };

/// Publishes parked dead letters and notices. For a parked event that its topic rejected, this is the dead letter of its request.
#[derive(Debug, Default)]
pub(super) struct ParkedRetry {
    /// Records that the topic rejects in every form. They are retried after the next start.
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
        let Ok(last_notices) = last_notices(dispatcher).await else { return RetryResult::Unavailable };
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
                if self.retry_or_replace(dispatcher, &entry, &last_notices).await == RetryResult::Unavailable {
                    self.last_failed = Some(entry.position);
                    return RetryResult::Unavailable;
                }
            }
        }
    }

    async fn retry_or_replace(
        &mut self,
        dispatcher: &Arc<Dispatcher>,
        entry: &Entry,
        last_notices: &HashMap<String, Position>,
    ) -> RetryResult {
        let outbound = OutboundRecord::decode(&entry.bytes).ok();
        let key = outbound.as_ref().and_then(OutboundRecord::notice_key);
        if key.and_then(|key| last_notices.get(key)).is_some_and(|last| *last > entry.position) {
            tracing::info!(profile_sid = key, "removed a parked notice that a later one of its profile replaces");
            return Self::remove(dispatcher, entry.position, outbound.as_ref()).await;
        }
        match outbound {
            Some(outbound) if !self.rejected.contains(&entry.position) => {
                self.retry(dispatcher, entry.position, &outbound).await
            }
            _ => RetryResult::Done,
        }
    }

    async fn retry(
        &mut self,
        dispatcher: &Arc<Dispatcher>,
        position: Position,
        outbound: &OutboundRecord,
    ) -> RetryResult {
        for form in forms(outbound) {
            let start = SpanStart::now();
            match publish_unordered(&*dispatcher.sink, &form, dispatcher.ack_timeout).await {
                Ok(written) => {
                    report_published(&dispatcher.tracer, &form, &written, start);
                    dispatcher.metrics.spool.drained.inc();
                    return Self::remove(dispatcher, position, Some(outbound)).await;
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
        self.rejected.insert(position);
        RetryResult::Done
    }

    async fn remove(
        dispatcher: &Arc<Dispatcher>,
        position: Position,
        outbound: Option<&OutboundRecord>,
    ) -> RetryResult {
        match dispatcher.spool.remove_parked(position).await {
            Ok(()) => {
                if let Some(outbound) = outbound {
                    dispatcher.parked_notices.remove(outbound);
                }
                RetryResult::Done
            }
            Err(_unreadable) => RetryResult::Unavailable,
        }
    }
}

/// The position of the last parked notice of each profile.
async fn last_notices(dispatcher: &Arc<Dispatcher>) -> Result<HashMap<String, Position>, SpoolUnavailable> {
    let (mut last, mut after) = (HashMap::new(), None);
    if dispatcher.parked_notices.is_empty() {
        return Ok(last);
    }
    loop {
        let entries = dispatcher.spool.read_parked(after, BATCH).await?;
        let Some(end) = entries.last() else { return Ok(last) };
        after = Some(end.position);
        for entry in entries {
            let outbound = OutboundRecord::decode(&entry.bytes).ok();
            if let Some(key) = outbound.as_ref().and_then(OutboundRecord::notice_key) {
                last.insert(key.to_owned(), entry.position);
            }
        }
    }
}

/// The forms in which this record may be published, best first.
fn forms(outbound: &OutboundRecord) -> Vec<Record> {
    let is_retried_whole = outbound.is_dead_letter() || outbound.notice_schema().is_some();
    let whole = is_retried_whole.then(|| outbound.record.clone());
    whole.into_iter().chain(outbound.fallbacks()).collect()
}
