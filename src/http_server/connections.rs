//! Limits the connections to a port, and evicts the one that has been idle longest when there are too many.
//!
//! A connection is *idle* until a request on it is complete, and *active* until that request is answered. An idle
//! connection costs its caller nothing, so a caller can open thousands. When there are too many connections, the one that
//! has been idle longest is evicted. An active connection is never evicted. When too many are active, further requests are
//! rejected immediately.
//!
//! # States
//!
//! ```text
//!            accepted
//!               │ admit
//!               ▼          activate
//!             idle ────────────────────────► active
//!             │   ▲                          │    │
//!     evicted,    │   request finished       │    │ connection closed, request
//!    late head,   └──────────────────────────┘    │ not finished yet
//!   rejected  │                                   ▼
//!             ▼                               detached
//!      shut down ──► closed by its worker         │ request finished
//!                                                 ▼
//!                                             finished
//! ```
//!
//! # Invariants
//!
//! - An [`ActiveRequest`] counts once, from [`ConnectionSlot::activate`] until it is dropped, whether or not its connection
//!   still exists. There are never more than `active`, and together they never hold more than `active_bytes`.
//! - A connection is evicted only while it is idle. The change from idle to active and the change from idle to evicted exclude
//!   each other, because both are a compare-and-exchange of the same number.
//! - At most `held` connections are neither evicted nor closed. At most `open` are not closed; the server's accept loop enforces
//!   this limit.
//! - An evicted connection never becomes active again.
//! - A request that outlives its connection holds none of its descriptors.
//! - Only new and closed connections take the lock, and evictions. A request changes atomic numbers only.
//!
//! # Failures
//!
//! | What fails | What follows |
//! |---|---|
//! | the system has no second descriptor for a connection | the connection is shut down immediately |
//! | too many connections | the one that has been idle longest is shut down |
//! | too many active requests, or too many bytes | [`ConnectionSlot::activate`] returns `None` |
//! | the first head is late | the connection is answered 400 and shut down |

use std::{
    cell::{Cell, OnceCell},
    collections::{HashMap, VecDeque},
    io::Write as _,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use actix_web::web::Payload;
use tokio::{
    task::{JoinHandle, spawn_local, yield_now},
    time::sleep,
};

use super::ConnectionLimits;

/// The response to a head that is not complete in time.
const LATE_HEAD_RESPONSE: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 11\r\n\r\nBad Request";

/// All connections of a port.
#[derive(Debug)]
pub struct ConnectionTable {
    limits: ConnectionLimits,
    active: AtomicUsize,
    active_bytes: AtomicUsize,
    /// A logical clock: a connection that becomes idle later has a larger number.
    next_sequence: AtomicU64,
    held: Mutex<HeldConnections>,
}

#[derive(Debug, Default)]
struct HeldConnections {
    /// The connections that were not evicted, by the sequence number with which they were admitted.
    connections: HashMap<Sequence, Arc<Connection>>,
    /// The connections that had been idle longest at the last search: since when, and with which number they were admitted.
    /// One that has been active since then has another `idle_since`, and all other idle connections became idle later.
    candidates: VecDeque<(Sequence, Sequence)>,
}

type Sequence = u64;

/// The values of `idle_since` of connections that are not idle.
const ACTIVE: Sequence = 0;
const EVICTED: Sequence = Sequence::MAX;

/// A connection and its state. Its own worker makes it active and idle, and any worker can evict it while it is idle.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    idle_since: AtomicU64,
}

impl Connection {
    fn change_state(&self, from: Sequence, to: Sequence) -> bool {
        self.idle_since.compare_exchange(from, to, Relaxed, Relaxed).is_ok()
    }

    /// Shuts the socket down, from any thread. The worker of the connection notices it and closes the connection. Bytes that
    /// were written before are still sent.
    fn shut_down(&self) {
        // Fails if the caller closed the connection first.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl ConnectionTable {
    /// Creates a table without connections.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            active: AtomicUsize::new(0),
            active_bytes: AtomicUsize::new(0),
            next_sequence: AtomicU64::new(1),
            held: Mutex::default(),
        })
    }

    /// Gives a new connection a slot. If there are too many connections, evicts the one that has been idle longest.
    ///
    /// Returns `None` when the system has no second descriptor, through which the connection could be evicted. Such a
    /// connection is shut down immediately: otherwise its caller could keep it open without limit.
    pub fn admit(self: &Arc<Self>, stream: &impl AsFd) -> Option<ConnectionSlot> {
        let Ok(second) = stream.as_fd().try_clone_to_owned() else {
            let _ = rustix::net::shutdown(stream, rustix::net::Shutdown::ReadWrite);
            return None;
        };
        let (stream, admitted) = (TcpStream::from(second), self.next_sequence());
        let connection = Arc::new(Connection { stream, idle_since: AtomicU64::new(admitted) });
        let evicted = {
            let mut held = self.held();
            held.connections.insert(admitted, Arc::clone(&connection));
            (held.connections.len() > self.limits.held).then(|| held.evict()).flatten()
        };
        if let Some(evicted) = evicted {
            evicted.shut_down();
        }
        let (unread, head_limit) = (OnceCell::new(), Cell::default());
        Some(ConnectionSlot { table: Arc::clone(self), connection, admitted, unread, head_limit })
    }

    fn next_sequence(&self) -> Sequence {
        self.next_sequence.fetch_add(1, Relaxed)
    }

    fn held(&self) -> MutexGuard<'_, HeldConnections> {
        // No code that holds the lock can panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more active request with this many bytes, unless that exceeds a limit. Returns whether it was counted.
    fn count_request(&self, bytes: usize) -> bool {
        if !add_below(&self.active_bytes, bytes, self.limits.active_bytes) {
            return false;
        }
        let counted = add_below(&self.active, 1, self.limits.active);
        if !counted {
            self.active_bytes.fetch_sub(bytes, Relaxed);
        }
        counted
    }
}

#[cfg(test)]
impl ConnectionTable {
    pub(super) fn held_connections(&self) -> usize {
        self.held().connections.len()
    }

    /// The number of active requests and their bytes.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.active.load(Relaxed), self.active_bytes.load(Relaxed))
    }
}

/// Adds to a number unless the sum exceeds the limit. Returns whether it was added.
fn add_below(number: &AtomicUsize, more: usize, limit: usize) -> bool {
    let add = |number: usize| number.checked_add(more).filter(|sum| *sum <= limit);
    number.fetch_update(Relaxed, Relaxed, add).is_ok()
}

impl HeldConnections {
    /// Evicts the connection that has been idle longest, if any is idle.
    fn evict(&mut self) -> Option<Arc<Connection>> {
        loop {
            if self.candidates.is_empty() {
                self.candidates = self.find_candidates();
            }
            let (idle_since, admitted) = self.candidates.pop_front()?;
            let connection = self.connections.get(&admitted);
            if connection.is_some_and(|connection| connection.change_state(idle_since, EVICTED)) {
                return self.connections.remove(&admitted);
            }
        }
    }

    /// Finds the eighth of the idle connections that have been idle longest. With several candidates, not every new connection
    /// has to search all others.
    fn find_candidates(&self) -> VecDeque<(Sequence, Sequence)> {
        let states = self.connections.iter();
        let states = states.map(|(admitted, connection)| (connection.idle_since.load(Relaxed), *admitted));
        let mut idle: Vec<_> = states.filter(|(idle_since, _)| *idle_since != ACTIVE).collect();
        idle.sort_unstable();
        idle.truncate(idle.len().div_ceil(8));
        idle.into()
    }
}

/// The slot of an open connection in its table.
pub struct ConnectionSlot {
    table: Arc<ConnectionTable>,
    connection: Arc<Connection>,
    /// The sequence number with which it was admitted.
    admitted: Sequence,
    /// The unread rest of the body of the last request on this connection.
    unread: OnceCell<Payload>,
    /// Shuts the connection down if its first head is late.
    head_limit: Cell<Option<JoinHandle<()>>>,
}

impl ConnectionSlot {
    /// Whether the limit of active requests is reached, so that there is no use in reading another request.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.table.active.load(Relaxed) >= self.table.limits.active
    }

    /// Counts a complete request that holds `bytes` bytes. The connection is active until the returned value is dropped.
    /// Returns `None` when a limit is reached or the connection was evicted.
    #[must_use]
    pub fn activate(&self, bytes: usize) -> Option<ActiveRequest> {
        let idle_since = self.connection.idle_since.load(Relaxed);
        if idle_since == EVICTED || !self.connection.change_state(idle_since, ACTIVE) {
            return None;
        }
        // Counted only now: an evicted connection must not count even for a moment, or another would be rejected for it.
        if !self.table.count_request(bytes) {
            self.connection.idle_since.store(idle_since, Relaxed);
            return None;
        }
        Some(ActiveRequest { table: Arc::clone(&self.table), connection: Arc::downgrade(&self.connection), bytes })
    }

    /// Marks the request in progress as the last one on this connection. `unread` is the rest of its body. If that were
    /// dropped, actix would read the rest of a chunked body without end; if it is kept, actix closes the connection after a
    /// short time.
    pub fn mark_last_request(&self, unread: Payload) {
        // Set once: later requests on the connection are not answered.
        let _ = self.unread.set(unread);
    }

    /// Whether the last request on this connection was answered.
    #[must_use]
    pub fn has_had_last_request(&self) -> bool {
        self.unread.get().is_some()
    }

    /// Shuts the connection down now.
    pub fn close(&self) {
        self.connection.shut_down();
    }

    /// Answers 400 and shuts the connection down if no head is complete after `limit`. To be called on its worker.
    pub(super) fn limit_first_head(&self, limit: Duration) {
        let connection = Arc::downgrade(&self.connection);
        self.head_limit.set(Some(spawn_local(async move {
            sleep(limit).await;
            // The worker itself may have been busy. During this pause it reads the bytes that have arrived meanwhile.
            yield_now().await;
            if let Some(connection) = connection.upgrade() {
                // The first write to a socket fits into its buffer, so it does not block.
                let _ = (&connection.stream).write(LATE_HEAD_RESPONSE);
                connection.shut_down();
            }
        })));
    }

    /// Ends the time limit for the first head, because a head is complete.
    pub fn on_head(&self) {
        if let Some(limit) = self.head_limit.take() {
            limit.abort();
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.on_head();
        self.table.held().connections.remove(&self.admitted);
    }
}

/// A request in progress. When this is dropped, its connection, if it is still open, becomes idle.
#[derive(Debug)]
#[must_use = "the request counts as finished when this is dropped"]
pub struct ActiveRequest {
    table: Arc<ConnectionTable>,
    /// Weak: a request that outlives its connection must not keep the descriptor.
    connection: Weak<Connection>,
    bytes: usize,
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.idle_since.store(self.table.next_sequence(), Relaxed);
        }
        self.table.active_bytes.fetch_sub(self.bytes, Relaxed);
        self.table.active.fetch_sub(1, Relaxed);
    }
}
