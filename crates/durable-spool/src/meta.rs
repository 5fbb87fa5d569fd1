//! The checksummed metadata record of a store, in every format that was ever written.
//!
//! The record is a sequence of little-endian `u64` values followed by a CRC-32. The first value is the format in every
//! format, so that a newer one is recognized.

use crate::{frame, store_error::StoreError};

/// The format that this version writes.
pub(crate) const FORMAT: u64 = 2;

/// The first format. It does not hold the size of the parked records.
const FORMAT_WITHOUT_PARKED_BYTES: u64 = 1;

/// The metadata of a store. It changes in the same transaction as the tables, so that opening a large store needs no scan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreMeta {
    /// The position that the next record gets.
    pub(crate) next: u64,
    /// Total size of the frames in the queue.
    pub(crate) queue_bytes: u64,
    /// Total size of the parked frames.
    pub(crate) parked_bytes: u64,
}

/// Metadata as read from a store, by format.
pub(crate) enum VersionedMeta {
    Current(StoreMeta),
    /// Format 1: the size of the parked records is unknown and reads as 0.
    WithoutParkedBytes(StoreMeta),
}

impl StoreMeta {
    pub(crate) fn encode(self) -> Vec<u8> {
        let values = [FORMAT, self.next, self.queue_bytes, self.parked_bytes];
        let mut record: Vec<u8> = values.into_iter().flat_map(u64::to_le_bytes).collect();
        record.extend(crc32fast::hash(&record).to_le_bytes());
        record
    }

    /// In every format, the record begins with the format and ends with the checksum.
    pub(crate) fn decode(record: &[u8]) -> Result<VersionedMeta, StoreError> {
        let damaged = || StoreError::damaged("its metadata record is damaged");
        let (mut rest, checksum) = record.split_last_chunk().ok_or_else(damaged)?;
        if crc32fast::hash(rest) != u32::from_le_bytes(*checksum) {
            return Err(damaged());
        }
        let mut value = || frame::take_array(&mut rest).map(u64::from_le_bytes).ok_or_else(damaged);
        match value()? {
            FORMAT => {
                Ok(VersionedMeta::Current(Self { next: value()?, queue_bytes: value()?, parked_bytes: value()? }))
            }
            FORMAT_WITHOUT_PARKED_BYTES => {
                let meta = Self { next: value()?, queue_bytes: value()?, parked_bytes: 0 };
                Ok(VersionedMeta::WithoutParkedBytes(meta))
            }
            newer if newer > FORMAT => Err(StoreError::Newer(newer)),
            _ => Err(damaged()),
        }
    }
}
