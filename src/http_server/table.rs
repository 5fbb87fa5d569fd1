//! Which connections and requests there are, how many there may be, and which connection is evicted. Knows nothing of
//! sockets, so that `model` can try every interleaving of its threads.
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
//! - An [`ActiveRequest`] counts once, from [`AdmittedConnection::activate`] until it is dropped, whether or not its connection
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
//! | too many connections | the one that has been idle longest is evicted |
//! | too many active requests, or too many bytes | [`AdmittedConnection::activate`] returns `None` |

use std::{
    collections::{BTreeMap, VecDeque},
    net::TcpStream,
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
};

use super::{
    limits::ConnectionLimits,
    primitives::{AtomicU64, AtomicUsize, Mutex, MutexGuard},
};

/// All connections of a port. `S` is the socket of a connection.
#[derive(Debug)]
pub(crate) struct ConnectionTable<S = TcpStream> {
    limits: ConnectionLimits,
    active: AtomicUsize,
    active_bytes: AtomicUsize,
    /// A logical clock: a connection that becomes idle later has a larger number.
    next_sequence: AtomicU64,
    held: Mutex<HeldConnections<S>>,
}

#[derive(Debug)]
struct HeldConnections<S> {
    /// The connections that were not evicted, by the sequence number with which they were admitted. Ordered, because loom
    /// needs the same order in each run.
    connections: BTreeMap<Sequence, Arc<Connection<S>>>,
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
pub(super) struct Connection<S> {
    /// The socket, or a second descriptor of it.
    pub(super) socket: S,
    idle_since: AtomicU64,
}

impl<S> Connection<S> {
    fn change_state(&self, from: Sequence, to: Sequence) -> bool {
        self.idle_since.compare_exchange(from, to, Relaxed, Relaxed).is_ok()
    }
}

impl<S> ConnectionTable<S> {
    /// Creates a table without connections.
    #[must_use]
    pub(crate) fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            active: AtomicUsize::new(0),
            active_bytes: AtomicUsize::new(0),
            next_sequence: AtomicU64::new(1),
            held: Mutex::new(HeldConnections { connections: BTreeMap::new(), candidates: VecDeque::new() }),
        })
    }

    /// Adds a connection, which is idle. If there are too many, also returns the one that is evicted for it; the caller shuts
    /// that one down.
    pub(super) fn add(self: &Arc<Self>, socket: S) -> (AdmittedConnection<S>, Option<Arc<Connection<S>>>) {
        let admitted = self.next_sequence();
        let connection = Arc::new(Connection { socket, idle_since: AtomicU64::new(admitted) });
        let evicted = {
            let mut held = self.held();
            held.connections.insert(admitted, Arc::clone(&connection));
            (held.connections.len() > self.limits.held).then(|| held.evict()).flatten()
        };
        (AdmittedConnection { table: Arc::clone(self), connection, admitted }, evicted)
    }

    fn next_sequence(&self) -> Sequence {
        self.next_sequence.fetch_add(1, Relaxed)
    }

    fn held(&self) -> MutexGuard<'_, HeldConnections<S>> {
        self.held.lock()
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
impl<S> ConnectionTable<S> {
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

impl<S> HeldConnections<S> {
    /// Evicts the connection that has been idle longest, if any is idle.
    fn evict(&mut self) -> Option<Arc<Connection<S>>> {
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

/// An open connection in its table, which it leaves when this is dropped.
pub(super) struct AdmittedConnection<S> {
    table: Arc<ConnectionTable<S>>,
    connection: Arc<Connection<S>>,
    /// The sequence number with which it was admitted.
    admitted: Sequence,
}

impl<S> AdmittedConnection<S> {
    /// The connection, which also the table and requests refer to.
    pub(super) fn connection(&self) -> &Arc<Connection<S>> {
        &self.connection
    }

    /// Whether the limit of active requests is reached.
    pub(super) fn is_saturated(&self) -> bool {
        self.table.active.load(Relaxed) >= self.table.limits.active
    }

    /// Counts a complete request that holds `bytes` bytes. The connection is active until the returned value is dropped.
    /// Returns `None` when a limit is reached or the connection was evicted.
    pub(super) fn activate(&self, bytes: usize) -> Option<ActiveRequest<S>> {
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
}

impl<S> Drop for AdmittedConnection<S> {
    fn drop(&mut self) {
        self.table.held().connections.remove(&self.admitted);
    }
}

/// A request in progress. When this is dropped, its connection, if it is still open, becomes idle.
#[derive(Debug)]
#[must_use = "the request counts as finished when this is dropped"]
pub(crate) struct ActiveRequest<S = TcpStream> {
    table: Arc<ConnectionTable<S>>,
    /// Weak: a request that outlives its connection must not keep the descriptor.
    connection: Weak<Connection<S>>,
    bytes: usize,
}

impl<S> Drop for ActiveRequest<S> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.idle_since.store(self.table.next_sequence(), Relaxed);
        }
        self.table.active_bytes.fetch_sub(self.bytes, Relaxed);
        self.table.active.fetch_sub(1, Relaxed);
    }
}
