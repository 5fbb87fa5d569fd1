//! Ends the test process when a test hangs, and names the test: libtest has no time limit.
//!
//! A wait has a deadline of its own, [`TIMEOUT`](super::TIMEOUT) or less. This limit is for everything else that can
//! block for an unlimited time, such as a test that joins its threads. It covers each test that uses this crate, from its
//! first use on. libtest runs each test on a thread with the name of the test, and the thread ends with the test.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write as _,
    process,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::executable;

/// Many times as long as the longest test takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Another limit in seconds, for a machine that is slower still.
const LIMIT_VARIABLE: &str = "TEST_TIME_LIMIT_SECS";

/// The interval at which the running tests are checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Each running test and the time of its first use of this crate.
static RUNNING: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());

/// Limits the time of the test that this thread runs. Does nothing on other threads.
pub(crate) fn watch_this_test() {
    thread_local! {
        static WATCHED: Option<WatchedTest> = WatchedTest::of_this_thread();
    }
    // Fails while the thread ends, when there is nothing more to watch.
    let _ = WATCHED.try_with(|_| ());
}

/// A test that runs until this is dropped, which happens at the end of its thread.
struct WatchedTest(String);

impl WatchedTest {
    /// Other threads have no name, or one without the path of a module.
    fn of_this_thread() -> Option<Self> {
        let name = thread::current().name().filter(|name| name.contains("::"))?.to_owned();
        start();
        running().insert(name.clone(), Instant::now());
        Some(Self(name))
    }
}

impl Drop for WatchedTest {
    fn drop(&mut self) {
        running().remove(&self.0);
    }
}

fn running() -> MutexGuard<'static, BTreeMap<String, Instant>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that checks the tests, once.
fn start() {
    static STARTED: LazyLock<()> = LazyLock::new(|| drop(thread::spawn(check)));
    LazyLock::force(&STARTED);
}

fn check() {
    let seconds = env::var(LIMIT_VARIABLE).ok();
    let limit = seconds.map_or(LIMIT, |seconds| Duration::from_secs(seconds.parse().expect("a number of seconds")));
    loop {
        let overdue = overdue(&running(), limit, Instant::now());
        if !overdue.is_empty() {
            // Not `eprintln!`, which libtest may capture.
            let _ = writeln!(std::io::stderr(), "still running after {limit:?}: {}", overdue.join(", "));
            kill_programs();
            process::abort();
        }
        thread::sleep(CHECK_INTERVAL);
    }
}

/// The tests that have run for longer than the limit.
fn overdue(running: &BTreeMap<String, Instant>, limit: Duration, now: Instant) -> Vec<String> {
    let late = running.iter().filter(|(_, began)| now.duration_since(**began) > limit);
    late.map(|(name, _)| name.clone()).collect()
}

/// Kills all programs under test: nothing else would end them. Brokers and proxies end when their input does.
fn kill_programs() {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children = threads.flat_map(|thread| {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()
    });
    for child in children {
        if fs::read_link(format!("/proc/{child}/exe")).is_ok_and(|file| file == executable::path()) {
            executable::kill("KILL", child);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt as _, process::Command};

    use super::*;

    #[test]
    fn test_is_watched_until_its_thread_ends() {
        const NAME: &str = "example::of_a_test";
        let watch = || {
            watch_this_test();
            running().contains_key(NAME)
        };
        assert!(thread::Builder::new().name(NAME.to_owned()).spawn(watch).unwrap().join().unwrap());
        assert!(!running().contains_key(NAME));
    }

    #[test]
    fn tests_beyond_the_limit_are_overdue() {
        let (now, limit) = (Instant::now(), Duration::from_secs(2));
        let running = [("old".to_owned(), now), ("new".to_owned(), now + limit)].into();
        assert_eq!(overdue(&running, limit, now + limit), Vec::<String>::new());
        assert_eq!(overdue(&running, limit, now + limit + CHECK_INTERVAL), ["old"]);
    }

    /// The test starts itself in another process, in which it hangs.
    #[test]
    fn hanging_test_ends_the_process_and_is_named() {
        const TEST: &str = "watchdog::tests::hanging_test_ends_the_process_and_is_named";
        if env::var_os(LIMIT_VARIABLE).is_some_and(|seconds| seconds == "0") {
            watch_this_test();
            loop {
                thread::park();
            }
        }
        let mut test = Command::new(env::current_exe().unwrap());
        let output = test.args(["--exact", TEST]).env(LIMIT_VARIABLE, "0").output().unwrap();
        assert!(output.status.signal().is_some(), "{:?}", output.status);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(&format!("still running after 0ns: {TEST}")), "{errors}");
    }
}
