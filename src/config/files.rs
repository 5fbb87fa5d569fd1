//! Detects whether files have changed, without reading them.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A snapshot of the metadata of files. Two snapshots of the same files are equal if no file has changed between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CredentialFiles {
    files: Vec<(PathBuf, Option<FileStamp>)>,
}

/// The metadata that changes when the file at a path is written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl CredentialFiles {
    /// Takes a snapshot of these files.
    pub(super) fn snapshot(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let with_stamp = |path: PathBuf| {
            let stamp = FileStamp::read(&path);
            (path, stamp)
        };
        Self { files: paths.into_iter().map(with_stamp).collect() }
    }

    /// Takes a new snapshot of the same files.
    #[must_use]
    pub fn current(&self) -> Self {
        Self::snapshot(self.files.iter().map(|(path, _)| path.clone()))
    }

    /// Returns whether there are no files.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// Whether the path names a pipe or a terminal, whose content was consumed when it was read first. Opening it again would wait for
/// another writer, or find nothing.
pub(super) fn is_read_once(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

impl FileStamp {
    /// Follows symbolic links, because Kubernetes updates a mounted Secret by replacing one.
    ///
    /// Returns `None` if there is no such file, and for anything but a regular file: a pipe can be read only once.
    fn read(path: &PathBuf) -> Option<Self> {
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pipes_and_devices_are_read_once() {
        assert!(is_read_once(Path::new("/dev/null")));
        for path in [std::env::current_exe().unwrap(), std::env::temp_dir(), PathBuf::from("/nonexistent")] {
            assert!(!is_read_once(&path), "{}", path.display());
        }
    }
}
