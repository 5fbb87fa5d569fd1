//! What a spool shows, compared with what it may show.

use std::collections::BTreeSet;

use super::{BATCH, Entry, Fate, History, frame, number, read_all, record};

impl History {
    /// Compares all that can be read with what is known.
    pub(super) fn verify(&mut self) {
        let queue = read_all(|after| self.keeper().read(after, BATCH).ok());
        let parked = read_all(|after| self.keeper().parked(after, BATCH).ok());
        let queue = queue.filter(|_| !self.standing.is_salvaging());
        if let Some(entries) = &queue {
            self.compare(entries, Fate::Stored);
        }
        if let Some(entries) = &parked {
            self.compare(entries, Fate::Parked);
        }
        if let (Some(queue), Some(parked)) = (&queue, &parked)
            && !self.flipped
        {
            self.compare_counts(queue, parked);
            self.nothing_is_lost(queue, parked);
        }
    }

    fn compare(&self, entries: &[Entry], fate: Fate) {
        assert!(entries.is_sorted_by(|a, b| a.position < b.position), "positions are out of order");
        let numbers: Vec<u64> = entries.iter().map(number).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "records are out of order: {numbers:?}");
        for (entry, number) in entries.iter().zip(&numbers) {
            assert_eq!(entry.bytes, record(*number));
            let known = self.fates.get(number).expect("a record that nothing appended");
            assert!(*known != Fate::Gone, "{number} was removed and is back");
            let may = [fate, Fate::Unsure].contains(known)
                || (fate == Fate::Parked && self.perhaps_parked.contains(number))
                // What was parked is tried again when it was salvaged.
                || (self.beheaded && *known == Fate::Parked);
            assert!(self.flipped || may, "{number} is {known:?}, not {fate:?}");
        }
    }

    fn nothing_is_lost(&self, queue: &[Entry], parked: &[Entry]) {
        let [queued, parked] = [queue, parked].map(|entries| entries.iter().map(number).collect::<BTreeSet<u64>>());
        for (number, fate) in &self.fates {
            let is_there = match fate {
                Fate::Stored => queued.contains(number),
                Fate::Parked => parked.contains(number) || (self.beheaded && queued.contains(number)),
                Fate::Gone | Fate::Unsure => true,
            };
            assert!(is_there, "lost: {number} ({fate:?})");
        }
    }

    fn compare_counts(&self, queue: &[Entry], parked: &[Entry]) {
        let bytes: u64 = queue.iter().map(|entry| frame::framed(&entry.bytes)).sum();
        let spool = &self.metrics.spool;
        assert_eq!(self.standing.events(), queue.len() as u64);
        assert_eq!(spool.bytes.get(), i64::try_from(bytes).unwrap());
        assert_eq!(spool.parked.get(), i64::try_from(parked.len()).unwrap());
        let parked_bytes: u64 = parked.iter().map(|entry| frame::framed(&entry.bytes)).sum();
        assert_eq!(self.keeper.as_ref().unwrap().parked_bytes(), parked_bytes);
        assert!(self.beheaded || self.disk.stores_set_aside() == 0, "an honest disk has no damage");
    }
}
