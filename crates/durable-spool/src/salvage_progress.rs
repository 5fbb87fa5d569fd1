//! How far the salvage of the quarantined stores is.

use std::time::Instant;

/// A salvage that is not complete.
#[derive(Debug)]
pub(crate) struct SalvageProgress {
    /// All records up to this position have been restored.
    pub(crate) through: u64,
    /// The first position that the damaged store had not used, if known.
    pub(crate) end: Option<u64>,
    /// The files that are being read; `None` until they have been opened.
    pub(crate) files: Option<Vec<String>>,
    pub(crate) restored: u64,
    pub(crate) started: Instant,
}

impl SalvageProgress {
    /// `end`: the first position that the damaged store had not used, if known.
    pub(crate) fn new(end: Option<u64>) -> Self {
        Self { through: 0, end, files: None, restored: 0, started: Instant::now() }
    }
}

/// The result of restoring a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestoreOutcome {
    /// The chunk is in the store.
    Stored,
    /// Another store was quarantined in the meantime, so a new salvage reads all files from the beginning.
    Superseded,
}
