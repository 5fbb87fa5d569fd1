//! Tries every interleaving of the threads that change the table, with loom.
//!
//! The table changes its numbers with relaxed orderings. loom also tries the values that these permit to be seen, and it
//! tries all interleavings within its bound, not a sample of them, so it fits better here than a tool that only schedules
//! threads. The table is compiled a second time for this, with loom's types in the place of its own.

#[path = "table.rs"]
#[expect(clippy::duplicate_mod, reason = "this copy has the types of loom")]
mod table;

mod limits {
    pub(super) use crate::http_server::limits::ConnectionLimits;
}

mod primitives {
    pub(super) use loom::sync::{
        MutexGuard,
        atomic::{AtomicU64, AtomicUsize},
    };

    /// A lock without poisoning.
    #[derive(Debug)]
    pub(super) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(super) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use loom::thread;

use self::{limits::ConnectionLimits, table::ConnectionTable};

/// How often a thread is interrupted at most at a point where it could continue. Errors that need more are rare.
const PREEMPTIONS: usize = 3;

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(model);
}

fn table_for<S>(active: usize, held: usize) -> Arc<ConnectionTable<S>> {
    ConnectionTable::new(ConnectionLimits { active, active_bytes: 10, held, open: held })
}

#[test]
fn connection_is_either_active_or_evicted() {
    explore(|| {
        let table = table_for(2, 1);
        let (first, _) = table.add("first");
        let newcomer = thread::spawn({
            let table = Arc::clone(&table);
            move || {
                let (second, evicted) = table.add("second");
                (second, evicted.map(|connection| connection.socket))
            }
        });
        let request = first.activate(1);
        let (_second, evicted) = newcomer.join().unwrap();
        assert_eq!(request.is_none(), evicted == Some("first"));
        assert_eq!(table.held_connections(), 1, "one of the two is evicted, since the newcomer is idle");
        drop(request);
        assert_eq!(table.counts(), (0, 0));
    });
}

#[test]
fn evicted_connection_stays_evicted_when_its_request_just_finished() {
    explore(|| {
        let table = table_for(2, 1);
        let (first, _) = table.add("first");
        let request = first.activate(1);
        let finishing = thread::spawn(move || drop(request));
        let newcomer = thread::spawn({
            let table = Arc::clone(&table);
            move || {
                let (second, evicted) = table.add("second");
                (second, evicted.map(|connection| connection.socket))
            }
        });
        finishing.join().unwrap();
        let (_second, evicted) = newcomer.join().unwrap();
        assert_eq!(first.activate(1).is_none(), evicted == Some("first"));
        assert_eq!(table.held_connections(), 1);
        assert_eq!(table.counts(), (0, 0));
    });
}

/// Two threads that each activate a connection with a request of 6 bytes, and finish it. `inside` counts those in between.
fn race_for_a_request(active: usize) {
    explore(move || {
        let table = table_for(active, 2);
        let inside = Arc::new(AtomicUsize::new(0));
        let compete = |name: &'static str| {
            let ((connection, _), inside) = (table.add(name), Arc::clone(&inside));
            move || {
                let Some(request) = connection.activate(6) else { return false };
                assert_eq!(inside.fetch_add(1, Relaxed), 0, "the limit is one request");
                thread::yield_now();
                inside.fetch_sub(1, Relaxed);
                drop(request);
                true
            }
        };
        let (first, second) = (compete("first"), compete("second"));
        let first = thread::spawn(first);
        let has_second = second();
        drop(second);
        assert!(first.join().unwrap() || has_second, "one of the two gets the request");
        assert_eq!((table.counts(), table.held_connections()), ((0, 0), 0));
    });
}

#[test]
fn active_requests_never_exceed_their_number() {
    race_for_a_request(1);
}

#[test]
fn active_requests_never_exceed_their_bytes() {
    race_for_a_request(2);
}

#[test]
fn closed_connection_leaves_nothing_behind_while_its_request_is_finished() {
    explore(|| {
        let table = table_for(1, 1);
        let socket = Arc::new(());
        let (closed, _) = table.add(Arc::clone(&socket));
        let request = closed.activate(10).unwrap();
        let finishing = thread::spawn(move || drop(request));
        drop(closed);
        let (other, evicted) = table.add(Arc::new(()));
        assert!(evicted.is_none());
        finishing.join().unwrap();
        assert_eq!(Arc::strong_count(&socket), 1);
        assert!(!other.is_saturated() && other.activate(10).is_some());
        assert_eq!((table.counts(), table.held_connections()), ((0, 0), 1));
        assert_eq!(Arc::strong_count(other.connection()), 2);
    });
}
