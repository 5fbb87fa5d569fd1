//! Sees whether files have changed.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

/// Files and the state that they were in at one moment; equal as long as none has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    files: Vec<(PathBuf, Option<Stamp>)>,
}

/// What tells one content of a path from another, without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl KeyFiles {
    /// The files in their present state.
    pub(super) fn of(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let stamped = |path: PathBuf| {
            let stamp = Stamp::of(&path);
            (path, stamp)
        };
        Self { files: paths.into_iter().map(stamped).collect() }
    }

    /// The same files in their present state.
    #[must_use]
    pub fn now(&self) -> Self {
        Self::of(self.files.iter().map(|(path, _)| path.clone()))
    }

    /// Whether there is no file that could change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Stamp {
    /// Follows symbolic links: a mounted Kubernetes Secret changes by the swap of one.
    ///
    /// `None` for what is missing and for what is no file: a pipe can be read only once.
    fn of(path: &PathBuf) -> Option<Self> {
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}
