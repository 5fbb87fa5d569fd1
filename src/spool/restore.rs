//! The salvage of stores that were set aside, as the keeper of the store in use sees it.
//!
//! A [`Reader`] reads the damaged files on a thread of its own and hands over its records in chunks, in ascending order
//! of positions. They keep their positions, which are all below those of the fresh store. Until a chunk has come, nothing
//! behind the last one is shown to the drain: so no record passes an older one, and an append waits at most for one
//! chunk.
//!
//! A salvage can be interrupted and begun again at any point: what is there already, or dead, is left out. A file is
//! marked when all of it was restored, and not tried again.

use std::{
    io,
    time::{Duration, Instant},
};

use tracing::{error, info, warn};

use super::{
    SpoolUnavailable,
    disk::{Aside, Disk, Raw, Salvage},
    ranges::Ranges,
    salvage::{Chunk, Reader},
    supervisor::StoreSupervisor,
};

/// Stores that are kept after they were set aside.
const MOST_ASIDE: usize = 8;

/// How long it is tried to open them, so that one that never opens does not hold up the others and the queue.
const TO_OPEN: Duration = Duration::from_secs(60);

/// A salvage that is not done.
#[derive(Debug)]
pub(super) struct Salvaging {
    /// Everything up to this position is in the store.
    through: u64,
    /// The end of the positions that the damaged store had used, if that is known.
    end: Option<u64>,
    /// The files that are being read; `None` before that.
    files: Option<Vec<String>>,
    restored: u64,
    began: Instant,
}

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restored {
    /// It is in the store.
    Stored,
    /// Another store was set aside meanwhile, so all files are to be read from the beginning.
    Outdated,
}

impl<D: Disk> StoreSupervisor<D> {
    /// What an earlier process did not salvage.
    pub(super) fn resume_salvage(&mut self) -> Result<(), super::StoreError> {
        let is_pending = self.disk.aside()?.iter().any(|aside| aside.salvage == Salvage::Pending);
        if is_pending && self.salvage.is_none() {
            self.begin_salvage(None);
        }
        Ok(())
    }

    pub(super) fn begin_salvage(&mut self, end: Option<u64>) {
        self.generation = self.generation.saturating_add(1);
        self.salvage = Some(Salvaging { through: 0, end, files: None, restored: 0, began: Instant::now() });
    }

    /// The last position that may be read.
    pub(super) fn salvaged_through(&self) -> u64 {
        self.salvage.as_ref().map_or(u64::MAX, |salvage| salvage.through)
    }

    /// The damaged stores, once for each salvage, and the number of the salvage.
    pub(super) fn take_salvage(&mut self) -> Option<(u64, Reader<D::Raw>)> {
        let salvage = self.salvage.as_mut().filter(|salvage| salvage.files.is_none())?;
        let is_late = salvage.began.elapsed() >= TO_OPEN;
        let aside = match self.disk.aside() {
            Ok(aside) => aside,
            Err(error) => {
                warn!(%error, "the damaged stores cannot be listed; trying again");
                return None;
            }
        };
        let (mut files, mut names, mut unreadable) = (Vec::new(), Vec::new(), false);
        for Aside { name, .. } in aside.into_iter().filter(|aside| aside.salvage == Salvage::Pending) {
            let opened = self.disk.open_aside(&name).and_then(|file| file.length().map(|length| (file, length)));
            match opened {
                Ok(file) => files.push(file),
                Err(error) if is_late || error.kind() == io::ErrorKind::NotFound => {
                    unreadable = true;
                    error!(file = name, %error, "a damaged store cannot be opened, so nothing of it is published");
                }
                Err(error) => {
                    warn!(file = name, %error, "a damaged store cannot be opened; trying again");
                    return None;
                }
            }
            names.push(name);
        }
        salvage.files = Some(names);
        Some((self.generation, Reader::new(files, self.tombstones.dead().clone(), unreadable)))
    }

    /// The reader could not begin, so it is to be asked for again.
    pub(super) fn postpone_salvage(&mut self) {
        if let Some(salvage) = &mut self.salvage {
            salvage.files = None;
        }
    }

    /// Puts salvaged records into the store. `complete`: whether nothing was missing so far.
    pub(super) fn restore(
        &mut self,
        generation: u64,
        chunk: &Chunk,
        complete: bool,
    ) -> Result<Restored, SpoolUnavailable> {
        let restored = self.restore_chunk(generation, chunk, complete);
        self.settle();
        self.readable(restored)
    }

    fn restore_chunk(&mut self, generation: u64, chunk: &Chunk, complete: bool) -> Result<Restored, super::StoreError> {
        let before = self.contents.events;
        let living: Vec<_> =
            chunk.entries.iter().filter(|entry| !self.tombstones.dead().contains(entry.position.number())).collect();
        if !living.is_empty() && generation == self.generation {
            self.change(|store| store.restore(&living))?;
        }
        let tail = self.tail(chunk);
        let mut lost = chunk.lost.clone();
        tail.iter().for_each(|(first, last)| lost.insert(first, last));
        let lost = self.attempt(|store| store.absent(&lost))?;
        let Some(salvage) = self.salvage.as_mut().filter(|_| generation == self.generation) else {
            return Ok(Restored::Outdated);
        };
        let count = self.contents.events.saturating_sub(before);
        salvage.restored = salvage.restored.saturating_add(count);
        self.standing.salvaged(count);
        self.bury(&lost)?;
        if let Some(salvage) = &mut self.salvage {
            salvage.through = chunk.through;
        }
        if chunk.is_last() {
            self.end_salvage(complete && tail.is_empty());
        }
        Ok(Restored::Stored)
    }

    /// Positions behind the last record that the damaged stores had used. As all at which nothing is found they are dead
    /// from now on, so that the next salvage does not miss them.
    fn tail(&self, chunk: &Chunk) -> Ranges {
        let Some((end, through)) = self.salvage.as_ref().and_then(|salvage| Some((salvage.end?, salvage.through)))
        else {
            return Ranges::default();
        };
        if !chunk.is_last() {
            return Ranges::default();
        }
        let last = chunk.entries.last().map_or(through, |entry| entry.position.number());
        self.tombstones.dead().missing(last.saturating_add(1), end.saturating_sub(1))
    }

    fn end_salvage(&mut self, complete: bool) {
        let Some(Salvaging { files, restored, .. }) = self.salvage.take() else { return };
        let mark = if complete { Salvage::Complete } else { Salvage::InPart };
        for file in files.into_iter().flatten() {
            if let Err(error) = self.disk.mark(&file, mark) {
                warn!(file, %error, "a salvaged store could not be marked; the next start salvages it again");
            }
        }
        if complete {
            info!(records = restored, "the damaged spool was salvaged; nothing is missing");
        } else {
            error!(
                records = restored,
                "the damaged spool was salvaged in part: something in it could not be read; keep its file, and compare \
                 with Trust Hub what is missing"
            );
        }
        self.bound_set_aside();
    }

    /// Removes stores that were set aside when there are too many, or when the disk has no space: salvaged ones first.
    pub(super) fn bound_set_aside(&mut self) {
        let Ok(mut aside) = self.disk.aside() else { return };
        while let Some(index) = self.surplus(&aside) {
            let Aside { name, salvage, .. } = aside.remove(index);
            match (self.disk.remove_aside(&name), salvage) {
                (Err(error), _) => return warn!(file = name, %error, "a store that was set aside cannot be removed"),
                (Ok(()), Salvage::Complete) => info!(file = name, "removed a damaged store that was salvaged"),
                (Ok(()), Salvage::InPart | Salvage::Pending) => error!(
                    file = name,
                    "removed a damaged store that was not salvaged completely, because too many were set aside"
                ),
            }
        }
    }

    /// The next one to remove. The newest is kept unless nothing of it is missing.
    fn surplus(&self, aside: &[Aside]) -> Option<usize> {
        let bytes = aside.iter().fold(0_u64, |sum, one| sum.saturating_add(one.bytes));
        let too_many = aside.len() > MOST_ASIDE || bytes > self.limits.max_bytes.saturating_mul(2);
        let short_of_space = self.disk.free_bytes().is_ok_and(|free| free < self.limits.min_free_bytes);
        let newest = aside.len().saturating_sub(1);
        let may_go = |(index, one): &(usize, &Aside)| match one.salvage {
            Salvage::Complete => too_many || short_of_space,
            Salvage::InPart => too_many && *index < newest,
            Salvage::Pending => aside.len() > MOST_ASIDE && *index < newest,
        };
        aside.iter().enumerate().filter(may_go).min_by_key(|(_, one)| one.salvage).map(|(index, _)| index)
    }
}
