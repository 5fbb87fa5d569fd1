//! The tables of a store.
//!
//! Format 2: the tables `queue` and `parked` map positions to frames. The table `meta` holds one checksummed record with
//! the format, the next position, and the total size of the frames in each of the two tables. Format 1 does not have the
//! size of the parked frames; it is computed when such a store is opened.
//!
//! A store of an older format is upgraded in one transaction when it is opened; a newer format is rejected. A change that
//! older versions cannot read must increment the format.

use redb::{ReadableTable, TableDefinition};

use crate::{
    meta::{StoreMeta, VersionedMeta},
    store_error::StoreError,
};

pub(crate) const QUEUE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("queue");
pub(crate) const PARKED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("parked");
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// The key of the metadata record. The name belongs to the on-disk format.
pub(crate) const META_KEY: &str = "numbers";

pub(crate) fn read_meta(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<VersionedMeta, StoreError> {
    let record = table.get(META_KEY)?.ok_or_else(|| StoreError::damaged("its metadata record is missing"))?;
    StoreMeta::decode(record.value())
}
