//! The frame around each record: it proves that the bytes are whole and stand where they were put.
//!
//! The store checks its own pages only while it repairs itself, not when it reads, and a salvage has nothing but raw
//! bytes to go by. All numbers are little-endian.
//!
//! | Bytes | What |
//! |---|---|
//! | 8 | [`MAGIC`] |
//! | 8 | position |
//! | 8 | when it was stored, in milliseconds since the Unix epoch |
//! | 4 | length of the record |
//! | 4 | CRC-32 of the 20 bytes before and of the record |
//! | … | the record |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Entry, Position};
use crate::domain::Timestamp;

/// What a salvage looks for.
pub(super) const MAGIC: [u8; 8] = *b"\x8eTHspl\xf1\x1a";

/// Size of a frame without its record.
pub(super) const HEAD: usize = 32;

/// The largest record, far above what Kafka takes: a limit for lengths that a salvage may believe.
pub(super) const LARGEST: usize = 64 << 20;

/// The end of the year 9999, beyond which a moment cannot be written.
const LAST_MOMENT: u64 = 253_402_300_799_999;

/// Size of a record together with its frame.
pub(super) fn framed(record: &[u8]) -> u64 {
    bytes(record.len().saturating_add(HEAD))
}

/// A length in memory as a size on disk.
pub(super) fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Frames a record, which is at most [`LARGEST`].
pub(super) fn encode(position: u64, stored_at: Timestamp, record: &[u8]) -> Vec<u8> {
    let millis = u64::try_from(stored_at.unix_millis()).unwrap_or(0);
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
    let head = Head { position, millis, length, checksum: 0 };
    let mut frame = Vec::with_capacity(HEAD.saturating_add(record.len()));
    frame.extend(MAGIC);
    frame.extend(head.checked());
    frame.extend(head.sum(record).to_le_bytes());
    frame.extend(record);
    frame
}

/// The entry in a frame, if the frame is whole and was written for this position.
pub(super) fn decode(position: u64, frame: &[u8]) -> Option<Entry> {
    let (head, record) = Head::split(frame)?;
    let whole = head.position == position && bytes(record.len()) == head.length() && head.verifies(record);
    whole.then(|| head.entry(record.to_vec()))
}

/// What stands before a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) position: u64,
    millis: u64,
    length: u32,
    pub(super) checksum: u32,
}

impl Head {
    /// The head that the bytes begin with, and what follows it.
    pub(super) fn split(frame: &[u8]) -> Option<(Self, &[u8])> {
        let mut rest = frame.strip_prefix(&MAGIC)?;
        let head = Self {
            position: u64::from_le_bytes(take(&mut rest)?),
            millis: u64::from_le_bytes(take(&mut rest)?),
            length: u32::from_le_bytes(take(&mut rest)?),
            checksum: u32::from_le_bytes(take(&mut rest)?),
        };
        Some((head, rest))
    }

    /// Length of the record.
    pub(super) fn length(&self) -> u64 {
        self.length.into()
    }

    /// Whether this head and the record belong together, bit by bit.
    pub(super) fn verifies(&self, record: &[u8]) -> bool {
        self.sum(record) == self.checksum
    }

    /// When the record was stored.
    pub(super) fn stored_at(&self) -> Timestamp {
        let since = Duration::from_millis(self.millis.min(LAST_MOMENT));
        UNIX_EPOCH.checked_add(since).unwrap_or_else(SystemTime::now).into()
    }

    /// The head together with its record.
    pub(super) fn entry(&self, record: Vec<u8>) -> Entry {
        Entry { position: Position(self.position), stored_at: self.stored_at(), bytes: record }
    }

    /// What the checksum covers besides the record.
    fn checked(&self) -> [u8; 20] {
        let mut fields = [0; 20];
        let numbers =
            self.position.to_le_bytes().into_iter().chain(self.millis.to_le_bytes()).chain(self.length.to_le_bytes());
        fields.iter_mut().zip(numbers).for_each(|(field, byte)| *field = byte);
        fields
    }

    fn sum(&self, record: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.checked());
        hasher.update(record);
        hasher.finalize()
    }
}

/// The next `N` bytes.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
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
        fn a_frame_gives_the_record_back_at_its_position_only(position: u64, record: Vec<u8>) {
            let frame = encode(position, SystemTime::now().into(), &record);
            prop_assert_eq!(bytes(frame.len()), framed(&record));
            let entry = decode(position, &frame).unwrap();
            prop_assert_eq!((entry.position, entry.bytes), (Position(position), record));
            prop_assert_eq!(decode(position ^ 1, &frame), None);
        }

        #[test]
        fn a_frame_with_a_changed_bit_is_not_whole(record: Vec<u8>, place: prop::sample::Index, bit in 0..8_u8) {
            let mut frame = encode(7, SystemTime::now().into(), &record);
            let place = place.index(frame.len());
            frame[place] ^= 1_u8 << bit;
            prop_assert_eq!(decode(7, &frame), None);
        }

        #[test]
        fn a_frame_that_was_cut_or_has_more_behind_it_is_not_whole(record: Vec<u8>, cut: prop::sample::Index) {
            let mut frame = encode(7, SystemTime::now().into(), &record);
            prop_assert_eq!(decode(7, &frame[..cut.index(frame.len())]), None);
            frame.push(0);
            prop_assert_eq!(decode(7, &frame), None);
        }
    }
}
