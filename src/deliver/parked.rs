//! Retries parked dead letters and notices while events are published directly.
//!
//! A dead letter is parked when its topic accepts no records, and a notice when its schema has no id, so that events do not wait
//! for them. They can be retried in parallel with direct publishing: dead letters have no guaranteed order, and the notices of a
//! profile with a parked one are all parked. Of these, only the last one is published. It replaces the others, which leave the spool
//! first.
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
    /// No record is left to retry, except notices whose schemas have no id, or that wait for the next round.
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
        let Ok(last_notices) = replace_earlier_notices(dispatcher).await else { return RetryResult::Unavailable };
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
                if self.retry_entry(dispatcher, &entry, &last_notices).await == RetryResult::Unavailable {
                    self.last_failed = Some(entry.position);
                    return RetryResult::Unavailable;
                }
            }
        }
    }

    async fn retry_entry(
        &mut self,
        dispatcher: &Arc<Dispatcher>,
        entry: &Entry,
        last_notices: &HashMap<String, Position>,
    ) -> RetryResult {
        let Ok(outbound) = OutboundRecord::decode(&entry.bytes) else { return RetryResult::Done };
        // A notice that was parked since the round began waits for the next one: an earlier one of its profile may remain.
        let is_last = outbound.notice_key().is_none_or(|key| last_notices.get(key) == Some(&entry.position));
        if !is_last || self.rejected.contains(&entry.position) {
            return RetryResult::Done;
        }
        self.retry(dispatcher, entry.position, &outbound).await
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
                    let removed = remove(dispatcher, position, outbound).await;
                    return removed.map_or(RetryResult::Unavailable, |()| RetryResult::Done);
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
}

async fn remove(
    dispatcher: &Arc<Dispatcher>,
    position: Position,
    outbound: &OutboundRecord,
) -> Result<(), SpoolUnavailable> {
    dispatcher.spool.remove_parked(position).await?;
    dispatcher.parked_notices.remove(outbound);
    Ok(())
}

/// Removes all parked notices but the last one of each profile, and returns the positions of those. Thus no notice can be
/// published after one that replaces it, whichever of them fail.
async fn replace_earlier_notices(dispatcher: &Arc<Dispatcher>) -> Result<HashMap<String, Position>, SpoolUnavailable> {
    let (mut last, mut after) = (HashMap::new(), None);
    if dispatcher.parked_notices.is_empty() {
        return Ok(last);
    }
    loop {
        let entries = dispatcher.spool.read_parked(after, BATCH).await?;
        let Some(end) = entries.last() else { return Ok(last) };
        after = Some(end.position);
        for entry in entries {
            let Ok(outbound) = OutboundRecord::decode(&entry.bytes) else { continue };
            let Some(key) = outbound.notice_key() else { continue };
            if let Some(replaced) = last.insert(key.to_owned(), entry.position) {
                tracing::info!(profile_sid = key, "removed a parked notice that a later one of its profile replaces");
                remove(dispatcher, replaced, &outbound).await?;
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
