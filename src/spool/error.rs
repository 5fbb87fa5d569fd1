//! What can go wrong, as the callers see it.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{numbers::FORMAT, store_error::StoreError};

/// Why entries were not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AppendError {
    /// A limit is reached, or the disk is full.
    #[error("the spool is full")]
    Full,
    /// The disk fails or hangs, or more waits for it than may. They may be in the spool or not; the caller may not count
    /// on them.
    #[error("the spool could not be written")]
    Failed,
}

/// The store cannot be read or changed at the moment; it is opened anew by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the spool cannot be read or changed at the moment")]
pub struct SpoolUnavailable;

/// Why the spool cannot be used at all.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be made, read or written.
    #[error("{path} cannot be used ({source}): name a folder that this user may write, on a disk that works", path = .path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("{path} is in use by another process: stop it, or name another folder", path = .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The store was made by a newer version of this program.
    #[error(
        "{path} was written by a newer version (format {format}; this version knows up to {known}): \
         use the newer version, or drain the spool with it first",
        path = .path.display()
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The format of the store.
        format: u64,
        /// The newest format that this version knows.
        known: u64,
    },
}

impl OpenError {
    /// What a fault means for who opens the folder. Damage is left only when the damaged store could not be set aside.
    pub(super) fn of(folder: &Path, fault: StoreError) -> Self {
        let path = folder.to_owned();
        match fault {
            StoreError::Io(source) => Self::Unusable { path, source },
            StoreError::Damaged(what) => Self::Unusable { path, source: io::Error::other(what) },
            StoreError::Newer(format) => Self::Newer { path, format, known: FORMAT },
        }
    }
}
