//! The requests to the `spool` thread.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::{
    entry::{Entry, Position, ReadLimit, SpoolTable},
    error::{AppendError, SpoolUnavailable},
    observer::DiskOperation,
    record_group::RecordGroup,
    salvage::SalvageChunk,
    salvage_progress::RestoreOutcome,
    status::AppendReservation,
};

/// The channel for the reply to a request.
pub(crate) type ReplySender<T, E> = oneshot::Sender<Result<T, E>>;

/// A request to the thread.
#[derive(Debug)]
pub(crate) enum WorkerRequest {
    /// Stores a group of records.
    Append(RecordGroup, AppendReservation, ReplySender<(), AppendError>),
    /// Reads queued records.
    Read(Option<Position>, ReadLimit, ReplySender<Vec<Entry>, SpoolUnavailable>),
    /// Reads parked records.
    ReadParked(Option<Position>, ReadLimit, ReplySender<Vec<Entry>, SpoolUnavailable>),
    /// Reads one of the tables and changes nothing.
    Inspect(SpoolTable, Option<Position>, ReadLimit, ReplySender<Vec<Entry>, SpoolUnavailable>),
    /// Removes queued records through a position.
    Remove(Position, ReplySender<(), SpoolUnavailable>),
    /// Parks a queued record.
    Park(Position, ReplySender<(), SpoolUnavailable>),
    /// Removes a parked record.
    RemoveParked(Position, ReplySender<(), SpoolUnavailable>),
    /// Stores a salvaged chunk. Carries the generation of the salvage and whether nothing was missing so far.
    Restore(u64, Arc<SalvageChunk>, bool, ReplySender<RestoreOutcome, SpoolUnavailable>),
    /// Ends the thread.
    Close,
}

impl WorkerRequest {
    /// The kind of call on the disk that serves the request.
    pub(crate) fn operation(&self) -> DiskOperation {
        match self {
            Self::Read(..) | Self::ReadParked(..) | Self::Inspect(..) => DiskOperation::Read,
            _ => DiskOperation::Write,
        }
    }
}
