use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Instant,
};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::telemetry::Metrics;

const NOON: u64 = 1_795_176_000;
const HOUR: u64 = 3600;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// A temporary folder, removed when this is dropped.
struct ClockFolder(PathBuf);

impl ClockFolder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("event-time-{}-{}", process::id(), COUNT.fetch_add(1, Relaxed));
        let path = env::temp_dir().join(name);
        // A process with this id may have been killed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A folder in which the previous process saved this time.
    fn with(time: Timestamp, is_final: bool) -> Self {
        let folder = Self::new();
        EventTimeFile::in_folder(&folder.0).write(SavedTime { time, is_final }).unwrap();
        folder
    }

    fn saved(&self) -> Option<SavedTime> {
        EventTimeFile::in_folder(&self.0).read().unwrap()
    }

    fn open(&self, now: Timestamp) -> (EventClock, EventTimeWriter, Arc<PipelineMetrics>) {
        let metrics =
            PipelineMetrics::register(&Arc::new(Metrics::new(|destination| destination.to_string()).unwrap())).unwrap();
        let (clock, writer) = EventClock::open(&self.0, now, Arc::clone(&metrics));
        (clock, writer, metrics)
    }

    /// The time of the first event of a process that starts at `now`, and whether the saved time was ignored.
    fn first_event(&self, now: Timestamp) -> (Timestamp, bool) {
        let (mut clock, _writer, metrics) = self.open(now);
        (clock.next_time(now), metrics.event_time_reset.get() == 1)
    }
}

impl Drop for ClockFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn time_follows_the_system_clock_and_never_goes_back() {
    let mut clock = EventClock::default();
    let times = [10, 20, 5, 19, 20, 21].map(|seconds| clock.next_time(at(seconds)));
    assert_eq!(times, [10, 20, 20, 20, 20, 21].map(at));
}

#[test]
fn first_event_is_not_older_than_the_last_of_the_previous_process() {
    for ahead in [1, HOUR / 2, HOUR] {
        assert_eq!(ClockFolder::with(at(NOON + ahead), true).first_event(at(NOON)), (at(NOON + ahead), false));
    }
    assert_eq!(ClockFolder::with(at(NOON - HOUR), true).first_event(at(NOON)), (at(NOON), false));
}

#[test]
fn killed_process_may_have_issued_later_times() {
    let saved = at(NOON + HOUR / 2);
    assert_eq!(ClockFolder::with(saved, false).first_event(at(NOON)), (saved.after(MARGIN), false));
    assert_eq!(
        ClockFolder::with(at(NOON), false).first_event(at(NOON + 5)),
        (at(NOON + 5), false),
        "the clock is later"
    );
}

#[test]
fn time_more_than_an_hour_ahead_is_ignored_and_counted() {
    for is_final in [true, false] {
        assert_eq!(ClockFolder::with(at(NOON + HOUR + 1), is_final).first_event(at(NOON)), (at(NOON), true));
    }
}

#[test]
fn first_start_uses_the_system_clock() {
    assert_eq!(ClockFolder::new().first_event(at(NOON)), (at(NOON), false));
}

#[test]
fn damaged_file_is_ignored() {
    let folder = ClockFolder::with(at(NOON + HOUR / 2), true);
    let path = folder.0.join("event-time");
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(folder.first_event(at(NOON)), (at(NOON), false), "cut to {length} bytes");
    }
    for (place, bit) in (0..whole.len()).flat_map(|place| [1, 4, 128].map(|bit| (place, bit))) {
        let mut flipped = whole.clone();
        flipped[place] ^= bit;
        fs::write(&path, &flipped).unwrap();
        assert_eq!(folder.first_event(at(NOON)), (at(NOON), false), "bit {bit} of byte {place}");
    }
    fs::write(&path, whole.repeat(1000)).unwrap();
    assert_eq!(folder.first_event(at(NOON)), (at(NOON), false), "too long");
}

#[test]
fn file_never_goes_back_and_only_its_owner_can_read_it() {
    let folder = ClockFolder::new();
    let mut file = EventTimeFile::in_folder(&folder.0);
    let saved = |seconds, is_final| SavedTime { time: at(seconds), is_final };
    for (written, then) in [
        (saved(2, false), saved(2, false)),
        (saved(1, true), saved(2, false)),
        (saved(2, true), saved(2, true)),
        (saved(2, false), saved(2, true)),
        (saved(3, false), saved(3, false)),
    ] {
        file.write(written).unwrap();
        assert_eq!(folder.saved(), Some(then));
    }
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

async fn wait_for_saved(folder: &ClockFolder, saved: SavedTime) {
    let written = async {
        while folder.saved() != Some(saved) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), written).await.unwrap();
}

#[tokio::test]
async fn time_is_saved_after_an_event_and_is_final_after_a_stop() {
    let folder = ClockFolder::new();
    let (mut clock, writer, _) = folder.open(at(NOON));
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone()));
    for seconds in [NOON, NOON + 1] {
        wait_for_saved(&folder, SavedTime { time: clock.next_time(at(seconds)), is_final: false }).await;
    }
    clock.next_time(at(NOON + 2));
    stop.cancel();
    running.await.unwrap();
    assert_eq!(folder.saved(), Some(SavedTime { time: at(NOON + 2), is_final: true }));
}

#[tokio::test]
async fn process_without_events_keeps_the_saved_time() {
    let saved = SavedTime { time: at(NOON), is_final: false };
    let folder = ClockFolder::with(saved.time, saved.is_final);
    let (_clock, writer, _) = folder.open(at(NOON));
    let stop = CancellationToken::new();
    stop.cancel();
    writer.run(stop).await;
    assert_eq!(folder.saved(), Some(saved));
}

/// Opening a pipe for writing blocks until another process or thread opens it for reading.
#[tokio::test]
async fn hanging_disk_delays_no_event_and_a_stop_only_shortly() {
    let folder = ClockFolder::new();
    let (mut clock, writer, _) = folder.open(at(NOON));
    let pipe = folder.0.join("event-time.new");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone()));
    let began = Instant::now();
    for second in 0..100 {
        clock.next_time(at(NOON + second));
        tokio::task::yield_now().await;
    }
    // An event that waited for the disk would wait forever.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap();
    assert_eq!(folder.saved(), None, "the disk hangs");
    // Unblocks the threads of the writes.
    drop(fs::File::open(&pipe).unwrap());
}
