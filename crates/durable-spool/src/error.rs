//! The errors of the spool's public interface.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{meta::FORMAT, store_error::StoreError};

/// Why entries were not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AppendError {
    /// A limit is reached, or the disk is full.
    #[error("the spool is full")]
    Full,
    /// The disk fails or hangs, or too many appends are already waiting for it. The entries may or may not be in the
    /// spool; the caller must not rely on them.
    #[error("cannot write to the spool")]
    Failed,
}

/// The store cannot be read or changed at the moment. The spool reopens it without help from the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the spool is temporarily unavailable")]
pub struct SpoolUnavailable;

/// Why the spool cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be created, read or written.
    #[error("cannot use {path} ({source}): choose a folder that this user can write to, on a working disk", path = .path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// The error that the operating system reported.
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("{path} is in use by another process: stop it, or choose another folder", path = .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A newer version of this program created the store.
    #[error(
        "{path} was written by a newer version (format {format}; this version supports formats up to {known}): \
         run the newer version, or use it to drain the spool first",
        path = .path.display()
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The format of the store.
        format: u64,
        /// The newest format that this version supports.
        known: u64,
    },
}

impl OpenError {
    /// Converts an error of the store. Damage arrives here only when the damaged store could not be quarantined.
    pub(crate) fn from_store(folder: &Path, error: StoreError) -> Self {
        let path = folder.to_owned();
        match error {
            StoreError::Io(source) => Self::Unusable { path, source },
            StoreError::Damaged(damage) => Self::Unusable { path, source: io::Error::other(damage) },
            StoreError::Newer(format) => Self::Newer { path, format, known: FORMAT },
        }
    }
}
