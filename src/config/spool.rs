//! Where records wait while Kafka does not take them.

use std::path::PathBuf;

use serde::Deserialize;

use super::{
    Row,
    catalogue::{SPOOL_DIR, SPOOL_MAX_BYTES, SPOOL_MIN_FREE_BYTES},
    validate::Reader,
};

/// More than any disk has.
const MOST: u64 = 1 << 50;

/// The durable queue on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// Its folder.
    pub folder: PathBuf,
    /// Bytes of records that it may hold.
    pub max_bytes: u64,
    /// Bytes that it must leave free on the disk.
    pub min_free_bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct SpoolSection {
    dir: Option<String>,
    max_bytes: Option<String>,
    min_free_bytes: Option<String>,
}

impl SpoolSection {
    pub(super) fn read(self, reader: &mut Reader) -> Option<Spool> {
        let folder = reader.text(&SPOOL_DIR, self.dir).map(PathBuf::from);
        let max_bytes = reader.number(&SPOOL_MAX_BYTES, self.max_bytes, 1024..=MOST);
        let min_free_bytes = reader.number(&SPOOL_MIN_FREE_BYTES, self.min_free_bytes, 0..=MOST);
        Some(Spool { folder: folder?, max_bytes: max_bytes?, min_free_bytes: min_free_bytes? })
    }
}

impl Spool {
    pub(super) fn describe(&self) -> Vec<Row> {
        vec![
            (SPOOL_DIR.name, self.folder.display().to_string()),
            (SPOOL_MAX_BYTES.name, self.max_bytes.to_string()),
            (SPOOL_MIN_FREE_BYTES.name, self.min_free_bytes.to_string()),
        ]
    }
}
