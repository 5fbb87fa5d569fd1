//! The tables and what is done with them, each operation in one transaction.
//!
//! Format 2: table `queue` holds the frames of the records by position, `parked` those that were taken out of the way,
//! and `meta` one checksummed record of numbers: the format, the next position, and the bytes in each of the two tables.
//! Format 1 did not have the bytes of the parked records; they are counted when such a store is opened.
//!
//! A store of an older format is upgraded when it is opened, in one transaction; one of a newer format is refused. A
//! change that older versions cannot live with takes the next number.

use std::ops::{Bound, RangeBounds};

use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, WriteTransaction,
};

use super::{
    Batch, Entry, StoreError, frame,
    numbers::{Numbers, Stored},
    ranges::Ranges,
    tables::Tables,
};
use crate::domain::Timestamp;

pub(super) const QUEUE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("queue");
pub(super) const PARKED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("parked");
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
pub(super) const NUMBERS: &str = "numbers";

/// The store's default is 1 GiB.
const CACHE_BYTES: usize = 8 << 20;

/// What a store holds after an operation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Contents {
    /// The position of the next record.
    pub(super) next: u64,
    /// Size of the records that wait, with their frames.
    pub(super) bytes: u64,
    /// How many wait.
    pub(super) events: u64,
    /// How many were taken out of the way.
    pub(super) parked: u64,
    /// Size of those, with their frames.
    pub(super) parked_bytes: u64,
    /// When the first of those that wait was stored.
    pub(super) oldest: Option<Timestamp>,
}

impl Contents {
    pub(super) fn of(
        numbers: Numbers,
        queue: &impl ReadableTable<u64, &'static [u8]>,
        parked: &impl ReadableTable<u64, &'static [u8]>,
    ) -> Result<Self, StoreError> {
        let first = queue.first()?;
        let events = queue.len()?;
        if first.is_some() != (events > 0) {
            return Err(StoreError::Damaged("its count of records is wrong".to_owned()));
        }
        let oldest = first.and_then(|(_, frame)| frame::Head::split(frame.value()).map(|(head, _)| head.stored_at()));
        let Numbers { next, bytes, parked_bytes } = numbers;
        Ok(Self { next, bytes, events, parked: parked.len()?, parked_bytes, oldest })
    }

    /// Size of all records.
    pub(super) fn all_bytes(&self) -> u64 {
        self.bytes.saturating_add(self.parked_bytes)
    }
}

/// Which of the two tables of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Records that wait.
    Queue,
    /// Records that were taken out of the way.
    Parked,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whole records.
    pub(super) entries: Vec<Entry>,
    /// Where records stand that are not whole.
    pub(super) damaged: Vec<u64>,
}

/// An open store.
#[derive(Debug)]
pub(super) struct Store {
    database: Database,
}

impl Store {
    /// Makes a store in an empty file.
    pub(super) fn make(file: impl StorageBackend, next: u64) -> Result<(Self, Contents), StoreError> {
        let store = Self::of(file)?;
        let transaction = store.begin()?;
        transaction
            .open_table(META)?
            .insert(NUMBERS, Numbers { next, bytes: 0, parked_bytes: 0 }.encode().as_slice())?;
        transaction.open_table(QUEUE)?;
        transaction.open_table(PARKED)?;
        transaction.commit()?;
        Ok((store, Contents { next, ..Contents::default() }))
    }

    /// Opens a store that was made before.
    pub(super) fn open(file: impl StorageBackend) -> Result<(Self, Contents), StoreError> {
        let store = Self::of(file)?;
        let transaction = store.database.begin_read()?;
        let contents = match stored(&transaction.open_table(META)?)? {
            Stored::Current(numbers) => {
                Contents::of(numbers, &transaction.open_table(QUEUE)?, &transaction.open_table(PARKED)?)?
            }
            Stored::WithoutParkedBytes(_) => store.change(|_| Ok(()))?,
        };
        Ok((store, contents))
    }

    fn of(file: impl StorageBackend) -> Result<Self, StoreError> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(file)?;
        Ok(Self { database })
    }

    /// Appends records to their tables, at positions not below `floor`.
    pub(super) fn append(
        &self,
        records: &[(Table, &[u8])],
        stored_at: Timestamp,
        floor: u64,
    ) -> Result<Contents, StoreError> {
        self.change(|tables| {
            tables.numbers.next = tables.numbers.next.max(floor);
            records.iter().try_for_each(|(table, record)| tables.append(*table, record, stored_at))
        })
    }

    /// Forgets the records up to and including this position.
    pub(super) fn remove_through(&self, last: u64) -> Result<Contents, StoreError> {
        self.change(|tables| {
            let mut bytes = 0;
            tables.queue.retain_in(..=last, |_, frame| {
                bytes += frame::bytes(frame.len());
                false
            })?;
            tables.numbers.bytes = tables.numbers.bytes.saturating_sub(bytes);
            Ok(())
        })
    }

    /// Takes records out of the way.
    pub(super) fn park(&self, positions: &[u64]) -> Result<Contents, StoreError> {
        self.change(|tables| positions.iter().try_for_each(|position| tables.park(*position)))
    }

    /// Forgets records, wherever they are.
    pub(super) fn discard(&self, positions: &[u64]) -> Result<Contents, StoreError> {
        self.change(|tables| {
            positions.iter().try_for_each(|position| {
                tables.take(Table::Queue, *position)?;
                tables.take(Table::Parked, *position).map(drop)
            })
        })
    }

    /// Puts records that were salvaged into their places in the queue, unless they are there or parked.
    pub(super) fn restore(&self, entries: &[&Entry]) -> Result<Contents, StoreError> {
        self.change(|tables| entries.iter().try_for_each(|entry| tables.restore(entry)))
    }

    /// The positions that die when the queue is removed through `last`: those of the removed records, and all before
    /// and between them at which nothing is parked.
    pub(super) fn dying(&self, last: u64) -> Result<Ranges, StoreError> {
        let transaction = self.database.begin_read()?;
        let (queue, parked) = (transaction.open_table(QUEUE)?, transaction.open_table(PARKED)?);
        let first = queue.first()?.map(|(first, _)| first.value());
        let end = queue.range(..=last)?.next_back().transpose()?.map(|(position, _)| position.value());
        let (Some(first), Some(end)) = (first, end) else { return Ok(Ranges::default()) };
        let before = parked.range(..first)?.next_back().transpose()?.map(|(position, _)| position.value());
        let start = before.map_or(0, |parked| parked.saturating_add(1));
        without(Ranges::of(start, end), &[&parked])
    }

    /// Which of these positions neither table has.
    pub(super) fn absent(&self, positions: &Ranges) -> Result<Ranges, StoreError> {
        let transaction = self.database.begin_read()?;
        without(positions.clone(), &[&transaction.open_table(QUEUE)?, &transaction.open_table(PARKED)?])
    }

    /// All positions below the first record of the queue at which nothing is parked.
    pub(super) fn dead(&self) -> Result<Ranges, StoreError> {
        let transaction = self.database.begin_read()?;
        let first = transaction.open_table(QUEUE)?.first()?.map(|(first, _)| first.value());
        let next = match (first, stored(&transaction.open_table(META)?)?) {
            (Some(first), _) => first,
            (None, Stored::Current(numbers) | Stored::WithoutParkedBytes(numbers)) => numbers.next,
        };
        without(Ranges::of(0, next.saturating_sub(1)), &[&transaction.open_table(PARKED)?])
    }

    /// Puts whole records back into their places in the queue.
    pub(super) fn unpark(&self) -> Result<Contents, StoreError> {
        self.change(|tables| {
            let mut whole = Vec::new();
            for row in tables.parked.iter()? {
                let (position, frame) = row?;
                whole.extend(frame::decode(position.value(), frame.value()).map(|entry| entry.position.number()));
            }
            whole.into_iter().try_for_each(|position| tables.unpark(position))
        })
    }

    /// Reads records behind a position, but none behind `through`.
    pub(super) fn read(
        &self,
        table: Table,
        after: Option<u64>,
        through: u64,
        most: Batch,
    ) -> Result<Found, StoreError> {
        let transaction = self.database.begin_read()?;
        let table = match table {
            Table::Queue => transaction.open_table(QUEUE)?,
            Table::Parked => transaction.open_table(PARKED)?,
        };
        if after.is_some_and(|after| after >= through) {
            return Ok(Found::default());
        }
        collect(&table, (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Included(through)), most)
    }

    fn change(&self, work: impl FnOnce(&mut Tables<'_>) -> Result<(), StoreError>) -> Result<Contents, StoreError> {
        let transaction = self.begin()?;
        let mut tables = Tables::open(&transaction)?;
        work(&mut tables)?;
        let contents = tables.save()?;
        transaction.commit()?;
        Ok(contents)
    }

    /// With the quick repair, opening after a crash does not read the whole file. Commits are synced unless told
    /// otherwise.
    fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }
}

pub(super) fn stored(meta: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Stored, StoreError> {
    let record = meta.get(NUMBERS)?.ok_or_else(|| StoreError::Damaged("its numbers are missing".to_owned()))?;
    Numbers::decode(record.value())
}

fn collect(
    table: &impl ReadableTable<u64, &'static [u8]>,
    range: impl RangeBounds<u64>,
    most: Batch,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let (mut bytes, mut last) = (0_usize, None);
    for row in table.range::<u64>(range)? {
        let (position, frame) = row?;
        let (position, frame) = (position.value(), frame.value());
        if last.is_some_and(|last| position <= last) {
            return Err(StoreError::Damaged("its records are out of order".to_owned()));
        }
        last = Some(position);
        match frame::decode(position, frame) {
            Some(entry) => found.entries.push(entry),
            None => found.damaged.push(position),
        }
        bytes = bytes.saturating_add(frame.len());
        if found.entries.len().saturating_add(found.damaged.len()) >= most.entries || bytes >= most.bytes {
            break;
        }
    }
    Ok(found)
}

type Frames = ReadOnlyTable<u64, &'static [u8]>;

/// These positions without those that the tables have.
fn without(positions: Ranges, tables: &[&Frames]) -> Result<Ranges, StoreError> {
    let mut left = positions;
    for table in tables {
        let mut absent = Ranges::default();
        for (first, last) in left.iter() {
            let mut next = first;
            for row in table.range(first..=last)? {
                let position = row?.0.value();
                absent.insert(next, position.saturating_sub(1));
                next = position.saturating_add(1);
            }
            absent.insert(next, last);
        }
        left = absent;
    }
    Ok(left)
}
