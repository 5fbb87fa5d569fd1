//! The `spool` thread, which does all work on the store in the order of the requests.
//!
//! No other thread accesses the store. The thread may hang for as long as the disk does, so no append waits for it
//! without a limit. Its queue of requests is bounded: appends by number and size, all other requests by their callers, each
//! of which waits for one reply before it sends the next request.

use std::{
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    disk::{Disk, ReadAt},
    error::{AppendError, SpoolUnavailable},
    observer::DiskOperation,
    record_group::RecordGroup,
    request::{ReplySender, WorkerRequest},
    salvage::SalvageReader,
    salvage_progress::RestoreOutcome,
    status::{AppendReservation, SpoolStatus},
    supervisor::StoreSupervisor,
};

/// How often the supervisor reopens a failed store and checks the limits.
const TICK: Duration = Duration::from_secs(1);

/// Approximate maximum number of bytes that one sync serves. It bounds the memory of a group.
const GROUP_BYTES: usize = 8 << 20;

/// Pause between two attempts to store a salvaged chunk.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The state of the thread.
pub(crate) struct Worker<D: Disk> {
    pub(crate) supervisor: StoreSupervisor<D>,
    pub(crate) status: Arc<SpoolStatus>,
    pub(crate) requests: Receiver<WorkerRequest>,
    /// For the salvage threads, which must not keep this thread alive when every handle of the spool is dropped. `None`
    /// disables salvages.
    pub(crate) sender: Option<Weak<Sender<WorkerRequest>>>,
}

impl<D: Disk> Worker<D> {
    /// Serves requests until [`WorkerRequest::Close`], or until every sender is dropped.
    pub(crate) fn run(mut self) {
        let mut pending = None;
        let mut ticked = Instant::now();
        self.start_salvage();
        loop {
            match pending.take().map_or_else(|| self.requests.recv_timeout(TICK), Ok) {
                Ok(WorkerRequest::Close) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(WorkerRequest::Append(group, reservation, reply)) => {
                    pending = self.append(group, reservation, reply);
                }
                Ok(request) => self.serve(request),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if ticked.elapsed() >= TICK {
                let _busy = self.status.begin(DiskOperation::Read);
                self.supervisor.tick();
                self.start_salvage();
                ticked = Instant::now();
            }
        }
    }

    fn serve(&mut self, request: WorkerRequest) {
        let supervisor = &mut self.supervisor;
        let _busy = self.status.begin(request.operation());
        match request {
            WorkerRequest::Read(after, limit, reply) => send(reply, supervisor.read(after, limit)),
            WorkerRequest::ReadParked(after, limit, reply) => send(reply, supervisor.read_parked(after, limit)),
            WorkerRequest::Inspect(table, after, limit, reply) => send(reply, supervisor.inspect(table, after, limit)),
            WorkerRequest::Remove(last, reply) => send(reply, supervisor.remove_through(last)),
            WorkerRequest::Park(position, reply) => send(reply, supervisor.park(position)),
            WorkerRequest::RemoveParked(position, reply) => send(reply, supervisor.remove_parked(position)),
            WorkerRequest::Restore(generation, chunk, is_complete, reply) => {
                send(reply, supervisor.restore(generation, &chunk, is_complete));
            }
            // The loop handles both.
            WorkerRequest::Append(..) | WorkerRequest::Close => {}
        }
    }

    /// Stores this group and all groups queued after it with one sync. Returns the request that ended the sequence.
    fn append(
        &mut self,
        group: RecordGroup,
        reservation: AppendReservation,
        reply: ReplySender<(), AppendError>,
    ) -> Option<WorkerRequest> {
        let mut bytes = group.bytes();
        let (mut groups, mut replies) = (vec![group], vec![(reservation, reply)]);
        let mut pending = None;
        while bytes < GROUP_BYTES && pending.is_none() {
            match self.requests.try_recv() {
                Ok(WorkerRequest::Append(group, reservation, reply)) => {
                    bytes = bytes.saturating_add(group.bytes());
                    groups.push(group);
                    replies.push((reservation, reply));
                }
                Ok(other) => pending = Some(other),
                Err(_) => break,
            }
        }
        let busy = self.status.begin(DiskOperation::Write);
        let results = self.supervisor.append(&groups);
        drop((busy, groups));
        for ((reservation, reply), result) in replies.into_iter().zip(results) {
            drop(reservation);
            send(reply, result);
        }
        pending
    }

    /// Starts the `spool-salvage` thread when there is something to salvage.
    fn start_salvage(&mut self) {
        let Some(sender) = &self.sender else { return };
        let Some((generation, reader)) = self.supervisor.open_salvage() else { return };
        let sender = Weak::clone(sender);
        let thread = thread::Builder::new().name("spool-salvage".to_owned());
        if let Err(error) = thread.spawn(move || run_salvage(&sender, generation, reader)) {
            tracing::warn!(%error, "cannot start the salvage thread; retrying");
            self.supervisor.postpone_salvage();
        }
    }
}

/// Sends the salvaged records to the `spool` thread, chunk by chunk, until the end or until the spool is closed.
fn run_salvage<R: ReadAt>(requests: &Weak<Sender<WorkerRequest>>, generation: u64, mut reader: SalvageReader<R>) {
    loop {
        let chunk = Arc::new(reader.next_chunk());
        loop {
            let (reply, result) = oneshot::channel();
            let request = WorkerRequest::Restore(generation, Arc::clone(&chunk), reader.is_complete(), reply);
            let is_sent = requests.upgrade().is_some_and(|requests| requests.send(request).is_ok());
            match result.blocking_recv() {
                Ok(Ok(RestoreOutcome::Stored)) => break,
                Ok(Err(SpoolUnavailable)) if is_sent => thread::sleep(RETRY_INTERVAL),
                _ => return,
            }
        }
        if chunk.is_last() {
            return;
        }
    }
}

/// Ignores a caller that no longer waits for the reply.
fn send<T, E>(reply: ReplySender<T, E>, result: Result<T, E>) {
    let _ = reply.send(result);
}
