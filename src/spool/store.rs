//! The tables and what is done with them, each operation in one transaction.
//!
//! Format 2: table `queue` holds the frames of the records by position, `parked` those that were taken out of the way,
//! and `meta` one checksummed record of numbers: the format, the next position, and the bytes in each of the two tables.
//! Format 1 did not have the bytes of the parked records; they are counted when such a store is opened.
//!
//! A store of an older format is upgraded when it is opened, in one transaction; one of a newer format is refused. A
//! change that older versions cannot live with takes the next number.

use std::ops::{Bound, RangeBounds};

use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, Table, TableDefinition, WriteTransaction};

use super::{Batch, Entry, Fault, frame};
use crate::domain::Timestamp;

/// The format that this version writes.
pub(super) const FORMAT: u64 = 2;

/// The first format, without the size of the parked records.
const WITHOUT_PARKED_BYTES: u64 = 1;

const QUEUE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("queue");
const PARKED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("parked");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const NUMBERS: &str = "numbers";

/// The store's default is 1 GiB.
const CACHE_BYTES: usize = 8 << 20;

/// The numbers of `meta`, changed together with the tables so that opening a large store costs nothing.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    /// The position of the next record.
    next: u64,
    /// Size of the frames in the queue.
    bytes: u64,
    /// Size of the parked frames.
    parked_bytes: u64,
}

/// The numbers of a store, in the format that it has.
enum Stored {
    Current(Numbers),
    /// Of format 1: the size of the parked records is missing.
    WithoutParkedBytes(Numbers),
}

impl Numbers {
    fn encode(self) -> Vec<u8> {
        let numbers = [FORMAT, self.next, self.bytes, self.parked_bytes];
        let mut record: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
        record.extend(crc32fast::hash(&record).to_le_bytes());
        record
    }

    /// The checksum ends the record and the format begins it in every format, whatever stands between.
    fn decode(record: &[u8]) -> Result<Stored, Fault> {
        let damaged = || Fault::Damaged("its numbers are damaged".to_owned());
        let (mut rest, checksum) = record.split_last_chunk().ok_or_else(damaged)?;
        if crc32fast::hash(rest) != u32::from_le_bytes(*checksum) {
            return Err(damaged());
        }
        let mut number = || frame::take(&mut rest).map(u64::from_le_bytes).ok_or_else(damaged);
        match number()? {
            FORMAT => Ok(Stored::Current(Self { next: number()?, bytes: number()?, parked_bytes: number()? })),
            WITHOUT_PARKED_BYTES => {
                Ok(Stored::WithoutParkedBytes(Self { next: number()?, bytes: number()?, parked_bytes: 0 }))
            }
            newer if newer > FORMAT => Err(Fault::Newer(newer)),
            _ => Err(damaged()),
        }
    }
}

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
    fn of(
        numbers: Numbers,
        queue: &impl ReadableTable<u64, &'static [u8]>,
        parked: &impl ReadableTable<u64, &'static [u8]>,
    ) -> Result<Self, Fault> {
        let first = queue.first()?;
        let events = queue.len()?;
        if first.is_some() != (events > 0) {
            return Err(Fault::Damaged("its count of records is wrong".to_owned()));
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
pub(super) enum Shelf {
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
    pub(super) fn make(file: impl StorageBackend, next: u64) -> Result<(Self, Contents), Fault> {
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
    pub(super) fn open(file: impl StorageBackend) -> Result<(Self, Contents), Fault> {
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

    fn of(file: impl StorageBackend) -> Result<Self, Fault> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(file)?;
        Ok(Self { database })
    }

    /// Appends records to their tables, at positions not below `floor`.
    pub(super) fn append(
        &self,
        records: &[(Shelf, &[u8])],
        stored_at: Timestamp,
        floor: u64,
    ) -> Result<Contents, Fault> {
        self.change(|tables| {
            tables.numbers.next = tables.numbers.next.max(floor);
            records.iter().try_for_each(|(shelf, record)| tables.append(*shelf, record, stored_at))
        })
    }

    /// Forgets the records up to and including this position.
    pub(super) fn remove_through(&self, last: u64) -> Result<Contents, Fault> {
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
    pub(super) fn park(&self, positions: &[u64]) -> Result<Contents, Fault> {
        self.change(|tables| positions.iter().try_for_each(|position| tables.park(*position)))
    }

    /// Forgets a parked record.
    pub(super) fn remove_parked(&self, position: u64) -> Result<Contents, Fault> {
        self.change(|tables| tables.remove_parked(position))
    }

    /// Puts whole records back into their places in the queue.
    pub(super) fn unpark(&self) -> Result<Contents, Fault> {
        self.change(|tables| {
            let mut whole = Vec::new();
            for row in tables.parked.iter()? {
                let (position, frame) = row?;
                whole.extend(frame::decode(position.value(), frame.value()).map(|entry| entry.position.number()));
            }
            whole.into_iter().try_for_each(|position| tables.unpark(position))
        })
    }

    /// Reads records behind a position.
    pub(super) fn read(&self, shelf: Shelf, after: Option<u64>, most: Batch) -> Result<Found, Fault> {
        let transaction = self.database.begin_read()?;
        let table = match shelf {
            Shelf::Queue => transaction.open_table(QUEUE)?,
            Shelf::Parked => transaction.open_table(PARKED)?,
        };
        collect(&table, (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded), most)
    }

    fn change(&self, work: impl FnOnce(&mut Tables<'_>) -> Result<(), Fault>) -> Result<Contents, Fault> {
        let transaction = self.begin()?;
        let mut tables = Tables::open(&transaction)?;
        work(&mut tables)?;
        let contents = tables.save()?;
        transaction.commit()?;
        Ok(contents)
    }

    /// With the quick repair, opening after a crash does not read the whole file. Commits are synced unless told
    /// otherwise.
    fn begin(&self) -> Result<WriteTransaction, Fault> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }
}

fn stored(meta: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Stored, Fault> {
    let record = meta.get(NUMBERS)?.ok_or_else(|| Fault::Damaged("its numbers are missing".to_owned()))?;
    Numbers::decode(record.value())
}

fn collect(
    table: &impl ReadableTable<u64, &'static [u8]>,
    range: impl RangeBounds<u64>,
    most: Batch,
) -> Result<Found, Fault> {
    let mut found = Found::default();
    let (mut bytes, mut last) = (0_usize, None);
    for row in table.range::<u64>(range)? {
        let (position, frame) = row?;
        let (position, frame) = (position.value(), frame.value());
        if last.is_some_and(|last| position <= last) {
            return Err(Fault::Damaged("its records are out of order".to_owned()));
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

/// The tables in a transaction that writes.
struct Tables<'t> {
    queue: Table<'t, u64, &'static [u8]>,
    parked: Table<'t, u64, &'static [u8]>,
    meta: Table<'t, &'static str, &'static [u8]>,
    numbers: Numbers,
}

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        let meta = transaction.open_table(META)?;
        let (queue, parked) = (transaction.open_table(QUEUE)?, transaction.open_table(PARKED)?);
        let numbers = match stored(&meta)? {
            Stored::Current(numbers) => numbers,
            Stored::WithoutParkedBytes(numbers) => Numbers { parked_bytes: size_of(&parked)?, ..numbers },
        };
        Ok(Self { queue, parked, meta, numbers })
    }

    fn append(&mut self, shelf: Shelf, record: &[u8], stored_at: Timestamp) -> Result<(), Fault> {
        let position = self.numbers.next;
        let frame = frame::encode(position, stored_at, record);
        if self.insert(shelf, position, &frame)? {
            return Err(Fault::Damaged("a position is taken already".to_owned()));
        }
        self.numbers.next = position.saturating_add(1);
        Ok(())
    }

    /// Returns whether something was there.
    fn insert(&mut self, shelf: Shelf, position: u64, frame: &[u8]) -> Result<bool, Fault> {
        let (table, bytes) = match shelf {
            Shelf::Queue => (&mut self.queue, &mut self.numbers.bytes),
            Shelf::Parked => (&mut self.parked, &mut self.numbers.parked_bytes),
        };
        *bytes = bytes.saturating_add(frame::bytes(frame.len()));
        Ok(table.insert(position, frame)?.is_some())
    }

    fn take(&mut self, shelf: Shelf, position: u64) -> Result<Option<Vec<u8>>, Fault> {
        let (table, bytes) = match shelf {
            Shelf::Queue => (&mut self.queue, &mut self.numbers.bytes),
            Shelf::Parked => (&mut self.parked, &mut self.numbers.parked_bytes),
        };
        let Some(frame) = table.remove(position)? else { return Ok(None) };
        let frame = frame.value().to_vec();
        *bytes = bytes.saturating_sub(frame::bytes(frame.len()));
        Ok(Some(frame))
    }

    fn park(&mut self, position: u64) -> Result<(), Fault> {
        if let Some(frame) = self.take(Shelf::Queue, position)? {
            self.insert(Shelf::Parked, position, &frame)?;
        }
        Ok(())
    }

    fn unpark(&mut self, position: u64) -> Result<(), Fault> {
        if let Some(frame) = self.take(Shelf::Parked, position)? {
            self.insert(Shelf::Queue, position, &frame)?;
        }
        Ok(())
    }

    fn remove_parked(&mut self, position: u64) -> Result<(), Fault> {
        self.take(Shelf::Parked, position).map(drop)
    }

    fn save(mut self) -> Result<Contents, Fault> {
        let contents = Contents::of(self.numbers, &self.queue, &self.parked)?;
        self.meta.insert(NUMBERS, self.numbers.encode().as_slice())?;
        Ok(contents)
    }
}

/// Size of all frames in a table. Reads all of it.
fn size_of(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64, Fault> {
    table.iter()?.try_fold(0_u64, |sum, row| Ok(sum.saturating_add(frame::bytes(row?.1.value().len()))))
}
