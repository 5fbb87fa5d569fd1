//! The finished spans that wait for their export.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::span::Span;
use crate::config::CALLBACK_SPANS;

/// A queue of spans with a limit.
pub(super) struct SpanQueue {
    spans: Mutex<VecDeque<Span>>,
    /// The largest number of spans.
    capacity: usize,
    /// The number of spans in a full batch.
    batch: usize,
    /// The number of spans that are announced as a batch.
    announced: usize,
    has_batch: Notify,
}

impl SpanQueue {
    pub(super) fn new(capacity: usize, batch: usize) -> Self {
        // The memory is reserved at once: a callback that fills the queue must not wait while it grows.
        let spans = Mutex::new(VecDeque::with_capacity(capacity));
        // A queue that another callback might not fit into does not become fuller.
        let announced = batch.min((capacity + 1).saturating_sub(CALLBACK_SPANS)).max(1);
        Self { spans, capacity, batch, announced, has_batch: Notify::new() }
    }

    /// Adds all of these spans, or none of them if they do not fit. Returns whether they were added.
    pub(super) fn push<const N: usize>(&self, added: [Option<Span>; N]) -> bool {
        let count = added.iter().flatten().count();
        let mut spans = self.spans.lock();
        if spans.len() + count > self.capacity {
            return false;
        }
        spans.extend(added.into_iter().flatten());
        let is_full = spans.len() >= self.announced;
        drop(spans);
        if is_full {
            self.has_batch.notify_one();
        }
        true
    }

    /// The oldest spans, as many as fit into a batch.
    pub(super) fn take_batch(&self) -> Vec<Span> {
        // Callbacks wait for the lock, so nothing is allocated or moved under it but the batch.
        let count = self.spans.lock().len().min(self.batch);
        let mut taken = Vec::with_capacity(count);
        let mut spans = self.spans.lock();
        let count = spans.len().min(count);
        taken.extend(spans.drain(..count));
        drop(spans);
        taken
    }

    /// Removes all spans. Returns how many there were.
    pub(super) fn clear(&self) -> usize {
        let removed = std::mem::take(&mut *self.spans.lock());
        removed.len()
    }

    /// Waits until there are enough spans for a batch.
    pub(super) async fn wait_for_batch(&self) {
        while self.spans.lock().len() < self.announced {
            self.has_batch.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;
    use crate::{
        domain::{SpanId, TraceId},
        traces::span::{SpanAttributes, SpanKind},
    };

    fn span(id: u64) -> Option<Span> {
        Some(Span {
            trace: TraceId::new(1).unwrap(),
            id: SpanId::new(id).unwrap(),
            parent: None,
            is_random: true,
            has_remote_parent: false,
            state: None,
            name: "n".into(),
            kind: SpanKind::Internal,
            start: 0,
            end: 0,
            attributes: SpanAttributes::default(),
            link: None,
            has_failed: false,
        })
    }

    fn ids(spans: &[Span]) -> Vec<u64> {
        spans.iter().map(|span| span.id.bits()).collect()
    }

    #[test]
    fn spans_of_a_callback_are_queued_together_or_not_at_all() {
        let queue = SpanQueue::new(5, 2);
        assert!(queue.push([span(1), None, span(2)]) && queue.push([span(3), span(4), None]));
        assert!(!queue.push([span(5), span(6)]), "only one fits");
        assert!(queue.push([span(7)]));
        assert_eq!(ids(&queue.take_batch()), [1, 2]);
        assert_eq!(ids(&queue.take_batch()), [3, 4]);
        assert_eq!(queue.clear(), 1);
        assert!(queue.take_batch().is_empty());
    }

    #[tokio::test]
    async fn full_queue_is_announced_although_it_is_less_than_a_batch() {
        let queue = SpanQueue::new(4, 4);
        assert!(queue.push([span(1), span(2), span(3)]));
        assert!(!queue.push([span(4), span(5), span(6)]));
        queue.wait_for_batch().await;
        assert_eq!(ids(&queue.take_batch()), [1, 2, 3]);
    }

    #[tokio::test]
    async fn full_batch_is_announced_also_if_it_was_complete_before() {
        let queue = SpanQueue::new(5, 2);
        queue.push([span(1), span(2)]);
        queue.wait_for_batch().await;
        let _ = queue.take_batch();
        queue.push([span(3)]);
        let mut waiting = std::pin::pin!(queue.wait_for_batch());
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        queue.push([span(4)]);
        waiting.await;
    }
}
