//! Keeps one store usable: opens it anew after errors, sets it aside when it is damaged, and minds the limits.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use tracing::{error, info, warn};

use super::{
    AppendError, Batch, Entry, Fault, Limits, Position, Unreadable,
    disk::Disk,
    fault::guarded,
    frame,
    standing::Standing,
    store::{Contents, Found, Shelf, Store},
};

/// A store does not shrink: an empty one above this size is replaced.
const WORTH_REPLACING: u64 = 16 << 20;

/// Records that are stored together in one of the tables.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) shelf: Shelf,
    pub(super) records: Vec<Vec<u8>>,
}

impl Group {
    fn rows(&self) -> impl Iterator<Item = (Shelf, &[u8])> {
        self.records.iter().map(|record| (self.shelf, record.as_slice()))
    }

    /// Size of the records in memory.
    pub(super) fn bytes(&self) -> usize {
        self.records.iter().map(Vec::len).sum()
    }
}

/// The owner of the store.
#[derive(Debug)]
pub(super) struct Keeper<D: Disk> {
    disk: D,
    limits: Limits,
    standing: Arc<Standing>,
    /// Missing after an error, until it could be opened anew. A handle that failed is never used again: what the
    /// system said about a sync cannot be asked a second time.
    store: Option<Store>,
    contents: Contents,
    /// Size of what was refused last for want of space.
    refused: Option<u64>,
    /// Whether the log already tells of an error that lasts.
    in_trouble: bool,
}

impl<D: Disk> Keeper<D> {
    /// Opens the store, or makes one.
    pub(super) fn open(disk: D, limits: Limits, standing: Arc<Standing>) -> Result<Self, Fault> {
        let contents = Contents { next: 1, ..Contents::default() };
        let mut keeper = Self { disk, limits, standing, store: None, contents, refused: None, in_trouble: false };
        keeper.attempt(|_| Ok(()))?;
        keeper.replace_if_worth_it();
        keeper.show();
        Ok(keeper)
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
        let records: Vec<(Shelf, &[u8])> = admitted.flat_map(Group::rows).collect();
        if records.is_empty() {
            return answers;
        }
        let started = Instant::now();
        let floor = self.contents.next;
        let stored = self.change(|store| store.append(&records, SystemTime::now().into(), floor));
        self.standing.synced(started.elapsed());
        if let Err(fault) = stored {
            if fault.is_out_of_space() {
                self.refuse(records.iter().map(|(_, record)| frame::framed(record)).sum());
            }
            answers.iter_mut().filter(|answer| answer.is_ok()).for_each(|answer| *answer = Err(refusal(&fault)));
        }
        answers
    }

    /// The records behind a position. Those that are not whole are parked on the way.
    pub(super) fn read(&mut self, after: Option<Position>, most: Batch) -> Result<Vec<Entry>, Unreadable> {
        loop {
            let found = self.attempt(|store| store.read(Shelf::Queue, after.map(Position::number), most));
            let Found { entries, damaged } = self.readable(found)?;
            if damaged.is_empty() {
                return Ok(entries);
            }
            self.park_damaged(&damaged)?;
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
    }

    /// The whole ones of the parked records behind a position.
    pub(super) fn parked(&mut self, after: Option<Position>, most: Batch) -> Result<Vec<Entry>, Unreadable> {
        let mut after = after.map(Position::number);
        loop {
            let found = self.attempt(|store| store.read(Shelf::Parked, after, most));
            let Found { entries, damaged } = self.readable(found)?;
            if !entries.is_empty() || damaged.is_empty() {
                return Ok(entries);
            }
            after = damaged.last().copied();
        }
    }

    /// Forgets the records up to and including this position.
    pub(super) fn remove_through(&mut self, last: Position) -> Result<(), Unreadable> {
        let removed = self.change(|store| store.remove_through(last.number()));
        self.replace_if_worth_it();
        self.settle();
        self.readable(removed)
    }

    /// Takes a record out of the way.
    pub(super) fn park(&mut self, position: Position) -> Result<(), Unreadable> {
        let parked = self.change(|store| store.park(&[position.number()]));
        self.settle();
        self.readable(parked)
    }

    /// Forgets a parked record.
    pub(super) fn remove_parked(&mut self, position: Position) -> Result<(), Unreadable> {
        let removed = self.change(|store| store.remove_parked(position.number()));
        self.replace_if_worth_it();
        self.settle();
        self.readable(removed)
    }

    /// Puts back what was parked, as far as it is whole.
    pub(super) fn unpark(&mut self) -> Result<(), Fault> {
        let unparked = self.change(Store::unpark);
        self.settle();
        unparked
    }

    fn park_damaged(&mut self, positions: &[u64]) -> Result<(), Unreadable> {
        let parked = self.change(|store| store.park(positions));
        self.settle();
        self.readable(parked)?;
        self.standing.damaged(frame::bytes(positions.len()));
        error!(?positions, "records in the spool are damaged and were parked");
        Ok(())
    }

    /// What changes by itself with time: an error may be over, and others use the disk as well.
    pub(super) fn tick(&mut self) {
        if self.store.is_none() {
            let _ = self.attempt(|_| Ok(()));
        }
        self.settle();
    }

    /// Whether what was refused would fit by now.
    fn settle(&mut self) {
        let available = self.available();
        self.refused = self.refused.filter(|size| *size > available);
        self.show();
    }

    fn show(&self) {
        let available = self.available();
        let full = available <= frame::framed(&[]) || self.refused.is_some();
        self.standing.show(&self.contents, available, full, self.store.is_some());
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

    fn readable<T>(&self, result: Result<T, Fault>) -> Result<T, Unreadable> {
        self.show();
        result.map_err(|_| Unreadable)
    }

    fn change(&mut self, work: impl Fn(&Store) -> Result<Contents, Fault>) -> Result<(), Fault> {
        self.contents = self.attempt(work)?;
        Ok(())
    }

    /// Works on the store. At the first sign of damage it is opened anew, which lets it repair itself; at the second
    /// it is set aside, and the work is done on a fresh one.
    fn attempt<T>(&mut self, work: impl Fn(&Store) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut damaged_before = false;
        let result = loop {
            match self.try_once(&work) {
                Err(Fault::Damaged(_)) if !damaged_before => {
                    self.discard();
                    damaged_before = true;
                }
                Err(Fault::Damaged(what)) => match self.set_aside(&what) {
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

    fn try_once<T>(&mut self, work: impl Fn(&Store) -> Result<T, Fault>) -> Result<T, Fault> {
        let note = self.disk.note();
        self.opened().and_then(|store| guarded(note, || work(store)))
    }

    fn opened(&mut self) -> Result<&Store, Fault> {
        let store = match self.store.take() {
            Some(store) => store,
            None => self.reopen()?,
        };
        Ok(self.store.insert(store))
    }

    fn reopen(&mut self) -> Result<Store, Fault> {
        let floor = self.contents.next;
        let disk = &self.disk;
        let (store, contents) = guarded(disk.note(), || match disk.open()? {
            Some(file) => Store::open(file),
            None => fresh(disk, floor),
        })?;
        self.contents = Contents { next: contents.next.max(floor), ..contents };
        Ok(store)
    }

    /// Closing may stumble over the damage as well.
    fn discard(&mut self) {
        let store = self.store.take();
        let _ = guarded(self.disk.note(), || {
            drop(store);
            Ok(())
        });
    }

    fn set_aside(&mut self, what: &str) -> Result<(), Fault> {
        self.discard();
        let name = self.disk.set_aside()?;
        self.contents = Contents { next: self.contents.next, ..Contents::default() };
        self.standing.damaged(1);
        error!(
            file = name,
            damage = what,
            "the spool was damaged and set aside; a fresh one is used. \
             `trusthub-bridge spool export` salvages what can be read"
        );
        Ok(())
    }

    fn replace_if_worth_it(&mut self) {
        let empty = self.store.is_some() && self.contents.events == 0 && self.contents.parked == 0;
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
    fn tell(&mut self, fault: Option<&Fault>) {
        match fault {
            Some(fault) if !self.in_trouble => error!(%fault, "the spool cannot be read or written"),
            None if self.in_trouble => info!("the spool can be read and written again"),
            _ => {}
        }
        self.in_trouble = fault.is_some();
    }
}

impl<D: Disk> Drop for Keeper<D> {
    fn drop(&mut self) {
        self.discard();
        self.standing.closed();
    }
}

fn fresh<D: Disk>(disk: &D, next: u64) -> Result<(Store, Contents), Fault> {
    let made = Store::make(disk.make()?, next)?;
    disk.put_in_place()?;
    Ok(made)
}

fn refusal(fault: &Fault) -> AppendError {
    if fault.is_out_of_space() { AppendError::Full } else { AppendError::Failed }
}
