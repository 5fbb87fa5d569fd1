//! The salvage of quarantined stores, from the view of the supervisor.
//!
//! A [`SalvageReader`] reads the damaged files on the `spool-salvage` thread and delivers their records in chunks, in
//! ascending order of positions. The records keep their positions, which all precede those of the fresh store. The drain
//! sees nothing after the last restored chunk, so no record overtakes an older one; an append waits for at most one chunk.
//!
//! A salvage can be interrupted and restarted at any point: records that are already stored or have a tombstone are
//! skipped. A file is marked once everything in it was restored, and is not salvaged again.

use std::{
    io,
    time::{Duration, Instant},
};

use tracing::{error, info, warn};

use super::{
    SpoolUnavailable,
    disk::{Disk, QuarantinedStore, ReadAt, SalvageState},
    position_set::PositionSet,
    salvage::{SalvageChunk, SalvageReader},
    supervisor::StoreSupervisor,
};

/// Maximum number of quarantined stores that are kept.
const MAX_QUARANTINED: usize = 8;

/// How long opening the quarantined stores is retried, so that one that never opens does not block the others and the
/// queue.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);

/// A salvage that is not complete.
#[derive(Debug)]
pub(super) struct SalvageProgress {
    /// All records up to this position have been restored.
    through: u64,
    /// The first position that the damaged store had not used, if known.
    end: Option<u64>,
    /// The files that are being read; `None` until they have been opened.
    files: Option<Vec<String>>,
    restored: u64,
    started: Instant,
}

/// The result of restoring a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestoreOutcome {
    /// The chunk is in the store.
    Stored,
    /// Another store was quarantined in the meantime, so a new salvage reads all files from the beginning.
    Superseded,
}

impl<D: Disk> StoreSupervisor<D> {
    /// Starts a salvage of the quarantined stores that an earlier process did not salvage.
    pub(super) fn resume_salvage(&mut self) -> Result<(), super::StoreError> {
        let is_pending = self.disk.list_quarantined()?.iter().any(|store| store.salvage == SalvageState::Pending);
        if is_pending && self.salvage.is_none() {
            self.begin_salvage(None);
        }
        Ok(())
    }

    pub(super) fn begin_salvage(&mut self, end: Option<u64>) {
        self.generation = self.generation.saturating_add(1);
        self.salvage = Some(SalvageProgress { through: 0, end, files: None, restored: 0, started: Instant::now() });
    }

    /// The last position that [`read`](Self::read) may return.
    pub(super) fn salvaged_through(&self) -> u64 {
        self.salvage.as_ref().map_or(u64::MAX, |salvage| salvage.through)
    }

    /// Opens the files of a salvage that has not started reading. Returns the generation of the salvage and the reader;
    /// `None` when no salvage has to start or the files cannot be opened now.
    pub(super) fn open_salvage(&mut self) -> Option<(u64, SalvageReader<D::QuarantinedFile>)> {
        let salvage = self.salvage.as_mut().filter(|salvage| salvage.files.is_none())?;
        let is_late = salvage.started.elapsed() >= OPEN_TIMEOUT;
        let stores = match self.disk.list_quarantined() {
            Ok(stores) => stores,
            Err(error) => {
                warn!(%error, "cannot list the quarantined stores; retrying");
                return None;
            }
        };
        let (mut files, mut names, mut is_unreadable) = (Vec::new(), Vec::new(), false);
        let is_pending = |store: &QuarantinedStore| store.salvage == SalvageState::Pending;
        for QuarantinedStore { name, .. } in stores.into_iter().filter(is_pending) {
            let opened = self.disk.open_quarantined(&name).and_then(|file| file.length().map(|length| (file, length)));
            match opened {
                Ok(file) => files.push(file),
                Err(error) if is_late || error.kind() == io::ErrorKind::NotFound => {
                    is_unreadable = true;
                    error!(file = name, %error, "gave up opening a quarantined store; none of its records are published");
                }
                Err(error) => {
                    warn!(file = name, %error, "cannot open a quarantined store; retrying");
                    return None;
                }
            }
            names.push(name);
        }
        salvage.files = Some(names);
        Some((self.generation, SalvageReader::new(files, self.tombstones.positions().clone(), is_unreadable)))
    }

    /// Makes [`open_salvage`](Self::open_salvage) return the reader again, because its thread could not start.
    pub(super) fn postpone_salvage(&mut self) {
        if let Some(salvage) = &mut self.salvage {
            salvage.files = None;
        }
    }

    /// Puts salvaged records into the store. `is_complete`: whether nothing was missing so far.
    pub(super) fn restore(
        &mut self,
        generation: u64,
        chunk: &SalvageChunk,
        is_complete: bool,
    ) -> Result<RestoreOutcome, SpoolUnavailable> {
        let result = self.restore_chunk(generation, chunk, is_complete);
        self.refresh();
        self.finish(result)
    }

    fn restore_chunk(
        &mut self,
        generation: u64,
        chunk: &SalvageChunk,
        is_complete: bool,
    ) -> Result<RestoreOutcome, super::StoreError> {
        let before = self.contents.events;
        let tombstones = self.tombstones.positions();
        let entries: Vec<_> =
            chunk.entries.iter().filter(|entry| !tombstones.contains(entry.position.number())).collect();
        if !entries.is_empty() && generation == self.generation {
            self.change(|store| store.restore(&entries))?;
        }
        let missing_at_end = self.missing_at_end(chunk);
        let mut missing = chunk.missing.clone();
        missing_at_end.iter().for_each(|(first, last)| missing.insert(first, last));
        let lost = self.attempt(|store| store.unused_positions(&missing))?;
        let Some(salvage) = self.salvage.as_mut().filter(|_| generation == self.generation) else {
            return Ok(RestoreOutcome::Superseded);
        };
        let count = self.contents.events.saturating_sub(before);
        salvage.restored = salvage.restored.saturating_add(count);
        self.status.count_salvaged(count);
        self.add_tombstones(&lost)?;
        if let Some(salvage) = &mut self.salvage {
            salvage.through = chunk.through;
        }
        if chunk.is_last() {
            self.end_salvage(is_complete && missing_at_end.is_empty());
        }
        Ok(RestoreOutcome::Stored)
    }

    /// Positions after the last salvaged record that the damaged store had used. Like all positions at which no record was
    /// found, they get tombstones, so that the next salvage does not report them as missing.
    fn missing_at_end(&self, chunk: &SalvageChunk) -> PositionSet {
        let Some((end, through)) = self.salvage.as_ref().and_then(|salvage| Some((salvage.end?, salvage.through)))
        else {
            return PositionSet::default();
        };
        if !chunk.is_last() {
            return PositionSet::default();
        }
        let last = chunk.entries.last().map_or(through, |entry| entry.position.number());
        self.tombstones.positions().missing_between(last.saturating_add(1), end.saturating_sub(1))
    }

    fn end_salvage(&mut self, is_complete: bool) {
        let Some(SalvageProgress { files, restored, .. }) = self.salvage.take() else { return };
        let state = if is_complete { SalvageState::Complete } else { SalvageState::Partial };
        for file in files.into_iter().flatten() {
            if let Err(error) = self.disk.mark_salvaged(&file, state) {
                warn!(file, %error, "cannot mark a quarantined store as salvaged; the next start salvages it again");
            }
        }
        if is_complete {
            info!(records = restored, "salvaged the damaged store; no record is missing");
        } else {
            error!(
                records = restored,
                "salvaged only part of the damaged spool store; keep its file, and run `trusthub-bridge reconcile` to publish \
                 what is missing"
            );
        }
        self.limit_quarantined();
    }

    /// Removes quarantined stores when there are too many or the disk is short of space, completely salvaged ones first.
    pub(super) fn limit_quarantined(&mut self) {
        let Ok(mut stores) = self.disk.list_quarantined() else { return };
        while let Some(index) = self.next_to_remove(&stores) {
            let QuarantinedStore { name, salvage, .. } = stores.remove(index);
            match (self.disk.remove_quarantined(&name), salvage) {
                (Err(error), _) => return warn!(file = name, %error, "cannot remove a quarantined store"),
                (Ok(()), SalvageState::Complete) => {
                    info!(file = name, "removed a quarantined store that was salvaged completely");
                }
                (Ok(()), SalvageState::Partial | SalvageState::Pending) => error!(
                    file = name,
                    "removed a quarantined store that was not salvaged completely, because there are too many"
                ),
            }
        }
    }

    /// The index of the store to remove next. The newest is kept unless it was salvaged completely.
    fn next_to_remove(&self, stores: &[QuarantinedStore]) -> Option<usize> {
        let bytes = stores.iter().fold(0_u64, |sum, store| sum.saturating_add(store.bytes));
        let too_many = stores.len() > MAX_QUARANTINED || bytes > self.limits.max_bytes.saturating_mul(2);
        let short_of_space = self.disk.free_bytes().is_ok_and(|free| free < self.limits.min_free_bytes);
        let newest = stores.len().saturating_sub(1);
        let is_removable = |(index, store): &(usize, &QuarantinedStore)| match store.salvage {
            SalvageState::Complete => too_many || short_of_space,
            SalvageState::Partial => too_many && *index < newest,
            SalvageState::Pending => stores.len() > MAX_QUARANTINED && *index < newest,
        };
        stores.iter().enumerate().filter(is_removable).min_by_key(|(_, store)| store.salvage).map(|(index, _)| index)
    }
}
