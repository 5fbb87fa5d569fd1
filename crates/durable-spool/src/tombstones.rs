//! The tombstone log: the positions that never hold a record again. It prevents a salvage from recovering removed records.
//!
//! The bytes of a removed record stay in the store's file until the database reuses the page. When the store is damaged,
//! its tables cannot tell which records in the raw bytes were removed. Therefore each removal is written to this log and
//! synced *before* the store removes the records. The log only suppresses records that the reader removed or that were
//! found to be lost: a crash between the two writes loses nothing, and a lost log causes repeats but no loss.
//!
//! The file is a sequence of 32-byte records, all numbers little-endian:
//!
//! | Bytes | Content |
//! |---|---|
//! | 4 | [`MAGIC`] |
//! | 4 | kind: 1 for a range of tombstones, 2 for a reservation of positions |
//! | 8 | kind 1: first position; kind 2: the first position that is not reserved |
//! | 8 | kind 1: last position; kind 2: 0 |
//! | 4 | 0 |
//! | 4 | CRC-32 of the preceding 28 bytes |
//!
//! Positions are reserved in blocks before they are used, and every start begins a new block. Therefore no position is
//! reused, not even after a crash during an append or when the whole store is lost.
//!
//! The log is rewritten when it has grown to twice its minimal size, and after every error: a failed sync says nothing
//! about what was written before. It holds one range for each gap between stored records, usually a single one. In memory,
//! a range takes about 30 bytes.

use std::io;

use crate::{disk::Disk, frame, position_set::PositionSet};

const MAGIC: [u8; 4] = *b"THtb";
const TOMBSTONES: u32 = 1;
const RESERVATION: u32 = 2;
const RECORD_LEN: usize = 32;

/// A smaller log is not rewritten.
const MIN_REWRITE_BYTES: usize = 64 << 10;

/// Number of positions that are reserved at once.
const RESERVATION_SIZE: u64 = 16_384;

/// The log and its content.
#[derive(Debug)]
pub(crate) struct TombstoneLog {
    positions: PositionSet,
    /// The first position that is not reserved; 0 when unknown.
    reserved: u64,
    length: usize,
    rewrite_at: usize,
    /// Whether the file may differ from this content, so that the next write must rewrite it.
    needs_rewrite: bool,
    /// Whether everything that was ever written could be read.
    is_complete: bool,
}

impl TombstoneLog {
    /// Reads the log.
    ///
    /// # Errors
    /// When the log exists but cannot be read.
    pub(crate) fn load(disk: &impl Disk) -> io::Result<Self> {
        let file = disk.read_tombstones()?;
        let mut log = Self {
            positions: PositionSet::default(),
            reserved: 0,
            length: 0,
            rewrite_at: MIN_REWRITE_BYTES,
            needs_rewrite: true,
            is_complete: file.is_some(),
        };
        if let Some(bytes) = file {
            log.read(&bytes);
        }
        Ok(log)
    }

    fn read(&mut self, bytes: &[u8]) {
        let mut is_torn = false;
        for record in bytes.chunks(RECORD_LEN) {
            match decode(record) {
                Some((TOMBSTONES, first, last)) => self.positions.insert(first, last),
                Some((RESERVATION, reserved, _)) => self.reserved = self.reserved.max(reserved),
                Some(_) | None => {
                    is_torn = true;
                    continue;
                }
            }
            // Only the end may be torn: a crash interrupted a write that nothing relied on. Anything else is damage.
            self.is_complete &= !is_torn;
        }
        self.length = bytes.len();
        self.needs_rewrite = is_torn;
    }

    /// Whether everything that was ever written is known.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The positions with a tombstone.
    pub(crate) fn positions(&self) -> &PositionSet {
        &self.positions
    }

    /// The first position that was never reserved, if known.
    pub(crate) fn reserved(&self) -> Option<u64> {
        (self.reserved > 0).then_some(self.reserved)
    }

    /// Durably adds tombstones for these positions.
    pub(crate) fn add(&mut self, disk: &impl Disk, positions: &PositionSet) -> io::Result<()> {
        let mut records = Vec::new();
        for (first, last) in positions.iter() {
            self.positions.insert(first, last);
            records.extend(encode(TOMBSTONES, first, last));
        }
        self.write(disk, &records)
    }

    /// Durably reserves all positions below this one. Usually they are reserved already, and this does nothing.
    pub(crate) fn reserve(&mut self, disk: &impl Disk, below: u64) -> io::Result<()> {
        if below <= self.reserved {
            return Ok(());
        }
        let reserved = below.saturating_add(RESERVATION_SIZE);
        self.write_reservation(disk, reserved)?;
        // Set only after the write: positions may be used only once their reservation is durable.
        self.reserved = reserved;
        Ok(())
    }

    fn write_reservation(&mut self, disk: &impl Disk, reserved: u64) -> io::Result<()> {
        let before = std::mem::replace(&mut self.reserved, reserved);
        let written = self.write(disk, &encode(RESERVATION, reserved, 0));
        self.reserved = before;
        written
    }

    /// Durably replaces all tombstones.
    pub(crate) fn rebuild(&mut self, disk: &impl Disk, positions: PositionSet) -> io::Result<()> {
        self.positions = positions;
        self.needs_rewrite = true;
        self.write(disk, &[])?;
        self.is_complete = true;
        Ok(())
    }

    fn write(&mut self, disk: &impl Disk, records: &[u8]) -> io::Result<()> {
        let length = self.length.saturating_add(records.len());
        let must_rewrite = self.needs_rewrite || length > self.rewrite_at;
        let result = if must_rewrite { self.rewrite(disk) } else { self.append(disk, records) };
        self.needs_rewrite = result.is_err();
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
        let mut records = encode(RESERVATION, self.reserved, 0).to_vec();
        records.extend(self.positions.iter().flat_map(|(first, last)| encode(TOMBSTONES, first, last)));
        disk.replace_tombstones(&records)?;
        self.length = records.len();
        self.rewrite_at = records.len().saturating_mul(2).max(MIN_REWRITE_BYTES);
        Ok(())
    }
}

fn encode(kind: u32, first: u64, second: u64) -> [u8; RECORD_LEN] {
    let mut record = [0; RECORD_LEN];
    let fields = MAGIC.into_iter().chain(kind.to_le_bytes()).chain(first.to_le_bytes()).chain(second.to_le_bytes());
    record.iter_mut().zip(fields).for_each(|(target, byte)| *target = byte);
    if let Some((checked, checksum)) = record.split_last_chunk_mut::<4>() {
        *checksum = crc32fast::hash(checked).to_le_bytes();
    }
    record
}

fn decode(record: &[u8]) -> Option<(u32, u64, u64)> {
    let (checked, checksum) = record.split_last_chunk::<4>()?;
    if record.len() != RECORD_LEN || crc32fast::hash(checked) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let mut rest = checked.strip_prefix(&MAGIC)?;
    let kind = u32::from_le_bytes(frame::take_array(&mut rest)?);
    Some((kind, u64::from_le_bytes(frame::take_array(&mut rest)?), u64::from_le_bytes(frame::take_array(&mut rest)?)))
}

/// The tombstones in the bytes of a log.
pub(crate) fn parse(log: &[u8]) -> PositionSet {
    let mut positions = PositionSet::default();
    for (kind, first, last) in log.chunks(RECORD_LEN).filter_map(decode) {
        if kind == TOMBSTONES {
            positions.insert(first, last);
        }
    }
    positions
}
