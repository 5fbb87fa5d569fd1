//! Where a store lies: a folder; in tests something that breaks on purpose.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use redb::{StorageBackend, backends::FileBackend};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::OpenError;

/// The store in use.
pub(super) const LIVE: &str = "spool.redb";
/// What the names of stores that were set aside begin with.
pub(super) const ASIDE: &str = "spool.redb.corrupt-";
/// A store that is being made. A store has its own name only when it is complete.
const NEW: &str = "spool.redb.new";
const LOCK: &str = "lock";
/// Left when a process died of the store in use.
const NOTE: &str = "spool.redb.suspect";

const DIED_OF_IT: &str = "the process before this one died of it";

const TIME: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

/// What the spool needs of a disk. Renames are durable when they return.
pub(super) trait Disk: Send + 'static {
    /// The bytes of a store.
    type File: StorageBackend;

    /// The store in use, if there is one.
    fn open(&self) -> io::Result<Option<Self::File>>;
    /// An empty file beside it.
    fn make(&self) -> io::Result<Self::File>;
    /// Makes what was made last the store in use.
    fn put_in_place(&self) -> io::Result<()>;
    /// Where a process that dies of the store in use leaves a note, which [`Disk::open`] takes for damage and
    /// [`Disk::put_in_place`] removes.
    fn note(&self) -> Option<PathBuf>;
    /// Renames the store in use and returns its new name.
    fn set_aside(&self) -> io::Result<String>;
    /// Size of the store in use.
    fn length(&self) -> io::Result<u64>;
    /// Bytes that this user may still write.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// A folder that this process alone uses.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Unlocked by the system when it is closed, however the process ends; the file itself may stay.
    _lock: File,
}

impl Folder {
    /// Makes the folder unless it exists, and takes its lock.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Unusable { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let lock = private().create(true).open(path.join(LOCK)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))?;
        File::open(&self.path)?.sync_all()
    }

    fn unused_name(&self) -> io::Result<String> {
        let time = OffsetDateTime::from(SystemTime::now()).format(TIME).map_err(io::Error::other)?;
        let first = format!("{ASIDE}{time}");
        let others = (2..u32::MAX).map(|number| format!("{ASIDE}{time}-{number}"));
        std::iter::once(first)
            .chain(others)
            .find(|name| !self.path.join(name).exists())
            .ok_or_else(|| io::ErrorKind::AlreadyExists.into())
    }
}

impl Disk for Folder {
    type File = FileBackend;

    fn open(&self) -> io::Result<Option<FileBackend>> {
        match private().open(self.path.join(LIVE)) {
            Ok(_) if self.path.join(NOTE).exists() => Err(io::Error::new(io::ErrorKind::InvalidData, DIED_OF_IT)),
            Ok(file) => backend(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn make(&self) -> io::Result<FileBackend> {
        backend(private().create(true).truncate(true).open(self.path.join(NEW))?)
    }

    fn put_in_place(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join(NOTE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.rename(NEW, LIVE),
        }
    }

    fn note(&self) -> Option<PathBuf> {
        Some(self.path.join(NOTE))
    }

    fn set_aside(&self) -> io::Result<String> {
        let name = self.unused_name()?;
        self.rename(LIVE, &name)?;
        Ok(name)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.path.join(LIVE))?.len())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let system = rustix::fs::statvfs(&self.path)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }
}

/// Records hold personal data: nobody else may read them.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn backend(file: File) -> io::Result<FileBackend> {
    FileBackend::new(file).map_err(io::Error::other)
}
