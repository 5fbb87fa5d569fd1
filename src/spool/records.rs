//! What is read from the store in use and taken out of it.

use tracing::error;

use super::{
    Batch, Entry, Position, SpoolUnavailable, StoreError,
    disk::Disk,
    frame,
    ranges::Ranges,
    store::{Contents, Found, Store, Table},
    supervisor::StoreSupervisor,
};

impl<D: Disk> StoreSupervisor<D> {
    /// The records behind a position. Those that are not whole are parked on the way. While a salvage has not come so
    /// far, there is nothing to read yet.
    pub(super) fn read(&mut self, after: Option<Position>, most: Batch) -> Result<Vec<Entry>, SpoolUnavailable> {
        loop {
            let through = self.salvaged_through();
            let found = self.attempt(|store| store.read(Table::Queue, after.map(Position::number), through, most));
            let Found { entries, damaged } = self.readable(found)?;
            let was_empty = entries.is_empty() && damaged.is_empty();
            let entries = self.living(entries)?;
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

    /// The whole ones of the parked records behind a position.
    pub(super) fn parked(&mut self, after: Option<Position>, most: Batch) -> Result<Vec<Entry>, SpoolUnavailable> {
        loop {
            let found = self.inspect(Table::Parked, after, most)?;
            let was_empty = found.is_empty();
            let living = self.living(found)?;
            if was_empty || !living.is_empty() {
                return Ok(living);
            }
        }
    }

    /// The whole records behind a position in one of the tables. Changes nothing.
    pub(super) fn inspect(
        &mut self,
        table: Table,
        after: Option<Position>,
        most: Batch,
    ) -> Result<Vec<Entry>, SpoolUnavailable> {
        let mut after = after.map(Position::number);
        loop {
            let found = self.attempt(|store| store.read(table, after, u64::MAX, most));
            let Found { entries, damaged } = self.readable(found)?;
            if !entries.is_empty() || damaged.is_empty() {
                return Ok(entries);
            }
            after = damaged.last().copied();
        }
    }

    /// Drops what was published, although the store may have fallen back to a state in which it was not.
    fn living(&mut self, entries: Vec<Entry>) -> Result<Vec<Entry>, SpoolUnavailable> {
        let is_dead = |entry: &Entry| self.tombstones.dead().contains(entry.position.number());
        let (dead, living): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(is_dead);
        if !dead.is_empty() {
            let positions: Vec<u64> = dead.iter().map(|entry| entry.position.number()).collect();
            let discarded = self.change(|store| store.discard(&positions));
            self.settle();
            self.readable(discarded)?;
        }
        Ok(living)
    }

    /// Forgets the records up to and including this position. What is not salvaged yet is not among them.
    pub(super) fn remove_through(&mut self, last: Position) -> Result<(), SpoolUnavailable> {
        let last = last.number().min(self.salvaged_through());
        let removed = self.remove(|store| store.dying(last), |store| store.remove_through(last));
        self.settle();
        self.readable(removed)
    }

    /// Says durably that these positions are dead before they are removed. See `tombstones`.
    fn remove(
        &mut self,
        dying: impl Fn(&Store) -> Result<Ranges, StoreError>,
        remove: impl Fn(&Store) -> Result<Contents, StoreError>,
    ) -> Result<(), StoreError> {
        let dying = self.attempt(dying)?;
        self.bury(&dying)?;
        self.change(remove)?;
        self.replace_if_worth_it();
        Ok(())
    }

    pub(super) fn bury(&mut self, dead: &Ranges) -> Result<(), StoreError> {
        if dead.is_empty() {
            return Ok(());
        }
        let buried = self.tombstones.bury(&self.disk, dead).map_err(StoreError::Io);
        if let Err(fault) = &buried {
            self.tell(Some(fault));
        }
        buried
    }

    /// Takes a record out of the way.
    pub(super) fn park(&mut self, position: Position) -> Result<(), SpoolUnavailable> {
        let parked = self.change(|store| store.park(&[position.number()]));
        self.settle();
        self.readable(parked)
    }

    /// Forgets a parked record.
    pub(super) fn remove_parked(&mut self, position: Position) -> Result<(), SpoolUnavailable> {
        let number = position.number();
        let removed = self.remove(|_| Ok(Ranges::of(number, number)), |store| store.discard(&[number]));
        self.settle();
        self.readable(removed)
    }

    /// Puts back what was parked, as far as it is whole.
    pub(super) fn unpark(&mut self) -> Result<(), StoreError> {
        let unparked = self.change(Store::unpark);
        self.settle();
        unparked
    }

    fn park_damaged(&mut self, positions: &[u64]) -> Result<(), SpoolUnavailable> {
        let parked = self.change(|store| store.park(positions));
        self.settle();
        self.readable(parked)?;
        self.standing.damaged(frame::bytes(positions.len()));
        error!(?positions, "records in the spool are damaged and were parked");
        Ok(())
    }
}
