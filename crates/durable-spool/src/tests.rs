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

use self::recorder::Recorder;
use crate::{AppendError, OpenError, ReadLimit, Spool, SpoolLimits};

mod damage;
mod inspect;
mod memory;
mod model;
mod random;
mod recorder;
mod salvage;
mod slow;

const ALL: ReadLimit = ReadLimit { entries: usize::MAX, bytes: usize::MAX };

/// An observer whose events the test does not look at.
fn unobserved() -> Arc<Recorder> {
    Arc::default()
}

/// Limits that no test reaches by accident.
fn limits() -> SpoolLimits {
    SpoolLimits { max_bytes: u64::MAX, min_free_bytes: 1_000, append_timeout: Duration::from_secs(13) }
}

/// A temporary folder, removed when it is dropped.
struct TempSpool(PathBuf);

impl TempSpool {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("durable-spool-{}-{number}", std::process::id()));
        // A process with this id may have been killed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn spool(&self) -> PathBuf {
        self.0.join("deep/spool")
    }

    fn open(&self) -> Spool {
        Spool::open(&self.spool(), limits(), unobserved()).unwrap()
    }
}

impl Drop for TempSpool {
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

/// The queue after the salvage has ended.
async fn queue_when_salvaged(spool: &Spool) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while spool.status.is_salvaging() {
        assert!(Instant::now() < deadline, "the salvage does not end");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    queue(spool).await
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn records_keep_the_order_of_the_calls_after_a_restart() {
    let temp = TempSpool::new();
    let spool = temp.open();
    let waiting = [spool.append(texts(&["a", "b"])), spool.append(texts(&["c"])), spool.append(texts(&["", "d"]))];
    for appended in waiting {
        appended.await.unwrap();
    }
    assert_eq!((spool.queued(), spool.is_empty(), spool.has_space()), (5, false, true));
    spool.close();

    let spool = temp.open();
    assert_eq!(spool.queued(), 5);
    assert_eq!(queue(&spool).await, ["a", "b", "c", "", "d"]);
}

#[tokio::test]
async fn read_stops_at_its_limits_and_continues_after_a_position() {
    let temp = TempSpool::new();
    let spool = temp.open();
    spool.append(texts(&["first", "second", "third"])).await.unwrap();
    let two = spool.read(None, ReadLimit { entries: 2, ..ALL }).await.unwrap();
    assert_eq!(two.len(), 2);
    let one = spool.read(None, ReadLimit { bytes: 1, ..ALL }).await.unwrap();
    assert_eq!(one, two[..1]);
    let rest = spool.read(Some(two[1].position), ALL).await.unwrap();
    assert_eq!(rest.iter().map(|entry| entry.bytes.as_slice()).collect::<Vec<_>>(), [b"third"]);
    assert_eq!(spool.read(Some(rest[0].position), ALL).await.unwrap(), []);
}

#[tokio::test]
async fn removed_and_parked_records_leave_the_queue_permanently() {
    let temp = TempSpool::new();
    let spool = temp.open();
    spool.append(texts(&["sent", "poison", "next"])).await.unwrap();
    let entries = spool.read(None, ALL).await.unwrap();
    spool.remove_through(entries[0].position).await.unwrap();
    spool.park(entries[1].position).await.unwrap();
    spool.close();

    let spool = temp.open();
    assert_eq!(queue(&spool).await, ["next"]);
    assert_eq!(spool.read_parked(None, ALL).await.unwrap(), entries[1..2]);
}

#[tokio::test]
async fn parked_records_can_return_to_their_positions() {
    let temp = TempSpool::new();
    let spool = temp.open();
    spool.append(texts(&["a", "b", "c"])).await.unwrap();
    let entries = spool.read(None, ALL).await.unwrap();
    spool.park(entries[1].position).await.unwrap();
    spool.close();

    let recorder = Arc::new(Recorder::default());
    let spool = Spool::open_and_unpark(&temp.spool(), limits(), recorder.clone()).unwrap();
    assert_eq!(queue(&spool).await, ["a", "b", "c"]);
    assert_eq!((recorder.state().parked, recorder.state().queued), (0, 3));
    assert_eq!(spool.read(None, ALL).await.unwrap(), entries);
}

#[tokio::test]
async fn positions_are_not_reused_even_when_the_queue_was_empty() {
    let temp = TempSpool::new();
    let spool = temp.open();
    spool.append(texts(&["old"])).await.unwrap();
    let old = spool.read(None, ALL).await.unwrap()[0].position;
    spool.remove_through(old).await.unwrap();
    spool.close();

    let spool = temp.open();
    spool.append(texts(&["new"])).await.unwrap();
    assert!(spool.read(None, ALL).await.unwrap()[0].position > old);
}

#[tokio::test]
async fn records_above_the_limit_are_rejected_until_others_are_removed() {
    let temp = TempSpool::new();
    let recorder = Arc::new(Recorder::default());
    let limits = SpoolLimits { max_bytes: 250, ..limits() };
    let spool = Spool::open(&temp.spool(), limits, recorder.clone()).unwrap();
    spool.append(vec![vec![1; 100]]).await.unwrap();
    assert_eq!(spool.append(vec![vec![2; 100]]).await, Err(AppendError::Full));
    assert_eq!((spool.has_space(), recorder.state().is_full), (false, true));
    assert_eq!(recorder.state().capacity_bytes, 250, "however much of it is in use");
    spool.append(vec![vec![3; 10]]).await.unwrap();
    assert!(!spool.has_space(), "the rejected append would still not fit");

    let first = spool.read(None, ALL).await.unwrap()[0].position;
    spool.remove_through(first).await.unwrap();
    assert_eq!((spool.has_space(), recorder.state().is_full), (true, false));
    spool.append(vec![vec![2; 100]]).await.unwrap();
}

#[tokio::test]
async fn parked_records_count_toward_the_limit() {
    let temp = TempSpool::new();
    let limits = SpoolLimits { max_bytes: 1_000, ..limits() };
    let recorder = Arc::new(Recorder::default());
    let spool = Spool::open(&temp.spool(), limits, recorder.clone()).unwrap();
    let mut accepted = 0;
    while spool.append(vec![vec![1; 100]]).await.is_ok() {
        let stored = spool.read(None, ALL).await.unwrap();
        spool.park(stored[0].position).await.unwrap();
        accepted += 1;
        assert!(accepted < 10, "more is parked than the limit allows");
    }
    assert_eq!((accepted, spool.is_empty(), spool.has_space()), (7, true, false));
    assert_eq!(spool.append_parked(vec![vec![1; 100]]).await, Err(AppendError::Full));
    assert_eq!((recorder.state().queued_bytes, recorder.state().parked), (0, 7));
    spool.close();

    let spool = Spool::open(&temp.spool(), limits, recorder.clone()).unwrap();
    assert_eq!(spool.append(vec![vec![1; 100]]).await, Err(AppendError::Full), "after a restart");
    let parked = spool.read_parked(None, ALL).await.unwrap();
    spool.remove_parked(parked[3].position).await.unwrap();
    spool.append(vec![vec![1; 100]]).await.unwrap();
}

#[tokio::test]
async fn records_appended_as_parked_are_durable_and_not_in_the_queue() {
    let temp = TempSpool::new();
    let spool = temp.open();
    let waiting = [spool.append(texts(&["a"])), spool.append_parked(texts(&["b", "c"])), spool.append(texts(&["d"]))];
    for appended in waiting {
        appended.await.unwrap();
    }
    assert_eq!(queue(&spool).await, ["a", "d"]);
    let parked = spool.read_parked(None, ALL).await.unwrap();
    spool.remove_parked(parked[0].position).await.unwrap();
    spool.close();

    let spool = temp.open();
    assert_eq!(spool.read_parked(None, ALL).await.unwrap(), parked[1..]);
    assert_eq!(parked[1].bytes, b"c");
    spool.close();

    let spool = Spool::open_and_unpark(&temp.spool(), limits(), unobserved()).unwrap();
    assert_eq!(queue(&spool).await, ["a", "c", "d"]);
}

#[tokio::test]
async fn records_of_one_append_are_stored_together_or_not_at_all() {
    let temp = TempSpool::new();
    let limits = SpoolLimits { max_bytes: 250, ..limits() };
    let spool = Spool::open(&temp.spool(), limits, unobserved()).unwrap();
    assert_eq!(spool.append(vec![vec![1; 100], vec![2; 100]]).await, Err(AppendError::Full));
    assert!(spool.is_empty());
}

#[tokio::test]
async fn append_that_can_never_fit_does_not_block_others() {
    let temp = TempSpool::new();
    let limits = SpoolLimits { max_bytes: 250, ..limits() };
    let spool = Spool::open(&temp.spool(), limits, unobserved()).unwrap();
    assert_eq!(spool.append(vec![vec![1; 300]]).await, Err(AppendError::Full));
    assert!(spool.has_space());
}

#[test]
fn folder_and_files_are_accessible_to_their_owner_only() {
    let temp = TempSpool::new();
    let spool = temp.open();
    assert_eq!(mode(&temp.spool()), 0o700);
    for entry in fs::read_dir(temp.spool()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    spool.close();
}

#[test]
fn second_process_is_rejected_until_the_first_closes() {
    let temp = TempSpool::new();
    let spool = temp.open();
    let second = Spool::open(&temp.spool(), limits(), unobserved()).unwrap_err();
    assert!(matches!(second, OpenError::InUse { .. }));
    assert!(second.to_string().ends_with("is in use by another process: stop it, or choose another folder"));
    spool.close();
    temp.open().close();
}

#[test]
fn folder_that_cannot_be_created_is_rejected_with_a_remedy() {
    let temp = TempSpool::new();
    fs::write(temp.0.join("deep"), "not a folder").unwrap();
    let error = Spool::open(&temp.spool(), limits(), unobserved()).unwrap_err();
    assert!(error.to_string().contains("choose a folder that this user can write to"), "{error}");
}

#[tokio::test]
async fn requests_after_close_fail() {
    let temp = TempSpool::new();
    let spool = temp.open();
    let other = spool.clone();
    let appended = spool.append(texts(&["in time"]));
    spool.close();
    assert_eq!(appended.await, Ok(()));
    assert_eq!(other.append(texts(&["late"])).await, Err(AppendError::Failed));
    assert!(other.read(None, ALL).await.is_err());
    assert!(!other.has_space());
}
