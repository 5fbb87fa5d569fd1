#![doc = include_str!("../README.md")]
//!
//! # Terms
//!
//! The *store* is the database file with the records. The *queue* holds the records that wait to be read and removed. A
//! *parked* record is kept in the store but does not block the queue. A damaged store is *quarantined*: its file is renamed,
//! and a fresh store takes its place. A *salvage* copies the intact records of quarantined stores into the store in use.
//!
//! # On-disk format
//!
//! | Part | Described in | Content |
//! |---|---|---|
//! | folder | `disk` | the store in use, quarantined stores, the tombstone log, the lock and the inspection socket |
//! | tables | `schema`, `meta` | `queue` and `parked` map positions to frames; `meta` holds one checksummed record: the format version, the next position and the sizes of both tables |
//! | frame | `frame` | a record with its position, its time and a CRC-32 |
//! | tombstone log | `tombstones` | the positions that must never be read again, and the positions that are reserved |
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
//! # Threads
//!
//! | Thread | Blocking calls | Bound |
//! |---|---|---|
//! | `spool` | all work on the store and the files of the folder, one call at a time, without a lock | none: it may hang for as long as the disk does, but no caller waits for it indefinitely. An append waits [`SpoolLimits::append_timeout`], a stop waits [`Spool::close_within`]. Reads and removals wait without a limit |
//! | `spool-salvage`, while a salvage runs | reads damaged files, waits for the `spool` thread | none; only readers wait for it |
//! | `spool-inspect` | accepts and serves one local client at a time | reads and writes time out after 5 s |
//! | the caller of [`Spool::open`] | waits until the `spool` thread has opened the store | none; logs a warning every 10 s |
//!
//! # The code
//!
//! Each file uses only those above it.
//!
//! | Task | Files |
//! |---|---|
//! | values and errors | `entry`, `limits`, `observer`, `store_error`, `frame`, `meta`, `error`, `position_set` |
//! | files | `disk`, `tombstones`, `quarantine` |
//! | one store | `schema`, `contents`, `tables`, `store` |
//! | recovery from damaged files | `salvage`, `salvage_progress` |
//! | a usable store, whatever happens to it | `status`, `supervisor`, and its operations in `record_group`, `append`, `records`, `restore` |
//! | the thread | `request`, `worker`, `inspect` |
//! | the interface | `pending_append`, `spool` |

#![forbid(unsafe_code)]

mod append;
mod contents;
mod disk;
mod entry;
mod error;
mod frame;
mod inspect;
mod limits;
mod meta;
mod observer;
mod pending_append;
mod position_set;
mod quarantine;
mod record_group;
mod records;
mod request;
mod restore;
mod salvage;
mod salvage_progress;
mod schema;
mod spool;
mod status;
mod store;
mod store_error;
mod supervisor;
mod tables;
#[cfg(test)]
mod tests;
mod tombstones;
mod worker;

pub use disk::SalvageState;
pub use entry::{Entry, Position, ReadLimit, SpoolTable};
pub use error::{AppendError, OpenError, SpoolUnavailable};
pub use inspect::inspect;
pub use limits::SpoolLimits;
pub use observer::{DiskOperation, SpoolObserver, SpoolState};
pub use pending_append::PendingAppend;
pub use salvage::{SalvageSummary, StoreFile, list_stores, salvage};
pub use spool::Spool;
