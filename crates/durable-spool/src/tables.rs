//! The tables of a store in a write transaction.

use std::time::SystemTime;

use redb::{ReadableTable, Table, WriteTransaction};

use crate::{
    contents::Contents,
    entry::{Entry, SpoolTable},
    frame,
    meta::{StoreMeta, VersionedMeta},
    schema::{META, META_KEY, PARKED, QUEUE, read_meta},
    store_error::StoreError,
};

/// The tables of a store in a write transaction, with the metadata that they change.
pub(crate) struct WriteTables<'t> {
    pub(crate) queue: Table<'t, u64, &'static [u8]>,
    pub(crate) parked: Table<'t, u64, &'static [u8]>,
    meta_table: Table<'t, &'static str, &'static [u8]>,
    pub(crate) meta: StoreMeta,
}

impl<'t> WriteTables<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        let meta_table = transaction.open_table(META)?;
        let (queue, parked) = (transaction.open_table(QUEUE)?, transaction.open_table(PARKED)?);
        let meta = match read_meta(&meta_table)? {
            VersionedMeta::Current(meta) => meta,
            VersionedMeta::WithoutParkedBytes(meta) => StoreMeta { parked_bytes: total_size(&parked)?, ..meta },
        };
        Ok(Self { queue, parked, meta_table, meta })
    }

    pub(crate) fn append(&mut self, table: SpoolTable, record: &[u8], stored_at: SystemTime) -> Result<(), StoreError> {
        let position = self.meta.next;
        let frame = frame::encode(position, stored_at, record);
        if self.insert(table, position, &frame)? {
            return Err(StoreError::damaged("a position is already in use"));
        }
        self.meta.next = position.saturating_add(1);
        Ok(())
    }

    /// Returns whether the position was already in use.
    fn insert(&mut self, table: SpoolTable, position: u64, frame: &[u8]) -> Result<bool, StoreError> {
        let (table, bytes) = match table {
            SpoolTable::Queue => (&mut self.queue, &mut self.meta.queue_bytes),
            SpoolTable::Parked => (&mut self.parked, &mut self.meta.parked_bytes),
        };
        *bytes = bytes.saturating_add(frame::to_u64(frame.len()));
        Ok(table.insert(position, frame)?.is_some())
    }

    /// Removes and returns the frame at this position, if there is one.
    pub(crate) fn take(&mut self, table: SpoolTable, position: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let (table, bytes) = match table {
            SpoolTable::Queue => (&mut self.queue, &mut self.meta.queue_bytes),
            SpoolTable::Parked => (&mut self.parked, &mut self.meta.parked_bytes),
        };
        let Some(frame) = table.remove(position)? else { return Ok(None) };
        let frame = frame.value().to_vec();
        *bytes = bytes.saturating_sub(frame::to_u64(frame.len()));
        Ok(Some(frame))
    }

    pub(crate) fn park(&mut self, position: u64) -> Result<(), StoreError> {
        if let Some(frame) = self.take(SpoolTable::Queue, position)? {
            self.insert(SpoolTable::Parked, position, &frame)?;
        }
        Ok(())
    }

    pub(crate) fn unpark(&mut self, position: u64) -> Result<(), StoreError> {
        if let Some(frame) = self.take(SpoolTable::Parked, position)? {
            self.insert(SpoolTable::Queue, position, &frame)?;
        }
        Ok(())
    }

    /// Puts a salvaged record at its position in the queue, unless either table holds it.
    pub(crate) fn restore(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let position = entry.position.number();
        self.meta.next = self.meta.next.max(position.saturating_add(1));
        if self.queue.get(position)?.is_none() && self.parked.get(position)?.is_none() {
            self.insert(SpoolTable::Queue, position, &frame::encode(position, entry.stored_at, &entry.bytes))?;
        }
        Ok(())
    }

    /// Writes the metadata. The transaction still has to be committed.
    pub(crate) fn save(mut self) -> Result<Contents, StoreError> {
        let contents = Contents::of(self.meta, &self.queue, &self.parked)?;
        self.meta_table.insert(META_KEY, self.meta.encode().as_slice())?;
        Ok(contents)
    }
}

/// Total size of the frames in a table. Reads the whole table.
fn total_size(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64, StoreError> {
    table.iter()?.try_fold(0_u64, |sum, row| Ok(sum.saturating_add(frame::to_u64(row?.1.value().len()))))
}
