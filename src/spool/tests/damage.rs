//! Damage on a real disk and what is left to an operator.

use std::{collections::BTreeSet, fs, ops::ControlFlow};

use redb::{Database, TableDefinition};

use super::{ALL, Scratch, limits, metrics, queue, queue_when_salvaged, texts};
use crate::spool::{
    Entry, Limits, OpenError, Salvage, Spool,
    disk::LIVE,
    files,
    frame::{self, MAGIC},
    salvage,
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
async fn a_damaged_record_is_parked_and_those_behind_it_go_on() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    spool.append(texts(&["before", "damage me", "behind"])).await.unwrap();
    spool.close();
    let path = scratch.spool().join(LIVE);
    let mut bytes = fs::read(&path).unwrap();
    let places: Vec<usize> = (0..bytes.len()).filter(|place| bytes[*place..].starts_with(b"damage me")).collect();
    for place in places {
        bytes[place] = b'D';
    }
    fs::write(&path, bytes).unwrap();

    let metrics = metrics();
    let spool = Spool::open(&scratch.spool(), limits(), metrics.clone()).unwrap();
    assert_eq!(queue(&spool).await, ["before", "behind"]);
    assert_eq!((metrics.spool.damaged.get(), metrics.spool.parked.get(), spool.events()), (1, 1, 2));
    assert_eq!(spool.parked(None, ALL).await.unwrap(), [], "what is not whole is not shown as a record");
    spool.close();
}

#[tokio::test]
async fn damaged_store_is_salvaged_into_a_fresh_one_in_order() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    let large = "large ".repeat(4_000);
    spool.append(texts(&["one", "two", &large])).await.unwrap();
    let stored = spool.read(None, ALL).await.unwrap();
    spool.close();
    let path = scratch.spool().join(LIVE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[..64].fill(0xff);
    fs::write(&path, bytes).unwrap();

    let metrics = metrics();
    let spool = Spool::open(&scratch.spool(), limits(), metrics.clone()).unwrap();
    assert_eq!((spool.is_empty(), metrics.spool.damaged.get()), (false, 1));
    spool.append(texts(&["new"])).await.unwrap();
    assert_eq!(queue_when_salvaged(&spool).await, ["one", "two", &large, "new"]);
    let salvaged = spool.read(None, ALL).await.unwrap();
    assert_eq!(salvaged[..3], stored, "at their positions");
    assert_eq!(metrics.spool.salvaged.get(), 3);
    spool.close();

    let files = files(&scratch.spool()).unwrap();
    let states: Vec<_> = files.iter().map(|file| file.salvage).collect();
    assert_eq!(states, [None, Some(Salvage::Complete)]);
    let name = files[1].path.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("spool.redb.corrupt-2") && name.ends_with(".salvaged"), "{name}");
}

#[test]
fn a_salvage_finds_each_record_once_in_order_and_is_not_misled_by_rubbish() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    let numbers: Vec<String> = (0..500).map(|number| format!("record {number}")).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for number in &numbers {
        runtime.block_on(spool.append(texts(&[number]))).unwrap();
    }
    spool.close();
    let path = scratch.spool().join(LIVE);
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

/// As the first version wrote it: a format, the next position, and the size of the queue.
#[tokio::test]
async fn a_store_of_the_first_format_is_upgraded_when_it_is_opened() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    spool.append(texts(&["waits"])).await.unwrap();
    spool.append_parked(texts(&["parked"])).await.unwrap();
    spool.close();
    write_numbers(&scratch, &[1, 3, frame::framed(b"waits")]);

    let metrics = metrics();
    let limits = Limits { max_bytes: 200, ..limits() };
    let spool = Spool::open(&scratch.spool(), limits, metrics.clone()).unwrap();
    assert_eq!((queue(&spool).await, metrics.spool.damaged.get()), (vec!["waits".to_owned()], 0));
    let left = 200 - frame::framed(b"waits") - frame::framed(b"parked");
    assert_eq!(metrics.spool.capacity.get(), i64::try_from(frame::framed(b"waits") + left).unwrap());
    spool.close();
    assert_eq!(queue(&scratch.open()).await, ["waits"]);
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    scratch.open().close();
    write_numbers(&scratch, &[3, 7, 7, 7]);

    let refused = Spool::open(&scratch.spool(), limits(), metrics()).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { format: 3, known: 2, .. }), "{refused}");
    assert!(refused.to_string().contains("use the newer version, or drain the spool with it first"));
    assert_eq!(files(&scratch.spool()).unwrap().len(), 1);
}

#[test]
fn a_store_of_which_a_process_died_is_set_aside_once() {
    let scratch = Scratch::new();
    scratch.open().close();
    fs::write(scratch.spool().join("spool.redb.suspect"), "").unwrap();
    for _ in 0..2 {
        scratch.open().close();
        assert_eq!(files(&scratch.spool()).unwrap().len(), 2);
    }
}

fn write_numbers(scratch: &Scratch, numbers: &[u64]) {
    const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
    let mut record = numbers.iter().copied().flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
    record.extend(crc32fast::hash(&record).to_le_bytes());
    let database = Database::open(scratch.spool().join(LIVE)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("numbers", record.as_slice()).unwrap();
    transaction.commit().unwrap();
}
