//! Damaged stores on a real disk, which are salvaged without an operator.

use std::{fs, path::PathBuf};

use super::{ALL, Scratch, limits, metrics, queue, queue_when_salvaged, texts};
use crate::spool::{Limits, Salvage, Spool, SpoolUnavailable, disk::LIVE, files};

/// The header of the store, and none of its records.
fn behead(scratch: &Scratch) {
    let path = scratch.spool().join(LIVE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[..4096].fill(0xa5);
    fs::write(&path, bytes).unwrap();
}

fn set_aside(scratch: &Scratch) -> Vec<(PathBuf, Salvage)> {
    let files = files(&scratch.spool()).unwrap().into_iter();
    files.filter_map(|file| Some((file.path, file.salvage?))).collect()
}

#[tokio::test]
async fn removed_records_of_a_damaged_store_stay_removed_and_parked_ones_are_tried_again() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    // Each fills a page of its own, which others do not overwrite at once.
    let long = |texts: &[&str]| texts.iter().map(|text| format!("{text:3000}").into_bytes()).collect();
    spool.append(long(&["sent", "also sent", "parked", "sent later", "waits"])).await.unwrap();
    spool.append_parked(long(&["sent from the parked", "parked at once"])).await.unwrap();
    let entries = spool.read(None, ALL).await.unwrap();
    spool.remove_through(entries[1].position).await.unwrap();
    spool.park(entries[2].position).await.unwrap();
    spool.remove_through(entries[3].position).await.unwrap();
    let parked = spool.parked(None, ALL).await.unwrap();
    spool.remove_parked(parked[1].position).await.unwrap();
    spool.close();
    let bytes = fs::read(scratch.spool().join(LIVE)).unwrap();
    let removed = ["also sent", "sent later", "sent from the parked"];
    let is_in_file = |text: &str| bytes.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(removed.into_iter().any(is_in_file), "removed bytes are still in the file");

    for _ in 0..2 {
        behead(&scratch);
        let spool = scratch.open();
        let queue = queue_when_salvaged(&spool).await;
        let queue: Vec<&str> = queue.iter().map(|text| text.trim()).collect();
        assert_eq!(queue, ["parked", "waits", "parked at once"]);
        spool.close();
    }
    assert!(set_aside(&scratch).iter().all(|(_, salvage)| *salvage == Salvage::Complete));
}

#[tokio::test]
async fn drain_begins_only_when_the_salvage_is_done_but_appends_do_not_wait() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    spool.append(texts(&["old"])).await.unwrap();
    spool.close();
    behead(&scratch);

    // Nothing is salvaged by who only looks.
    let spool = Spool::open_to_inspect(&scratch.spool(), limits(), metrics()).unwrap();
    spool.append(texts(&["new"])).await.unwrap();
    assert_eq!((spool.is_empty(), spool.has_room()), (false, true));
    assert_eq!(spool.read(None, ALL).await, Err(SpoolUnavailable));
    spool.close();
    assert_eq!(set_aside(&scratch)[0].1, Salvage::Pending);

    let spool = scratch.open();
    assert_eq!(queue_when_salvaged(&spool).await, ["old", "new"]);
}

#[tokio::test]
async fn what_is_missing_in_a_damaged_store_is_said_and_its_file_is_marked() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    spool.append(texts(&["first", "damage me", "last"])).await.unwrap();
    spool.close();
    behead(&scratch);
    let path = scratch.spool().join(LIVE);
    let mut bytes = fs::read(&path).unwrap();
    let places: Vec<usize> = (0..bytes.len()).filter(|place| bytes[*place..].starts_with(b"damage me")).collect();
    places.into_iter().for_each(|place| bytes[place] = b'D');
    fs::write(&path, bytes).unwrap();

    let spool = scratch.open();
    assert_eq!(queue_when_salvaged(&spool).await, ["first", "last"]);
    spool.close();
    assert_eq!(set_aside(&scratch)[0].1, Salvage::InPart);
    // It is tried once: the next start does not read it again.
    let spool = scratch.open();
    assert_eq!(queue(&spool).await, ["first", "last"]);
    assert_eq!(set_aside(&scratch).len(), 1);
}

#[tokio::test]
async fn stores_that_were_set_aside_are_bounded_and_salvaged_ones_go_first() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    spool.append(texts(&["whole"])).await.unwrap();
    spool.close();
    let name =
        |time: usize, mark: &str| scratch.spool().join(format!("spool.redb.corrupt-2026010{time}T000000Z{mark}"));
    for time in 1..=5 {
        fs::write(name(time, ".salvaged-in-part"), "some").unwrap();
    }
    for time in 6..=9 {
        fs::write(name(time, ".salvaged"), "all").unwrap();
    }
    behead(&scratch);
    let spool = scratch.open();
    assert_eq!(queue_when_salvaged(&spool).await, ["whole"]);
    spool.close();
    let left = set_aside(&scratch);
    let complete = left.iter().filter(|(_, salvage)| *salvage == Salvage::Complete).count();
    assert_eq!((left.len(), complete), (8, 3), "{left:#?}");
    assert!(!name(6, ".salvaged").exists() && !name(7, ".salvaged").exists(), "the oldest go first");

    // The size is bounded as well.
    let limits = Limits { max_bytes: 6, ..limits() };
    Spool::open(&scratch.spool(), limits, metrics()).unwrap().close();
    let left = set_aside(&scratch);
    assert!(left.iter().all(|(_, salvage)| *salvage == Salvage::InPart), "{left:#?}");
    assert_eq!(left.len(), 3, "{left:#?}");
}

#[tokio::test]
async fn without_the_log_of_removals_a_whole_store_gives_a_new_one() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    spool.append(texts(&["sent", "parked", "waits"])).await.unwrap();
    let entries = spool.read(None, ALL).await.unwrap();
    spool.remove_through(entries[0].position).await.unwrap();
    spool.park(entries[1].position).await.unwrap();
    spool.close();
    for broken in [None, Some("rubbish that is longer than a record of the log, followed by more")] {
        let log = scratch.spool().join("spool.tombstones");
        match broken {
            None => fs::remove_file(log).unwrap(),
            Some(text) => fs::write(log, text).unwrap(),
        }
        scratch.open().close();
        behead(&scratch);
        let spool = scratch.open();
        assert_eq!(queue_when_salvaged(&spool).await, ["parked", "waits"], "{broken:?}");
        spool.close();
    }
}
