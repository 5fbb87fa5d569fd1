use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{self, Command},
    sync::atomic::AtomicU32,
    time::Instant,
};

use tokio_util::sync::CancellationToken;

use super::*;

const NOON: u64 = 1_795_176_000;
const HOUR: u64 = 3600;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// A folder of a test's own, removed with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("event-time-{}-{}", process::id(), COUNT.fetch_add(1, Relaxed));
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A folder in which the last process left this.
    fn with(time: Timestamp, is_final: bool) -> Self {
        let scratch = Self::new();
        EventTimeFile::in_folder(&scratch.0).write(Kept { time, is_final }).unwrap();
        scratch
    }

    fn kept(&self) -> Option<Kept> {
        EventTimeFile::in_folder(&self.0).read().unwrap()
    }

    fn open(&self, now: Timestamp) -> (EventClock, EventTimeWriter, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new(|destination| destination.to_string()).unwrap());
        let (clock, writer) = EventClock::open(&self.0, now, Arc::clone(&metrics));
        (clock, writer, metrics)
    }

    /// The time of the first event of a process that starts at `now`, and whether it says that a clock was wrong.
    fn first_event(&self, now: Timestamp) -> (Timestamp, bool) {
        let (mut clock, _writer, metrics) = self.open(now);
        (clock.time(now), metrics.event_time_reset.get() == 1)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn time_follows_the_system_clock_and_never_goes_back() {
    let mut clock = EventClock::default();
    let times = [10, 20, 5, 19, 20, 21].map(|seconds| clock.time(at(seconds)));
    assert_eq!(times, [10, 20, 20, 20, 20, 21].map(at));
}

#[test]
fn first_event_is_not_before_the_last_of_the_process_before() {
    for ahead in [1, HOUR / 2, HOUR] {
        assert_eq!(Scratch::with(at(NOON + ahead), true).first_event(at(NOON)), (at(NOON + ahead), false));
    }
    assert_eq!(Scratch::with(at(NOON - HOUR), true).first_event(at(NOON)), (at(NOON), false));
}

#[test]
fn process_that_was_killed_may_have_issued_later_times() {
    let kept = at(NOON + HOUR / 2);
    assert_eq!(Scratch::with(kept, false).first_event(at(NOON)), (kept.after(MARGIN), false));
    assert_eq!(Scratch::with(at(NOON), false).first_event(at(NOON + 5)), (at(NOON + 5), false), "the clock is later");
}

#[test]
fn time_more_than_an_hour_ahead_is_dropped_and_counted() {
    for is_final in [true, false] {
        assert_eq!(Scratch::with(at(NOON + HOUR + 1), is_final).first_event(at(NOON)), (at(NOON), true));
    }
}

#[test]
fn first_start_has_the_time_of_the_clock() {
    assert_eq!(Scratch::new().first_event(at(NOON)), (at(NOON), false));
}

#[test]
fn damaged_file_is_not_used_and_no_error() {
    let scratch = Scratch::with(at(NOON + HOUR / 2), true);
    let path = scratch.0.join("event-time");
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(scratch.first_event(at(NOON)), (at(NOON), false), "cut to {length} bytes");
    }
    for (place, bit) in (0..whole.len()).flat_map(|place| [1, 4, 128].map(|bit| (place, bit))) {
        let mut flipped = whole.clone();
        flipped[place] ^= bit;
        fs::write(&path, &flipped).unwrap();
        assert_eq!(scratch.first_event(at(NOON)), (at(NOON), false), "bit {bit} of byte {place}");
    }
    fs::write(&path, whole.repeat(1000)).unwrap();
    assert_eq!(scratch.first_event(at(NOON)), (at(NOON), false), "too long");
}

#[test]
fn file_never_goes_back_and_only_its_owner_reads_it() {
    let scratch = Scratch::new();
    let mut file = EventTimeFile::in_folder(&scratch.0);
    let kept = |seconds, is_final| Kept { time: at(seconds), is_final };
    for (written, then) in [
        (kept(2, false), kept(2, false)),
        (kept(1, true), kept(2, false)),
        (kept(2, true), kept(2, true)),
        (kept(2, false), kept(2, true)),
        (kept(3, false), kept(3, false)),
    ] {
        file.write(written).unwrap();
        assert_eq!(scratch.kept(), Some(then));
    }
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

async fn wait_for_kept(scratch: &Scratch, kept: Kept) {
    let written = async {
        while scratch.kept() != Some(kept) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), written).await.unwrap();
}

#[tokio::test]
async fn time_is_written_after_an_event_and_is_final_at_the_end() {
    let scratch = Scratch::new();
    let (mut clock, writer, _) = scratch.open(at(NOON));
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone()));
    for seconds in [NOON, NOON + 1] {
        wait_for_kept(&scratch, Kept { time: clock.time(at(seconds)), is_final: false }).await;
    }
    clock.time(at(NOON + 2));
    stop.cancel();
    running.await.unwrap();
    assert_eq!(scratch.kept(), Some(Kept { time: at(NOON + 2), is_final: true }));
}

#[tokio::test]
async fn process_without_events_leaves_the_time_of_the_one_before() {
    let kept = Kept { time: at(NOON), is_final: false };
    let scratch = Scratch::with(kept.time, kept.is_final);
    let (_clock, writer, _) = scratch.open(at(NOON));
    let stop = CancellationToken::new();
    stop.cancel();
    writer.run(stop).await;
    assert_eq!(scratch.kept(), Some(kept));
}

/// Opening a pipe for writing blocks until another process or thread opens it for reading.
#[tokio::test]
async fn disk_that_hangs_delays_no_event_and_the_end_only_shortly() {
    let scratch = Scratch::new();
    let (mut clock, writer, _) = scratch.open(at(NOON));
    let pipe = scratch.0.join("event-time.new");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone()));
    let began = Instant::now();
    for second in 0..100 {
        clock.time(at(NOON + second));
        tokio::task::yield_now().await;
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap();
    assert_eq!(scratch.kept(), None, "it hangs");
    // Lets the threads end.
    drop(fs::File::open(&pipe).unwrap());
}
