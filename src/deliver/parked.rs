//! Parked dead letters → Kafka, beside direct publishing.
//!
//! A dead letter whose topic takes nothing is parked, so that events do not wait for it. No order is promised for dead
//! letters, so they are tried again while events are published directly, less and less often, up to once a minute.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{dispatcher::Dispatcher, outbound::OutboundRecord, publish::publish_beside};
use crate::{
    domain::{FailureClass, PublishFailure},
    kafka::Record,
    spool::{Batch, Entry, Position},
};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is read from the spool at once.
const BATCH: Batch = Batch { entries: 100, bytes: 1 << 20 };

/// Publishes parked dead letters. Of an event that its topic refused, that is the dead letter of its request.
#[derive(Debug, Default)]
pub(super) struct ParkedRetry {
    /// Those that cannot be decoded, or that the topic refuses in every form. The next start tries them again.
    refused: BTreeSet<Position>,
    /// The one that was not taken last: the next round begins behind it, so that it does not hold up the others.
    not_taken: Option<Position>,
}

/// How a round of tries ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Nothing is left to try.
    Done,
    /// The topic takes no dead letters now.
    NotTaken,
}

impl ParkedRetry {
    /// Tries again and again. Dropping it is safe at any time: a dead letter may then be published twice.
    pub(super) async fn run(&mut self, dispatcher: &Arc<Dispatcher>) {
        let mut pause = FIRST_PAUSE;
        loop {
            sleep(pause).await;
            let round = self.round(dispatcher).await;
            if round == Round::Done {
                dispatcher.state().takes_dead_letters = true;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn round(&mut self, dispatcher: &Arc<Dispatcher>) -> Round {
        let mut after = self.not_taken.take();
        let starts_behind_another = after.is_some();
        loop {
            let Ok(entries) = dispatcher.spool.parked(after, BATCH).await else { return Round::NotTaken };
            let Some(last) = entries.last() else {
                // What is before the place where this round began has its turn in the next.
                return if starts_behind_another { Round::NotTaken } else { Round::Done };
            };
            after = Some(last.position);
            for entry in entries {
                if !self.refused.contains(&entry.position) && self.retry(dispatcher, &entry).await == Round::NotTaken {
                    self.not_taken = Some(entry.position);
                    return Round::NotTaken;
                }
            }
        }
    }

    async fn retry(&mut self, dispatcher: &Arc<Dispatcher>, entry: &Entry) -> Round {
        for form in forms(entry) {
            match publish_beside(&*dispatcher.sink, &form, dispatcher.ack_timeout).await {
                Ok(()) => return self.remove(dispatcher, entry.position).await,
                Err(reason) if reason.class() == FailureClass::Record => {}
                Err(reason) => return not_taken(reason),
            }
        }
        self.refused.insert(entry.position);
        Round::Done
    }

    async fn remove(&mut self, dispatcher: &Arc<Dispatcher>, position: Position) -> Round {
        dispatcher.metrics.spool.drained.inc();
        match dispatcher.spool.remove_parked(position).await {
            Ok(()) => Round::Done,
            Err(_unreadable) => Round::NotTaken,
        }
    }
}

/// The dead letters that this record may become, best first.
fn forms(entry: &Entry) -> Vec<Record> {
    let Ok(outbound) = OutboundRecord::decode(&entry.bytes) else { return Vec::new() };
    let fallbacks = outbound.fallbacks().collect::<Vec<_>>();
    let whole = outbound.is_dead_letter().then_some(outbound.record);
    whole.into_iter().chain(fallbacks).collect()
}

fn not_taken(reason: PublishFailure) -> Round {
    tracing::debug!(%reason, "parked dead letters are not taken yet");
    Round::NotTaken
}
