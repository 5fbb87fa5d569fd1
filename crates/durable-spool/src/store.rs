//! The database of a store: one transaction for each operation.

use std::{
    ops::{Bound, RangeBounds},
    time::SystemTime,
};

use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend, WriteTransaction};

use crate::{
    contents::Contents,
    entry::{Entry, ReadLimit, SpoolTable},
    frame,
    meta::{StoreMeta, VersionedMeta},
    position_set::PositionSet,
    schema::{META, META_KEY, PARKED, QUEUE, read_meta},
    store_error::StoreError,
    tables::WriteTables,
};

/// The default of the database is 1 GiB.
const CACHE_BYTES: usize = 8 << 20;

/// The records that a read found.
#[derive(Debug, Default)]
pub(crate) struct ReadResult {
    /// Intact records.
    pub(crate) entries: Vec<Entry>,
    /// Positions of damaged records.
    pub(crate) damaged: Vec<u64>,
}

/// An open store.
#[derive(Debug)]
pub(crate) struct SpoolStore {
    database: Database,
}

impl SpoolStore {
    /// Creates a store in an empty file.
    pub(crate) fn create(file: impl StorageBackend, next: u64) -> Result<(Self, Contents), StoreError> {
        let store = Self::of(file)?;
        let transaction = store.begin()?;
        transaction
            .open_table(META)?
            .insert(META_KEY, StoreMeta { next, queue_bytes: 0, parked_bytes: 0 }.encode().as_slice())?;
        transaction.open_table(QUEUE)?;
        transaction.open_table(PARKED)?;
        transaction.commit()?;
        Ok((store, Contents { next, ..Contents::default() }))
    }

    /// Opens an existing store, and upgrades it when its format is older.
    pub(crate) fn open(file: impl StorageBackend) -> Result<(Self, Contents), StoreError> {
        let store = Self::of(file)?;
        let transaction = store.database.begin_read()?;
        let contents = match read_meta(&transaction.open_table(META)?)? {
            VersionedMeta::Current(meta) => {
                Contents::of(meta, &transaction.open_table(QUEUE)?, &transaction.open_table(PARKED)?)?
            }
            VersionedMeta::WithoutParkedBytes(_) => store.change(|_| Ok(()))?,
        };
        Ok((store, contents))
    }

    fn of(file: impl StorageBackend) -> Result<Self, StoreError> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(file)?;
        Ok(Self { database })
    }

    /// Appends records to their tables, at positions from `floor` on.
    pub(crate) fn append(
        &self,
        records: &[(SpoolTable, &[u8])],
        stored_at: SystemTime,
        floor: u64,
    ) -> Result<Contents, StoreError> {
        self.change(|tables| {
            tables.meta.next = tables.meta.next.max(floor);
            records.iter().try_for_each(|(table, record)| tables.append(*table, record, stored_at))
        })
    }

    /// Removes the queued records up to and including this position.
    pub(crate) fn remove_through(&self, last: u64) -> Result<Contents, StoreError> {
        self.change(|tables| {
            let mut bytes = 0;
            tables.queue.retain_in(..=last, |_, frame| {
                bytes += frame::to_u64(frame.len());
                false
            })?;
            tables.meta.queue_bytes = tables.meta.queue_bytes.saturating_sub(bytes);
            Ok(())
        })
    }

    /// Moves records from the queue to the parked ones.
    pub(crate) fn park(&self, positions: &[u64]) -> Result<Contents, StoreError> {
        self.change(|tables| positions.iter().try_for_each(|position| tables.park(*position)))
    }

    /// Removes records from both tables.
    pub(crate) fn discard(&self, positions: &[u64]) -> Result<Contents, StoreError> {
        self.change(|tables| {
            positions.iter().try_for_each(|position| {
                tables.take(SpoolTable::Queue, *position)?;
                tables.take(SpoolTable::Parked, *position).map(drop)
            })
        })
    }

    /// Puts salvaged records at their positions in the queue, unless they are queued or parked.
    pub(crate) fn restore(&self, entries: &[&Entry]) -> Result<Contents, StoreError> {
        self.change(|tables| entries.iter().try_for_each(|entry| tables.restore(entry)))
    }

    /// The positions that no longer hold a record once the queue is removed through `last`: those of the removed records,
    /// and all positions before and between them that hold no parked record.
    pub(crate) fn positions_freed_by_removal(&self, last: u64) -> Result<PositionSet, StoreError> {
        let transaction = self.database.begin_read()?;
        let (queue, parked) = (transaction.open_table(QUEUE)?, transaction.open_table(PARKED)?);
        let first = queue.first()?.map(|(first, _)| first.value());
        let end = queue.range(..=last)?.next_back().transpose()?.map(|(position, _)| position.value());
        let (Some(first), Some(end)) = (first, end) else { return Ok(PositionSet::default()) };
        let before = parked.range(..first)?.next_back().transpose()?.map(|(position, _)| position.value());
        let start = before.map_or(0, |parked| parked.saturating_add(1));
        without_stored(PositionSet::from_range(start, end), &[&parked])
    }

    /// The given positions that hold no record in either table.
    pub(crate) fn unused_positions(&self, positions: &PositionSet) -> Result<PositionSet, StoreError> {
        let transaction = self.database.begin_read()?;
        without_stored(positions.clone(), &[&transaction.open_table(QUEUE)?, &transaction.open_table(PARKED)?])
    }

    /// All positions before the first queued record that hold no parked record.
    pub(crate) fn removed_positions(&self) -> Result<PositionSet, StoreError> {
        let transaction = self.database.begin_read()?;
        let first = transaction.open_table(QUEUE)?.first()?.map(|(first, _)| first.value());
        let next = match (first, read_meta(&transaction.open_table(META)?)?) {
            (Some(first), _) => first,
            (None, VersionedMeta::Current(meta) | VersionedMeta::WithoutParkedBytes(meta)) => meta.next,
        };
        without_stored(PositionSet::from_range(0, next.saturating_sub(1)), &[&transaction.open_table(PARKED)?])
    }

    /// Moves intact parked records back to their positions in the queue.
    pub(crate) fn unpark(&self) -> Result<Contents, StoreError> {
        self.change(|tables| {
            let mut intact = Vec::new();
            for row in tables.parked.iter()? {
                let (position, frame) = row?;
                intact.extend(frame::decode(position.value(), frame.value()).map(|entry| entry.position.number()));
            }
            intact.into_iter().try_for_each(|position| tables.unpark(position))
        })
    }

    /// Reads records after the position `after` and up to `through`.
    pub(crate) fn read(
        &self,
        table: SpoolTable,
        after: Option<u64>,
        through: u64,
        limit: ReadLimit,
    ) -> Result<ReadResult, StoreError> {
        let transaction = self.database.begin_read()?;
        let table = match table {
            SpoolTable::Queue => transaction.open_table(QUEUE)?,
            SpoolTable::Parked => transaction.open_table(PARKED)?,
        };
        if after.is_some_and(|after| after >= through) {
            return Ok(ReadResult::default());
        }
        collect(&table, (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Included(through)), limit)
    }

    fn change(
        &self,
        work: impl FnOnce(&mut WriteTables<'_>) -> Result<(), StoreError>,
    ) -> Result<Contents, StoreError> {
        let transaction = self.begin()?;
        let mut tables = WriteTables::open(&transaction)?;
        work(&mut tables)?;
        let contents = tables.save()?;
        transaction.commit()?;
        Ok(contents)
    }

    /// Begins a write transaction with quick repair, so that opening the store after a crash does not read the whole file.
    /// The database syncs each commit by default.
    fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }
}

fn collect(
    table: &impl ReadableTable<u64, &'static [u8]>,
    range: impl RangeBounds<u64>,
    limit: ReadLimit,
) -> Result<ReadResult, StoreError> {
    let mut result = ReadResult::default();
    let (mut bytes, mut last) = (0_usize, None);
    for row in table.range::<u64>(range)? {
        let (position, frame) = row?;
        let (position, frame) = (position.value(), frame.value());
        if last.is_some_and(|last| position <= last) {
            return Err(StoreError::damaged("its records are out of order"));
        }
        last = Some(position);
        match frame::decode(position, frame) {
            Some(entry) => result.entries.push(entry),
            None => result.damaged.push(position),
        }
        bytes = bytes.saturating_add(frame.len());
        if result.entries.len().saturating_add(result.damaged.len()) >= limit.entries || bytes >= limit.bytes {
            break;
        }
    }
    Ok(result)
}

type Frames = ReadOnlyTable<u64, &'static [u8]>;

/// The given positions that hold no record in any of the tables.
fn without_stored(positions: PositionSet, tables: &[&Frames]) -> Result<PositionSet, StoreError> {
    let mut unused = positions;
    for table in tables {
        let mut absent = PositionSet::default();
        for (first, last) in unused.iter() {
            let mut next = first;
            for row in table.range(first..=last)? {
                let position = row?.0.value();
                absent.insert(next, position.saturating_sub(1));
                next = position.saturating_add(1);
            }
            absent.insert(next, last);
        }
        unused = absent;
    }
    Ok(unused)
}
