//! Records that are stored completely or not at all.

use crate::entry::SpoolTable;

/// Records that are appended to one of the tables together.
#[derive(Debug)]
pub(crate) struct RecordGroup {
    pub(crate) table: SpoolTable,
    pub(crate) records: Vec<Vec<u8>>,
}

impl RecordGroup {
    pub(crate) fn rows(&self) -> impl Iterator<Item = (SpoolTable, &[u8])> {
        self.records.iter().map(|record| (self.table, record.as_slice()))
    }

    /// Total size of the records in memory, without frames.
    pub(crate) fn bytes(&self) -> usize {
        self.records.iter().map(Vec::len).sum()
    }
}
