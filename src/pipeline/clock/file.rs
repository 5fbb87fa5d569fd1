//! The file that stores the time of the last event.
//!
//! It has one line: the time in readable form, the same time in milliseconds, and its state, as in
//! `2026-11-20T11:04:00.123Z 1795172640123 final`. The two times must agree, which detects any damage that matters. The file
//! is replaced atomically, so that after a crash either the old or the new one is there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::domain::Timestamp;

const NAME: &str = "event-time";
/// The file that replaces it, while it is being written.
const NEW_NAME: &str = "event-time.new";
/// How much is read at most, in bytes: more than a complete file has.
const MAX_BYTES: u64 = 128;

/// The content of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SavedTime {
    /// The time of the last event when the file was written.
    pub(super) time: Timestamp,
    /// Whether the process wrote this when it stopped. Otherwise later events may have followed.
    pub(super) is_final: bool,
}

impl SavedTime {
    fn to_line(self) -> String {
        let state = if self.is_final { "final" } else { "running" };
        format!("{} {} {state}\n", self.time, self.time.unix_millis())
    }

    /// Accepts only a line that [`to_line`](Self::to_line) would write.
    fn parse(text: &str) -> Option<Self> {
        let millis = text.split(' ').nth(1)?.parse().ok()?;
        let saved = Self { time: Timestamp::from_unix_millis(millis)?, is_final: text.ends_with("final\n") };
        (saved.to_line() == text).then_some(saved)
    }
}

/// The file, and the content that was written last.
#[derive(Debug)]
pub(super) struct EventTimeFile {
    folder: PathBuf,
    path: PathBuf,
    written: Option<SavedTime>,
}

impl EventTimeFile {
    /// Names the file in `folder`, without opening it.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), path: folder.join(NAME), written: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what the previous process wrote; `None` when there is no file. Blocks.
    pub(super) fn read(&self) -> io::Result<Option<SavedTime>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes)?;
        let saved = std::str::from_utf8(&bytes).ok().and_then(SavedTime::parse);
        saved.map(Some).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the file is damaged"))
    }

    /// Writes the file and syncs it, unless it has a later time already. Blocks.
    pub(super) fn write(&mut self, saved: SavedTime) -> io::Result<()> {
        if self.written.is_some_and(|written| written >= saved) {
            return Ok(());
        }
        let new = self.folder.join(NEW_NAME);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(saved.to_line().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        File::open(&self.folder)?.sync_all()?;
        self.written = Some(saved);
        Ok(())
    }
}
