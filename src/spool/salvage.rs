//! What can be had from a damaged store: whole records, found by their frames in the raw bytes of its file.
//!
//! Files are read on a thread of their own, without any lock. Memory is bounded: each pass over the files keeps the
//! places of the next [`LOT`] records only, so that a store of any size is read in as many passes as it needs.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use super::{
    Entry,
    disk::{LIVE, Raw, Salvage, list_aside, read_tombstones},
    frame::{self, HEAD, Head, LARGEST, MAGIC},
    ranges::Ranges,
    tombstones,
};

/// How much of a file is looked at once.
const WINDOW: usize = 1 << 20;

/// A window with a place that cannot be read is looked at in blocks of this size.
const BLOCK: usize = 4 << 10;

/// How often a place is read before it counts as unreadable: a file is salvaged only once.
const TRIES: u32 = 4;

/// Records whose places are kept at once, each some 40 bytes.
const LOT: usize = if cfg!(test) { 20 } else { 100_000 };

/// Records that are handed over at once, so that nothing else has to wait for long.
const CHUNK: usize = if cfg!(test) { 5 } else { 500 };
/// Their size, but always one record.
const CHUNK_BYTES: usize = 1 << 20;

/// A store in a spool's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// What became of it, if it was set aside because it is damaged; `None` for the one in use.
    pub salvage: Option<Salvage>,
}

/// The stores in a spool's folder: the one in use first, then the others from the oldest to the newest.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<StoreFile>> {
    let live = folder.join(LIVE);
    let mut files = Vec::new();
    match fs::metadata(&live) {
        Ok(metadata) => files.push(StoreFile { path: live, bytes: metadata.len(), salvage: None }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    files.extend(list_aside(folder)?.into_iter().map(|aside| StoreFile {
        path: folder.join(&aside.name),
        bytes: aside.bytes,
        salvage: Some(aside.salvage),
    }));
    Ok(files)
}

/// What a salvage came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Whole records that were found.
    pub found: u64,
    /// Whether everything could be read and no record is missing among those that were found.
    pub complete: bool,
}

/// Finds whole records in a store file, whatever its state, and hands them over in the order of their positions.
///
/// What the log of removals in the same folder calls dead is left out. Without that log, records that were removed may
/// be among them: their bytes stay in the file until others need the place. Blocks.
///
/// # Errors
/// When the file cannot be opened, or the log of removals cannot be read.
pub fn salvage(path: &Path, mut each: impl FnMut(Entry) -> ControlFlow<()>) -> io::Result<Summary> {
    let log = path.parent().map(read_tombstones).transpose()?.flatten();
    let dead = log.map(|log| tombstones::dead(&log)).unwrap_or_default();
    let file = File::open(path)?;
    let length = file.length()?;
    let mut reader = Reader::new(vec![(file, length)], dead, false);
    let mut summary = Summary { complete: true, ..Summary::default() };
    loop {
        let chunk = reader.next_chunk();
        let is_last = chunk.is_last();
        for entry in chunk.entries {
            summary.found = summary.found.saturating_add(1);
            if each(entry).is_break() {
                return Ok(Summary { complete: false, ..summary });
            }
        }
        if is_last {
            return Ok(Summary { complete: reader.is_complete(), ..summary });
        }
    }
}

/// The next records of a salvage.
#[derive(Debug)]
pub(super) struct Chunk {
    /// In the order of their positions.
    pub(super) entries: Vec<Entry>,
    /// Positions before the last of them, behind those of the former chunk, at which there is nothing.
    pub(super) lost: Ranges,
    /// Everything up to this position was found by now. [`u64::MAX`] in the last chunk.
    pub(super) through: u64,
}

impl Chunk {
    pub(super) fn is_last(&self) -> bool {
        self.through == u64::MAX
    }
}

/// Where a frame begins: which file, and how far from its start.
type Place = (usize, u64);

/// Reads damaged stores, all of them together, in ascending order of positions.
#[derive(Debug)]
pub(super) struct Reader<R> {
    /// Each with its length.
    files: Vec<(R, u64)>,
    /// Not to be brought back.
    dead: Ranges,
    lot: BTreeMap<u64, Place>,
    /// The last record that was handed over.
    through: u64,
    /// Everything up to this position was tried.
    tried: u64,
    /// Whether nothing is left behind the lot.
    is_exhausted: bool,
    complete: bool,
}

impl<R: Raw> Reader<R> {
    /// The files, each with its length. `unreadable`: whether it is known from the start that something is missing.
    pub(super) fn new(files: Vec<(R, u64)>, dead: Ranges, unreadable: bool) -> Self {
        Self { files, dead, lot: BTreeMap::new(), through: 0, tried: 0, is_exhausted: false, complete: !unreadable }
    }

    /// Whether everything could be read so far, and each position up to the last one is accounted for.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// The next records. To be called until the last chunk.
    pub(super) fn next_chunk(&mut self) -> Chunk {
        if self.lot.is_empty() && !self.is_exhausted {
            self.find_next_lot();
        }
        let mut chunk = Chunk { entries: Vec::new(), lost: Ranges::default(), through: self.through };
        let mut bytes = 0_usize;
        while chunk.entries.len() < CHUNK && bytes < CHUNK_BYTES {
            let Some((position, place)) = self.lot.pop_first() else { break };
            self.tried = position;
            match self.frame(place) {
                Ok(Some((head, record))) => {
                    bytes = bytes.saturating_add(record.len());
                    self.pass(position, &mut chunk);
                    chunk.entries.push(head.entry(record));
                }
                // It could be read a moment ago.
                Ok(None) | Err(_) => self.complete = false,
            }
        }
        if self.lot.is_empty() && self.is_exhausted {
            chunk.through = u64::MAX;
        }
        chunk
    }

    /// Notes what is missing before the record at this position.
    fn pass(&mut self, position: u64, chunk: &mut Chunk) {
        for (first, last) in self.dead.missing(self.through.saturating_add(1), position.saturating_sub(1)).iter() {
            chunk.lost.insert(first, last);
            self.complete = false;
        }
        self.through = position;
        chunk.through = position;
    }

    /// Reads all files in overlapping windows, so that a magic number across their border is seen.
    fn find_next_lot(&mut self) {
        self.is_exhausted = true;
        for file in 0..self.files.len() {
            let length = self.length(file);
            for start in (0..length).step_by(WINDOW) {
                let end = start.saturating_add(frame::bytes(WINDOW)).min(length);
                if self.look_at((file, start), end, length).is_err() {
                    self.look_around_what_is_unreadable((file, start), end, length);
                }
            }
        }
    }

    fn length(&self, file: usize) -> u64 {
        self.files.get(file).map_or(0, |(_, length)| *length)
    }

    fn look_around_what_is_unreadable(&mut self, (file, start): Place, end: u64, length: u64) {
        self.complete = false;
        for block in (start..end).step_by(BLOCK) {
            let end = block.saturating_add(frame::bytes(BLOCK)).min(length);
            // The next block may be the unreadable one. What cannot be read is what is looked around.
            let _ = self.look_at((file, block), end, length).or_else(|_| self.look_at((file, block), end, end));
        }
    }

    /// Looks for frames that begin between the two places.
    fn look_at(&mut self, (file, start): Place, end: u64, length: u64) -> io::Result<()> {
        let overlapping = end.saturating_sub(start).saturating_add(frame::bytes(MAGIC.len() - 1));
        let window = self.read((file, start), overlapping, length)?;
        self.note_frames((file, start), &window);
        Ok(())
    }

    fn note_frames(&mut self, (file, start): Place, window: &[u8]) {
        let candidates = window.windows(MAGIC.len()).enumerate().filter(|(_, bytes)| *bytes == MAGIC);
        for (index, _) in candidates {
            let position = window.get(index..).and_then(Head::split).map(|(head, _)| head.position);
            if position.is_some_and(|position| !self.is_wanted(position)) {
                continue;
            }
            if self.lot.len() >= LOT && position > self.lot.last_key_value().map(|(last, _)| *last) {
                self.is_exhausted = false;
                continue;
            }
            let place = (file, start.saturating_add(frame::bytes(index)));
            match self.frame(place) {
                Ok(Some((head, _))) => self.keep(head.position, place),
                Ok(None) => {}
                Err(_) => self.complete = false,
            }
        }
    }

    fn keep(&mut self, position: u64, place: Place) {
        if !self.is_wanted(position) {
            return;
        }
        self.lot.entry(position).or_insert(place);
        if self.lot.len() > LOT {
            self.lot.pop_last();
            self.is_exhausted = false;
        }
    }

    fn is_wanted(&self, position: u64) -> bool {
        position > self.tried && !self.lot.contains_key(&position) && !self.dead.contains(position)
    }

    /// The frame at this place, if it is whole.
    fn frame(&self, (file, place): Place) -> io::Result<Option<(Head, Vec<u8>)>> {
        let length = self.length(file);
        let start = self.read((file, place), frame::bytes(HEAD), length)?;
        let Some((head, _)) = Head::split(&start).filter(|(head, _)| head.length() <= frame::bytes(LARGEST)) else {
            return Ok(None);
        };
        let record = self.read((file, place.saturating_add(frame::bytes(HEAD))), head.length(), length)?;
        Ok((frame::bytes(record.len()) == head.length() && head.verifies(&record)).then_some((head, record)))
    }

    /// So many bytes, or as many as the file has.
    fn read(&self, (file, place): Place, bytes: u64, length: u64) -> io::Result<Vec<u8>> {
        let bytes = bytes.min(length.saturating_sub(place));
        let mut buffer = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        if let Some((file, _)) = self.files.get(file) {
            with_patience(|| file.read_at(&mut buffer, place))?;
        }
        Ok(buffer)
    }
}

/// Tries again what fails, a few times.
fn with_patience(mut read: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 1..TRIES {
        if read().is_ok() {
            return Ok(());
        }
    }
    read()
}
