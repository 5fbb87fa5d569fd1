//! A durable queue of byte records on disk, first in, first out. It knows nothing of what the bytes mean.
//!
//! # Invariants
//!
//! - A record is answered [`Ok`] only when it is synced. One sync serves all records that wait for it.
//! - Positions ascend and are never used twice, not even after a crash or when the store is lost.
//! - A record leaves the queue when it is removed or parked, and never otherwise. Everything on disk counts towards
//!   [`Limits::max_bytes`]: the queue and the parked records.
//! - What was removed is not read again, also when the store is damaged: see `tombstones`.
//! - No record is read before an older one that is still to be salvaged: see `restore`.
//!
//! # On disk
//!
//! `disk` lists the files of the folder, `store` and `numbers` describe the tables of the store, `frame` the frame around
//! each record, `tombstones` the log of removals. All have formats with a checksum. Stores of older formats are upgraded
//! when they are opened; a store of a newer format is refused.
//!
//! # Failures
//!
//! | What fails | What follows |
//! |---|---|
//! | a write or a sync | the records of that group are not promised, the store is closed and opened again, and the same sync is never tried twice |
//! | the disk is full, or a limit is reached | appends fail at once, until there is space; reads and removals go on |
//! | the disk hangs | appends that wait fail after 13 s; when one call has taken 12 s, further appends fail at once and [`Spool::has_room`] is false until it returns |
//! | more waits than the thread can store | the appends beyond 8,192 or 32 MiB fail at once |
//! | one record is damaged | it is parked |
//! | the store is damaged | it is set aside, a fresh store takes new records at once, and the whole records of the damaged one are put back below them; with damage in both the store and its log of removals, records may be repeated |
//! | the process dies | what was answered [`Ok`] is there; what was removed but not synced is read again |
//!
//! # Threads
//!
//! | Thread | Calls that block | Bounded by |
//! |---|---|---|
//! | `spool` | all work on the store and the files of the folder, one call at a time, without a lock | nothing: it may hang as long as the disk does, and nothing waits for it without a limit. Appends wait 13 s; a stop waits [`Spool::close_within`]; reads and removals wait without a limit on behalf of the drain, which no callback waits for |
//! | `spool-salvage`, while there is something to salvage | reads damaged files, waits for the spool's thread | nothing waits for it but the drain |
//! | `spool-inspect` | accepts and serves one local client at a time | reading and writing time out after 5 s |
//! | the caller of [`Spool::open`] | waits for the store to be opened on the spool's thread | nothing; it logs every 10 s that it still waits |

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::oneshot;

pub use self::{
    appended::Appended,
    disk::Salvage,
    error::{AppendError, OpenError, SpoolUnavailable},
    inspect::inspect,
    salvage::{StoreFile, Summary, files, salvage},
    store::Table,
};
use self::{
    disk::Folder,
    status::SpoolStatus,
    store_error::StoreError,
    supervisor::{Group, StoreSupervisor},
    worker::{Answer, Request, Worker},
};
use crate::{
    domain::Timestamp,
    telemetry::{Metrics, Operation},
};

mod appended;
mod disk;
mod error;
mod frame;
mod inspect;
mod numbers;
mod ranges;
mod records;
mod restore;
mod salvage;
mod status;
mod store;
mod store_error;
mod supervisor;
mod tables;
#[cfg(test)]
mod tests;
mod tombstones;
mod worker;

/// How long [`Spool::close`] waits for the disk.
const TO_CLOSE: Duration = Duration::from_secs(10);

/// How often it is said that the store is still being opened.
const OPENING: Duration = Duration::from_secs(10);

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
    requests: Arc<mpsc::Sender<Request>>,
    standing: Arc<SpoolStatus>,
    thread: Arc<Mutex<Option<Ended>>>,
}

/// The thread that works on the store, and a sign of its end.
#[derive(Debug)]
struct Ended {
    thread: JoinHandle<()>,
    sign: mpsc::Receiver<()>,
}

/// What is done with the records of a spool besides keeping them.
#[derive(Debug, Clone, Copy)]
struct Purpose {
    /// What was parked is put back into the queue.
    unpark: bool,
    /// Damaged stores are salvaged.
    salvage: bool,
    /// Other processes may look into it.
    serve: bool,
}

impl Spool {
    /// Opens the folder, or makes it (0700, its files 0600), takes its lock and opens or makes the store. Blocks.
    ///
    /// A damaged store is set aside, a fresh one is started, and what can be salvaged is put into it.
    ///
    /// # Errors
    /// When the folder cannot be used, another process uses it, or a newer version wrote it.
    pub fn open(folder: &Path, limits: Limits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        Self::start(folder, limits, metrics, Purpose { unpark: false, salvage: true, serve: false })
    }

    /// The same for a service: what was parked is put back into its places in the queue, as far as it is whole, since
    /// what was in the way then may not be now; and [`inspect()`] shows other processes what the spool holds.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_and_unpark(folder: &Path, limits: Limits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        Self::start(folder, limits, metrics, Purpose { unpark: true, salvage: true, serve: true })
    }

    /// The same as [`open`](Self::open), to look into it: damaged stores wait to be salvaged for who empties the spool.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_to_inspect(folder: &Path, limits: Limits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        Self::start(folder, limits, metrics, Purpose { unpark: false, salvage: false, serve: false })
    }

    /// A spool that keeps nothing: what is appended is refused. For commands, whose caller can try again.
    #[must_use]
    pub fn none(metrics: Arc<Metrics>) -> Self {
        let (requests, _closed) = mpsc::channel();
        Self { requests: Arc::new(requests), standing: Arc::new(SpoolStatus::new(metrics)), thread: Arc::default() }
    }

    fn start(folder: &Path, limits: Limits, metrics: Arc<Metrics>, purpose: Purpose) -> Result<Self, OpenError> {
        let disk = Folder::open(folder)?;
        let standing = Arc::new(SpoolStatus::new(metrics));
        let (sender, requests) = mpsc::channel();
        let sender = Arc::new(sender);
        let (opened, is_open) = mpsc::channel();
        let (ended, sign) = mpsc::channel();
        let running = Arc::new(());
        let is_running = Arc::downgrade(&running);
        let work = {
            let (standing, sender) = (Arc::clone(&standing), purpose.salvage.then(|| Arc::downgrade(&sender)));
            move || {
                // Dropped at the end of the thread, whichever way it ends.
                let _signs: (mpsc::Sender<()>, Arc<()>) = (ended, running);
                let keeper = open_store(disk, limits, &standing, purpose);
                let (keeper, result) = keeper.map_or_else(|fault| (None, Err(fault)), |keeper| (Some(keeper), Ok(())));
                let _ = opened.send(result);
                if let Some(keeper) = keeper {
                    Worker { keeper, standing, requests, sender }.run();
                }
            }
        };
        let thread = thread::Builder::new().name("spool".to_owned()).spawn(work);
        let thread = thread.map_err(|source| OpenError::of(folder, source.into()))?;
        wait_until_open(folder, &is_open)?;
        if purpose.serve
            && let Err(error) = inspect::serve(folder, Arc::downgrade(&sender), is_running)
        {
            tracing::warn!(%error, "this process does not show its spool: `trusthub-bridge spool ls` needs it to be stopped");
        }
        Ok(Self { requests: sender, standing, thread: Arc::new(Mutex::new(Some(Ended { thread, sign }))) })
    }

    /// Queues the entries in the order of the calls: all of them or none. Never blocks; ready once they are durable.
    ///
    /// Fails at once when the disk hangs, or when more waits for it than may.
    pub fn append(&self, entries: Vec<Vec<u8>>) -> Appended {
        self.append_to(Table::Queue, entries)
    }

    /// The same, but the entries are parked at once: they are kept durably, and nothing waits for them.
    pub fn append_parked(&self, entries: Vec<Vec<u8>>) -> Appended {
        self.append_to(Table::Parked, entries)
    }

    fn append_to(&self, table: Table, records: Vec<Vec<u8>>) -> Appended {
        let group = Group { table, records };
        let (answer, stored) = oneshot::channel();
        match self.standing.reserve(group.bytes()).filter(|_| !self.standing.is_stalled()) {
            Some(waiting) => self.send(Request::Append(group, waiting, answer)),
            None => drop(answer.send(Err(AppendError::Failed))),
        }
        Appended::new(stored)
    }

    /// The entries behind `after` (`None`: from the first). None of them is newer than one that is still to be salvaged.
    ///
    /// # Errors
    /// When the store cannot be read at the moment, or what comes next is not salvaged yet.
    pub async fn read(&self, after: Option<Position>, most: Batch) -> Result<Vec<Entry>, SpoolUnavailable> {
        self.ask(|answer| Request::Read(after, most, answer)).await
    }

    /// The parked entries behind `after` (`None`: from the first), as far as they are whole.
    ///
    /// # Errors
    /// When the store cannot be read at the moment.
    pub async fn parked(&self, after: Option<Position>, most: Batch) -> Result<Vec<Entry>, SpoolUnavailable> {
        self.ask(|answer| Request::Parked(after, most, answer)).await
    }

    /// The whole entries behind `after` (`None`: from the first), also those that are not to be read yet. Changes nothing.
    ///
    /// # Errors
    /// When the store cannot be read at the moment.
    pub async fn inspect(
        &self,
        table: Table,
        after: Option<Position>,
        most: Batch,
    ) -> Result<Vec<Entry>, SpoolUnavailable> {
        self.ask(|answer| Request::Inspect(table, after, most, answer)).await
    }

    /// Forgets all entries up to and including this one, durably.
    ///
    /// # Errors
    /// When the store cannot be changed at the moment; they may be forgotten nevertheless.
    pub async fn remove_through(&self, last: Position) -> Result<(), SpoolUnavailable> {
        self.ask(|answer| Request::Remove(last, answer)).await
    }

    /// Takes one entry out of the queue's way, durably. It is kept for an operator.
    ///
    /// # Errors
    /// When the store cannot be changed at the moment; the entry may be parked nevertheless.
    pub async fn park(&self, position: Position) -> Result<(), SpoolUnavailable> {
        self.ask(|answer| Request::Park(position, answer)).await
    }

    /// Forgets one parked entry, durably.
    ///
    /// # Errors
    /// When the store cannot be changed at the moment; the entry may be forgotten nevertheless.
    pub async fn remove_parked(&self, position: Position) -> Result<(), SpoolUnavailable> {
        self.ask(|answer| Request::RemoveParked(position, answer)).await
    }

    /// Whether nothing is stored, and nothing is to be salvaged. Appends that still wait are not counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events() == 0 && !self.standing.is_salvaging()
    }

    /// Whether nothing is stored, nothing is to be salvaged, and no append waits. Known also while the disk cannot be read.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.is_empty() && !self.standing.has_waiting()
    }

    /// How many entries are stored.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.standing.events()
    }

    /// Whether entries can be stored now: no limit is reached, the store works, and the disk answers.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.standing.has_room()
    }

    /// Finishes what was asked before, closes the store and gives up the lock. Blocks until all is done, but at most
    /// 10 s.
    pub fn close(self) {
        self.close_within(TO_CLOSE);
    }

    /// The same, and blocks at most for so long. When the disk hangs, what was not answered may be stored or not, as
    /// after a crash.
    pub fn close_within(self, patience: Duration) {
        self.send(Request::Close);
        let ended = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Ended { thread, sign }) = ended else { return };
        if let Err(mpsc::RecvTimeoutError::Timeout) = sign.recv_timeout(patience) {
            tracing::error!("the disk of the spool hangs; the spool is left as after a crash");
        } else {
            let _ = thread.join();
        }
    }

    /// When the thread is gone the request is dropped, and with it the sender of its answer.
    fn send(&self, request: Request) {
        let _ = self.requests.send(request);
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(Answer<T, SpoolUnavailable>) -> Request,
    ) -> Result<T, SpoolUnavailable> {
        let (answer, answered) = oneshot::channel();
        self.send(request(answer));
        answered.await.unwrap_or(Err(SpoolUnavailable))
    }
}

fn open_store(
    disk: Folder,
    limits: Limits,
    standing: &Arc<SpoolStatus>,
    purpose: Purpose,
) -> Result<StoreSupervisor<Folder>, StoreError> {
    let _busy = standing.begin(Operation::SpoolRead);
    let mut keeper = StoreSupervisor::open(disk, limits, Arc::clone(standing))?;
    if purpose.unpark {
        keeper.unpark()?;
    }
    Ok(keeper)
}

fn wait_until_open(folder: &Path, opened: &mpsc::Receiver<Result<(), StoreError>>) -> Result<(), OpenError> {
    loop {
        match opened.recv_timeout(OPENING) {
            Ok(result) => return result.map_err(|fault| OpenError::of(folder, fault)),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                tracing::warn!(folder = %folder.display(), "the spool is still being opened: its disk is slow or hangs");
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(OpenError::of(folder, StoreError::Io(std::io::ErrorKind::BrokenPipe.into())));
            }
        }
    }
}
