//! How much a store holds.

use std::time::SystemTime;

use redb::ReadableTable;

use crate::{frame, meta::StoreMeta, store_error::StoreError};

/// Counts and sizes of a store after an operation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Contents {
    /// The position that the next record gets.
    pub(crate) next: u64,
    /// Total size of the queued frames.
    pub(crate) queue_bytes: u64,
    /// Number of queued records.
    pub(crate) queued: u64,
    /// Number of parked records.
    pub(crate) parked: u64,
    /// Total size of the parked frames.
    pub(crate) parked_bytes: u64,
    /// When the first queued record was stored.
    pub(crate) oldest: Option<SystemTime>,
}

impl Contents {
    pub(crate) fn of(
        meta: StoreMeta,
        queue: &impl ReadableTable<u64, &'static [u8]>,
        parked: &impl ReadableTable<u64, &'static [u8]>,
    ) -> Result<Self, StoreError> {
        let first = queue.first()?;
        let queued = queue.len()?;
        if first.is_some() != (queued > 0) {
            return Err(StoreError::damaged("its record count is wrong"));
        }
        let oldest =
            first.and_then(|(_, frame)| frame::FrameHeader::parse(frame.value()).map(|(header, _)| header.stored_at()));
        let StoreMeta { next, queue_bytes, parked_bytes } = meta;
        Ok(Self { next, queue_bytes, queued, parked: parked.len()?, parked_bytes, oldest })
    }

    /// Total size of all frames.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.queue_bytes.saturating_add(self.parked_bytes)
    }
}
