//! The files of a spool: a folder in production; in tests a disk that fails on purpose.
//!
//! | File | Content |
//! |---|---|
//! | `lock` | locked for as long as a process uses the folder |
//! | `spool.redb` | the store in use |
//! | `spool.redb.new` | a store that is being created |
//! | `spool.redb.suspect` | the crash marker: the store in use made a process panic |
//! | `spool.redb.corrupt-TIME` | a quarantined store that still has to be salvaged |
//! | `….salvaged`, `….salvaged-in-part` | a quarantined store after its salvage: complete, or with something missing |
//! | `spool.tombstones` | the log of removed positions |
//! | `inspect.sock` | the socket through which other processes inspect the spool |

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use redb::{StorageBackend, backends::FileBackend};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use crate::error::OpenError;

/// The store in use.
pub(crate) const LIVE: &str = "spool.redb";
/// Prefix of the names of quarantined stores.
const QUARANTINED: &str = "spool.redb.corrupt-";
/// Suffix of a quarantined store from which every record was recovered.
const SALVAGED: &str = ".salvaged";
/// Suffix of a quarantined store of which something could not be read.
const SALVAGED_IN_PART: &str = ".salvaged-in-part";
const TOMBSTONES: &str = "spool.tombstones";
const NEW_TOMBSTONES: &str = "spool.tombstones.new";
/// A store that is being created. It gets the name of the live store only when it is complete.
const NEW: &str = "spool.redb.new";
const LOCK: &str = "lock";
/// The socket for inspections.
pub(crate) const SOCKET: &str = "inspect.sock";
/// Created when a panic begins in the store in use, removed when the process survives.
const CRASH_MARKER: &str = "spool.redb.suspect";

const CRASHED: &str = "the previous process crashed while using it";

const TIME: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

/// How far the salvage of a quarantined store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SalvageState {
    /// Every record that it held is in the store in use or was removed.
    Complete,
    /// Everything readable was recovered, but something could not be read.
    Partial,
    /// It has not been salvaged.
    Pending,
}

/// A store that was moved out of use because it is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QuarantinedStore {
    pub(crate) name: String,
    /// Size of the file.
    pub(crate) bytes: u64,
    pub(crate) salvage: SalvageState,
}

impl QuarantinedStore {
    /// Parses the name of a file in the folder; `None` when it is not a quarantined store.
    pub(crate) fn from_name(name: &str, bytes: u64) -> Option<Self> {
        let time = name.strip_prefix(QUARANTINED)?;
        let salvage = match time {
            _ if time.ends_with(SALVAGED) => SalvageState::Complete,
            _ if time.ends_with(SALVAGED_IN_PART) => SalvageState::Partial,
            _ => SalvageState::Pending,
        };
        Some(Self { name: name.to_owned(), bytes, salvage })
    }
}

/// Positioned reads of the raw bytes of a quarantined store.
pub(crate) trait ReadAt: Send + 'static {
    /// Size of the file.
    fn length(&self) -> io::Result<u64>;
    /// Fills the buffer with the bytes at this offset.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

/// The file operations that the spool needs. Renames are durable when they return.
pub(crate) trait Disk: Send + 'static {
    /// The file of a store in use.
    type LiveFile: StorageBackend;
    /// The file of a quarantined store.
    type QuarantinedFile: ReadAt;

    /// Opens the store in use, if there is one.
    fn open_live(&self) -> io::Result<Option<Self::LiveFile>>;
    /// Creates an empty file for a new store.
    fn create_new(&self) -> io::Result<Self::LiveFile>;
    /// Makes the most recently created store the one in use.
    fn activate_new(&self) -> io::Result<()>;
    /// The path at which a panic in the store leaves the crash marker. [`Disk::open_live`] reports a marked store as
    /// damaged, and [`Disk::activate_new`] removes the marker.
    fn crash_marker(&self) -> Option<PathBuf>;
    /// Renames the store in use and returns its new name.
    fn quarantine_live(&self) -> io::Result<String>;
    /// Size of the store in use.
    fn live_length(&self) -> io::Result<u64>;
    /// Bytes that this user may still write.
    fn free_bytes(&self) -> io::Result<u64>;
    /// The quarantined stores, oldest first.
    fn list_quarantined(&self) -> io::Result<Vec<QuarantinedStore>>;
    /// Opens a quarantined store.
    fn open_quarantined(&self, name: &str) -> io::Result<Self::QuarantinedFile>;
    /// Marks a quarantined store after its salvage, which then is not [`SalvageState::Pending`].
    fn mark_salvaged(&self, name: &str, salvage: SalvageState) -> io::Result<()>;
    /// Removes a quarantined store.
    fn remove_quarantined(&self, name: &str) -> io::Result<()>;
    /// Reads the tombstone log, if there is one.
    fn read_tombstones(&self) -> io::Result<Option<Vec<u8>>>;
    /// Appends to the tombstone log, durably.
    fn append_tombstones(&self, records: &[u8]) -> io::Result<()>;
    /// Replaces the tombstone log, durably and atomically.
    fn replace_tombstones(&self, records: &[u8]) -> io::Result<()>;
}

/// A folder that only this process uses.
#[derive(Debug)]
pub(crate) struct SpoolFolder {
    path: PathBuf,
    /// The operating system releases the lock when the process ends, however it ends; the file may remain.
    _lock: File,
}

impl SpoolFolder {
    /// Creates the folder unless it exists, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
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
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn unused_name(&self) -> io::Result<String> {
        let time = OffsetDateTime::from(SystemTime::now()).format(TIME).map_err(io::Error::other)?;
        let first = format!("{QUARANTINED}{time}");
        let others = (2..u32::MAX).map(|number| format!("{QUARANTINED}{time}-{number}"));
        let existing = list_quarantined(&self.path)?;
        std::iter::once(first)
            .chain(others)
            .find(|name| existing.iter().all(|store| !store.name.starts_with(name.as_str())))
            .ok_or_else(|| io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for SpoolFolder {
    /// Removes the socket while the lock is still held, so that it can only be the socket of this process.
    fn drop(&mut self) {
        let _ = fs::remove_file(self.path.join(SOCKET));
    }
}

impl Disk for SpoolFolder {
    type LiveFile = FileBackend;
    type QuarantinedFile = File;

    fn open_live(&self) -> io::Result<Option<FileBackend>> {
        match private().open(self.path.join(LIVE)) {
            Ok(_) if self.path.join(CRASH_MARKER).exists() => Err(io::Error::new(io::ErrorKind::InvalidData, CRASHED)),
            Ok(file) => backend(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create_new(&self) -> io::Result<FileBackend> {
        backend(private().create(true).truncate(true).open(self.path.join(NEW))?)
    }

    fn activate_new(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join(CRASH_MARKER)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.rename(NEW, LIVE),
        }
    }

    fn crash_marker(&self) -> Option<PathBuf> {
        Some(self.path.join(CRASH_MARKER))
    }

    fn quarantine_live(&self) -> io::Result<String> {
        let name = self.unused_name()?;
        self.rename(LIVE, &name)?;
        Ok(name)
    }

    fn live_length(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.path.join(LIVE))?.len())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let system = rustix::fs::statvfs(&self.path)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }

    fn list_quarantined(&self) -> io::Result<Vec<QuarantinedStore>> {
        list_quarantined(&self.path)
    }

    fn open_quarantined(&self, name: &str) -> io::Result<File> {
        File::open(self.path.join(name))
    }

    fn mark_salvaged(&self, name: &str, salvage: SalvageState) -> io::Result<()> {
        let suffix = match salvage {
            SalvageState::Complete => SALVAGED,
            SalvageState::Partial => SALVAGED_IN_PART,
            SalvageState::Pending => return Ok(()),
        };
        self.rename(name, &format!("{name}{suffix}"))
    }

    fn remove_quarantined(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))?;
        self.sync()
    }

    fn read_tombstones(&self) -> io::Result<Option<Vec<u8>>> {
        read_tombstones(&self.path)
    }

    fn append_tombstones(&self, records: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.path.join(TOMBSTONES))?;
        file.write_all(records)?;
        file.sync_data()
    }

    fn replace_tombstones(&self, records: &[u8]) -> io::Result<()> {
        let mut file = private().create(true).truncate(true).open(self.path.join(NEW_TOMBSTONES))?;
        file.write_all(records)?;
        file.sync_all()?;
        self.rename(NEW_TOMBSTONES, TOMBSTONES)
    }
}

/// The quarantined stores in this folder, oldest first.
pub(crate) fn list_quarantined(folder: &Path) -> io::Result<Vec<QuarantinedStore>> {
    let mut stores = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().filter(|name| name.starts_with(QUARANTINED)) {
            stores.extend(QuarantinedStore::from_name(name, entry.metadata()?.len()));
        }
    }
    stores.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(stores)
}

/// Reads the tombstone log in this folder, if there is one.
pub(crate) fn read_tombstones(folder: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(folder.join(TOMBSTONES)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Records hold personal data, so only the owner may read the files.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn backend(file: File) -> io::Result<FileBackend> {
    FileBackend::new(file).map_err(io::Error::other)
}
