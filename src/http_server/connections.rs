//! The connections of a port: how many there are, and which of them makes way for another.
//!
//! A connection *waits* for its caller until a request of it is complete, and *works* until that request is answered.
//! Waiting costs the caller nothing, so anybody can let connections wait by the thousand. When there are too many, the
//! one that has waited longest is cut. One that works is never cut. When too many work, what else arrives is refused at
//! once.
//!
//! ```text
//!            accepted
//!               │ admit
//!               ▼          activate
//!            waiting ─────────────────────► working
//!             │   ▲                          │    │
//!    displaced,   │   request finished       │    │ caller gone, request
//!    late head,   └──────────────────────────┘    │ not finished yet
//!    refused  │                                   ▼
//!             ▼                               detached
//!            cut ──► closed by its worker         │ request finished
//!                                                 ▼
//!                                               gone
//! ```
//!
//! Invariants:
//!
//! - An [`ActiveRequest`] counts once, from [`ConnectionSlot::activate`] to its end, whether or not its connection still
//!   exists. There are never more than `active`, and together they never hold more than `active_bytes`.
//! - A connection is cut for another one only while it waits: the change from waiting to working and the change from
//!   waiting to cut exclude each other, since both exchange the same number.
//! - At most `held` connections are neither cut nor closed. At most `open` are not closed; of that the server's accept
//!   loop takes care.
//! - A connection that was cut never works again.
//! - What outlives a connection holds none of its descriptors.
//! - The lock is for those who come and go. A request changes numbers only.

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

/// The answer to a head that is not complete in time.
const TOO_LATE: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 11\r\n\r\nBad Request";

/// All connections of a port.
#[derive(Debug)]
pub struct ConnectionTable {
    limits: ConnectionLimits,
    active: AtomicUsize,
    active_bytes: AtomicUsize,
    /// Connections begin to wait in the order of their turns.
    next_turn: AtomicU64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Those that were not cut, by the turn in which they came.
    connections: HashMap<Turn, Arc<Connection>>,
    /// Those that had waited longest when they were last looked for, and since when. One that has worked since then has
    /// another turn, and all others that wait began later.
    longest: VecDeque<(Turn, Turn)>,
}

type Turn = u64;

/// In place of the turn of a connection that does not wait.
const WORKING: Turn = 0;
const CUT: Turn = Turn::MAX;

/// A connection and what it does. It changes between waiting and working itself, and others cut it while it waits.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    turn: AtomicU64,
}

impl Connection {
    fn change(&self, from: Turn, to: Turn) -> bool {
        self.turn.compare_exchange(from, to, Relaxed, Relaxed).is_ok()
    }

    /// Ends it, from any thread: its worker sees the end and closes it. What was written still goes out.
    fn cut(&self) {
        // The caller may have been faster.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl ConnectionTable {
    /// A table without connections.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            active: AtomicUsize::new(0),
            active_bytes: AtomicUsize::new(0),
            next_turn: AtomicU64::new(1),
            held: Mutex::default(),
        })
    }

    /// Gives a new connection its slot, at the cost of the one that has waited longest when there are too many.
    ///
    /// `None` when the system gives no second descriptor, by which the connection could be cut. It is then ended at
    /// once: one that could not be cut could stay open as long as its caller likes.
    pub fn admit(self: &Arc<Self>, stream: &impl AsFd) -> Option<ConnectionSlot> {
        let Ok(second) = stream.as_fd().try_clone_to_owned() else {
            let _ = rustix::net::shutdown(stream, rustix::net::Shutdown::ReadWrite);
            return None;
        };
        let (stream, admitted) = (TcpStream::from(second), self.turn());
        let connection = Arc::new(Connection { stream, turn: AtomicU64::new(admitted) });
        let displaced = {
            let mut held = self.held();
            held.connections.insert(admitted, Arc::clone(&connection));
            (held.connections.len() > self.limits.held).then(|| held.displace()).flatten()
        };
        if let Some(longest) = displaced {
            longest.cut();
        }
        let (unread, head_limit) = (OnceCell::new(), Cell::default());
        Some(ConnectionSlot { table: Arc::clone(self), connection, admitted, unread, head_limit })
    }

    fn turn(&self) -> Turn {
        self.next_turn.fetch_add(1, Relaxed)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that holds the lock can panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more active request, unless it would be one too many.
    fn count(&self, bytes: usize) -> bool {
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

    /// Active requests and their bytes.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.active.load(Relaxed), self.active_bytes.load(Relaxed))
    }
}

/// Adds to a number that must not exceed its limit.
fn add_below(number: &AtomicUsize, more: usize, limit: usize) -> bool {
    let add = |number: usize| number.checked_add(more).filter(|sum| *sum <= limit);
    number.fetch_update(Relaxed, Relaxed, add).is_ok()
}

impl Held {
    /// Takes the one out that has waited longest, if any waits.
    fn displace(&mut self) -> Option<Arc<Connection>> {
        loop {
            if self.longest.is_empty() {
                self.longest = self.find_longest();
            }
            let (turn, admitted) = self.longest.pop_front()?;
            if self.connections.get(&admitted).is_some_and(|connection| connection.change(turn, CUT)) {
                return self.connections.remove(&admitted);
            }
        }
    }

    /// An eighth of those that wait, so that not each that comes has to look at all of them.
    fn find_longest(&self) -> VecDeque<(Turn, Turn)> {
        let turns = self.connections.iter().map(|(admitted, connection)| (connection.turn.load(Relaxed), *admitted));
        let mut waiting: Vec<_> = turns.filter(|(turn, _)| *turn != WORKING).collect();
        waiting.sort_unstable();
        waiting.truncate(waiting.len().div_ceil(8));
        waiting.into()
    }
}

/// A connection's place among the others, as long as it is open.
pub struct ConnectionSlot {
    table: Arc<ConnectionTable>,
    connection: Arc<Connection>,
    /// The turn in which it came.
    admitted: Turn,
    /// What was not read of the body of the last request of this connection.
    unread: OnceCell<Payload>,
    /// Ends the connection if its first head is late.
    head_limit: Cell<Option<JoinHandle<()>>>,
}

impl ConnectionSlot {
    /// Whether so many requests are in progress that this connection need not send more.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.table.active.load(Relaxed) >= self.table.limits.active
    }

    /// Counts a request that is complete and holds so many bytes. The connection works from now on, until what is
    /// returned is dropped. `None` when the request is one too many, or when the connection was cut.
    #[must_use]
    pub fn activate(&self, bytes: usize) -> Option<ActiveRequest> {
        let turn = self.connection.turn.load(Relaxed);
        if turn == CUT || !self.connection.change(turn, WORKING) {
            return None;
        }
        // One that was cut is not counted, not even for a moment: another would be refused for it.
        if !self.table.count(bytes) {
            self.connection.turn.store(turn, Relaxed);
            return None;
        }
        Some(ActiveRequest { table: Arc::clone(&self.table), connection: Arc::downgrade(&self.connection), bytes })
    }

    /// The connection has had its last request. actix would read the rest of a chunked body without end if `unread` were
    /// dropped, and closes the connection after a short while if it is kept.
    pub fn leave(&self, unread: Payload) {
        // A connection leaves once: what comes behind its last request is not answered.
        let _ = self.unread.set(unread);
    }

    /// Whether the connection has had its last request.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.unread.get().is_some()
    }

    /// Ends the connection now.
    pub fn close(&self) {
        self.connection.cut();
    }

    /// Answers 400 and ends the connection when no head is complete after `limit`. To be called on its worker.
    pub(super) fn limit_first_head(&self, limit: Duration) {
        let connection = Arc::downgrade(&self.connection);
        self.head_limit.set(Some(spawn_local(async move {
            sleep(limit).await;
            // The worker itself may have been late. In this pause it reads what has arrived meanwhile.
            yield_now().await;
            if let Some(connection) = connection.upgrade() {
                // Nothing else was ever written there, so it does not block.
                let _ = (&connection.stream).write(TOO_LATE);
                connection.cut();
            }
        })));
    }

    /// A head is complete, so there is no limit for the first one any more.
    pub fn head_arrived(&self) {
        if let Some(limit) = self.head_limit.take() {
            limit.abort();
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.head_arrived();
        self.table.held().connections.remove(&self.admitted);
    }
}

/// A request that is in progress. Its connection, if it is still there, waits again when this is dropped.
#[derive(Debug)]
#[must_use = "the request is over when this is dropped"]
pub struct ActiveRequest {
    table: Arc<ConnectionTable>,
    /// Weak: a request that outlives its connection must not keep the descriptor.
    connection: Weak<Connection>,
    bytes: usize,
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.turn.store(self.table.turn(), Relaxed);
        }
        self.table.active_bytes.fetch_sub(self.bytes, Relaxed);
        self.table.active.fetch_sub(1, Relaxed);
    }
}
