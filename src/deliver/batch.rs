//! Records that are handed to the Kafka client together, and their results.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::{
    domain::{PublishFailure, TopicPosition},
    kafka::{Completion, OnCompleted},
};

/// Records that were handed to the client together.
#[derive(Default)]
pub(super) struct InFlightBatch {
    results: Mutex<BatchResults>,
    changed: Notify,
}

#[derive(Default)]
pub(super) struct BatchResults {
    /// One result for each record, in their order; `None` until the record has completed.
    each: Vec<Option<Result<TopicPosition, PublishFailure>>>,
    /// The number of acknowledged records before the first one that is not.
    acknowledged: usize,
    /// The number of records that have not completed.
    pub(super) incomplete: usize,
}

impl BatchResults {
    fn complete(&mut self, number: u64, result: Result<TopicPosition, PublishFailure>) {
        let Some(slot) = usize::try_from(number).ok().and_then(|number| self.each.get_mut(number)) else { return };
        *slot = Some(result);
        self.incomplete = self.incomplete.saturating_sub(1);
        while matches!(self.each.get(self.acknowledged), Some(Some(Ok(_)))) {
            self.acknowledged += 1;
        }
    }

    /// Where Kafka has written the acknowledged records before the first one that is not.
    pub(super) fn positions(&self) -> Vec<TopicPosition> {
        self.each.iter().map_while(|result| result.as_ref()?.as_ref().ok().cloned()).collect()
    }

    pub(super) fn are_all_acknowledged(&self) -> bool {
        self.acknowledged == self.each.len()
    }

    /// The failure of the first record that is not acknowledged, if it is known.
    pub(super) fn failure(&self) -> Option<PublishFailure> {
        self.each.get(self.acknowledged)?.as_ref()?.as_ref().err().copied()
    }
}

impl InFlightBatch {
    pub(super) fn results(&self) -> MutexGuard<'_, BatchResults> {
        // No code that holds the lock can panic.
        self.results.lock()
    }

    pub(super) fn completion(self: &Arc<Self>) -> Completion {
        let mut results = self.results();
        results.each.push(None);
        results.incomplete += 1;
        Completion::new(results.each.len() as u64 - 1, Arc::clone(self) as Arc<dyn OnCompleted>)
    }

    /// Removes the last record, which the client did not queue.
    pub(super) fn withdraw_last(&self) {
        let mut results = self.results();
        results.each.pop();
        results.incomplete -= 1;
    }

    pub(super) async fn wait_until(&self, holds: impl Fn(&BatchResults) -> bool) {
        loop {
            let changed = self.changed.notified();
            if holds(&self.results()) {
                return;
            }
            changed.await;
        }
    }
}

impl OnCompleted for InFlightBatch {
    fn on_completed(&self, number: u64, result: Result<TopicPosition, PublishFailure>) {
        let mut results = self.results();
        results.complete(number, result);
        // Most completions acknowledge one record among many, and no task waits for those.
        let is_awaited = results.incomplete == 0 || results.failure().is_some();
        drop(results);
        if is_awaited {
            self.changed.notify_one();
        }
    }
}
