//! Where a store lies: a folder; in tests something that breaks on purpose.
//!
//! | File | What |
//! |---|---|
//! | `lock` | locked for as long as a process uses the folder |
//! | `spool.redb` | the store in use |
//! | `spool.redb.new` | a store that is being made |
//! | `spool.redb.suspect` | left when a process died of the store in use |
//! | `spool.redb.corrupt-TIME` | a damaged store that was set aside and is to be salvaged |
//! | `….salvaged`, `….salvaged-in-part` | the same, after its salvage: wholly, or with something missing |
//! | `spool.tombstones` | the log of removed positions |
//! | `inspect.sock` | where a running service answers `spool ls` and `spool show` |

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use redb::{StorageBackend, backends::FileBackend};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::{OpenError, inspect::SOCKET};

/// The store in use.
pub(super) const LIVE: &str = "spool.redb";
/// What the names of stores that were set aside begin with.
const ASIDE: &str = "spool.redb.corrupt-";
/// What is appended to the name of a damaged store from which every record was saved.
const SALVAGED: &str = ".salvaged";
/// The same, when something could not be read.
const SALVAGED_IN_PART: &str = ".salvaged-in-part";
const TOMBSTONES: &str = "spool.tombstones";
const NEW_TOMBSTONES: &str = "spool.tombstones.new";
/// A store that is being made. A store has its own name only when it is complete.
const NEW: &str = "spool.redb.new";
const LOCK: &str = "lock";
/// Left when a process died of the store in use.
const NOTE: &str = "spool.redb.suspect";

const DIED_OF_IT: &str = "the process before this one died of it";

const TIME: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

/// What became of a store that was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Salvage {
    /// Everything that it held is in the store in use, or was published.
    Complete,
    /// What could be read is; something could not.
    InPart,
    /// It was not tried yet.
    Pending,
}

/// A store that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aside {
    pub(super) name: String,
    /// Its size.
    pub(super) bytes: u64,
    pub(super) salvage: Salvage,
}

impl Aside {
    /// The file in a spool's folder that has this name, if it is one.
    pub(super) fn of(name: &str, bytes: u64) -> Option<Self> {
        let time = name.strip_prefix(ASIDE)?;
        let salvage = match time {
            _ if time.ends_with(SALVAGED) => Salvage::Complete,
            _ if time.ends_with(SALVAGED_IN_PART) => Salvage::InPart,
            _ => Salvage::Pending,
        };
        Some(Self { name: name.to_owned(), bytes, salvage })
    }
}

/// Raw bytes of a store that was set aside.
pub(super) trait Raw: Send + 'static {
    /// Its size.
    fn length(&self) -> io::Result<u64>;
    /// Fills the buffer from this place on.
    fn read_at(&self, buffer: &mut [u8], place: u64) -> io::Result<()>;
}

impl Raw for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], place: u64) -> io::Result<()> {
        self.read_exact_at(buffer, place)
    }
}

/// What the spool needs of a disk. Renames are durable when they return.
pub(super) trait Disk: Send + 'static {
    /// The bytes of a store.
    type File: StorageBackend;
    /// The bytes of a store that was set aside.
    type Raw: Raw;

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
    /// The stores that were set aside, from the oldest to the newest.
    fn aside(&self) -> io::Result<Vec<Aside>>;
    /// Opens one of them.
    fn open_aside(&self, name: &str) -> io::Result<Self::Raw>;
    /// Marks one of them after its salvage, which is never [`Salvage::Pending`] then.
    fn mark(&self, name: &str, salvage: Salvage) -> io::Result<()>;
    /// Removes one of them.
    fn remove_aside(&self, name: &str) -> io::Result<()>;
    /// The log of tombstones, if there is one.
    fn tombstones(&self) -> io::Result<Option<Vec<u8>>>;
    /// Appends to the log, durably.
    fn append_tombstones(&self, records: &[u8]) -> io::Result<()>;
    /// Replaces the log, durably: it is the old one or the new one.
    fn replace_tombstones(&self, records: &[u8]) -> io::Result<()>;
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
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn unused_name(&self) -> io::Result<String> {
        let time = OffsetDateTime::from(SystemTime::now()).format(TIME).map_err(io::Error::other)?;
        let first = format!("{ASIDE}{time}");
        let others = (2..u32::MAX).map(|number| format!("{ASIDE}{time}-{number}"));
        let taken = list_aside(&self.path)?;
        std::iter::once(first)
            .chain(others)
            .find(|name| taken.iter().all(|aside| !aside.name.starts_with(name.as_str())))
            .ok_or_else(|| io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Folder {
    /// The lock is still held, so that the socket is that of this process.
    fn drop(&mut self) {
        let _ = fs::remove_file(self.path.join(SOCKET));
    }
}

impl Disk for Folder {
    type File = FileBackend;
    type Raw = File;

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

    fn aside(&self) -> io::Result<Vec<Aside>> {
        list_aside(&self.path)
    }

    fn open_aside(&self, name: &str) -> io::Result<File> {
        File::open(self.path.join(name))
    }

    fn mark(&self, name: &str, salvage: Salvage) -> io::Result<()> {
        let mark = match salvage {
            Salvage::Complete => SALVAGED,
            Salvage::InPart => SALVAGED_IN_PART,
            Salvage::Pending => return Ok(()),
        };
        self.rename(name, &format!("{name}{mark}"))
    }

    fn remove_aside(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))?;
        self.sync()
    }

    fn tombstones(&self) -> io::Result<Option<Vec<u8>>> {
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

/// The stores that were set aside in this folder, from the oldest to the newest.
pub(super) fn list_aside(folder: &Path) -> io::Result<Vec<Aside>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().filter(|name| name.starts_with(ASIDE)) {
            found.extend(Aside::of(name, entry.metadata()?.len()));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The log of tombstones in this folder, if there is one.
pub(super) fn read_tombstones(folder: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(folder.join(TOMBSTONES)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
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
