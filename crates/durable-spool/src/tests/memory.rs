//! An in-memory disk that loses power, fails and loses unsynced writes like a real one.
//!
//! Every reader sees a write immediately, but only a sync makes it durable. When the power fails, each sector written since
//! the last sync may or may not be durable. A failed sync has the same effect on the sectors that it should have written,
//! and the next sync ignores them, as on Linux.

use std::{io, path::PathBuf, sync::Arc};

use parking_lot::{Mutex, MutexGuard};
use redb::StorageBackend;

use self::image::Image;
use super::random::Random;
use crate::disk::{Disk, QuarantinedStore, ReadAt, SalvageState};

mod image;

const SECTOR: usize = 512;
const PAGE: usize = 4_096;
/// The printable part of the magic number of frames.
const MAGIC_TEXT: &str = "THspl";

#[derive(Debug)]
struct DiskState {
    random: Random,
    live: Option<Arc<Mutex<Image>>>,
    new: Option<Arc<Mutex<Image>>>,
    quarantined: Vec<(QuarantinedStore, Arc<Mutex<Image>>)>,
    tombstones: Option<Vec<u8>>,
    quarantine_count: usize,
    /// Incremented when the power fails: files opened before fail from then on.
    power_cycles: u64,
    faults: Option<DiskFaults>,
    free_bytes: u64,
    skip_syncs: bool,
    forget_tombstones: bool,
}

/// Errors that the disk will report.
#[derive(Debug, Clone, Copy)]
pub(super) struct DiskFaults {
    /// Number of operations that succeed first.
    pub(super) after: usize,
    /// Number of operations that fail then.
    pub(super) times: usize,
    /// The reported error.
    pub(super) kind: io::ErrorKind,
    /// Whether only syncs count and fail.
    pub(super) only_syncs: bool,
}

impl DiskState {
    fn check_fault(&mut self, is_sync: bool) -> io::Result<()> {
        let Some(faults) = self.faults.as_mut().filter(|faults| is_sync || !faults.only_syncs) else {
            return Ok(());
        };
        if faults.after > 0 {
            faults.after -= 1;
            return Ok(());
        }
        let kind = faults.kind;
        faults.times -= 1;
        if faults.times == 0 {
            self.faults = None;
        }
        Err(kind.into())
    }
}

#[derive(Debug, Clone)]
pub(super) struct MemoryDisk(Arc<Mutex<DiskState>>);

impl MemoryDisk {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(DiskState {
            random: Random(seed),
            live: None,
            new: None,
            quarantined: Vec::new(),
            tombstones: None,
            quarantine_count: 0,
            power_cycles: 0,
            faults: None,
            free_bytes: u64::MAX,
            skip_syncs: false,
            forget_tombstones: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, DiskState> {
        self.0.lock()
    }

    /// Simulates a power failure and a restart.
    pub(super) fn crash(&self) {
        let state = &mut *self.state();
        state.power_cycles += 1;
        state.new = None;
        for image in state.live.iter().chain(state.quarantined.iter().map(|(_, image)| image)) {
            let image = &mut *image.lock();
            image.tear(&mut state.random);
            image.cache.clone_from(&image.durable);
        }
    }

    pub(super) fn flip_a_bit(&self) {
        let state = &mut *self.state();
        if let Some(image) = &state.live {
            image.lock().flip(&mut state.random);
        }
    }

    /// Overwrites the first page of the store in use: it has to be quarantined, but all records are intact.
    pub(super) fn destroy_header(&self) {
        if let Some(image) = &self.state().live {
            let image = &mut *image.lock();
            for image in [&mut image.cache, &mut image.durable] {
                image.iter_mut().take(PAGE).for_each(|byte| *byte = 0xa5);
            }
        }
    }

    pub(super) fn fail(&self, faults: Option<DiskFaults>) {
        self.state().faults = faults;
    }

    pub(super) fn set_free_bytes(&self, free_bytes: u64) {
        self.state().free_bytes = free_bytes;
    }

    /// Makes syncs succeed without an effect.
    pub(super) fn skip_syncs(&self) {
        self.state().skip_syncs = true;
    }

    /// Makes the tombstone log lose everything that is written to it.
    pub(super) fn forget_tombstones(&self) {
        self.state().forget_tombstones = true;
    }

    pub(super) fn quarantine_count(&self) -> usize {
        self.state().quarantine_count
    }

    fn file(&self, state: &DiskState, image: &Arc<Mutex<Image>>) -> MemoryFile {
        MemoryFile { disk: self.clone(), power_cycle: state.power_cycles, image: image.clone() }
    }
}

impl Disk for MemoryDisk {
    type LiveFile = MemoryFile;
    type QuarantinedFile = MemoryFile;

    fn open_live(&self) -> io::Result<Option<MemoryFile>> {
        let mut state = self.state();
        state.check_fault(false)?;
        Ok(state.live.as_ref().map(|image| self.file(&state, image)))
    }

    fn create_new(&self) -> io::Result<MemoryFile> {
        let mut state = self.state();
        state.check_fault(false)?;
        let image = Arc::<Mutex<Image>>::default();
        state.new = Some(image.clone());
        Ok(self.file(&state, &image))
    }

    fn activate_new(&self) -> io::Result<()> {
        let mut state = self.state();
        state.check_fault(false)?;
        state.live = state.new.take();
        Ok(())
    }

    fn crash_marker(&self) -> Option<PathBuf> {
        None
    }

    fn quarantine_live(&self) -> io::Result<String> {
        let mut state = self.state();
        state.check_fault(false)?;
        let image = state.live.take().ok_or(io::ErrorKind::NotFound)?;
        state.quarantine_count += 1;
        let name = format!("spool.redb.corrupt-{:06}", state.quarantine_count);
        let bytes = image.lock().cache.len() as u64;
        state.quarantined.push((QuarantinedStore::from_name(&name, bytes).unwrap(), image));
        Ok(name)
    }

    fn live_length(&self) -> io::Result<u64> {
        let mut state = self.state();
        state.check_fault(false)?;
        let image = state.live.as_ref().ok_or(io::ErrorKind::NotFound)?.lock();
        Ok(image.cache.len() as u64)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let mut state = self.state();
        state.check_fault(false)?;
        Ok(state.free_bytes)
    }

    fn list_quarantined(&self) -> io::Result<Vec<QuarantinedStore>> {
        let mut state = self.state();
        state.check_fault(false)?;
        Ok(state.quarantined.iter().map(|(store, _)| store.clone()).collect())
    }

    fn open_quarantined(&self, name: &str) -> io::Result<MemoryFile> {
        let mut state = self.state();
        state.check_fault(false)?;
        let found = state.quarantined.iter().find(|(store, _)| store.name == name);
        let (_, image) = found.ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(&state, image))
    }

    fn mark_salvaged(&self, name: &str, salvage: SalvageState) -> io::Result<()> {
        let mut state = self.state();
        state.check_fault(false)?;
        let found = state.quarantined.iter_mut().find(|(store, _)| store.name == name);
        found.ok_or(io::ErrorKind::NotFound)?.0.salvage = salvage;
        Ok(())
    }

    fn remove_quarantined(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check_fault(false)?;
        state.quarantined.retain(|(store, _)| store.name != name);
        Ok(())
    }

    fn read_tombstones(&self) -> io::Result<Option<Vec<u8>>> {
        let mut state = self.state();
        state.check_fault(false)?;
        Ok(state.tombstones.clone().filter(|_| !state.forget_tombstones))
    }

    fn append_tombstones(&self, records: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let result = state.check_fault(true);
        // A failed append may have written some of its bytes.
        let written = if result.is_err() { state.random.below(records.len() + 1) } else { records.len() };
        state.tombstones.get_or_insert_default().extend(&records[..written]);
        result
    }

    fn replace_tombstones(&self, records: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.check_fault(true)?;
        state.tombstones = Some(records.to_vec());
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct MemoryFile {
    disk: MemoryDisk,
    power_cycle: u64,
    image: Arc<Mutex<Image>>,
}

impl MemoryFile {
    /// Locks the state and the bytes. Fails when the power failed after the file was opened, or when a fault is due.
    fn access(&self, is_sync: bool) -> io::Result<(MutexGuard<'_, DiskState>, MutexGuard<'_, Image>)> {
        let mut state = self.disk.state();
        if state.power_cycles != self.power_cycle {
            return Err(io::Error::other("the power failed"));
        }
        let mut image = self.image.lock();
        match state.check_fault(is_sync) {
            Ok(()) => Ok((state, image)),
            Err(error) => {
                if is_sync {
                    image.tear(&mut state.random);
                }
                Err(error)
            }
        }
    }
}

impl StorageBackend for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.access(false)?.1.cache.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let image = self.access(false)?.1;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = offset.checked_add(out.len()).and_then(|end| image.cache.get(offset..end));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.access(false)?.1.set_len(usize::try_from(length).unwrap());
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let (state, mut image) = self.access(true)?;
        if !state.skip_syncs {
            image.sync();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        match self.access(false) {
            Ok((_, mut image)) => image.write(offset, data),
            Err(error) => {
                self.write_partly(offset, data);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl ReadAt for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        self.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read(offset, buffer)
    }
}

impl MemoryFile {
    /// A failed write may have written some of its sectors.
    fn write_partly(&self, offset: usize, data: &[u8]) {
        let mut state = self.disk.state();
        if state.power_cycles == self.power_cycle {
            let sectors = state.random.below(data.len().div_ceil(SECTOR) + 1);
            let written = &data[..(sectors * SECTOR).min(data.len())];
            self.image.lock().write(offset, written);
        }
    }
}
