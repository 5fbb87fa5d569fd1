//! Damaged stores on a real disk, which are salvaged automatically.

use std::{fs, path::PathBuf};

use super::{ALL, TempSpool, limits, queue, queue_when_salvaged, texts, unobserved};
use crate::{SalvageState, Spool, SpoolLimits, SpoolUnavailable, disk::LIVE, list_stores};

/// Overwrites the header of the store, but none of its records.
fn destroy_header(temp: &TempSpool) {
    let path = temp.spool().join(LIVE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[..4096].fill(0xa5);
    fs::write(&path, bytes).unwrap();
}

fn quarantined(temp: &TempSpool) -> Vec<(PathBuf, SalvageState)> {
    let files = list_stores(&temp.spool()).unwrap().into_iter();
    files.filter_map(|file| Some((file.path, file.salvage?))).collect()
}

#[tokio::test]
async fn removed_records_of_a_damaged_store_stay_removed_and_parked_ones_return() {
    let temp = TempSpool::new();
    let spool = temp.open();
    // Each record fills a page, which later records do not overwrite immediately.
    let long = |texts: &[&str]| texts.iter().map(|text| format!("{text:3000}").into_bytes()).collect();
    spool.append(long(&["sent", "also sent", "parked", "sent later", "waits"])).await.unwrap();
    spool.append_parked(long(&["sent from the parked", "parked at once"])).await.unwrap();
    let entries = spool.read(None, ALL).await.unwrap();
    spool.remove_through(entries[1].position).await.unwrap();
    spool.park(entries[2].position).await.unwrap();
    spool.remove_through(entries[3].position).await.unwrap();
    let parked = spool.read_parked(None, ALL).await.unwrap();
    spool.remove_parked(parked[1].position).await.unwrap();
    spool.close();
    let bytes = fs::read(temp.spool().join(LIVE)).unwrap();
    let removed = ["also sent", "sent later", "sent from the parked"];
    let is_in_file = |text: &str| bytes.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(removed.into_iter().any(is_in_file), "the file no longer holds any removed record");

    for _ in 0..2 {
        destroy_header(&temp);
        let spool = temp.open();
        let queue = queue_when_salvaged(&spool).await;
        let queue: Vec<&str> = queue.iter().map(|text| text.trim()).collect();
        assert_eq!(queue, ["parked", "waits", "parked at once"]);
        spool.close();
    }
    assert!(quarantined(&temp).iter().all(|(_, salvage)| *salvage == SalvageState::Complete));
}

#[tokio::test]
async fn reads_wait_for_the_salvage_but_appends_do_not() {
    let temp = TempSpool::new();
    let spool = temp.open();
    spool.append(texts(&["old"])).await.unwrap();
    spool.close();
    destroy_header(&temp);

    // Opening to inspect does not salvage.
    let spool = Spool::open_to_inspect(&temp.spool(), limits(), unobserved()).unwrap();
    spool.append(texts(&["new"])).await.unwrap();
    assert_eq!((spool.is_empty(), spool.has_space()), (false, true));
    assert_eq!(spool.read(None, ALL).await, Err(SpoolUnavailable));
    spool.close();
    assert_eq!(quarantined(&temp)[0].1, SalvageState::Pending);

    let spool = temp.open();
    assert_eq!(queue_when_salvaged(&spool).await, ["old", "new"]);
}

#[tokio::test]
async fn partly_readable_store_is_marked_and_salvaged_only_once() {
    let temp = TempSpool::new();
    let spool = temp.open();
    spool.append(texts(&["first", "damage me", "last"])).await.unwrap();
    spool.close();
    destroy_header(&temp);
    let path = temp.spool().join(LIVE);
    let mut bytes = fs::read(&path).unwrap();
    let offsets: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"damage me")).collect();
    offsets.into_iter().for_each(|offset| bytes[offset] = b'D');
    fs::write(&path, bytes).unwrap();

    let spool = temp.open();
    assert_eq!(queue_when_salvaged(&spool).await, ["first", "last"]);
    spool.close();
    assert_eq!(quarantined(&temp)[0].1, SalvageState::Partial);
    // The next start does not salvage it again.
    let spool = temp.open();
    assert_eq!(queue(&spool).await, ["first", "last"]);
    assert_eq!(quarantined(&temp).len(), 1);
}

#[tokio::test]
async fn quarantined_stores_are_limited_and_salvaged_ones_are_removed_first() {
    let temp = TempSpool::new();
    let spool = temp.open();
    spool.append(texts(&["whole"])).await.unwrap();
    spool.close();
    let name =
        |time: usize, suffix: &str| temp.spool().join(format!("spool.redb.corrupt-2026010{time}T000000Z{suffix}"));
    for time in 1..=5 {
        fs::write(name(time, ".salvaged-in-part"), "some").unwrap();
    }
    for time in 6..=9 {
        fs::write(name(time, ".salvaged"), "all").unwrap();
    }
    destroy_header(&temp);
    let spool = temp.open();
    assert_eq!(queue_when_salvaged(&spool).await, ["whole"]);
    spool.close();
    let left = quarantined(&temp);
    let complete = left.iter().filter(|(_, salvage)| *salvage == SalvageState::Complete).count();
    assert_eq!((left.len(), complete), (8, 3), "{left:#?}");
    assert!(!name(6, ".salvaged").exists() && !name(7, ".salvaged").exists(), "the oldest are removed first");

    // The total size is limited as well.
    let limits = SpoolLimits { max_bytes: 6, ..limits() };
    Spool::open(&temp.spool(), limits, unobserved()).unwrap().close();
    let left = quarantined(&temp);
    assert!(left.iter().all(|(_, salvage)| *salvage == SalvageState::Partial), "{left:#?}");
    assert_eq!(left.len(), 3, "{left:#?}");
}

#[tokio::test]
async fn missing_tombstone_log_is_rebuilt_from_an_intact_store() {
    let temp = TempSpool::new();
    let spool = temp.open();
    spool.append(texts(&["sent", "parked", "waits"])).await.unwrap();
    let entries = spool.read(None, ALL).await.unwrap();
    spool.remove_through(entries[0].position).await.unwrap();
    spool.park(entries[1].position).await.unwrap();
    spool.close();
    for content in [None, Some("garbage that is longer than a record of the log, followed by more")] {
        let log = temp.spool().join("spool.tombstones");
        match content {
            None => fs::remove_file(log).unwrap(),
            Some(text) => fs::write(log, text).unwrap(),
        }
        temp.open().close();
        destroy_header(&temp);
        let spool = temp.open();
        assert_eq!(queue_when_salvaged(&spool).await, ["parked", "waits"], "{content:?}");
        spool.close();
    }
}
