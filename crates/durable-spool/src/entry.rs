//! Stored records and how they are addressed.

use std::time::SystemTime;

/// The position of a record. Positions ascend and are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// The position as a number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl From<u64> for Position {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

/// A stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its position in the queue, which it keeps when it is parked.
    pub position: Position,
    /// When it was stored, in milliseconds, and not after the year 9999.
    pub stored_at: SystemTime,
    /// The bytes that were appended.
    pub bytes: Vec<u8>,
}

/// How much one read may return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// Maximum number of entries.
    pub entries: usize,
    /// Approximate maximum size; at least one entry is returned.
    pub bytes: usize,
}

/// The two tables of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoolTable {
    /// Records that wait to be read and removed.
    Queue,
    /// Records that do not block the queue: their reader cannot use them now, or they are damaged.
    Parked,
}
