//! The checksummed record of numbers in each store, in every format that there was.

use super::{StoreError, frame};

/// The format that this version writes.
pub(super) const FORMAT: u64 = 2;

/// The first format, without the size of the parked records.
const WITHOUT_PARKED_BYTES: u64 = 1;

/// The numbers of `meta`, changed together with the tables so that opening a large store costs nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    /// The position of the next record.
    pub(super) next: u64,
    /// Size of the frames in the queue.
    pub(super) bytes: u64,
    /// Size of the parked frames.
    pub(super) parked_bytes: u64,
}

/// The numbers of a store, in the format that it has.
pub(super) enum Stored {
    Current(Numbers),
    /// Of format 1: the size of the parked records is missing.
    WithoutParkedBytes(Numbers),
}

impl Numbers {
    pub(super) fn encode(self) -> Vec<u8> {
        let numbers = [FORMAT, self.next, self.bytes, self.parked_bytes];
        let mut record: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
        record.extend(crc32fast::hash(&record).to_le_bytes());
        record
    }

    /// The checksum ends the record and the format begins it in every format, whatever stands between.
    pub(super) fn decode(record: &[u8]) -> Result<Stored, StoreError> {
        let damaged = || StoreError::Damaged("its numbers are damaged".to_owned());
        let (mut rest, checksum) = record.split_last_chunk().ok_or_else(damaged)?;
        if crc32fast::hash(rest) != u32::from_le_bytes(*checksum) {
            return Err(damaged());
        }
        let mut number = || frame::take(&mut rest).map(u64::from_le_bytes).ok_or_else(damaged);
        match number()? {
            FORMAT => Ok(Stored::Current(Self { next: number()?, bytes: number()?, parked_bytes: number()? })),
            WITHOUT_PARKED_BYTES => {
                Ok(Stored::WithoutParkedBytes(Self { next: number()?, bytes: number()?, parked_bytes: 0 }))
            }
            newer if newer > FORMAT => Err(StoreError::Newer(newer)),
            _ => Err(damaged()),
        }
    }
}
