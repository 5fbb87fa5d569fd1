//! The connections that are held: how many, and which of them makes room for another.
//!
//! A connection *waits* for its caller until a request of it is complete, and *works* until that request is answered.
//! Waiting costs the caller nothing, so anybody can let connections wait by the thousand; when there are too many, the
//! one that has waited longest is cut. One that works is never cut. Working, beyond the microseconds that a refusal
//! takes, is only for who can sign, and when too many do, what else arrives is refused at once.

use std::{
    cell::{Cell, OnceCell},
    collections::BTreeMap,
    io,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_web::web::Payload;

/// The least number of connections that may wait while all others work.
const LEAST_RESERVE: usize = 64;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// At work at the same time.
    working: usize,
    /// At work or waiting. The difference gives each new caller the time to say something.
    held: usize,
    /// Open in any way: also those that were cut and not yet closed, and those that were not yet looked at.
    pub(super) open: usize,
}

impl Room {
    /// Room in which so many work.
    pub(super) fn for_work(working: usize) -> Self {
        let reserve = (working / 4).max(LEAST_RESERVE);
        let held = working.saturating_add(reserve);
        Self { working, held, open: held.saturating_add(reserve) }
    }
}

/// All connections of the public port.
#[derive(Debug)]
pub(super) struct Connections {
    room: Room,
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    /// In the order in which they began to wait.
    waiting: BTreeMap<u64, Arc<TcpStream>>,
    next: u64,
    working: usize,
}

impl Standing {
    fn wait(&mut self, stream: &Arc<TcpStream>) -> u64 {
        let turn = self.next;
        self.next += 1;
        self.waiting.insert(turn, Arc::clone(stream));
        turn
    }
}

impl Connections {
    pub(super) fn new(room: Room) -> Arc<Self> {
        Arc::new(Self { room, standing: Mutex::default() })
    }

    /// Gives a new connection its seat, at the cost of the one that has waited longest when there is no room.
    ///
    /// # Errors
    /// When the system gives no second descriptor, by which the connection could be cut.
    pub(super) fn admit(self: &Arc<Self>, stream: &impl AsFd) -> io::Result<Seat> {
        let stream = Arc::new(TcpStream::from(stream.as_fd().try_clone_to_owned()?));
        let (turn, displaced) = {
            let mut standing = self.standing();
            let turn = standing.wait(&stream);
            let held = standing.waiting.len() + standing.working;
            (turn, (held > self.room.held).then(|| standing.waiting.pop_first()).flatten())
        };
        if let Some((_, longest)) = displaced {
            cut(&longest);
        }
        Ok(Seat { connections: Arc::clone(self), stream, turn: Cell::new(turn), rest: OnceCell::new() })
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        // Nothing that holds the lock can panic.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a connection from another thread than its own, which sees its end and closes it. What was written still goes
/// out.
fn cut(stream: &TcpStream) {
    // The caller may have been faster.
    let _ = stream.shutdown(Shutdown::Both);
}

/// A connection's place among the others, as long as it is open.
pub(super) struct Seat {
    connections: Arc<Connections>,
    stream: Arc<TcpStream>,
    turn: Cell<u64>,
    /// What was not read of the body of a refused request, the last one of this connection.
    rest: OnceCell<Payload>,
}

impl Seat {
    /// Whether so many work already that this connection need not send more.
    pub(super) fn is_in_vain(&self) -> bool {
        self.connections.standing().working >= self.connections.room.working
    }

    /// The connection works from now on. `None` when too many do, or when it was cut.
    pub(super) fn work(&self) -> Option<Work<'_>> {
        let mut standing = self.connections.standing();
        if standing.working >= self.connections.room.working {
            return None;
        }
        standing.waiting.remove(&self.turn.get())?;
        standing.working += 1;
        Some(Work(self))
    }

    /// The connection has had its last request. actix would read the rest of a chunked body for ever if nobody held
    /// on to it, and closes the connection after a short while if somebody does.
    pub(super) fn leave(&self, rest: Payload) {
        // A connection leaves once: what comes behind its last request is not answered.
        let _ = self.rest.set(rest);
    }

    /// Whether the connection has had its last request.
    pub(super) fn has_left(&self) -> bool {
        self.rest.get().is_some()
    }

    /// Ends the connection now.
    pub(super) fn cut(&self) {
        cut(&self.stream);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.standing().waiting.remove(&self.turn.get());
    }
}

/// The time in which a connection works. It waits again when this is dropped.
pub(super) struct Work<'s>(&'s Seat);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        let mut standing = self.0.connections.standing();
        standing.working -= 1;
        self.0.turn.set(standing.wait(&self.0.stream));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{ErrorKind, Read as _},
        net::TcpListener,
    };

    use super::*;

    /// The caller's end of a connection, and its seat. The server's end is open as long as the seat.
    fn arrive(connections: &Arc<Connections>) -> (TcpStream, Seat) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        caller.set_nonblocking(true).unwrap();
        let (stream, _) = listener.accept().unwrap();
        (caller, connections.admit(&stream).unwrap())
    }

    fn is_cut(mut caller: &TcpStream) -> bool {
        match caller.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    fn room_for(working: usize, held: usize) -> Arc<Connections> {
        Connections::new(Room { working, held, open: held })
    }

    #[test]
    fn who_has_waited_longest_makes_room_and_who_works_stays() {
        let connections = room_for(2, 3);
        let callers: Vec<_> = (0..3).map(|_| arrive(&connections)).collect();
        drop(callers[1].1.work());
        let work = callers[0].1.work();
        let more: Vec<_> = (0..2).map(|_| arrive(&connections)).collect();
        let cut: Vec<_> = callers.iter().chain(&more).map(|(caller, _)| is_cut(caller)).collect();
        assert_eq!(cut, [false, true, true, false, false]);
        drop(work);
    }

    #[test]
    fn only_so_many_work_and_the_next_one_may_as_soon_as_one_is_done() {
        let connections = room_for(1, 3);
        let callers: Vec<_> = (0..2).map(|_| arrive(&connections)).collect();
        let work = callers[0].1.work();
        assert!(work.is_some() && callers[1].1.is_in_vain() && callers[1].1.work().is_none());
        drop(work);
        assert!(!callers[1].1.is_in_vain() && callers[1].1.work().is_some());
    }

    #[test]
    fn who_was_cut_does_not_work() {
        let connections = room_for(1, 1);
        let callers: Vec<_> = (0..2).map(|_| arrive(&connections)).collect();
        assert!(is_cut(&callers[0].0) && callers[0].1.work().is_none());
        assert!(callers[1].1.work().is_some());
    }

    #[test]
    fn who_is_gone_leaves_nothing_behind() {
        let connections = room_for(1, 2);
        let gone: Vec<_> = (0..2).map(|_| arrive(&connections)).collect();
        drop(gone[0].1.work());
        drop(gone);
        let standing = connections.standing();
        assert_eq!((standing.waiting.len(), standing.working), (0, 0));
    }
}
