//! Keeps a store usable: reopens it after errors, quarantines it when it is damaged, and enforces the limits.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tracing::{error, info, warn};

use crate::{
    contents::Contents,
    disk::{Disk, SalvageState},
    error::SpoolUnavailable,
    frame,
    limits::SpoolLimits,
    position_set::PositionSet,
    quarantine::limit_quarantined,
    salvage_progress::SalvageProgress,
    status::SpoolStatus,
    store::SpoolStore,
    store_error::{StoreError, catch_panics},
    tombstones::TombstoneLog,
};

/// The file of a store does not shrink; an empty store whose file is larger is replaced by a new one.
const SHRINK_ABOVE_BYTES: u64 = 16 << 20;

/// The owner of the store.
#[derive(Debug)]
pub(crate) struct StoreSupervisor<D: Disk> {
    pub(crate) disk: D,
    pub(crate) limits: SpoolLimits,
    pub(crate) status: Arc<SpoolStatus>,
    /// `None` after an error, until the store is reopened. A handle that failed is never used again: the operating system
    /// reports a failed sync only once, so a retry on the same handle may succeed without writing the data.
    store: Option<SpoolStore>,
    pub(crate) contents: Contents,
    /// Size of the last append that was rejected for lack of space; `None` once it would fit.
    rejected_size: Option<u64>,
    /// Whether the log already reports an error that is still present.
    is_failing: bool,
    pub(crate) tombstones: TombstoneLog,
    /// The salvage that is not complete, if there is one.
    pub(crate) salvage: Option<SalvageProgress>,
    /// Incremented when a store is quarantined, so that a running salvage notices that it is superseded.
    pub(crate) generation: u64,
    /// Whether a store was opened or created, so that the next position is known.
    was_opened: bool,
}

impl<D: Disk> StoreSupervisor<D> {
    /// Opens or creates the store.
    pub(crate) fn open(disk: D, limits: SpoolLimits, status: Arc<SpoolStatus>) -> Result<Self, StoreError> {
        let tombstones = TombstoneLog::load(&disk).map_err(StoreError::Io)?;
        let mut supervisor = Self {
            disk,
            limits,
            status,
            store: None,
            contents: Contents { next: 1, ..Contents::default() },
            rejected_size: None,
            is_failing: false,
            tombstones,
            salvage: None,
            generation: 0,
            was_opened: false,
        };
        supervisor.attempt(|_| Ok(()))?;
        supervisor.resume_salvage()?;
        supervisor.skip_reserved_positions()?;
        limit_quarantined(&supervisor.disk, &supervisor.limits);
        supervisor.shrink_if_empty();
        supervisor.update_status();
        Ok(supervisor)
    }

    /// Skips the positions that the previous process reserved but did not use. Whatever is found there was never promised
    /// to a caller, so they get tombstones.
    fn skip_reserved_positions(&mut self) -> Result<(), StoreError> {
        if self.salvage.is_none() && !self.tombstones.is_complete() {
            let removed = self.attempt(SpoolStore::removed_positions)?;
            self.tombstones.rebuild(&self.disk, removed).map_err(StoreError::Io)?;
        }
        let next = self.contents.next;
        let reserved = self.tombstones.reserved().unwrap_or(0);
        let skipped = self.tombstones.positions().missing_between(next, reserved.saturating_sub(1));
        self.contents.next = next.max(reserved);
        self.add_tombstones(&skipped)
    }

    /// Starts a salvage of the quarantined stores that an earlier process did not salvage.
    pub(crate) fn resume_salvage(&mut self) -> Result<(), StoreError> {
        let is_pending = self.disk.list_quarantined()?.iter().any(|store| store.salvage == SalvageState::Pending);
        if is_pending && self.salvage.is_none() {
            self.begin_salvage(None);
        }
        Ok(())
    }

    pub(crate) fn begin_salvage(&mut self, end: Option<u64>) {
        self.generation = self.generation.saturating_add(1);
        self.salvage = Some(SalvageProgress::new(end));
    }

    /// The last position that a read may return.
    pub(crate) fn salvaged_through(&self) -> u64 {
        self.salvage.as_ref().map_or(u64::MAX, |salvage| salvage.through)
    }

    pub(crate) fn add_tombstones(&mut self, positions: &PositionSet) -> Result<(), StoreError> {
        if positions.is_empty() {
            return Ok(());
        }
        let result = self.tombstones.add(&self.disk, positions).map_err(StoreError::Io);
        if let Err(error) = &result {
            self.report(Some(error));
        }
        result
    }

    /// Called every second: an error may be gone, and other processes use the disk as well.
    pub(crate) fn tick(&mut self) {
        if self.store.is_none() {
            let _ = self.attempt(|_| Ok(()));
        }
        limit_quarantined(&self.disk, &self.limits);
        self.refresh();
    }

    /// Checks whether the last rejected append would fit now, and updates the status.
    pub(crate) fn refresh(&mut self) {
        let available = self.available();
        self.rejected_size = self.rejected_size.filter(|size| *size > available);
        self.update_status();
    }

    pub(crate) fn update_status(&self) {
        let available = self.available();
        let is_full = available <= frame::framed_len(&[]) || self.rejected_size.is_some();
        self.status.update(&self.contents, available, is_full, self.store.is_some(), self.salvage.is_some());
    }

    /// Remembers that an append of this size does not fit.
    pub(crate) fn remember_rejected(&mut self, size: u64) {
        // An append that can never fit says nothing about the space for others.
        if size <= self.limits.max_bytes {
            self.rejected_size = Some(size);
        }
    }

    /// Bytes of frames that may still be stored.
    pub(crate) fn available(&self) -> u64 {
        // If the free space is unknown, the disk itself rejects what does not fit.
        let free = self.disk.free_bytes().unwrap_or(u64::MAX);
        let below_limit = self.limits.max_bytes.saturating_sub(self.contents.total_bytes());
        below_limit.min(free.saturating_sub(self.limits.min_free_bytes))
    }

    /// Updates the status and converts the error for the caller.
    pub(crate) fn finish<T>(&self, result: Result<T, StoreError>) -> Result<T, SpoolUnavailable> {
        self.update_status();
        result.map_err(|_| SpoolUnavailable)
    }

    /// Changes the store. See [`attempt`](Self::attempt).
    pub(crate) fn change(
        &mut self,
        work: impl Fn(&SpoolStore) -> Result<Contents, StoreError>,
    ) -> Result<(), StoreError> {
        let contents = self.attempt(work)?;
        // The store does not know which positions were skipped.
        self.contents = Contents { next: contents.next.max(self.contents.next), ..contents };
        Ok(())
    }

    /// Runs work on the store. When the work reports damage, reopens the store, which lets the database repair itself, and
    /// tries again; when it reports damage again, quarantines the store and runs the work on a fresh one.
    pub(crate) fn attempt<T>(&mut self, work: impl Fn(&SpoolStore) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut was_reopened = false;
        let result = loop {
            match self.try_once(&work) {
                Err(StoreError::Damaged(_)) if !was_reopened => {
                    self.close_store();
                    was_reopened = true;
                }
                Err(StoreError::Damaged(damage)) => match self.quarantine(&damage.to_string()) {
                    Ok(()) => break self.try_once(&work),
                    Err(error) => break Err(error),
                },
                other => break other,
            }
        };
        self.report(result.as_ref().err());
        if result.is_err() {
            self.close_store();
        }
        result
    }

    fn try_once<T>(&mut self, work: impl Fn(&SpoolStore) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let marker = self.disk.crash_marker();
        self.open_store().and_then(|store| catch_panics(marker, || work(store)))
    }

    fn open_store(&mut self) -> Result<&SpoolStore, StoreError> {
        let store = match self.store.take() {
            Some(store) => store,
            None => self.reopen()?,
        };
        Ok(self.store.insert(store))
    }

    fn reopen(&mut self) -> Result<SpoolStore, StoreError> {
        let floor = self.contents.next;
        let first = if self.was_opened { floor } else { self.first_position()? };
        let disk = &self.disk;
        let (store, contents) = catch_panics(disk.crash_marker(), || match disk.open_live()? {
            Some(file) => SpoolStore::open(file),
            None => create_store(disk, first),
        })?;
        self.contents = Contents { next: contents.next.max(floor), ..contents };
        self.was_opened = true;
        Ok(store)
    }

    /// The first position of a fresh store when the positions of the previous store are unknown.
    fn first_position(&self) -> Result<u64, StoreError> {
        match self.tombstones.reserved() {
            Some(reserved) => Ok(reserved),
            None if self.disk.list_quarantined()?.is_empty() => Ok(1),
            None => Ok(position_from_clock()),
        }
    }

    /// Closes the store. A damaged store may make the database panic here, too.
    fn close_store(&mut self) {
        let store = self.store.take();
        let _ = catch_panics(self.disk.crash_marker(), || {
            drop(store);
            Ok(())
        });
    }

    fn quarantine(&mut self, damage: &str) -> Result<(), StoreError> {
        self.close_store();
        let end = self.was_opened.then_some(self.contents.next);
        let name = self.disk.quarantine_live()?;
        self.contents = Contents { next: self.contents.next, ..Contents::default() };
        self.status.observer().damage_found(1);
        error!(
            file = name,
            damage,
            "quarantined the damaged spool store; a fresh store takes new records, and the records salvaged from the \
             damaged one are published first"
        );
        self.begin_salvage(end);
        limit_quarantined(&self.disk, &self.limits);
        Ok(())
    }

    /// Replaces an empty store whose file is large.
    pub(crate) fn shrink_if_empty(&mut self) {
        let is_empty =
            self.store.is_some() && self.salvage.is_none() && self.contents.queued == 0 && self.contents.parked == 0;
        if !is_empty || self.disk.live_length().is_ok_and(|length| length <= SHRINK_ABOVE_BYTES) {
            return;
        }
        self.close_store();
        let floor = self.contents.next;
        match catch_panics(self.disk.crash_marker(), || create_store(&self.disk, floor)) {
            Ok((store, contents)) => (self.store, self.contents) = (Some(store), contents),
            Err(error) => warn!(fault = %error, "cannot replace the empty spool store with a smaller one"),
        }
    }

    /// Logs one line when an error begins and one when it is gone.
    pub(crate) fn report(&mut self, error: Option<&StoreError>) {
        match error {
            Some(error) if !self.is_failing => error!(fault = %error, "the spool cannot be read or written; retrying"),
            None if self.is_failing => info!("the spool can be read and written again"),
            _ => {}
        }
        self.is_failing = error.is_some();
    }
}

impl<D: Disk> Drop for StoreSupervisor<D> {
    fn drop(&mut self) {
        self.close_store();
        self.status.set_closed();
    }
}

/// A first position for when neither the store nor the tombstone log says which positions were used. It grows with time, so
/// that it does not return the same position twice.
fn position_from_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() << 20
}

fn create_store<D: Disk>(disk: &D, next: u64) -> Result<(SpoolStore, Contents), StoreError> {
    let created = SpoolStore::create(disk.create_new()?, next)?;
    disk.activate_new()?;
    Ok(created)
}
