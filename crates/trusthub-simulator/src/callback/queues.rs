//! The queues that keep the callbacks of one profile in order, and the limit on pending callbacks.
//!
//! The callbacks of one profile are sent one after another, those of different profiles concurrently.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    watch,
};
use trusthub_events::ProfileSid;

/// A queue for each profile that has waiting callbacks. [`Permits`] limits their total length.
pub(super) struct ProfileQueues<T>(Mutex<HashMap<ProfileSid, UnboundedSender<T>>>);

impl<T> Default for ProfileQueues<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> ProfileQueues<T> {
    /// Appends an item. Returns the receiver if this opened a new queue; the caller must then drain and close that queue.
    pub(super) fn push(&self, profile: &ProfileSid, item: T) -> Option<UnboundedReceiver<T>> {
        let mut open = self.0.lock();
        if let Some(queue) = open.get(profile) {
            // The receiver lives as long as its sender is in the map, so this does not fail.
            let _ = queue.send(item);
            return None;
        }
        let (queue, items) = unbounded_channel();
        let _ = queue.send(item);
        open.insert(*profile, queue);
        Some(items)
    }

    /// Closes a queue if it is empty, and returns whether it did. The next item opens a new queue.
    pub(super) fn close(&self, profile: &ProfileSid, items: &UnboundedReceiver<T>) -> bool {
        let mut open = self.0.lock();
        let is_empty = items.is_empty();
        if is_empty {
            open.remove(profile);
        }
        is_empty
    }
}

/// The limit on callbacks that are pending at the same time.
pub(super) struct Permits {
    in_use: watch::Sender<usize>,
    limit: usize,
}

/// Counts one callback as pending until it is dropped.
pub(super) struct Permit(watch::Sender<usize>);

impl Permits {
    pub(super) fn new(limit: usize) -> Self {
        Self { in_use: watch::Sender::new(0), limit }
    }

    /// Returns a permit, or `None` if all are in use.
    pub(super) fn acquire(&self) -> Option<Permit> {
        let acquire = |in_use: &mut usize| {
            let is_free = *in_use < self.limit;
            *in_use += usize::from(is_free);
            is_free
        };
        self.in_use.send_if_modified(acquire).then(|| Permit(self.in_use.clone()))
    }

    /// Returns the number of permits in use.
    pub(super) fn in_use(&self) -> usize {
        *self.in_use.borrow()
    }

    /// Waits until no permit is in use.
    pub(super) async fn wait_until_unused(&self) {
        // The sender is a field of this value, so this does not fail.
        let _ = self.in_use.subscribe().wait_for(|in_use| *in_use == 0).await;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.send_modify(|in_use| *in_use -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_with_a_new_item_is_not_closed() {
        let (queues, profile) =
            (ProfileQueues::default(), ProfileSid::parse(&format!("BU{}", "0".repeat(32))).unwrap());
        let mut items = queues.push(&profile, 1).unwrap();
        assert_eq!(items.try_recv(), Ok(1));
        assert!(queues.push(&profile, 2).is_none(), "the queue is open");
        assert!(!queues.close(&profile, &items));
        assert_eq!(items.try_recv(), Ok(2));
        assert!(queues.close(&profile, &items));
        assert!(queues.push(&profile, 3).is_some(), "a new queue is opened");
    }

    #[tokio::test]
    async fn a_dropped_permit_can_be_acquired_again() {
        let permits = Permits::new(1);
        let permit = permits.acquire().unwrap();
        assert!(permits.acquire().is_none());
        drop(permit);
        permits.wait_until_unused().await;
        assert!(permits.acquire().is_some());
    }
}
