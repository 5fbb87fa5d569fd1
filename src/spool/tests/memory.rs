//! A disk in memory that loses power, fails and forgets as real ones do.
//!
//! What is written is seen by every reader at once, but only a sync puts it on the platter. When the power goes, each
//! sector written since may be on the platter or not. A sync that fails is the same for the sectors it was to write,
//! and the next sync knows nothing of them any more: so does Linux.

use std::{
    collections::BTreeSet,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use redb::StorageBackend;

use super::random::Random;
use crate::spool::disk::Disk;

const SECTOR: usize = 512;
const PAGE: usize = 4_096;
/// What can be read of the magic number of frames.
const MAGIC_TEXT: &str = "THspl";

#[derive(Debug)]
struct State {
    random: Random,
    live: Option<Arc<Mutex<Image>>>,
    new: Option<Arc<Mutex<Image>>>,
    aside: Vec<Arc<Mutex<Image>>>,
    /// Counted up when the power goes: files opened before are dead.
    power_cycles: u64,
    faults: Option<Faults>,
    free_bytes: u64,
    skip_syncs: bool,
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

#[derive(Debug, Default)]
struct Image {
    /// What readers see.
    cache: Vec<u8>,
    /// What survives.
    platter: Vec<u8>,
    /// Sectors in which the two may differ.
    dirty: BTreeSet<usize>,
}

impl Image {
    fn write(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        if self.cache.len() < end {
            resize(&mut self.cache, end);
        }
        self.cache[offset..end].copy_from_slice(data);
        self.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }

    fn set_len(&mut self, length: usize) {
        self.dirty.extend(length / SECTOR..self.cache.len().div_ceil(SECTOR));
        resize(&mut self.cache, length);
    }

    fn sync(&mut self) {
        self.reach_platter(|_| true);
    }

    /// Some of what was written reaches the platter.
    fn reach_platter(&mut self, mut survives: impl FnMut(usize) -> bool) {
        if self.platter.len() != self.cache.len() && survives(0) {
            resize(&mut self.platter, self.cache.len());
        }
        for sector in std::mem::take(&mut self.dirty) {
            let start = sector * SECTOR;
            let end = (start + SECTOR).min(self.cache.len());
            if start < end && survives(sector) {
                if self.platter.len() < end {
                    resize(&mut self.platter, end);
                }
                self.platter[start..end].copy_from_slice(&self.cache[start..end]);
            }
        }
    }

    fn tear(&mut self, random: &mut Random) {
        match random.below(4) {
            0 => self.reach_platter(|_| false),
            1 => self.reach_platter(|_| true),
            2 => {
                let mut left = random.below(self.dirty.len() + 1);
                self.reach_platter(|_| {
                    left = left.saturating_sub(1);
                    left > 0
                });
            }
            _ => self.reach_platter(|_| random.one_in(2)),
        }
    }

    /// Flips a bit in a page with records, names or numbers, or in the store's head. Damage in the store's account of
    /// free pages is left out: it may end the process, which a test of its own covers.
    fn flip(&mut self, random: &mut Random) {
        let pages = self.cache.chunks(PAGE).enumerate().filter(|(_, page)| **page != [0; PAGE]);
        let targets = pages.filter(|(number, page)| {
            let text = String::from_utf8_lossy(page);
            *number == 0 || [MAGIC_TEXT, "queue", "numbers"].iter().any(|part| text.contains(part))
        });
        let targets: Vec<usize> = targets.map(|(number, _)| number).collect();
        let place = targets[random.below(targets.len())] * PAGE + random.below(PAGE);
        let bit = 1 << random.below(8);
        for image in [&mut self.cache, &mut self.platter] {
            if let Some(byte) = image.get_mut(place) {
                *byte ^= bit;
            }
        }
    }
}

/// As [`Vec::resize`] with zeros, which takes its time without optimisation.
fn resize(bytes: &mut Vec<u8>, length: usize) {
    bytes.truncate(length);
    let missing = vec![0; length - bytes.len()];
    if bytes.is_empty() { *bytes = missing } else { bytes.extend_from_slice(&missing) }
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
            power_cycles: 0,
            faults: None,
            free_bytes: u64::MAX,
            skip_syncs: false,
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
        for image in state.live.iter().chain(&state.aside) {
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

    pub(super) fn stores_set_aside(&self) -> usize {
        self.state().aside.len()
    }

    fn file(&self, state: &State, image: &Arc<Mutex<Image>>) -> MemoryFile {
        MemoryFile { disk: self.clone(), power_cycle: state.power_cycles, image: image.clone() }
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

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
        state.aside.push(image);
        Ok(format!("aside-{}", state.aside.len()))
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
