//! What the spool may use.

use std::time::Duration;

/// How much the spool may hold, and how long an append may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Total size of all records with their frames, parked ones included. The file itself is somewhat larger.
    pub max_bytes: u64,
    /// Bytes that must stay free on the file system.
    pub min_free_bytes: u64,
    /// How long an append may take. Then it fails, because its caller cannot wait any longer.
    pub append_timeout: Duration,
}
