//! Damage on a real disk, upgrades of the format, and salvage by an operator.

use std::{collections::BTreeSet, fs, ops::ControlFlow, sync::Arc};

use redb::{Database, TableDefinition};

use super::{ALL, Recorder, TempSpool, limits, queue, queue_when_salvaged, texts, unobserved};
use crate::{
    Entry, OpenError, SalvageState, Spool, SpoolLimits,
    disk::LIVE,
    frame::{self, MAGIC},
    list_stores, salvage,
};

fn salvaged(path: &std::path::Path) -> Vec<Entry> {
    let mut entries = Vec::new();
    let summary = salvage(path, |entry| {
        entries.push(entry);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(summary.found, entries.len() as u64);
    entries
}

#[tokio::test]
async fn damaged_record_is_parked_and_later_ones_remain_readable() {
    let temp = TempSpool::new();
    let spool = temp.open();
    spool.append(texts(&["before", "damage me", "after"])).await.unwrap();
    spool.close();
    let path = temp.spool().join(LIVE);
    let mut bytes = fs::read(&path).unwrap();
    let offsets: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"damage me")).collect();
    for offset in offsets {
        bytes[offset] = b'D';
    }
    fs::write(&path, bytes).unwrap();

    let recorder = Arc::new(Recorder::default());
    let spool = Spool::open(&temp.spool(), limits(), recorder.clone()).unwrap();
    assert_eq!(queue(&spool).await, ["before", "after"]);
    assert_eq!((recorder.damaged(), recorder.state().parked, spool.queued()), (1, 1, 2));
    assert_eq!(spool.read_parked(None, ALL).await.unwrap(), [], "damaged records are not returned");
    spool.close();
}

#[tokio::test]
async fn damaged_store_is_salvaged_into_a_fresh_one_in_order() {
    let temp = TempSpool::new();
    let spool = temp.open();
    let large = "large ".repeat(4_000);
    spool.append(texts(&["one", "two", &large])).await.unwrap();
    let stored = spool.read(None, ALL).await.unwrap();
    spool.close();
    let path = temp.spool().join(LIVE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[..64].fill(0xff);
    fs::write(&path, bytes).unwrap();

    let recorder = Arc::new(Recorder::default());
    let spool = Spool::open(&temp.spool(), limits(), recorder.clone()).unwrap();
    assert_eq!((spool.is_empty(), recorder.damaged()), (false, 1));
    spool.append(texts(&["new"])).await.unwrap();
    assert_eq!(queue_when_salvaged(&spool).await, ["one", "two", &large, "new"]);
    let salvaged = spool.read(None, ALL).await.unwrap();
    assert_eq!(salvaged[..3], stored, "records keep their positions");
    assert_eq!(recorder.salvaged(), 3);
    spool.close();

    let stores = list_stores(&temp.spool()).unwrap();
    let states: Vec<_> = stores.iter().map(|store| store.salvage).collect();
    assert_eq!(states, [None, Some(SalvageState::Complete)]);
    let name = stores[1].path.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("spool.redb.corrupt-2") && name.ends_with(".salvaged"), "{name}");
}

#[test]
fn salvage_finds_each_record_once_in_order_and_ignores_garbage() {
    let temp = TempSpool::new();
    let spool = temp.open();
    let numbers: Vec<String> = (0..500).map(|number| format!("record {number}")).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for number in &numbers {
        runtime.block_on(spool.append(texts(&[number]))).unwrap();
    }
    spool.close();
    let path = temp.spool().join(LIVE);
    let mut bytes = MAGIC.repeat(3);
    bytes.extend([0xff; 24]);
    bytes.extend(fs::read(&path).unwrap());
    bytes.extend(MAGIC);
    fs::write(&path, bytes).unwrap();

    let entries = salvaged(&path);
    let found: Vec<&str> = entries.iter().map(|entry| std::str::from_utf8(&entry.bytes).unwrap()).collect();
    assert_eq!(found, numbers);
    assert_eq!(entries.iter().map(|entry| entry.position).collect::<BTreeSet<_>>().len(), numbers.len());
}

/// Format 1 held the format, the next position and the size of the queue.
#[tokio::test]
async fn store_of_the_first_format_is_upgraded_when_it_is_opened() {
    let temp = TempSpool::new();
    let spool = temp.open();
    spool.append(texts(&["waits"])).await.unwrap();
    spool.append_parked(texts(&["parked"])).await.unwrap();
    spool.close();
    write_meta(&temp, &[1, 3, frame::framed_len(b"waits")]);

    let recorder = Arc::new(Recorder::default());
    let limits = SpoolLimits { max_bytes: 200, ..limits() };
    let spool = Spool::open(&temp.spool(), limits, recorder.clone()).unwrap();
    assert_eq!((queue(&spool).await, recorder.damaged()), (vec!["waits".to_owned()], 0));
    let left = 200 - frame::framed_len(b"waits") - frame::framed_len(b"parked");
    assert_eq!(recorder.state().capacity_bytes, frame::framed_len(b"waits") + left);
    spool.close();
    assert_eq!(queue(&temp.open()).await, ["waits"]);
}

#[test]
fn store_of_a_newer_version_is_rejected_and_left_unchanged() {
    let temp = TempSpool::new();
    temp.open().close();
    write_meta(&temp, &[3, 7, 7, 7]);

    let error = Spool::open(&temp.spool(), limits(), unobserved()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { format: 3, known: 2, .. }), "{error}");
    assert!(error.to_string().contains("run the newer version, or use it to drain the spool first"));
    assert_eq!(list_stores(&temp.spool()).unwrap().len(), 1);
}

#[test]
fn store_with_a_crash_marker_is_quarantined_once() {
    let temp = TempSpool::new();
    temp.open().close();
    fs::write(temp.spool().join("spool.redb.suspect"), "").unwrap();
    for _ in 0..2 {
        temp.open().close();
        assert_eq!(list_stores(&temp.spool()).unwrap().len(), 2);
    }
}

fn write_meta(temp: &TempSpool, numbers: &[u64]) {
    const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
    let mut record = numbers.iter().copied().flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
    record.extend(crc32fast::hash(&record).to_le_bytes());
    let database = Database::open(temp.spool().join(LIVE)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("numbers", record.as_slice()).unwrap();
    transaction.commit().unwrap();
}
