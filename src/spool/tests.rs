use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{AppendError, Batch, Limits, OpenError, Spool};
use crate::telemetry::Metrics;

mod damage;
mod inspect;
mod memory;
mod model;
mod random;
mod salvage;
mod slow;

const ALL: Batch = Batch { entries: usize::MAX, bytes: usize::MAX };

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new(|destination| destination.to_string()).unwrap())
}

/// No limit that a test meets by chance.
fn limits() -> Limits {
    Limits { max_bytes: u64::MAX, min_free_bytes: 1_000 }
}

/// A folder of a test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("trusthub-spool-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn spool(&self) -> PathBuf {
        self.0.join("deep/spool")
    }

    fn open(&self) -> Spool {
        Spool::open(&self.spool(), limits(), metrics()).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

async fn queue(spool: &Spool) -> Vec<String> {
    let entries = spool.read(None, ALL).await.unwrap();
    entries.into_iter().map(|entry| String::from_utf8(entry.bytes).unwrap()).collect()
}

/// The queue, as soon as everything is in it that is to be salvaged.
async fn queue_when_salvaged(spool: &Spool) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while spool.standing.is_salvaging() {
        assert!(Instant::now() < deadline, "the salvage does not end");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    queue(spool).await
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn records_come_back_in_the_order_of_the_calls_after_a_restart() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    let waiting = [spool.append(texts(&["a", "b"])), spool.append(texts(&["c"])), spool.append(texts(&["", "d"]))];
    for appended in waiting {
        appended.await.unwrap();
    }
    assert_eq!((spool.events(), spool.is_empty(), spool.has_room()), (5, false, true));
    spool.close();

    let spool = scratch.open();
    assert_eq!(spool.events(), 5);
    assert_eq!(queue(&spool).await, ["a", "b", "c", "", "d"]);
}

#[tokio::test]
async fn a_batch_ends_at_its_limits_and_goes_on_behind_a_position() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    spool.append(texts(&["first", "second", "third"])).await.unwrap();
    let two = spool.read(None, Batch { entries: 2, ..ALL }).await.unwrap();
    assert_eq!(two.len(), 2);
    let one = spool.read(None, Batch { bytes: 1, ..ALL }).await.unwrap();
    assert_eq!(one, two[..1]);
    let rest = spool.read(Some(two[1].position), ALL).await.unwrap();
    assert_eq!(rest.iter().map(|entry| entry.bytes.as_slice()).collect::<Vec<_>>(), [b"third"]);
    assert_eq!(spool.read(Some(rest[0].position), ALL).await.unwrap(), []);
}

#[tokio::test]
async fn removed_and_parked_records_leave_the_queue_for_good() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    spool.append(texts(&["sent", "poison", "next"])).await.unwrap();
    let entries = spool.read(None, ALL).await.unwrap();
    spool.remove_through(entries[0].position).await.unwrap();
    spool.park(entries[1].position).await.unwrap();
    spool.close();

    let spool = scratch.open();
    assert_eq!(queue(&spool).await, ["next"]);
    assert_eq!(spool.parked(None, ALL).await.unwrap(), entries[1..2]);
}

#[tokio::test]
async fn what_was_parked_can_be_put_back_into_its_place() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    spool.append(texts(&["a", "b", "c"])).await.unwrap();
    let entries = spool.read(None, ALL).await.unwrap();
    spool.park(entries[1].position).await.unwrap();
    spool.close();

    let metrics = metrics();
    let spool = Spool::open_and_unpark(&scratch.spool(), limits(), metrics.clone()).unwrap();
    assert_eq!(queue(&spool).await, ["a", "b", "c"]);
    assert_eq!((metrics.spool.parked.get(), metrics.spool.events.get()), (0, 3));
    assert_eq!(spool.read(None, ALL).await.unwrap(), entries);
}

#[tokio::test]
async fn a_position_is_not_used_twice_even_when_the_queue_was_empty() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    spool.append(texts(&["old"])).await.unwrap();
    let old = spool.read(None, ALL).await.unwrap()[0].position;
    spool.remove_through(old).await.unwrap();
    spool.close();

    let spool = scratch.open();
    spool.append(texts(&["new"])).await.unwrap();
    assert!(spool.read(None, ALL).await.unwrap()[0].position > old);
}

#[tokio::test]
async fn above_the_limit_records_are_refused_until_others_are_removed() {
    let scratch = Scratch::new();
    let metrics = metrics();
    let limits = Limits { max_bytes: 250, ..limits() };
    let spool = Spool::open(&scratch.spool(), limits, metrics.clone()).unwrap();
    spool.append(vec![vec![1; 100]]).await.unwrap();
    assert_eq!(spool.append(vec![vec![2; 100]]).await, Err(AppendError::Full));
    assert_eq!((spool.has_room(), metrics.spool.full.get()), (false, 1));
    assert_eq!(metrics.spool.capacity.get(), 250, "however much of it is used");
    spool.append(vec![vec![3; 10]]).await.unwrap();
    assert!(!spool.has_room(), "what was refused would not fit yet");

    let first = spool.read(None, ALL).await.unwrap()[0].position;
    spool.remove_through(first).await.unwrap();
    assert_eq!((spool.has_room(), metrics.spool.full.get()), (true, 0));
    spool.append(vec![vec![2; 100]]).await.unwrap();
}

#[tokio::test]
async fn parked_records_count_towards_the_limit() {
    let scratch = Scratch::new();
    let limits = Limits { max_bytes: 1_000, ..limits() };
    let metrics = metrics();
    let spool = Spool::open(&scratch.spool(), limits, metrics.clone()).unwrap();
    let mut accepted = 0;
    while spool.append(vec![vec![1; 100]]).await.is_ok() {
        let stored = spool.read(None, ALL).await.unwrap();
        spool.park(stored[0].position).await.unwrap();
        accepted += 1;
        assert!(accepted < 10, "more is parked than the limit allows");
    }
    assert_eq!((accepted, spool.is_empty(), spool.has_room()), (7, true, false));
    assert_eq!(spool.append_parked(vec![vec![1; 100]]).await, Err(AppendError::Full));
    assert_eq!((metrics.spool.bytes.get(), metrics.spool.parked.get()), (0, 7));
    spool.close();

    let spool = Spool::open(&scratch.spool(), limits, metrics.clone()).unwrap();
    assert_eq!(spool.append(vec![vec![1; 100]]).await, Err(AppendError::Full), "after a restart");
    let parked = spool.parked(None, ALL).await.unwrap();
    spool.remove_parked(parked[3].position).await.unwrap();
    spool.append(vec![vec![1; 100]]).await.unwrap();
}

#[tokio::test]
async fn records_that_are_parked_at_once_are_durable_and_not_in_the_queue() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    let waiting = [spool.append(texts(&["a"])), spool.append_parked(texts(&["b", "c"])), spool.append(texts(&["d"]))];
    for appended in waiting {
        appended.await.unwrap();
    }
    assert_eq!(queue(&spool).await, ["a", "d"]);
    let parked = spool.parked(None, ALL).await.unwrap();
    spool.remove_parked(parked[0].position).await.unwrap();
    spool.close();

    let spool = scratch.open();
    assert_eq!(spool.parked(None, ALL).await.unwrap(), parked[1..]);
    assert_eq!(parked[1].bytes, b"c");
    spool.close();

    let spool = Spool::open_and_unpark(&scratch.spool(), limits(), metrics()).unwrap();
    assert_eq!(queue(&spool).await, ["a", "c", "d"]);
}

#[tokio::test]
async fn the_parts_of_an_append_are_stored_together_or_not_at_all() {
    let scratch = Scratch::new();
    let limits = Limits { max_bytes: 250, ..limits() };
    let spool = Spool::open(&scratch.spool(), limits, metrics()).unwrap();
    assert_eq!(spool.append(vec![vec![1; 100], vec![2; 100]]).await, Err(AppendError::Full));
    assert!(spool.is_empty());
}

#[tokio::test]
async fn an_append_that_no_limit_allows_does_not_keep_others_out() {
    let scratch = Scratch::new();
    let limits = Limits { max_bytes: 250, ..limits() };
    let spool = Spool::open(&scratch.spool(), limits, metrics()).unwrap();
    assert_eq!(spool.append(vec![vec![1; 300]]).await, Err(AppendError::Full));
    assert!(spool.has_room());
}

#[test]
fn the_folder_and_its_files_are_for_their_owner_only() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    assert_eq!(mode(&scratch.spool()), 0o700);
    for entry in fs::read_dir(scratch.spool()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    spool.close();
}

#[test]
fn a_second_process_is_refused_until_the_first_closes() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    let second = Spool::open(&scratch.spool(), limits(), metrics()).unwrap_err();
    assert!(matches!(second, OpenError::InUse { .. }));
    assert!(second.to_string().ends_with("is in use by another process: stop it, or name another folder"));
    spool.close();
    scratch.open().close();
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_with_what_to_do() {
    let scratch = Scratch::new();
    fs::write(scratch.0.join("deep"), "not a folder").unwrap();
    let refused = Spool::open(&scratch.spool(), limits(), metrics()).unwrap_err();
    assert!(refused.to_string().contains("name a folder that this user may write"), "{refused}");
}

#[tokio::test]
async fn after_close_all_answers_are_errors() {
    let scratch = Scratch::new();
    let spool = scratch.open();
    let other = spool.clone();
    let appended = spool.append(texts(&["in time"]));
    spool.close();
    assert_eq!(appended.await, Ok(()));
    assert_eq!(other.append(texts(&["late"])).await, Err(AppendError::Failed));
    assert!(other.read(None, ALL).await.is_err());
    assert!(!other.has_room());
}
