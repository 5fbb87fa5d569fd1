//! Compares the content of a spool with the model.

use std::collections::BTreeSet;

use super::{Entry, LIMIT, ModelRun, ModelState, frame, number, read_all, record};

impl ModelRun {
    /// Compares all readable records with the model.
    pub(super) fn verify(&mut self) {
        let queue = read_all(|after| self.supervisor().read(after, LIMIT).ok());
        let parked = read_all(|after| self.supervisor().read_parked(after, LIMIT).ok());
        let queue = queue.filter(|_| !self.status.is_salvaging());
        if let Some(entries) = &queue {
            self.compare(entries, ModelState::Queued);
        }
        if let Some(entries) = &parked {
            self.compare(entries, ModelState::Parked);
        }
        if let (Some(queue), Some(parked)) = (&queue, &parked)
            && !self.flipped
        {
            self.compare_counts(queue, parked);
            self.assert_nothing_is_lost(queue, parked);
        }
    }

    fn compare(&self, entries: &[Entry], state: ModelState) {
        assert!(entries.is_sorted_by(|a, b| a.position < b.position), "positions are out of order");
        let numbers: Vec<u64> = entries.iter().map(number).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "records are out of order: {numbers:?}");
        for (entry, number) in entries.iter().zip(&numbers) {
            assert_eq!(entry.bytes, record(*number));
            let known = self.states.get(number).expect("a record that was never appended");
            assert!(*known != ModelState::Removed, "record {number} was removed and reappeared");
            let is_allowed = [state, ModelState::Uncertain].contains(known)
                || (state == ModelState::Parked && self.maybe_parked.contains(number))
                // A salvage puts parked records back into the queue.
                || (self.header_destroyed && *known == ModelState::Parked);
            assert!(self.flipped || is_allowed, "record {number} is {known:?}, not {state:?}");
        }
    }

    fn assert_nothing_is_lost(&self, queue: &[Entry], parked: &[Entry]) {
        let [queued, parked] = [queue, parked].map(|entries| entries.iter().map(number).collect::<BTreeSet<u64>>());
        for (number, state) in &self.states {
            let is_present = match state {
                ModelState::Queued => queued.contains(number),
                ModelState::Parked => parked.contains(number) || (self.header_destroyed && queued.contains(number)),
                ModelState::Removed | ModelState::Uncertain => true,
            };
            assert!(is_present, "lost record {number} ({state:?})");
        }
    }

    fn compare_counts(&self, queue: &[Entry], parked: &[Entry]) {
        let bytes: u64 = queue.iter().map(|entry| frame::framed_len(&entry.bytes)).sum();
        let state = self.recorder.state();
        assert_eq!(self.status.queued(), queue.len() as u64);
        assert_eq!(state.queued_bytes, bytes);
        assert_eq!(state.parked, parked.len() as u64);
        let parked_bytes: u64 = parked.iter().map(|entry| frame::framed_len(&entry.bytes)).sum();
        assert_eq!(self.supervisor.as_ref().unwrap().contents.parked_bytes, parked_bytes);
        assert!(self.header_destroyed || self.disk.quarantine_count() == 0, "a disk without faults has no damage");
    }
}
