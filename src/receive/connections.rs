//! The connections that are held: how many, and which of them makes room for another.
//!
//! A connection *waits* for its caller until a request of it is complete, and *works* until that request is answered.
//! Waiting costs the caller nothing, so anybody can let connections wait by the thousand; when there are too many, the
//! one that has waited longest is cut. One that works is never cut. Working, beyond the microseconds that a refusal
//! takes, is only for who can sign, and when too many do, what else arrives is refused at once.

use std::{
    cell::OnceCell,
    collections::{HashMap, VecDeque},
    io,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
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

/// All connections of the public port. A request changes numbers only; the lock is for who comes and who goes.
#[derive(Debug)]
pub(super) struct Connections {
    room: Room,
    working: AtomicUsize,
    /// Connections begin to wait in the order of their turns.
    next_turn: AtomicU64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Those that were not cut, by the turn in which they came.
    lines: HashMap<Turn, Arc<Line>>,
    /// Those that had waited longest when they were last looked for, and since when. Who has worked since has another turn,
    /// and whoever else waits began later.
    longest: VecDeque<(Turn, Turn)>,
}

type Turn = u64;

/// In place of the turn of a line on which nobody waits.
const WORKING: Turn = 0;
const CUT: Turn = Turn::MAX;

/// A connection and what it does. It changes between waiting and working itself, and others cut it while it waits.
#[derive(Debug)]
struct Line {
    stream: TcpStream,
    turn: AtomicU64,
}

impl Line {
    fn change(&self, from: Turn, to: Turn) -> bool {
        self.turn.compare_exchange(from, to, Relaxed, Relaxed).is_ok()
    }
}

impl Connections {
    pub(super) fn new(room: Room) -> Arc<Self> {
        Arc::new(Self { room, working: AtomicUsize::new(0), next_turn: AtomicU64::new(1), held: Mutex::default() })
    }

    /// Gives a new connection its seat, at the cost of the one that has waited longest when there is no room.
    ///
    /// # Errors
    /// When the system gives no second descriptor, by which the connection could be cut.
    pub(super) fn admit(self: &Arc<Self>, stream: &impl AsFd) -> io::Result<Seat> {
        let (stream, came) = (TcpStream::from(stream.as_fd().try_clone_to_owned()?), self.turn());
        let line = Arc::new(Line { stream, turn: AtomicU64::new(came) });
        let displaced = {
            let mut held = self.held();
            held.lines.insert(came, Arc::clone(&line));
            (held.lines.len() > self.room.held).then(|| held.displace()).flatten()
        };
        if let Some(longest) = displaced {
            cut(&longest.stream);
        }
        Ok(Seat { connections: Arc::clone(self), line, came, rest: OnceCell::new() })
    }

    fn turn(&self) -> Turn {
        self.next_turn.fetch_add(1, Relaxed)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that holds the lock can panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Takes the one out that has waited longest, if any waits.
    fn displace(&mut self) -> Option<Arc<Line>> {
        loop {
            if self.longest.is_empty() {
                self.longest = self.find_longest();
            }
            let (turn, came) = self.longest.pop_front()?;
            if self.lines.get(&came).is_some_and(|line| line.change(turn, CUT)) {
                return self.lines.remove(&came);
            }
        }
    }

    /// An eighth of those that wait, so that not each that comes has to look at all of them.
    fn find_longest(&self) -> VecDeque<(Turn, Turn)> {
        let turns = self.lines.iter().map(|(came, line)| (line.turn.load(Relaxed), *came));
        let mut waiting: Vec<_> = turns.filter(|(turn, _)| *turn != WORKING).collect();
        waiting.sort_unstable();
        waiting.truncate(waiting.len().div_ceil(8));
        waiting.into()
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
    line: Arc<Line>,
    /// The turn in which it came.
    came: Turn,
    /// What was not read of the body of a refused request, the last one of this connection.
    rest: OnceCell<Payload>,
}

impl Seat {
    /// Whether so many work already that this connection need not send more.
    pub(super) fn is_in_vain(&self) -> bool {
        self.connections.working.load(Relaxed) >= self.connections.room.working
    }

    /// The connection works from now on. `None` when too many do, or when it was cut.
    pub(super) fn work(&self) -> Option<Work<'_>> {
        let Connections { room, working, .. } = &*self.connections;
        let turn = self.line.turn.load(Relaxed);
        if turn == CUT || !self.line.change(turn, WORKING) {
            return None;
        }
        // Only who was not cut is counted, not even for a moment: another would be refused for it.
        let more = |working| (working < room.working).then_some(working + 1);
        if working.fetch_update(Relaxed, Relaxed, more).is_err() {
            self.line.turn.store(turn, Relaxed);
            return None;
        }
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
        cut(&self.line.stream);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.held().lines.remove(&self.came);
    }
}

/// The time in which a connection works. It waits again when this is dropped.
pub(super) struct Work<'s>(&'s Seat);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        let Seat { connections, line, .. } = self.0;
        line.turn.store(connections.turn(), Relaxed);
        connections.working.fetch_sub(1, Relaxed);
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
    fn many_that_come_displace_one_another_in_the_order_in_which_they_began_to_wait() {
        let connections = room_for(64, 64);
        let mut callers: VecDeque<_> = (0..64).map(|_| arrive(&connections)).collect();
        // Every other one has worked in the meantime.
        callers.iter().step_by(2).for_each(|(_, seat)| drop(seat.work()));
        let idle = callers.iter().enumerate().filter(|(number, _)| number % 2 == 1);
        let order: Vec<_> = idle.chain(callers.iter().enumerate().step_by(2)).map(|(number, _)| number).collect();
        for number in order {
            callers.push_back(arrive(&connections));
            let is_next_cut = is_cut(&callers[number].0);
            assert!(is_next_cut && connections.held().lines.len() == 64, "{number}");
        }
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
        assert_eq!((connections.held().lines.len(), connections.working.load(Relaxed)), (0, 0));
    }
}
