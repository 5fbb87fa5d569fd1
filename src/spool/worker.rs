//! The thread that does all work on the store, in the order of the calls.
//!
//! It is the only thread that touches the store, and it may hang for as long as the disk does: callers never wait for it
//! without a limit. What waits for it is bounded: appends by number and size, everything else by its callers, of which
//! each waits for one answer before it asks again.

use std::{
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    AppendError, Batch, Entry, Position, SpoolUnavailable,
    disk::{Disk, Raw},
    restore::Restored,
    salvage::{Chunk, Reader},
    status::{SpoolStatus, Waiting},
    store::Table,
    supervisor::{Group, StoreSupervisor},
};
use crate::telemetry::Operation;

/// How often the store looks for what changes with time.
const TICK: Duration = Duration::from_secs(1);

/// One sync serves at most about so many bytes, so that a group does not fill the memory.
const GROUP_BYTES: usize = 8 << 20;

/// Between two tries to store what was salvaged.
const PAUSE: Duration = Duration::from_secs(1);

/// Where an answer goes.
pub(super) type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    /// To store records together.
    Append(Group, Waiting, Answer<(), AppendError>),
    /// To read what waits.
    Read(Option<Position>, Batch, Answer<Vec<Entry>, SpoolUnavailable>),
    /// To read what was taken out of the way.
    Parked(Option<Position>, Batch, Answer<Vec<Entry>, SpoolUnavailable>),
    /// To read one of the tables, and change nothing.
    Inspect(Table, Option<Position>, Batch, Answer<Vec<Entry>, SpoolUnavailable>),
    /// To forget.
    Remove(Position, Answer<(), SpoolUnavailable>),
    /// To take out of the way.
    Park(Position, Answer<(), SpoolUnavailable>),
    /// To forget what was taken out of the way.
    RemoveParked(Position, Answer<(), SpoolUnavailable>),
    /// To store what was salvaged: in which salvage, what, and whether nothing was missing so far.
    Restore(u64, Arc<Chunk>, bool, Answer<Restored, SpoolUnavailable>),
    /// To end.
    Close,
}

/// The thread's part of the spool.
pub(super) struct Worker<D: Disk> {
    pub(super) keeper: StoreSupervisor<D>,
    pub(super) standing: Arc<SpoolStatus>,
    pub(super) requests: Receiver<Request>,
    /// For the threads that salvage; they must not keep the thread when every handle of the spool is gone. Without it
    /// nothing is salvaged.
    pub(super) sender: Option<Weak<Sender<Request>>>,
}

impl<D: Disk> Worker<D> {
    /// Serves requests until it is told to close, or nothing is left that could ask.
    pub(super) fn run(mut self) {
        let mut ahead = None;
        let mut ticked = Instant::now();
        self.salvage();
        loop {
            match ahead.take().map_or_else(|| self.requests.recv_timeout(TICK), Ok) {
                Ok(Request::Close) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Request::Append(group, waiting, answer)) => ahead = self.append(group, waiting, answer),
                Ok(request) => self.serve(request),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if ticked.elapsed() >= TICK {
                let _busy = self.standing.begin(Operation::SpoolRead);
                self.keeper.tick();
                self.salvage();
                ticked = Instant::now();
            }
        }
    }

    fn serve(&mut self, request: Request) {
        let keeper = &mut self.keeper;
        let _busy = self.standing.begin(request.operation());
        match request {
            Request::Read(after, most, answer) => reply(answer, keeper.read(after, most)),
            Request::Parked(after, most, answer) => reply(answer, keeper.parked(after, most)),
            Request::Inspect(table, after, most, answer) => reply(answer, keeper.inspect(table, after, most)),
            Request::Remove(last, answer) => reply(answer, keeper.remove_through(last)),
            Request::Park(position, answer) => reply(answer, keeper.park(position)),
            Request::RemoveParked(position, answer) => reply(answer, keeper.remove_parked(position)),
            Request::Restore(generation, chunk, complete, answer) => {
                reply(answer, keeper.restore(generation, &chunk, complete));
            }
            // Both are served by the loop.
            Request::Append(..) | Request::Close => {}
        }
    }

    /// Stores these records and all that wait behind them with one sync. Returns the request that ended the group.
    fn append(&mut self, group: Group, waiting: Waiting, answer: Answer<(), AppendError>) -> Option<Request> {
        let mut bytes = group.bytes();
        let (mut groups, mut answers) = (vec![group], vec![(waiting, answer)]);
        let mut ahead = None;
        while bytes < GROUP_BYTES && ahead.is_none() {
            match self.requests.try_recv() {
                Ok(Request::Append(group, waiting, answer)) => {
                    bytes = bytes.saturating_add(group.bytes());
                    groups.push(group);
                    answers.push((waiting, answer));
                }
                Ok(other) => ahead = Some(other),
                Err(_) => break,
            }
        }
        let busy = self.standing.begin(Operation::SpoolWrite);
        let results = self.keeper.append(&groups);
        drop((busy, groups));
        for ((waiting, answer), result) in answers.into_iter().zip(results) {
            drop(waiting);
            reply(answer, result);
        }
        ahead
    }

    /// Begins what is to be salvaged, on a thread of its own.
    fn salvage(&mut self) {
        let Some(sender) = &self.sender else { return };
        let Some((generation, reader)) = self.keeper.take_salvage() else { return };
        let sender = Weak::clone(sender);
        let thread = thread::Builder::new().name("spool-salvage".to_owned());
        if let Err(error) = thread.spawn(move || salvage(&sender, generation, reader)) {
            tracing::warn!(%error, "cannot start a thread to salvage the damaged spool; trying again");
            self.keeper.postpone_salvage();
        }
    }
}

impl Request {
    fn operation(&self) -> Operation {
        match self {
            Self::Read(..) | Self::Parked(..) | Self::Inspect(..) => Operation::SpoolRead,
            _ => Operation::SpoolWrite,
        }
    }
}

/// Hands over what can be read, chunk by chunk, until everything is taken or the spool is closed.
fn salvage<R: Raw>(requests: &Weak<Sender<Request>>, generation: u64, mut reader: Reader<R>) {
    loop {
        let chunk = Arc::new(reader.next_chunk());
        loop {
            let (answer, answered) = oneshot::channel();
            let request = Request::Restore(generation, Arc::clone(&chunk), reader.is_complete(), answer);
            let is_sent = requests.upgrade().is_some_and(|requests| requests.send(request).is_ok());
            match answered.blocking_recv() {
                Ok(Ok(Restored::Stored)) => break,
                Ok(Err(SpoolUnavailable)) if is_sent => thread::sleep(PAUSE),
                _ => return,
            }
        }
        if chunk.is_last() {
            return;
        }
    }
}

/// Who does not wait any more does not need the answer.
fn reply<T, E>(answer: Answer<T, E>, result: Result<T, E>) {
    let _ = answer.send(result);
}
