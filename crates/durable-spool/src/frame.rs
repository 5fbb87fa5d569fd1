//! The frame around each record. It proves that the record is intact and is stored at its own position.
//!
//! The database verifies the checksums of its pages only when it repairs itself, not when it reads, and a salvage has only
//! the raw bytes of the file. All numbers are little-endian.
//!
//! | Bytes | Content |
//! |---|---|
//! | 8 | [`MAGIC`] |
//! | 8 | position |
//! | 8 | time of storage, in milliseconds since the Unix epoch |
//! | 4 | length of the record |
//! | 4 | CRC-32 of the preceding 20 bytes and of the record |
//! | … | the record |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::entry::Entry;

/// Marks the start of a frame; a salvage searches for it.
pub(crate) const MAGIC: [u8; 8] = *b"\x8eTHspl\xf1\x1a";

/// Length of the header, which is the frame without its record.
pub(crate) const HEADER_LEN: usize = 32;

/// The largest record, far above what a queue of messages needs. A salvage rejects headers that claim more.
pub(crate) const MAX_RECORD_LEN: usize = 64 << 20;

/// The end of the year 9999. Formats and libraries for calendar dates do not represent later times.
const MAX_MILLIS: u64 = 253_402_300_799_999;

/// Length of a record with its frame.
pub(crate) fn framed_len(record: &[u8]) -> u64 {
    to_u64(record.len().saturating_add(HEADER_LEN))
}

/// Converts a length in memory to a length on disk; saturates.
pub(crate) fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Frames a record of at most [`MAX_RECORD_LEN`] bytes.
pub(crate) fn encode(position: u64, stored_at: SystemTime, record: &[u8]) -> Vec<u8> {
    let since = stored_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
    let header = FrameHeader { position, millis, length, checksum: 0 };
    let mut frame = Vec::with_capacity(HEADER_LEN.saturating_add(record.len()));
    frame.extend(MAGIC);
    frame.extend(header.checked_fields());
    frame.extend(header.compute_checksum(record).to_le_bytes());
    frame.extend(record);
    frame
}

/// Returns the entry in a frame, provided that the frame is intact and was written for this position.
pub(crate) fn decode(position: u64, frame: &[u8]) -> Option<Entry> {
    let (header, record) = FrameHeader::parse(frame)?;
    let is_intact = header.position == position && to_u64(record.len()) == header.length() && header.verifies(record);
    is_intact.then(|| header.into_entry(record.to_vec()))
}

/// The fields before a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameHeader {
    pub(crate) position: u64,
    millis: u64,
    length: u32,
    pub(crate) checksum: u32,
}

impl FrameHeader {
    /// Parses the header at the start of the bytes; also returns the bytes after it.
    pub(crate) fn parse(frame: &[u8]) -> Option<(Self, &[u8])> {
        let mut rest = frame.strip_prefix(&MAGIC)?;
        let header = Self {
            position: u64::from_le_bytes(take_array(&mut rest)?),
            millis: u64::from_le_bytes(take_array(&mut rest)?),
            length: u32::from_le_bytes(take_array(&mut rest)?),
            checksum: u32::from_le_bytes(take_array(&mut rest)?),
        };
        Some((header, rest))
    }

    /// Length of the record.
    pub(crate) fn length(&self) -> u64 {
        self.length.into()
    }

    /// Whether the checksum matches this header and the record.
    pub(crate) fn verifies(&self, record: &[u8]) -> bool {
        self.compute_checksum(record) == self.checksum
    }

    /// Time of storage; an impossible value reads as the last representable time.
    pub(crate) fn stored_at(&self) -> SystemTime {
        let since = Duration::from_millis(self.millis.min(MAX_MILLIS));
        UNIX_EPOCH.checked_add(since).unwrap_or_else(SystemTime::now)
    }

    /// Combines the header with its record.
    pub(crate) fn into_entry(self, record: Vec<u8>) -> Entry {
        Entry { position: self.position.into(), stored_at: self.stored_at(), bytes: record }
    }

    /// The bytes that the checksum covers besides the record.
    fn checked_fields(&self) -> [u8; 20] {
        let mut fields = [0; 20];
        let values =
            self.position.to_le_bytes().into_iter().chain(self.millis.to_le_bytes()).chain(self.length.to_le_bytes());
        fields.iter_mut().zip(values).for_each(|(field, byte)| *field = byte);
        fields
    }

    fn compute_checksum(&self, record: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.checked_fields());
        hasher.update(record);
        hasher.finalize()
    }
}

/// Splits off the first `N` bytes.
pub(crate) fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frame_returns_the_record_only_at_its_own_position(position: u64, record: Vec<u8>) {
            let frame = encode(position, SystemTime::now(), &record);
            prop_assert_eq!(to_u64(frame.len()), framed_len(&record));
            let entry = decode(position, &frame).unwrap();
            prop_assert_eq!((entry.position, entry.bytes), (position.into(), record));
            prop_assert_eq!(decode(position ^ 1, &frame), None);
        }

        #[test]
        fn frame_with_a_flipped_bit_is_rejected(record: Vec<u8>, index: prop::sample::Index, bit in 0..8_u8) {
            let mut frame = encode(7, SystemTime::now(), &record);
            let index = index.index(frame.len());
            frame[index] ^= 1_u8 << bit;
            prop_assert_eq!(decode(7, &frame), None);
        }

        #[test]
        fn truncated_or_extended_frame_is_rejected(record: Vec<u8>, cut: prop::sample::Index) {
            let mut frame = encode(7, SystemTime::now(), &record);
            prop_assert_eq!(decode(7, &frame[..cut.index(frame.len())]), None);
            frame.push(0);
            prop_assert_eq!(decode(7, &frame), None);
        }
    }
}
