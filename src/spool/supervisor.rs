//! Keeps one store usable: opens it anew after errors, sets it aside when it is damaged, and minds the limits.

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tracing::{error, info, warn};

use super::{
    AppendError, Limits, SpoolUnavailable, StoreError,
    disk::Disk,
    frame,
    restore::Salvaging,
    status::SpoolStatus,
    store::{Contents, Store, Table},
    store_error::guarded,
    tombstones::Tombstones,
};

/// A store does not shrink: an empty one above this size is replaced.
const WORTH_REPLACING: u64 = 16 << 20;

/// Records that are stored together in one of the tables.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) table: Table,
    pub(super) records: Vec<Vec<u8>>,
}

impl Group {
    fn rows(&self) -> impl Iterator<Item = (Table, &[u8])> {
        self.records.iter().map(|record| (self.table, record.as_slice()))
    }

    /// Size of the records in memory.
    pub(super) fn bytes(&self) -> usize {
        self.records.iter().map(Vec::len).sum()
    }
}

/// The owner of the store.
#[derive(Debug)]
pub(super) struct StoreSupervisor<D: Disk> {
    pub(super) disk: D,
    pub(super) limits: Limits,
    pub(super) standing: Arc<SpoolStatus>,
    /// Missing after an error, until it could be opened anew. A handle that failed is never used again: what the
    /// system said about a sync cannot be asked a second time.
    store: Option<Store>,
    pub(super) contents: Contents,
    /// Size of what was refused last for want of space.
    refused: Option<u64>,
    /// Whether the log already tells of an error that lasts.
    in_trouble: bool,
    pub(super) tombstones: Tombstones,
    /// A salvage that is not done.
    pub(super) salvage: Option<Salvaging>,
    /// Counts the stores that were set aside, so that a salvage notices the next one.
    pub(super) generation: u64,
    /// Whether a store could be opened or made, so that the next position is known.
    is_opened: bool,
}

impl<D: Disk> StoreSupervisor<D> {
    /// Opens the store, or makes one.
    pub(super) fn open(disk: D, limits: Limits, standing: Arc<SpoolStatus>) -> Result<Self, StoreError> {
        let tombstones = Tombstones::load(&disk).map_err(StoreError::Io)?;
        let mut keeper = Self {
            disk,
            limits,
            standing,
            store: None,
            contents: Contents { next: 1, ..Contents::default() },
            refused: None,
            in_trouble: false,
            tombstones,
            salvage: None,
            generation: 0,
            is_opened: false,
        };
        keeper.attempt(|_| Ok(()))?;
        keeper.resume_salvage()?;
        keeper.begin_block()?;
        keeper.bound_set_aside();
        keeper.replace_if_worth_it();
        keeper.show();
        Ok(keeper)
    }

    /// Positions that the process before this one reserved and did not use are skipped: what is found there was never
    /// promised.
    fn begin_block(&mut self) -> Result<(), StoreError> {
        if self.salvage.is_none() && !self.tombstones.is_whole() {
            let dead = self.attempt(Store::dead)?;
            self.tombstones.rebuild(&self.disk, dead).map_err(StoreError::Io)?;
        }
        let next = self.contents.next;
        let reserved = self.tombstones.reserved().unwrap_or(0);
        let skipped = self.tombstones.dead().missing(next, reserved.saturating_sub(1));
        self.contents.next = next.max(reserved);
        self.bury(&skipped)
    }

    /// Stores each group of records wholly or not at all, all of them with one sync.
    pub(super) fn append(&mut self, groups: &[Group]) -> Vec<Result<(), AppendError>> {
        let answers = match self.attempt(|_| Ok(())) {
            Ok(()) => {
                let admitted = self.admit(groups);
                self.store_admitted(groups, admitted)
            }
            Err(fault) => vec![Err(refusal(&fault)); groups.len()],
        };
        self.show();
        answers
    }

    fn admit(&mut self, groups: &[Group]) -> Vec<Result<(), AppendError>> {
        let mut available = self.available();
        groups
            .iter()
            .map(|group| {
                let size = group.records.iter().map(|record| frame::framed(record)).sum();
                if size > available || group.records.iter().any(|record| record.len() > frame::LARGEST) {
                    self.refuse(size);
                    return Err(AppendError::Full);
                }
                available -= size;
                Ok(())
            })
            .collect()
    }

    fn store_admitted(
        &mut self,
        groups: &[Group],
        mut answers: Vec<Result<(), AppendError>>,
    ) -> Vec<Result<(), AppendError>> {
        let admitted = groups.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(group, _)| group);
        let records: Vec<(Table, &[u8])> = admitted.flat_map(Group::rows).collect();
        if records.is_empty() {
            return answers;
        }
        let started = Instant::now();
        let stored = self.store_records(&records);
        self.standing.synced(started.elapsed());
        if let Err(fault) = stored {
            if fault.is_out_of_space() {
                self.refuse(records.iter().map(|(_, record)| frame::framed(record)).sum());
            }
            answers.iter_mut().filter(|answer| answer.is_ok()).for_each(|answer| *answer = Err(refusal(&fault)));
        }
        answers
    }

    fn store_records(&mut self, records: &[(Table, &[u8])]) -> Result<(), StoreError> {
        let count = frame::bytes(records.len());
        let end = self.contents.next.saturating_add(count);
        self.tombstones.reserve(&self.disk, end).map_err(StoreError::Io)?;
        let (floor, now) = (self.contents.next, SystemTime::now().into());
        let stored = self.change(|store| store.append(records, now, floor));
        if stored.is_err() {
            // They may be in the file, so others do not take their places.
            self.contents.next = self.contents.next.max(end);
        }
        stored
    }

    /// What changes by itself with time: an error may be over, and others use the disk as well.
    pub(super) fn tick(&mut self) {
        if self.store.is_none() {
            let _ = self.attempt(|_| Ok(()));
        }
        self.bound_set_aside();
        self.settle();
    }

    /// Whether what was refused would fit by now.
    pub(super) fn settle(&mut self) {
        let available = self.available();
        self.refused = self.refused.filter(|size| *size > available);
        self.show();
    }

    fn show(&self) {
        let available = self.available();
        let full = available <= frame::framed(&[]) || self.refused.is_some();
        self.standing.show(&self.contents, available, full, self.store.is_some(), self.salvage.is_some());
    }

    fn refuse(&mut self, size: u64) {
        // What can never fit says nothing about the room for others.
        if size <= self.limits.max_bytes {
            self.refused = Some(size);
        }
    }

    fn available(&self) -> u64 {
        // A disk that cannot say how much is free refuses by itself what does not fit.
        let free = self.disk.free_bytes().unwrap_or(u64::MAX);
        let below_limit = self.limits.max_bytes.saturating_sub(self.contents.all_bytes());
        below_limit.min(free.saturating_sub(self.limits.min_free_bytes))
    }

    #[cfg(test)]
    pub(super) fn parked_bytes(&self) -> u64 {
        self.contents.parked_bytes
    }

    pub(super) fn readable<T>(&self, result: Result<T, StoreError>) -> Result<T, SpoolUnavailable> {
        self.show();
        result.map_err(|_| SpoolUnavailable)
    }

    pub(super) fn change(&mut self, work: impl Fn(&Store) -> Result<Contents, StoreError>) -> Result<(), StoreError> {
        let contents = self.attempt(work)?;
        // The store does not know of positions that were skipped.
        self.contents = Contents { next: contents.next.max(self.contents.next), ..contents };
        Ok(())
    }

    /// Works on the store. At the first sign of damage it is opened anew, which lets it repair itself; at the second
    /// it is set aside, and the work is done on a fresh one.
    pub(super) fn attempt<T>(&mut self, work: impl Fn(&Store) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut damaged_before = false;
        let result = loop {
            match self.try_once(&work) {
                Err(StoreError::Damaged(_)) if !damaged_before => {
                    self.discard();
                    damaged_before = true;
                }
                Err(StoreError::Damaged(what)) => match self.set_aside(&what) {
                    Ok(()) => break self.try_once(&work),
                    Err(fault) => break Err(fault),
                },
                other => break other,
            }
        };
        self.tell(result.as_ref().err());
        if result.is_err() {
            self.discard();
        }
        result
    }

    fn try_once<T>(&mut self, work: impl Fn(&Store) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let note = self.disk.note();
        self.opened().and_then(|store| guarded(note, || work(store)))
    }

    fn opened(&mut self) -> Result<&Store, StoreError> {
        let store = match self.store.take() {
            Some(store) => store,
            None => self.reopen()?,
        };
        Ok(self.store.insert(store))
    }

    fn reopen(&mut self) -> Result<Store, StoreError> {
        let floor = self.contents.next;
        let first = if self.is_opened { floor } else { self.first_position()? };
        let disk = &self.disk;
        let (store, contents) = guarded(disk.note(), || match disk.open()? {
            Some(file) => Store::open(file),
            None => fresh(disk, first),
        })?;
        self.contents = Contents { next: contents.next.max(floor), ..contents };
        self.is_opened = true;
        Ok(store)
    }

    /// Where a fresh store begins when the positions of the one before are not known.
    fn first_position(&self) -> Result<u64, StoreError> {
        match self.tombstones.reserved() {
            Some(reserved) => Ok(reserved),
            None if self.disk.aside()?.is_empty() => Ok(1),
            None => Ok(beyond_all_positions()),
        }
    }

    /// Closing may stumble over the damage as well.
    fn discard(&mut self) {
        let store = self.store.take();
        let _ = guarded(self.disk.note(), || {
            drop(store);
            Ok(())
        });
    }

    fn set_aside(&mut self, what: &str) -> Result<(), StoreError> {
        self.discard();
        let end = self.is_opened.then_some(self.contents.next);
        let name = self.disk.set_aside()?;
        self.contents = Contents { next: self.contents.next, ..Contents::default() };
        self.standing.damaged(1);
        error!(
            file = name,
            damage = what,
            "the spool was damaged and set aside; a fresh one takes new records, and what can be read of the damaged \
             one is published first"
        );
        self.begin_salvage(end);
        self.bound_set_aside();
        Ok(())
    }

    pub(super) fn replace_if_worth_it(&mut self) {
        let empty =
            self.store.is_some() && self.salvage.is_none() && self.contents.events == 0 && self.contents.parked == 0;
        if !empty || self.disk.length().is_ok_and(|length| length <= WORTH_REPLACING) {
            return;
        }
        self.discard();
        let floor = self.contents.next;
        match guarded(self.disk.note(), || fresh(&self.disk, floor)) {
            Ok((store, contents)) => (self.store, self.contents) = (Some(store), contents),
            Err(fault) => warn!(%fault, "the empty spool could not be replaced by a small one"),
        }
    }

    /// One line when an error begins and one when it is over.
    pub(super) fn tell(&mut self, fault: Option<&StoreError>) {
        match fault {
            Some(fault) if !self.in_trouble => error!(%fault, "the spool cannot be read or written"),
            None if self.in_trouble => info!("the spool can be read and written again"),
            _ => {}
        }
        self.in_trouble = fault.is_some();
    }
}

impl<D: Disk> Drop for StoreSupervisor<D> {
    fn drop(&mut self) {
        self.discard();
        self.standing.closed();
    }
}

/// When neither the store nor the log of tombstones says which positions were used. It grows with time, so that it does
/// not give the same twice.
fn beyond_all_positions() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() << 20
}

fn fresh<D: Disk>(disk: &D, next: u64) -> Result<(Store, Contents), StoreError> {
    let made = Store::make(disk.make()?, next)?;
    disk.put_in_place()?;
    Ok(made)
}

fn refusal(fault: &StoreError) -> AppendError {
    if fault.is_out_of_space() { AppendError::Full } else { AppendError::Failed }
}
