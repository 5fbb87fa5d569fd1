//! The thread that does all work on the store, in the order of the calls.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    AppendError, Batch, Entry, Position, Unreadable,
    disk::Disk,
    keeper::{Group, Keeper},
};

/// How often the store looks for what changes by itself.
const TICK: Duration = Duration::from_secs(1);

/// One sync serves at most about so many bytes, so that a group does not fill the memory.
const GROUP_BYTES: usize = 8 << 20;

/// Where an answer goes.
pub(super) type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    /// To store records together.
    Append(Group, Answer<(), AppendError>),
    /// To read what waits.
    Read(Option<Position>, Batch, Answer<Vec<Entry>, Unreadable>),
    /// To read what was taken out of the way.
    Parked(Option<Position>, Batch, Answer<Vec<Entry>, Unreadable>),
    /// To forget.
    Remove(Position, Answer<(), Unreadable>),
    /// To take out of the way.
    Park(Position, Answer<(), Unreadable>),
    /// To forget what was taken out of the way.
    RemoveParked(Position, Answer<(), Unreadable>),
    /// To end.
    Close,
}

/// Serves requests until it is told to close, or nobody is left to ask.
pub(super) fn run<D: Disk>(mut keeper: Keeper<D>, requests: &Receiver<Request>) {
    let mut ahead = None;
    let mut ticked = Instant::now();
    loop {
        match ahead.take().map_or_else(|| requests.recv_timeout(TICK), Ok) {
            Ok(Request::Close) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Request::Append(group, answer)) => ahead = append(&mut keeper, requests, group, answer),
            Ok(Request::Read(after, most, answer)) => reply(answer, keeper.read(after, most)),
            Ok(Request::Parked(after, most, answer)) => reply(answer, keeper.parked(after, most)),
            Ok(Request::Remove(last, answer)) => reply(answer, keeper.remove_through(last)),
            Ok(Request::Park(position, answer)) => reply(answer, keeper.park(position)),
            Ok(Request::RemoveParked(position, answer)) => reply(answer, keeper.remove_parked(position)),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if ticked.elapsed() >= TICK {
            keeper.tick();
            ticked = Instant::now();
        }
    }
}

/// Stores these records and all that wait behind them with one sync. Returns the request that ended the group.
fn append<D: Disk>(
    keeper: &mut Keeper<D>,
    requests: &Receiver<Request>,
    group: Group,
    answer: Answer<(), AppendError>,
) -> Option<Request> {
    let mut bytes = group.bytes();
    let (mut groups, mut answers) = (vec![group], vec![answer]);
    let mut ahead = None;
    while bytes < GROUP_BYTES && ahead.is_none() {
        match requests.try_recv() {
            Ok(Request::Append(group, answer)) => {
                bytes = bytes.saturating_add(group.bytes());
                groups.push(group);
                answers.push(answer);
            }
            Ok(other) => ahead = Some(other),
            Err(_) => break,
        }
    }
    for (answer, result) in answers.into_iter().zip(keeper.append(&groups)) {
        reply(answer, result);
    }
    ahead
}

/// Who does not wait any more does not need the answer.
fn reply<T, E>(answer: Answer<T, E>, result: Result<T, E>) {
    let _ = answer.send(result);
}
