//! Which positions are dead, beside the store, so that a salvage of a damaged store brings no removed record back.
//!
//! The bytes of a removed record stay in the store's file until other pages need the place. When the store is damaged
//! its tables cannot say which of the records in the raw bytes are still alive. So each removal is written to this log
//! *before* the store forgets the records, and synced. The log only ever suppresses what Kafka has acknowledged: a crash
//! between the two writes costs nothing, and a log that is lost costs repeats and no records.
//!
//! The file is a sequence of records of 32 bytes, all numbers little-endian:
//!
//! | Bytes | What |
//! |---|---|
//! | 4 | [`MAGIC`] |
//! | 4 | kind: 1 for a range of dead positions, 2 for reserved positions |
//! | 8 | kind 1: first position; kind 2: the first position that was not reserved |
//! | 8 | kind 1: last position; kind 2: 0 |
//! | 4 | 0 |
//! | 4 | CRC-32 of the 28 bytes before |
//!
//! Positions are reserved in blocks before they are used, and every start begins a new block. Therefore no position is
//! ever used twice, not even after a crash in the midst of an append or when the whole store is lost.
//!
//! The log is rewritten when it has grown to twice its necessary size, and after every error: a sync that failed proves
//! nothing about what was written before. It has one range for each gap between live records, usually a single one; in
//! memory a range takes some 30 bytes.

use std::io;

use super::{disk::Disk, frame, ranges::Ranges};

const MAGIC: [u8; 4] = *b"THtb";
const DEAD: u32 = 1;
const RESERVED: u32 = 2;
const RECORD: usize = 32;

/// A log below this size is not worth rewriting.
const LEAST_REWRITE: usize = 64 << 10;

/// Positions that are reserved at once.
const BLOCK: u64 = 16_384;

/// The log and what it says.
#[derive(Debug)]
pub(super) struct Tombstones {
    dead: Ranges,
    /// The first position that is not reserved; 0 when the log does not say.
    reserved: u64,
    length: usize,
    rewrite_at: usize,
    /// Whether the file may differ from what is known here.
    suspect: bool,
    /// Whether what was read is all that was ever written.
    whole: bool,
}

impl Tombstones {
    /// Reads the log.
    ///
    /// # Errors
    /// When there is one and it cannot be read.
    pub(super) fn load(disk: &impl Disk) -> io::Result<Self> {
        let file = disk.tombstones()?;
        let mut log = Self {
            dead: Ranges::default(),
            reserved: 0,
            length: 0,
            rewrite_at: LEAST_REWRITE,
            suspect: true,
            whole: file.is_some(),
        };
        if let Some(bytes) = file {
            log.read(&bytes);
        }
        Ok(log)
    }

    fn read(&mut self, bytes: &[u8]) {
        let mut is_torn = false;
        for record in bytes.chunks(RECORD) {
            match decode(record) {
                Some((DEAD, first, last)) => self.dead.insert(first, last),
                Some((RESERVED, reserved, _)) => self.reserved = self.reserved.max(reserved),
                Some(_) | None => {
                    is_torn = true;
                    continue;
                }
            }
            // Only the end may be torn: a crash in the midst of a write, which was not relied on yet.
            self.whole &= !is_torn;
        }
        self.length = bytes.len();
        self.suspect = is_torn;
    }

    /// Whether nothing that was written is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The positions that are dead.
    pub(super) fn dead(&self) -> &Ranges {
        &self.dead
    }

    /// The first position that was never reserved, if that is known.
    pub(super) fn reserved(&self) -> Option<u64> {
        (self.reserved > 0).then_some(self.reserved)
    }

    /// Durably: these positions are dead.
    pub(super) fn bury(&mut self, disk: &impl Disk, dead: &Ranges) -> io::Result<()> {
        let mut records = Vec::new();
        for (first, last) in dead.iter() {
            self.dead.insert(first, last);
            records.extend(encode(DEAD, first, last));
        }
        self.write(disk, &records)
    }

    /// Durably: all positions below this one may be in use. Usually there is nothing to do.
    pub(super) fn reserve(&mut self, disk: &impl Disk, below: u64) -> io::Result<()> {
        if below <= self.reserved {
            return Ok(());
        }
        let reserved = below.saturating_add(BLOCK);
        self.write_reservation(disk, reserved)?;
        // Only what was written may be relied on.
        self.reserved = reserved;
        Ok(())
    }

    fn write_reservation(&mut self, disk: &impl Disk, reserved: u64) -> io::Result<()> {
        let before = std::mem::replace(&mut self.reserved, reserved);
        let written = self.write(disk, &encode(RESERVED, reserved, 0));
        self.reserved = before;
        written
    }

    /// Durably replaces what is known about dead positions.
    pub(super) fn rebuild(&mut self, disk: &impl Disk, dead: Ranges) -> io::Result<()> {
        self.dead = dead;
        self.suspect = true;
        self.write(disk, &[])?;
        self.whole = true;
        Ok(())
    }

    fn write(&mut self, disk: &impl Disk, records: &[u8]) -> io::Result<()> {
        let length = self.length.saturating_add(records.len());
        let result =
            if self.suspect || length > self.rewrite_at { self.rewrite(disk) } else { self.append(disk, records) };
        self.suspect = result.is_err();
        result
    }

    fn append(&mut self, disk: &impl Disk, records: &[u8]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        disk.append_tombstones(records)?;
        self.length = self.length.saturating_add(records.len());
        Ok(())
    }

    fn rewrite(&mut self, disk: &impl Disk) -> io::Result<()> {
        let mut records = encode(RESERVED, self.reserved, 0).to_vec();
        records.extend(self.dead.iter().flat_map(|(first, last)| encode(DEAD, first, last)));
        disk.replace_tombstones(&records)?;
        self.length = records.len();
        self.rewrite_at = records.len().saturating_mul(2).max(LEAST_REWRITE);
        Ok(())
    }
}

fn encode(kind: u32, first: u64, second: u64) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let fields = MAGIC.into_iter().chain(kind.to_le_bytes()).chain(first.to_le_bytes()).chain(second.to_le_bytes());
    record.iter_mut().zip(fields).for_each(|(place, byte)| *place = byte);
    if let Some((checked, sum)) = record.split_last_chunk_mut::<4>() {
        *sum = crc32fast::hash(checked).to_le_bytes();
    }
    record
}

fn decode(record: &[u8]) -> Option<(u32, u64, u64)> {
    let (checked, sum) = record.split_last_chunk::<4>()?;
    if record.len() != RECORD || crc32fast::hash(checked) != u32::from_le_bytes(*sum) {
        return None;
    }
    let mut rest = checked.strip_prefix(&MAGIC)?;
    let kind = u32::from_le_bytes(frame::take(&mut rest)?);
    Some((kind, u64::from_le_bytes(frame::take(&mut rest)?), u64::from_le_bytes(frame::take(&mut rest)?)))
}

/// The dead positions in the bytes of a log.
pub(super) fn dead(log: &[u8]) -> Ranges {
    let mut dead = Ranges::default();
    for (kind, first, last) in log.chunks(RECORD).filter_map(decode) {
        if kind == DEAD {
            dead.insert(first, last);
        }
    }
    dead
}
