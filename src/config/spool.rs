//! The spool.

use std::path::PathBuf;

use serde::Deserialize;

use super::{
    catalogue::{SPOOL_DIR, SPOOL_MAX_BYTES, SPOOL_MIN_FREE_BYTES},
    describe::Row,
    validate::Validator,
};

/// The upper limit of both sizes, which no disk exceeds.
const MAX_SIZE: u64 = 1 << 50;

/// The durable queue on disk, in which records wait while Kafka does not accept them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolConfig {
    /// The folder of its files.
    pub folder: PathBuf,
    /// The maximum total size of its records.
    pub max_bytes: u64,
    /// The number of bytes that it leaves free on the disk.
    pub min_free_bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct SpoolSection {
    dir: Option<String>,
    max_bytes: Option<String>,
    min_free_bytes: Option<String>,
}

impl SpoolSection {
    pub(super) fn validate(self, validator: &mut Validator) -> Option<SpoolConfig> {
        let folder = validator.value_or_default(&SPOOL_DIR, self.dir).map(PathBuf::from);
        let max_bytes = validator.parse_number(&SPOOL_MAX_BYTES, self.max_bytes, 1024..=MAX_SIZE);
        let min_free_bytes = validator.parse_number(&SPOOL_MIN_FREE_BYTES, self.min_free_bytes, 0..=MAX_SIZE);
        Some(SpoolConfig { folder: folder?, max_bytes: max_bytes?, min_free_bytes: min_free_bytes? })
    }
}

impl SpoolConfig {
    pub(super) fn describe(&self) -> Vec<Row> {
        vec![
            (SPOOL_DIR.name, self.folder.display().to_string()),
            (SPOOL_MAX_BYTES.name, self.max_bytes.to_string()),
            (SPOOL_MIN_FREE_BYTES.name, self.min_free_bytes.to_string()),
        ]
    }
}
