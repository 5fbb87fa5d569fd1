//! The tables of a store in a transaction that writes.

use redb::{ReadableTable, Table as Rows, WriteTransaction};

use super::{
    Entry, StoreError, frame,
    numbers::{Numbers, Stored},
    store::{Contents, META, NUMBERS, PARKED, QUEUE, Table, stored},
};
use crate::domain::Timestamp;

/// The tables in a transaction that writes.
pub(super) struct Tables<'t> {
    pub(super) queue: Rows<'t, u64, &'static [u8]>,
    pub(super) parked: Rows<'t, u64, &'static [u8]>,
    meta: Rows<'t, &'static str, &'static [u8]>,
    pub(super) numbers: Numbers,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        let meta = transaction.open_table(META)?;
        let (queue, parked) = (transaction.open_table(QUEUE)?, transaction.open_table(PARKED)?);
        let numbers = match stored(&meta)? {
            Stored::Current(numbers) => numbers,
            Stored::WithoutParkedBytes(numbers) => Numbers { parked_bytes: size_of(&parked)?, ..numbers },
        };
        Ok(Self { queue, parked, meta, numbers })
    }

    pub(super) fn append(&mut self, table: Table, record: &[u8], stored_at: Timestamp) -> Result<(), StoreError> {
        let position = self.numbers.next;
        let frame = frame::encode(position, stored_at, record);
        if self.insert(table, position, &frame)? {
            return Err(StoreError::Damaged("a position is taken already".to_owned()));
        }
        self.numbers.next = position.saturating_add(1);
        Ok(())
    }

    /// Returns whether something was there.
    fn insert(&mut self, table: Table, position: u64, frame: &[u8]) -> Result<bool, StoreError> {
        let (table, bytes) = match table {
            Table::Queue => (&mut self.queue, &mut self.numbers.bytes),
            Table::Parked => (&mut self.parked, &mut self.numbers.parked_bytes),
        };
        *bytes = bytes.saturating_add(frame::bytes(frame.len()));
        Ok(table.insert(position, frame)?.is_some())
    }

    pub(super) fn take(&mut self, table: Table, position: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let (table, bytes) = match table {
            Table::Queue => (&mut self.queue, &mut self.numbers.bytes),
            Table::Parked => (&mut self.parked, &mut self.numbers.parked_bytes),
        };
        let Some(frame) = table.remove(position)? else { return Ok(None) };
        let frame = frame.value().to_vec();
        *bytes = bytes.saturating_sub(frame::bytes(frame.len()));
        Ok(Some(frame))
    }

    pub(super) fn park(&mut self, position: u64) -> Result<(), StoreError> {
        if let Some(frame) = self.take(Table::Queue, position)? {
            self.insert(Table::Parked, position, &frame)?;
        }
        Ok(())
    }

    pub(super) fn unpark(&mut self, position: u64) -> Result<(), StoreError> {
        if let Some(frame) = self.take(Table::Parked, position)? {
            self.insert(Table::Queue, position, &frame)?;
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let position = entry.position.number();
        self.numbers.next = self.numbers.next.max(position.saturating_add(1));
        if self.queue.get(position)?.is_none() && self.parked.get(position)?.is_none() {
            self.insert(Table::Queue, position, &frame::encode(position, entry.stored_at, &entry.bytes))?;
        }
        Ok(())
    }

    pub(super) fn save(mut self) -> Result<Contents, StoreError> {
        let contents = Contents::of(self.numbers, &self.queue, &self.parked)?;
        self.meta.insert(NUMBERS, self.numbers.encode().as_slice())?;
        Ok(contents)
    }
}

/// Size of all frames in a table. Reads all of it.
fn size_of(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64, StoreError> {
    table.iter()?.try_fold(0_u64, |sum, row| Ok(sum.saturating_add(frame::bytes(row?.1.value().len()))))
}
