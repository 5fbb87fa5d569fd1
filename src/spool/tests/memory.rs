//! A disk in memory that loses power, fails and forgets as real ones do.
//!
//! What is written is seen by every reader at once, but only a sync puts it on the platter. When the power goes, each
//! sector written since may be on the platter or not. A sync that fails is the same for the sectors it was to write,
//! and the next sync knows nothing of them any more: so does Linux.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use redb::StorageBackend;

use self::image::Image;
use super::random::Random;
use crate::spool::disk::{Aside, Disk, Raw, Salvage};

mod image;

const SECTOR: usize = 512;
const PAGE: usize = 4_096;
/// What can be read of the magic number of frames.
const MAGIC_TEXT: &str = "THspl";

#[derive(Debug)]
struct State {
    random: Random,
    live: Option<Arc<Mutex<Image>>>,
    new: Option<Arc<Mutex<Image>>>,
    aside: Vec<(Aside, Arc<Mutex<Image>>)>,
    tombstones: Option<Vec<u8>>,
    stores_set_aside: usize,
    /// Counted up when the power goes: files opened before are dead.
    power_cycles: u64,
    faults: Option<Faults>,
    free_bytes: u64,
    skip_syncs: bool,
    forget_tombstones: bool,
}

/// Errors to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    /// So many operations succeed.
    pub(super) after: usize,
    /// Then so many fail.
    pub(super) times: usize,
    /// As this.
    pub(super) kind: io::ErrorKind,
    /// Only when they are syncs.
    pub(super) only_syncs: bool,
}

impl State {
    fn fails(&mut self, is_sync: bool) -> io::Result<()> {
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
pub(super) struct MemoryDisk(Arc<Mutex<State>>);

impl MemoryDisk {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: Random(seed),
            live: None,
            new: None,
            aside: Vec::new(),
            tombstones: None,
            stores_set_aside: 0,
            power_cycles: 0,
            faults: None,
            free_bytes: u64::MAX,
            skip_syncs: false,
            forget_tombstones: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The power goes and comes back.
    pub(super) fn crash(&self) {
        let state = &mut *self.state();
        state.power_cycles += 1;
        state.new = None;
        for image in state.live.iter().chain(state.aside.iter().map(|(_, image)| image)) {
            let image = &mut *image.lock().unwrap();
            image.tear(&mut state.random);
            image.cache.clone_from(&image.platter);
        }
    }

    pub(super) fn flip_a_bit(&self) {
        let state = &mut *self.state();
        if let Some(image) = &state.live {
            image.lock().unwrap().flip(&mut state.random);
        }
    }

    /// The first page of the store in use is overwritten: it has to be set aside, but all records are whole.
    pub(super) fn behead(&self) {
        if let Some(image) = &self.state().live {
            let image = &mut *image.lock().unwrap();
            for image in [&mut image.cache, &mut image.platter] {
                image.iter_mut().take(PAGE).for_each(|byte| *byte = 0xa5);
            }
        }
    }

    pub(super) fn fail(&self, faults: Option<Faults>) {
        self.state().faults = faults;
    }

    pub(super) fn set_free_bytes(&self, free_bytes: u64) {
        self.state().free_bytes = free_bytes;
    }

    /// A disk that lies: syncs succeed and do nothing.
    pub(super) fn skip_syncs(&self) {
        self.state().skip_syncs = true;
    }

    /// A disk that lies about the log of removals: what is written to it is gone.
    pub(super) fn forget_tombstones(&self) {
        self.state().forget_tombstones = true;
    }

    pub(super) fn stores_set_aside(&self) -> usize {
        self.state().stores_set_aside
    }

    fn file(&self, state: &State, image: &Arc<Mutex<Image>>) -> MemoryFile {
        MemoryFile { disk: self.clone(), power_cycle: state.power_cycles, image: image.clone() }
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;
    type Raw = MemoryFile;

    fn open(&self) -> io::Result<Option<MemoryFile>> {
        let mut state = self.state();
        state.fails(false)?;
        Ok(state.live.as_ref().map(|image| self.file(&state, image)))
    }

    fn make(&self) -> io::Result<MemoryFile> {
        let mut state = self.state();
        state.fails(false)?;
        let image = Arc::<Mutex<Image>>::default();
        state.new = Some(image.clone());
        Ok(self.file(&state, &image))
    }

    fn put_in_place(&self) -> io::Result<()> {
        let mut state = self.state();
        state.fails(false)?;
        state.live = state.new.take();
        Ok(())
    }

    fn note(&self) -> Option<PathBuf> {
        None
    }

    fn set_aside(&self) -> io::Result<String> {
        let mut state = self.state();
        state.fails(false)?;
        let image = state.live.take().ok_or(io::ErrorKind::NotFound)?;
        state.stores_set_aside += 1;
        let name = format!("spool.redb.corrupt-{:06}", state.stores_set_aside);
        let bytes = image.lock().unwrap().cache.len() as u64;
        state.aside.push((Aside::of(&name, bytes).unwrap(), image));
        Ok(name)
    }

    fn length(&self) -> io::Result<u64> {
        let mut state = self.state();
        state.fails(false)?;
        let image = state.live.as_ref().ok_or(io::ErrorKind::NotFound)?.lock().unwrap();
        Ok(image.cache.len() as u64)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let mut state = self.state();
        state.fails(false)?;
        Ok(state.free_bytes)
    }

    fn aside(&self) -> io::Result<Vec<Aside>> {
        let mut state = self.state();
        state.fails(false)?;
        Ok(state.aside.iter().map(|(aside, _)| aside.clone()).collect())
    }

    fn open_aside(&self, name: &str) -> io::Result<MemoryFile> {
        let mut state = self.state();
        state.fails(false)?;
        let (_, image) = state.aside.iter().find(|(aside, _)| aside.name == name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(&state, image))
    }

    fn mark(&self, name: &str, salvage: Salvage) -> io::Result<()> {
        let mut state = self.state();
        state.fails(false)?;
        let aside = state.aside.iter_mut().find(|(aside, _)| aside.name == name).ok_or(io::ErrorKind::NotFound)?;
        aside.0.salvage = salvage;
        Ok(())
    }

    fn remove_aside(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.fails(false)?;
        state.aside.retain(|(aside, _)| aside.name != name);
        Ok(())
    }

    fn tombstones(&self) -> io::Result<Option<Vec<u8>>> {
        let mut state = self.state();
        state.fails(false)?;
        Ok(state.tombstones.clone().filter(|_| !state.forget_tombstones))
    }

    fn append_tombstones(&self, records: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let failed = state.fails(true);
        // An append that fails may have begun.
        let written = if failed.is_err() { state.random.below(records.len() + 1) } else { records.len() };
        state.tombstones.get_or_insert_default().extend(&records[..written]);
        failed
    }

    fn replace_tombstones(&self, records: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.fails(true)?;
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
    /// The state and the bytes, unless the power went since the file was opened or an error is due.
    fn touch(&self, is_sync: bool) -> io::Result<(MutexGuard<'_, State>, MutexGuard<'_, Image>)> {
        let mut state = self.disk.state();
        if state.power_cycles != self.power_cycle {
            return Err(io::Error::other("the power is off"));
        }
        let mut image = self.image.lock().unwrap();
        match state.fails(is_sync) {
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
        Ok(self.touch(false)?.1.cache.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let image = self.touch(false)?.1;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = offset.checked_add(out.len()).and_then(|end| image.cache.get(offset..end));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.touch(false)?.1.set_len(usize::try_from(length).unwrap());
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let (state, mut image) = self.touch(true)?;
        if !state.skip_syncs {
            image.sync();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        match self.touch(false) {
            Ok((_, mut image)) => image.write(offset, data),
            Err(error) => {
                self.write_in_part(offset, data);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Raw for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        self.len()
    }

    fn read_at(&self, buffer: &mut [u8], place: u64) -> io::Result<()> {
        self.read(place, buffer)
    }
}

impl MemoryFile {
    /// A write that fails may have begun.
    fn write_in_part(&self, offset: usize, data: &[u8]) {
        let mut state = self.disk.state();
        if state.power_cycles == self.power_cycle {
            let sectors = state.random.below(data.len().div_ceil(SECTOR) + 1);
            let written = &data[..(sectors * SECTOR).min(data.len())];
            self.image.lock().unwrap().write(offset, written);
        }
    }
}
