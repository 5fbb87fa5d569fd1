//! A durable queue of byte records on disk, first in, first out. It knows nothing of what the bytes mean.
//!
//! A record is answered [`Ok`] once it is synced; one sync serves all that wait for it. All work on the store is done by
//! one thread, in the order of the calls, so callers never block.

use std::{
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, mpsc},
    task::{Context, Poll},
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

use self::{
    disk::Folder,
    fault::Fault,
    keeper::{Group, Keeper},
    standing::Standing,
    store::Shelf,
    worker::{Answer, Request},
};
pub use self::{
    error::{AppendError, OpenError, Unreadable},
    salvage::{StoreFile, Summary, files, salvage},
};
use crate::{domain::Timestamp, telemetry::Metrics};

mod disk;
mod error;
mod fault;
mod frame;
mod keeper;
mod salvage;
mod standing;
mod store;
#[cfg(test)]
mod tests;
mod worker;

/// How much the spool may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the records, parked ones among them, each with its frame. The file itself is somewhat larger.
    pub max_bytes: u64,
    /// Bytes that must stay free on the file system.
    pub min_free_bytes: u64,
}

/// Where a record stands in the queue. Positions ascend and are not used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// The bare number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl From<u64> for Position {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

/// A stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// What was appended.
    pub bytes: Vec<u8>,
}

/// How much to read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// At most so many entries.
    pub entries: usize,
    /// About so many bytes, but always one entry.
    pub bytes: usize,
}

/// The handle of the queue, cheap to clone.
#[derive(Debug, Clone)]
pub struct Spool {
    requests: mpsc::Sender<Request>,
    standing: Arc<Standing>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Spool {
    /// Opens the folder, or makes it (0700, its files 0600), takes its lock and opens or makes the store. Blocks.
    ///
    /// A damaged store is set aside and a fresh one is started.
    ///
    /// # Errors
    /// When the folder cannot be used, another process uses it, or a newer version wrote it.
    pub fn open(folder: &Path, limits: Limits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        Self::start(folder, limits, metrics, |_| Ok(()))
    }

    /// The same, and puts what was parked back into its places in the queue, as far as it is whole: what was in the
    /// way then may not be now.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_and_unpark(folder: &Path, limits: Limits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        Self::start(folder, limits, metrics, Keeper::unpark)
    }

    /// A spool that keeps nothing: what is appended is refused. For commands, whose caller can try again.
    #[must_use]
    pub fn none(metrics: Arc<Metrics>) -> Self {
        let (requests, _nobody) = mpsc::channel();
        Self { requests, standing: Arc::new(Standing::new(metrics)), thread: Arc::default() }
    }

    fn start(
        folder: &Path,
        limits: Limits,
        metrics: Arc<Metrics>,
        begin: impl FnOnce(&mut Keeper<Folder>) -> Result<(), Fault>,
    ) -> Result<Self, OpenError> {
        let standing = Arc::new(Standing::new(metrics));
        let disk = Folder::open(folder)?;
        let mut keeper = Keeper::open(disk, limits, standing.clone()).map_err(|fault| OpenError::of(folder, fault))?;
        begin(&mut keeper).map_err(|fault| OpenError::of(folder, fault))?;
        let (requests, asked) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || worker::run(keeper, &asked))
            .map_err(|source| OpenError::of(folder, source.into()))?;
        Ok(Self { requests, standing, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Queues the entries in the order of the calls: all of them or none. Never blocks; ready once they are durable.
    pub fn append(&self, entries: Vec<Vec<u8>>) -> Appended {
        self.append_to(Shelf::Queue, entries)
    }

    /// The same, but the entries are parked at once: they are kept durably, and nothing waits for them.
    pub fn append_parked(&self, entries: Vec<Vec<u8>>) -> Appended {
        self.append_to(Shelf::Parked, entries)
    }

    fn append_to(&self, shelf: Shelf, records: Vec<Vec<u8>>) -> Appended {
        let (answer, stored) = oneshot::channel();
        self.send(Request::Append(Group { shelf, records }, answer));
        Appended(stored)
    }

    /// The entries behind `after` (`None`: from the first).
    ///
    /// # Errors
    /// When the store cannot be read at the moment.
    pub async fn read(&self, after: Option<Position>, most: Batch) -> Result<Vec<Entry>, Unreadable> {
        self.ask(|answer| Request::Read(after, most, answer)).await
    }

    /// The parked entries behind `after` (`None`: from the first), as far as they are whole.
    ///
    /// # Errors
    /// When the store cannot be read at the moment.
    pub async fn parked(&self, after: Option<Position>, most: Batch) -> Result<Vec<Entry>, Unreadable> {
        self.ask(|answer| Request::Parked(after, most, answer)).await
    }

    /// Forgets all entries up to and including this one, durably.
    ///
    /// # Errors
    /// When the store cannot be changed at the moment; they may be forgotten nevertheless.
    pub async fn remove_through(&self, last: Position) -> Result<(), Unreadable> {
        self.ask(|answer| Request::Remove(last, answer)).await
    }

    /// Takes one entry out of the queue's way, durably. It is kept for an operator.
    ///
    /// # Errors
    /// When the store cannot be changed at the moment; the entry may be parked nevertheless.
    pub async fn park(&self, position: Position) -> Result<(), Unreadable> {
        self.ask(|answer| Request::Park(position, answer)).await
    }

    /// Forgets one parked entry, durably.
    ///
    /// # Errors
    /// When the store cannot be changed at the moment; the entry may be forgotten nevertheless.
    pub async fn remove_parked(&self, position: Position) -> Result<(), Unreadable> {
        self.ask(|answer| Request::RemoveParked(position, answer)).await
    }

    /// Whether nothing is stored. Appends that still wait are not counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events() == 0
    }

    /// How many entries are stored.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.standing.events()
    }

    /// Whether entries can be stored now: neither a limit is reached nor is the store out of order.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.standing.has_room()
    }

    /// Finishes what was asked before, closes the store and gives up the lock. Blocks until all is done.
    pub fn close(self) {
        self.send(Request::Close);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// When the thread is gone the request is dropped, and with it the sender of its answer.
    fn send(&self, request: Request) {
        let _ = self.requests.send(request);
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T, Unreadable>) -> Request) -> Result<T, Unreadable> {
        let (answer, answered) = oneshot::channel();
        self.send(request(answer));
        answered.await.unwrap_or(Err(Unreadable))
    }
}

/// Ready once what was appended is durable, or is known not to be.
#[derive(Debug)]
#[must_use = "entries are stored only when this says so"]
pub struct Appended(oneshot::Receiver<Result<(), AppendError>>);

impl Future for Appended {
    type Output = Result<(), AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(AppendError::Failed)))
    }
}
