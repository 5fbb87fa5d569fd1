//! The handle that callers use.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{
    disk::SpoolFolder,
    entry::{Entry, Position, ReadLimit, SpoolTable},
    error::{AppendError, OpenError, SpoolUnavailable},
    inspect,
    limits::SpoolLimits,
    observer::{DiskOperation, SpoolObserver},
    pending_append::PendingAppend,
    record_group::RecordGroup,
    request::{ReplySender, WorkerRequest},
    status::SpoolStatus,
    store_error::StoreError,
    supervisor::StoreSupervisor,
    worker::Worker,
};

/// How long [`Spool::close`] waits for the disk.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a warning says that the store is still being opened.
const OPEN_WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// A handle of the queue, cheap to clone.
#[derive(Debug, Clone)]
pub struct Spool {
    pub(crate) requests: Arc<mpsc::Sender<WorkerRequest>>,
    pub(crate) status: Arc<SpoolStatus>,
    pub(crate) thread: Arc<Mutex<Option<WorkerThread>>>,
    pub(crate) append_timeout: Duration,
}

/// The thread that works on the store.
#[derive(Debug)]
pub(crate) struct WorkerThread {
    pub(crate) handle: JoinHandle<()>,
    /// Disconnected when the thread ends.
    pub(crate) ended: mpsc::Receiver<()>,
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
    pub fn open(folder: &Path, limits: SpoolLimits, observer: Arc<dyn SpoolObserver>) -> Result<Self, OpenError> {
        Self::start(folder, limits, observer, OpenMode { unpark: false, salvage: true, serve: false })
    }

    /// Like [`open`](Self::open), for a process that uses the queue for long: intact parked records return to their
    /// positions in the queue, since the reason for parking them may be gone, and [`inspect()`](crate::inspect()) shows
    /// other processes what the spool holds.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_and_unpark(
        folder: &Path,
        limits: SpoolLimits,
        observer: Arc<dyn SpoolObserver>,
    ) -> Result<Self, OpenError> {
        Self::start(folder, limits, observer, OpenMode { unpark: true, salvage: true, serve: true })
    }

    /// Like [`open`](Self::open), to inspect the spool: quarantined stores are left for the process that empties it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_to_inspect(
        folder: &Path,
        limits: SpoolLimits,
        observer: Arc<dyn SpoolObserver>,
    ) -> Result<Self, OpenError> {
        Self::start(folder, limits, observer, OpenMode { unpark: false, salvage: false, serve: false })
    }

    /// A spool that stores nothing: every append fails.
    #[must_use]
    pub fn disabled() -> Self {
        let (requests, _closed) = mpsc::channel();
        let append_timeout = Duration::ZERO;
        let status = Arc::new(SpoolStatus::new(Arc::new(()), append_timeout));
        Self { requests: Arc::new(requests), status, thread: Arc::default(), append_timeout }
    }

    fn start(
        folder: &Path,
        limits: SpoolLimits,
        observer: Arc<dyn SpoolObserver>,
        mode: OpenMode,
    ) -> Result<Self, OpenError> {
        let disk = SpoolFolder::open(folder)?;
        let status = Arc::new(SpoolStatus::new(observer, limits.append_timeout));
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
            status.observer().inspection_unavailable(&error);
        }
        let thread = WorkerThread { handle, ended };
        let thread = Arc::new(Mutex::new(Some(thread)));
        Ok(Self { requests: sender, status, thread, append_timeout: limits.append_timeout })
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
        PendingAppend::new(stored, self.append_timeout)
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
        self.status.is_empty()
    }

    /// Whether the queue is empty, no salvage is pending and no append is waiting. Answers from memory, so it also works
    /// while the disk cannot be read.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        // In this order: an append waits until it is counted in the queue.
        !self.status.has_waiting_appends() && self.is_empty()
    }

    /// Number of entries in the queue.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.status.queued()
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
        let thread = self.thread.lock().take();
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
    let _busy = status.begin(DiskOperation::Read);
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
