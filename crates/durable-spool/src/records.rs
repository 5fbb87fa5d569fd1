//! Reading, removing and parking records of the store in use.

use tracing::error;

use crate::{
    contents::Contents,
    disk::Disk,
    entry::{Entry, Position, ReadLimit, SpoolTable},
    error::SpoolUnavailable,
    frame,
    position_set::PositionSet,
    store::{ReadResult, SpoolStore},
    store_error::StoreError,
    supervisor::StoreSupervisor,
};

impl<D: Disk> StoreSupervisor<D> {
    /// Reads the queued records after a position, and parks damaged ones. Fails while the next records may still have to be
    /// salvaged.
    pub(crate) fn read(&mut self, after: Option<Position>, limit: ReadLimit) -> Result<Vec<Entry>, SpoolUnavailable> {
        loop {
            let through = self.salvaged_through();
            let result =
                self.attempt(|store| store.read(SpoolTable::Queue, after.map(Position::number), through, limit));
            let ReadResult { entries, damaged } = self.finish(result)?;
            let was_empty = entries.is_empty() && damaged.is_empty();
            let entries = self.discard_removed(entries)?;
            if !damaged.is_empty() {
                self.park_damaged(&damaged)?;
            }
            match (entries.is_empty(), was_empty) {
                (true, true) if self.salvage.is_some() => return Err(SpoolUnavailable),
                (true, false) => {}
                _ => return Ok(entries),
            }
        }
    }

    /// Reads the intact parked records after a position.
    pub(crate) fn read_parked(
        &mut self,
        after: Option<Position>,
        limit: ReadLimit,
    ) -> Result<Vec<Entry>, SpoolUnavailable> {
        loop {
            let entries = self.inspect(SpoolTable::Parked, after, limit)?;
            let was_empty = entries.is_empty();
            let entries = self.discard_removed(entries)?;
            if was_empty || !entries.is_empty() {
                return Ok(entries);
            }
        }
    }

    /// Reads the intact records after a position in one of the tables. Changes nothing.
    pub(crate) fn inspect(
        &mut self,
        table: SpoolTable,
        after: Option<Position>,
        limit: ReadLimit,
    ) -> Result<Vec<Entry>, SpoolUnavailable> {
        let mut after = after.map(Position::number);
        loop {
            let result = self.attempt(|store| store.read(table, after, u64::MAX, limit));
            let ReadResult { entries, damaged } = self.finish(result)?;
            if !entries.is_empty() || damaged.is_empty() {
                return Ok(entries);
            }
            after = damaged.last().copied();
        }
    }

    /// Discards entries with a tombstone. They were removed, but the store may have fallen back to an earlier state.
    fn discard_removed(&mut self, entries: Vec<Entry>) -> Result<Vec<Entry>, SpoolUnavailable> {
        let has_tombstone = |entry: &Entry| self.tombstones.positions().contains(entry.position.number());
        let (removed, remaining): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(has_tombstone);
        if !removed.is_empty() {
            let positions: Vec<u64> = removed.iter().map(|entry| entry.position.number()).collect();
            let result = self.change(|store| store.discard(&positions));
            self.refresh();
            self.finish(result)?;
        }
        Ok(remaining)
    }

    /// Removes the queued records up to and including this position, except those that still have to be salvaged.
    pub(crate) fn remove_through(&mut self, last: Position) -> Result<(), SpoolUnavailable> {
        let last = last.number().min(self.salvaged_through());
        let result = self.remove(|store| store.positions_freed_by_removal(last), |store| store.remove_through(last));
        self.refresh();
        self.finish(result)
    }

    /// Writes durable tombstones for the positions, then removes the records. See `tombstones` for the order.
    fn remove(
        &mut self,
        positions: impl Fn(&SpoolStore) -> Result<PositionSet, StoreError>,
        remove: impl Fn(&SpoolStore) -> Result<Contents, StoreError>,
    ) -> Result<(), StoreError> {
        let positions = self.attempt(positions)?;
        self.add_tombstones(&positions)?;
        self.change(remove)?;
        self.shrink_if_empty();
        Ok(())
    }

    pub(crate) fn park(&mut self, position: Position) -> Result<(), SpoolUnavailable> {
        let result = self.change(|store| store.park(&[position.number()]));
        self.refresh();
        self.finish(result)
    }

    pub(crate) fn remove_parked(&mut self, position: Position) -> Result<(), SpoolUnavailable> {
        let number = position.number();
        let positions = |_: &SpoolStore| Ok(PositionSet::from_range(number, number));
        let result = self.remove(positions, |store| store.discard(&[number]));
        self.refresh();
        self.finish(result)
    }

    /// Moves intact parked records back to the queue.
    pub(crate) fn unpark(&mut self) -> Result<(), StoreError> {
        let result = self.change(SpoolStore::unpark);
        self.refresh();
        result
    }

    fn park_damaged(&mut self, positions: &[u64]) -> Result<(), SpoolUnavailable> {
        let result = self.change(|store| store.park(positions));
        self.refresh();
        self.finish(result)?;
        self.status.observer().damage_found(frame::to_u64(positions.len()));
        error!(?positions, "parked damaged spool records");
        Ok(())
    }
}
