//! The salvage of quarantined stores, from the view of the supervisor.
//!
//! A [`SalvageReader`] reads the damaged files on the `spool-salvage` thread and delivers their records in chunks, in
//! ascending order of positions. The records keep their positions, which all precede those of the fresh store. Readers
//! see nothing after the last restored chunk, so no record overtakes an older one; an append waits for at most one chunk.
//!
//! A salvage can be interrupted and restarted at any point: records that are already stored or have a tombstone are
//! skipped. A file is marked once everything in it was restored, and is not salvaged again.

use std::{io, time::Duration};

use tracing::{error, info, warn};

use crate::{
    disk::{Disk, QuarantinedStore, ReadAt, SalvageState},
    error::SpoolUnavailable,
    position_set::PositionSet,
    quarantine::limit_quarantined,
    salvage::{SalvageChunk, SalvageReader},
    salvage_progress::{RestoreOutcome, SalvageProgress},
    store_error::StoreError,
    supervisor::StoreSupervisor,
};

/// How long opening the quarantined stores is retried, so that one that never opens does not block the others and the
/// queue.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);

impl<D: Disk> StoreSupervisor<D> {
    /// Opens the files of a salvage that has not started reading. Returns the generation of the salvage and the reader;
    /// `None` when no salvage has to start or the files cannot be opened now.
    pub(crate) fn open_salvage(&mut self) -> Option<(u64, SalvageReader<D::QuarantinedFile>)> {
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
    pub(crate) fn postpone_salvage(&mut self) {
        if let Some(salvage) = &mut self.salvage {
            salvage.files = None;
        }
    }

    /// Puts salvaged records into the store. `is_complete`: whether nothing was missing so far.
    pub(crate) fn restore(
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
    ) -> Result<RestoreOutcome, StoreError> {
        let before = self.contents.queued;
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
        let count = self.contents.queued.saturating_sub(before);
        salvage.restored = salvage.restored.saturating_add(count);
        self.status.observer().records_salvaged(count);
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
            self.status.observer().records_lost(restored);
        }
        limit_quarantined(&self.disk, &self.limits);
    }
}
