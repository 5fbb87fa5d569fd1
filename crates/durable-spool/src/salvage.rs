//! Recovers intact records from damaged stores by searching the raw bytes of their files for frames.
//!
//! The `spool-salvage` thread reads the files without any lock. Memory is bounded: each pass over the files indexes only the
//! next [`INDEX_CAPACITY`] records, so a store of any size takes as many passes as it needs.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use crate::{
    disk::{LIVE, ReadAt, SalvageState, list_quarantined, read_tombstones},
    entry::Entry,
    frame::{self, FrameHeader, HEADER_LEN, MAGIC, MAX_RECORD_LEN},
    position_set::PositionSet,
    tombstones,
};

/// A file is searched in windows of this size.
const WINDOW: usize = 1 << 20;

/// A window that cannot be read as a whole is searched in blocks of this size.
const BLOCK: usize = 4 << 10;

/// How often a read is attempted before its range counts as unreadable. A file is salvaged only once.
const READ_ATTEMPTS: u32 = 4;

/// Maximum number of indexed records; each takes about 40 bytes of memory.
const INDEX_CAPACITY: usize = if cfg!(test) { 20 } else { 100_000 };

/// Maximum number of records in a chunk. Other requests wait while a chunk is restored.
const CHUNK_RECORDS: usize = if cfg!(test) { 5 } else { 500 };
/// Approximate maximum size of a chunk, which has at least one record.
const CHUNK_BYTES: usize = 1 << 20;

/// The file of a store in a spool's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Size in bytes.
    pub bytes: u64,
    /// How far its salvage is when it is quarantined; `None` for the store in use.
    pub salvage: Option<SalvageState>,
}

/// The stores in a spool's folder: the one in use first, then the quarantined ones, oldest first.
///
/// # Errors
/// When the folder cannot be read.
pub fn list_stores(folder: &Path) -> io::Result<Vec<StoreFile>> {
    let live = folder.join(LIVE);
    let mut files = Vec::new();
    match fs::metadata(&live) {
        Ok(metadata) => files.push(StoreFile { path: live, bytes: metadata.len(), salvage: None }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    files.extend(list_quarantined(folder)?.into_iter().map(|store| StoreFile {
        path: folder.join(&store.name),
        bytes: store.bytes,
        salvage: Some(store.salvage),
    }));
    Ok(files)
}

/// The result of a salvage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SalvageSummary {
    /// Number of intact records.
    pub found: u64,
    /// Whether everything could be read and no record is missing between those that were found.
    pub is_complete: bool,
}

/// Finds the intact records in a store file, whatever its state, and passes them to `each` in the order of their positions.
///
/// Records with a tombstone in the log of the same folder are skipped. Without that log, removed records may be among the
/// results: their bytes stay in the file until the database reuses the space. Blocks.
///
/// # Errors
/// When the file cannot be opened or the tombstone log cannot be read.
pub fn salvage(path: &Path, mut each: impl FnMut(Entry) -> ControlFlow<()>) -> io::Result<SalvageSummary> {
    let log = path.parent().map(read_tombstones).transpose()?.flatten();
    let tombstones = log.map(|log| tombstones::parse(&log)).unwrap_or_default();
    let file = File::open(path)?;
    let length = file.length()?;
    let mut reader = SalvageReader::new(vec![(file, length)], tombstones, false);
    let mut summary = SalvageSummary { is_complete: true, ..SalvageSummary::default() };
    loop {
        let chunk = reader.next_chunk();
        let is_last = chunk.is_last();
        for entry in chunk.entries {
            summary.found = summary.found.saturating_add(1);
            if each(entry).is_break() {
                return Ok(SalvageSummary { is_complete: false, ..summary });
            }
        }
        if is_last {
            return Ok(SalvageSummary { is_complete: reader.is_complete(), ..summary });
        }
    }
}

/// The next records of a salvage.
#[derive(Debug)]
pub(crate) struct SalvageChunk {
    /// In the order of their positions.
    pub(crate) entries: Vec<Entry>,
    /// Positions between the end of the previous chunk and the last entry at which no record was found.
    pub(crate) missing: PositionSet,
    /// The reader has returned everything up to this position. [`u64::MAX`] in the last chunk.
    pub(crate) through: u64,
}

impl SalvageChunk {
    pub(crate) fn is_last(&self) -> bool {
        self.through == u64::MAX
    }
}

/// The start of a frame: the index of its file and the offset within the file.
type FrameLocation = (usize, u64);

/// Reads the records of all given stores together, in ascending order of positions.
#[derive(Debug)]
pub(crate) struct SalvageReader<R> {
    /// Each file with its length.
    files: Vec<(R, u64)>,
    /// Positions of records that must not be recovered.
    tombstones: PositionSet,
    /// Locations of the next records, by position.
    index: BTreeMap<u64, FrameLocation>,
    /// Position of the last returned record.
    through: u64,
    /// Position of the last record that was attempted.
    attempted: u64,
    /// Whether the index holds all remaining records.
    is_exhausted: bool,
    is_complete: bool,
}

impl<R: ReadAt> SalvageReader<R> {
    /// `files`: each file with its length. `is_unreadable`: whether a file is missing because it could not be opened.
    pub(crate) fn new(files: Vec<(R, u64)>, tombstones: PositionSet, is_unreadable: bool) -> Self {
        Self {
            files,
            tombstones,
            index: BTreeMap::new(),
            through: 0,
            attempted: 0,
            is_exhausted: false,
            is_complete: !is_unreadable,
        }
    }

    /// Whether everything could be read so far and every position up to the last record is accounted for.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns the next records. Call it until [`SalvageChunk::is_last`].
    pub(crate) fn next_chunk(&mut self) -> SalvageChunk {
        if self.index.is_empty() && !self.is_exhausted {
            self.refill_index();
        }
        let mut chunk = SalvageChunk { entries: Vec::new(), missing: PositionSet::default(), through: self.through };
        let mut bytes = 0_usize;
        while chunk.entries.len() < CHUNK_RECORDS && bytes < CHUNK_BYTES {
            let Some((position, location)) = self.index.pop_first() else { break };
            self.attempted = position;
            match self.read_frame(location) {
                Ok(Some((header, record))) => {
                    bytes = bytes.saturating_add(record.len());
                    self.advance_to(position, &mut chunk);
                    chunk.entries.push(header.into_entry(record));
                }
                // The frame was readable when it was indexed.
                Ok(None) | Err(_) => self.is_complete = false,
            }
        }
        if self.index.is_empty() && self.is_exhausted {
            chunk.through = u64::MAX;
        }
        chunk
    }

    /// Records which positions are missing before this one.
    fn advance_to(&mut self, position: u64, chunk: &mut SalvageChunk) {
        let (first, last) = (self.through.saturating_add(1), position.saturating_sub(1));
        for (first, last) in self.tombstones.missing_between(first, last).iter() {
            chunk.missing.insert(first, last);
            self.is_complete = false;
        }
        self.through = position;
        chunk.through = position;
    }

    /// Searches all files in windows. They overlap, so that a magic number across a boundary is found.
    fn refill_index(&mut self) {
        self.is_exhausted = true;
        for file in 0..self.files.len() {
            let length = self.length(file);
            for start in (0..length).step_by(WINDOW) {
                let end = start.saturating_add(frame::to_u64(WINDOW)).min(length);
                if self.search((file, start), end, length).is_err() {
                    self.search_by_blocks((file, start), end, length);
                }
            }
        }
    }

    fn length(&self, file: usize) -> u64 {
        self.files.get(file).map_or(0, |(_, length)| *length)
    }

    /// Searches a window that cannot be read as a whole, and skips the unreadable blocks.
    fn search_by_blocks(&mut self, (file, start): FrameLocation, end: u64, length: u64) {
        self.is_complete = false;
        for block in (start..end).step_by(BLOCK) {
            let end = block.saturating_add(frame::to_u64(BLOCK)).min(length);
            // When the overlap with the next block is unreadable, search this block without it.
            let _ = self.search((file, block), end, length).or_else(|_| self.search((file, block), end, end));
        }
    }

    /// Indexes the frames that begin between the two offsets.
    fn search(&mut self, (file, start): FrameLocation, end: u64, length: u64) -> io::Result<()> {
        let overlapping = end.saturating_sub(start).saturating_add(frame::to_u64(MAGIC.len() - 1));
        let window = self.read((file, start), overlapping, length)?;
        self.index_frames((file, start), &window);
        Ok(())
    }

    fn index_frames(&mut self, (file, start): FrameLocation, window: &[u8]) {
        let candidates = window.windows(MAGIC.len()).enumerate().filter(|(_, bytes)| *bytes == MAGIC);
        for (offset, _) in candidates {
            let position = window.get(offset..).and_then(FrameHeader::parse).map(|(header, _)| header.position);
            if position.is_some_and(|position| !self.is_wanted(position)) {
                continue;
            }
            if self.index.len() >= INDEX_CAPACITY && position > self.index.last_key_value().map(|(last, _)| *last) {
                self.is_exhausted = false;
                continue;
            }
            let location = (file, start.saturating_add(frame::to_u64(offset)));
            match self.read_frame(location) {
                Ok(Some((header, _))) => self.add_to_index(header.position, location),
                Ok(None) => {}
                Err(_) => self.is_complete = false,
            }
        }
    }

    /// Keeps the lowest positions when the index is full; later passes find the others.
    fn add_to_index(&mut self, position: u64, location: FrameLocation) {
        if !self.is_wanted(position) {
            return;
        }
        self.index.entry(position).or_insert(location);
        if self.index.len() > INDEX_CAPACITY {
            self.index.pop_last();
            self.is_exhausted = false;
        }
    }

    fn is_wanted(&self, position: u64) -> bool {
        position > self.attempted && !self.index.contains_key(&position) && !self.tombstones.contains(position)
    }

    /// Reads the frame at this location; `None` when it is not intact.
    fn read_frame(&self, (file, offset): FrameLocation) -> io::Result<Option<(FrameHeader, Vec<u8>)>> {
        let length = self.length(file);
        let start = self.read((file, offset), frame::to_u64(HEADER_LEN), length)?;
        let is_plausible = |header: &FrameHeader| header.length() <= frame::to_u64(MAX_RECORD_LEN);
        let Some((header, _)) = FrameHeader::parse(&start).filter(|(header, _)| is_plausible(header)) else {
            return Ok(None);
        };
        let record = self.read((file, offset.saturating_add(frame::to_u64(HEADER_LEN))), header.length(), length)?;
        Ok((frame::to_u64(record.len()) == header.length() && header.verifies(&record)).then_some((header, record)))
    }

    /// Reads this many bytes, or fewer at the end of the file.
    fn read(&self, (file, offset): FrameLocation, bytes: u64, length: u64) -> io::Result<Vec<u8>> {
        let bytes = bytes.min(length.saturating_sub(offset));
        let mut buffer = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        if let Some((file, _)) = self.files.get(file) {
            with_retries(|| file.read_at(&mut buffer, offset))?;
        }
        Ok(buffer)
    }
}

fn with_retries(mut read: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 1..READ_ATTEMPTS {
        if read().is_ok() {
            return Ok(());
        }
    }
    read()
}
