//! The order of callbacks: those of one profile are sent one after another, those of others side by side.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    watch,
};

use crate::domain::ProfileSid;

/// A queue for each profile that has callbacks waiting. They are bounded by [`Places`].
pub(super) struct Lanes<T>(Mutex<HashMap<ProfileSid, UnboundedSender<T>>>);

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Lanes<T> {
    /// Queues an item. A lane that was opened for it is returned: somebody must empty it and then close it.
    pub(super) fn push(&self, profile: &ProfileSid, item: T) -> Option<UnboundedReceiver<T>> {
        let mut open = self.lock();
        if let Some(lane) = open.get(profile) {
            // Its receiver lives for as long as it stands here.
            let _ = lane.send(item);
            return None;
        }
        let (lane, items) = unbounded_channel();
        let _ = lane.send(item);
        open.insert(profile.clone(), lane);
        Some(items)
    }

    /// Closes a lane if it is still empty; the next item opens another one.
    pub(super) fn close(&self, profile: &ProfileSid, items: &UnboundedReceiver<T>) -> bool {
        let mut open = self.lock();
        let is_empty = items.is_empty();
        if is_empty {
            open.remove(profile);
        }
        is_empty
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProfileSid, UnboundedSender<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many callbacks may be under way at once.
pub(super) struct Places {
    taken: watch::Sender<usize>,
    limit: usize,
}

/// A callback that is under way, for as long as this lives.
pub(super) struct Place(watch::Sender<usize>);

impl Places {
    pub(super) fn new(limit: usize) -> Self {
        Self { taken: watch::Sender::new(0), limit }
    }

    /// `None` when all are taken.
    pub(super) fn take(&self) -> Option<Place> {
        let take = |taken: &mut usize| {
            let is_free = *taken < self.limit;
            *taken += usize::from(is_free);
            is_free
        };
        self.taken.send_if_modified(take).then(|| Place(self.taken.clone()))
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        *self.taken.borrow()
    }

    /// Waits until none is taken.
    pub(super) async fn all_free(&self) {
        // The sender lives here, so this does not fail.
        let _ = self.taken.subscribe().wait_for(|taken| *taken == 0).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.send_modify(|taken| *taken -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_not_closed_over_an_item_that_came_meanwhile() {
        let (lanes, profile) = (Lanes::default(), ProfileSid::parse(&format!("BU{}", "0".repeat(32))).unwrap());
        let mut items = lanes.push(&profile, 1).unwrap();
        assert_eq!(items.try_recv(), Ok(1));
        assert!(lanes.push(&profile, 2).is_none(), "the lane is open");
        assert!(!lanes.close(&profile, &items));
        assert_eq!(items.try_recv(), Ok(2));
        assert!(lanes.close(&profile, &items));
        assert!(lanes.push(&profile, 3).is_some(), "another lane is opened");
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_it_is_dropped() {
        let places = Places::new(1);
        let place = places.take().unwrap();
        assert!(places.take().is_none());
        drop(place);
        places.all_free().await;
        assert!(places.take().is_some());
    }
}
