//! A durable first-in, first-out queue of byte records on disk. It does not interpret the records.
//!
//! Terms: the *store* is the database file with the records. The *queue* holds the records that wait for Kafka. A *parked*
//! record is kept in the store but does not block the queue. A damaged store is *quarantined*: its file is renamed, and a
//! fresh store takes its place. A *salvage* copies the intact records of quarantined stores into the store in use.
//!
//! # Invariants
//!
//! - An append resolves to [`Ok`] only after the record is synced. One sync serves all appends that wait for it.
//! - Positions ascend and are never reused, not even after a crash or when the store is lost.
//! - A record leaves the queue only when it is removed or parked. Everything on disk counts toward
//!   [`SpoolLimits::max_bytes`]: the queue and the parked records.
//! - A removed record is never read again, not even when the store is damaged: see `tombstones`.
//! - No record is read before an older one that still has to be salvaged: see `restore`.
//!
//! # On-disk format
//!
//! | Part | Described in | Content |
//! |---|---|---|
//! | folder | `disk` | the store in use, quarantined stores, the tombstone log, the lock and the inspection socket |
//! | tables | `store`, `meta` | `queue` and `parked` map positions to frames; `meta` holds one checksummed record: the format version, the next position and the sizes of both tables |
//! | frame | `frame` | a record with its position, its time and a CRC-32 |
//! | tombstone log | `tombstones` | the positions that must never be read again, and the positions that are reserved |
//!
//! The format version is 2. Stores of older formats are upgraded when they are opened; a store of a newer format is
//! rejected and left unchanged.
//!
//! # States of the store
//!
//! ```text
//!             error                  reopened (every second)
//! Open ─────────────────▶ Closed ─────────────────────────────▶ Open
//!   │  damage, twice
//!   └──▶ Quarantined ──▶ fresh store, Open and Salvaging ──▶ Open, salvage done
//! ```
//!
//! While a salvage runs, the fresh store accepts appends, but [`Spool::read`] returns no record that is newer than one
//! that may still be salvaged.
//!
//! # Failure modes
//!
//! | Failure | Consequence |
//! |---|---|
//! | a write or a sync fails | the appends of that group fail, the store is closed and reopened, and the same sync is never retried |
//! | the disk is full, or a limit is reached | appends fail immediately until there is space; reads and removals continue |
//! | the disk hangs | waiting appends fail after 13 s; once a call has taken 12 s, new appends fail immediately and [`Spool::has_space`] is false until the call returns |
//! | more appends wait than the thread can store | appends beyond 8,192 or 32 MiB fail immediately |
//! | one record is damaged | it is parked |
//! | the store is damaged | it is quarantined, a fresh store accepts new records immediately, and the intact records of the damaged store are put back before them; if the tombstone log is damaged as well, removed records may be read again |
//! | the process dies | every record whose append resolved to [`Ok`] is there; a record whose removal was not synced is read again |
//!
//! # Threads
//!
//! | Thread | Blocking calls | Bound |
//! |---|---|---|
//! | `spool` | all work on the store and the files of the folder, one call at a time, without a lock | none: it may hang for as long as the disk does, but no caller waits for it indefinitely. An append waits 13 s, a stop waits [`Spool::close_within`]. Reads and removals wait without a limit, on behalf of the drain, and no callback waits for the drain |
//! | `spool-salvage`, while a salvage runs | reads damaged files, waits for the `spool` thread | none; only the drain waits for it |
//! | `spool-inspect` | accepts and serves one local client at a time | reads and writes time out after 5 s |
//! | the caller of [`Spool::open`] | waits until the `spool` thread has opened the store | none; logs a warning every 10 s |

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::oneshot;

pub use self::{
    disk::SalvageState,
    entry::{Entry, Position, ReadLimit},
    error::{AppendError, OpenError, SpoolUnavailable},
    inspect::inspect,
    pending_append::PendingAppend,
    salvage::{SalvageSummary, StoreFile, list_stores, salvage},
    store::SpoolTable,
};
use self::{
    disk::SpoolFolder,
    status::SpoolStatus,
    store_error::StoreError,
    supervisor::{RecordGroup, StoreSupervisor},
    worker::{ReplySender, Worker, WorkerRequest},
};
use crate::telemetry::{Metrics, Operation};

mod disk;
mod entry;
mod error;
mod frame;
mod inspect;
mod meta;
mod pending_append;
mod position_set;
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
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a warning says that the store is still being opened.
const OPEN_WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// How much the spool may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Total size of all records with their frames, parked ones included. The file itself is somewhat larger.
    pub max_bytes: u64,
    /// Bytes that must stay free on the file system.
    pub min_free_bytes: u64,
}

/// A handle of the queue, cheap to clone.
#[derive(Debug, Clone)]
pub struct Spool {
    requests: Arc<mpsc::Sender<WorkerRequest>>,
    status: Arc<SpoolStatus>,
    thread: Arc<Mutex<Option<WorkerThread>>>,
}

/// The thread that works on the store.
#[derive(Debug)]
struct WorkerThread {
    handle: JoinHandle<()>,
    /// Disconnected when the thread ends.
    ended: mpsc::Receiver<()>,
}

/// Optional tasks of an open spool, besides storing records.
#[derive(Debug, Clone, Copy)]
struct OpenMode {
    /// Put parked records back into the queue.
    unpark: bool,
    /// Salvage quarantined stores.
    salvage: bool,
    /// Let other processes inspect the spool.
    serve: bool,
}

impl Spool {
    /// Opens or creates the folder (mode 0700, its files 0600), locks it, and opens or creates the store. Blocks.
    ///
    /// Quarantines a damaged store, creates a fresh one, and salvages quarantined stores into it.
    ///
    /// # Errors
    /// [`OpenError`] when the folder is unusable, another process uses it, or a newer version wrote it.
    pub fn open(folder: &Path, limits: SpoolLimits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        Self::start(folder, limits, metrics, OpenMode { unpark: false, salvage: true, serve: false })
    }

    /// Like [`open`](Self::open), for a service: intact parked records return to their positions in the queue, since the
    /// reason for parking them may be gone, and [`inspect()`] shows other processes what the spool holds.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_and_unpark(folder: &Path, limits: SpoolLimits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        Self::start(folder, limits, metrics, OpenMode { unpark: true, salvage: true, serve: true })
    }

    /// Like [`open`](Self::open), to inspect the spool: quarantined stores are left for the process that drains it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_to_inspect(folder: &Path, limits: SpoolLimits, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        Self::start(folder, limits, metrics, OpenMode { unpark: false, salvage: false, serve: false })
    }

    /// A spool that stores nothing: every append fails. For commands, whose caller can run them again.
    #[must_use]
    pub fn disabled(metrics: Arc<Metrics>) -> Self {
        let (requests, _closed) = mpsc::channel();
        Self { requests: Arc::new(requests), status: Arc::new(SpoolStatus::new(metrics)), thread: Arc::default() }
    }

    fn start(folder: &Path, limits: SpoolLimits, metrics: Arc<Metrics>, mode: OpenMode) -> Result<Self, OpenError> {
        let disk = SpoolFolder::open(folder)?;
        let status = Arc::new(SpoolStatus::new(metrics));
        let (sender, requests) = mpsc::channel();
        let sender = Arc::new(sender);
        let (open_result, opened) = mpsc::channel();
        let (end_signal, ended) = mpsc::channel();
        let running = Arc::new(());
        let is_running = Arc::downgrade(&running);
        let work = {
            let (status, sender) = (Arc::clone(&status), mode.salvage.then(|| Arc::downgrade(&sender)));
            move || {
                // Dropped when the thread ends, also when it panics.
                let _end_signals: (mpsc::Sender<()>, Arc<()>) = (end_signal, running);
                match open_store(disk, limits, &status, mode) {
                    Ok(supervisor) => {
                        let _ = open_result.send(Ok(()));
                        Worker { supervisor, status, requests, sender }.run();
                    }
                    Err(error) => drop(open_result.send(Err(error))),
                }
            }
        };
        let handle = thread::Builder::new().name("spool".to_owned()).spawn(work);
        let handle = handle.map_err(|source| OpenError::from_store(folder, source.into()))?;
        wait_until_open(folder, &opened)?;
        if mode.serve
            && let Err(error) = inspect::serve(folder, Arc::downgrade(&sender), is_running)
        {
            tracing::warn!(%error, "cannot serve spool inspection: `trusthub-bridge spool ls` works only while this process is stopped");
        }
        let thread = WorkerThread { handle, ended };
        Ok(Self { requests: sender, status, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Appends the entries to the queue, in the order of the calls: all of them or none. Never blocks; the future resolves
    /// once they are durable.
    ///
    /// Fails immediately when the disk hangs or too many appends are waiting for it.
    pub fn append(&self, entries: Vec<Vec<u8>>) -> PendingAppend {
        self.append_to(SpoolTable::Queue, entries)
    }

    /// Like [`append`](Self::append), but parks the entries: they are durable and do not block the queue.
    pub fn append_parked(&self, entries: Vec<Vec<u8>>) -> PendingAppend {
        self.append_to(SpoolTable::Parked, entries)
    }

    fn append_to(&self, table: SpoolTable, records: Vec<Vec<u8>>) -> PendingAppend {
        let group = RecordGroup { table, records };
        let (reply, stored) = oneshot::channel();
        match self.status.try_reserve(group.bytes()).filter(|_| !self.status.is_stalled()) {
            Some(reservation) => self.send(WorkerRequest::Append(group, reservation, reply)),
            None => drop(reply.send(Err(AppendError::Failed))),
        }
        PendingAppend::new(stored)
    }

    /// Reads the queued entries after `after` (`None`: from the first). Returns no entry that is newer than one that still
    /// has to be salvaged.
    ///
    /// # Errors
    /// [`SpoolUnavailable`] when the store cannot be read, or the next entries still have to be salvaged.
    pub async fn read(&self, after: Option<Position>, limit: ReadLimit) -> Result<Vec<Entry>, SpoolUnavailable> {
        self.ask(|reply| WorkerRequest::Read(after, limit, reply)).await
    }

    /// Reads the intact parked entries after `after` (`None`: from the first).
    ///
    /// # Errors
    /// [`SpoolUnavailable`] when the store cannot be read.
    pub async fn read_parked(&self, after: Option<Position>, limit: ReadLimit) -> Result<Vec<Entry>, SpoolUnavailable> {
        self.ask(|reply| WorkerRequest::ReadParked(after, limit, reply)).await
    }

    /// Reads the intact entries of a table after `after` (`None`: from the first), including those that [`read`](Self::read)
    /// withholds during a salvage. Changes nothing.
    ///
    /// # Errors
    /// [`SpoolUnavailable`] when the store cannot be read.
    pub async fn inspect(
        &self,
        table: SpoolTable,
        after: Option<Position>,
        limit: ReadLimit,
    ) -> Result<Vec<Entry>, SpoolUnavailable> {
        self.ask(|reply| WorkerRequest::Inspect(table, after, limit, reply)).await
    }

    /// Durably removes all queued entries up to and including `last`.
    ///
    /// # Errors
    /// [`SpoolUnavailable`] when the store cannot be changed; the entries may have been removed nevertheless.
    pub async fn remove_through(&self, last: Position) -> Result<(), SpoolUnavailable> {
        self.ask(|reply| WorkerRequest::Remove(last, reply)).await
    }

    /// Durably parks one queued entry, so that it no longer blocks the queue. It stays on disk for an operator.
    ///
    /// # Errors
    /// [`SpoolUnavailable`] when the store cannot be changed; the entry may have been parked nevertheless.
    pub async fn park(&self, position: Position) -> Result<(), SpoolUnavailable> {
        self.ask(|reply| WorkerRequest::Park(position, reply)).await
    }

    /// Durably removes one parked entry.
    ///
    /// # Errors
    /// [`SpoolUnavailable`] when the store cannot be changed; the entry may have been removed nevertheless.
    pub async fn remove_parked(&self, position: Position) -> Result<(), SpoolUnavailable> {
        self.ask(|reply| WorkerRequest::RemoveParked(position, reply)).await
    }

    /// Whether the queue is empty and no salvage is pending. Does not count appends that are still waiting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events() == 0 && !self.status.is_salvaging()
    }

    /// Whether the queue is empty, no salvage is pending and no append is waiting. Answers from memory, so it also works
    /// while the disk cannot be read.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.is_empty() && !self.status.has_waiting_appends()
    }

    /// Number of entries in the queue.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.status.events()
    }

    /// Whether entries can be stored now: no limit is reached, the store works, and the disk responds.
    #[must_use]
    pub fn has_space(&self) -> bool {
        self.status.has_space()
    }

    /// Completes earlier requests, closes the store and releases the lock. Blocks for at most 10 s.
    pub fn close(self) {
        self.close_within(CLOSE_TIMEOUT);
    }

    /// Like [`close`](Self::close), but blocks for at most `timeout`. When the disk hangs, unanswered requests may or may
    /// not have been carried out, as after a crash.
    pub fn close_within(self, timeout: Duration) {
        self.send(WorkerRequest::Close);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(WorkerThread { handle, ended }) = thread else { return };
        if let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(timeout) {
            tracing::error!("the spool's disk hangs; stopping without closing the spool, as after a crash");
        } else {
            let _ = handle.join();
        }
    }

    /// When the thread has ended, the request is dropped together with the sender of its reply.
    fn send(&self, request: WorkerRequest) {
        let _ = self.requests.send(request);
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(ReplySender<T, SpoolUnavailable>) -> WorkerRequest,
    ) -> Result<T, SpoolUnavailable> {
        let (reply, result) = oneshot::channel();
        self.send(request(reply));
        result.await.unwrap_or(Err(SpoolUnavailable))
    }
}

fn open_store(
    disk: SpoolFolder,
    limits: SpoolLimits,
    status: &Arc<SpoolStatus>,
    mode: OpenMode,
) -> Result<StoreSupervisor<SpoolFolder>, StoreError> {
    let _busy = status.begin(Operation::SpoolRead);
    let mut supervisor = StoreSupervisor::open(disk, limits, Arc::clone(status))?;
    if mode.unpark {
        supervisor.unpark()?;
    }
    Ok(supervisor)
}

fn wait_until_open(folder: &Path, opened: &mpsc::Receiver<Result<(), StoreError>>) -> Result<(), OpenError> {
    loop {
        match opened.recv_timeout(OPEN_WARNING_INTERVAL) {
            Ok(result) => return result.map_err(|error| OpenError::from_store(folder, error)),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                tracing::warn!(folder = %folder.display(), "still opening the spool: its disk is slow or hangs");
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(OpenError::from_store(folder, StoreError::Io(std::io::ErrorKind::BrokenPipe.into())));
            }
        }
    }
}
