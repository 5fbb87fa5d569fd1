//! The file with the time of the last event.
//!
//! One line: the time for people, the same in milliseconds, and whether it is final, as in
//! `2026-11-20T11:04:00.123Z 1795172640123 final`. The two times must agree, which finds every damage that matters. A new
//! file takes the place of the old one in one step, so that a crash leaves one of the two.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::domain::Timestamp;

const NAME: &str = "event-time";
/// A file that is being written.
const NEW_NAME: &str = "event-time.new";
/// More than a whole file has.
const LONGEST: u64 = 128;

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept {
    /// The time of the last event when it was written.
    pub(super) time: Timestamp,
    /// Whether the process ended with it. Otherwise there may have been later events.
    pub(super) is_final: bool,
}

impl Kept {
    fn line(self) -> String {
        let state = if self.is_final { "final" } else { "running" };
        format!("{} {} {state}\n", self.time, self.time.unix_millis())
    }

    /// Only a line that is written exactly so.
    fn parse(text: &str) -> Option<Self> {
        let millis = text.split(' ').nth(1)?.parse().ok()?;
        let kept = Self { time: Timestamp::from_unix_millis(millis)?, is_final: text.ends_with("final\n") };
        (kept.line() == text).then_some(kept)
    }
}

/// The file, and what was written to it last.
#[derive(Debug)]
pub(super) struct EventTimeFile {
    folder: PathBuf,
    path: PathBuf,
    written: Option<Kept>,
}

impl EventTimeFile {
    /// Only names it.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), path: folder.join(NAME), written: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the last process wrote; `None` when there was none. Blocks.
    pub(super) fn read(&self) -> io::Result<Option<Kept>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes)?;
        let kept = std::str::from_utf8(&bytes).ok().and_then(Kept::parse);
        kept.map(Some).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "it is damaged"))
    }

    /// Writes it durably, unless it has a later time already. Blocks.
    pub(super) fn write(&mut self, kept: Kept) -> io::Result<()> {
        if self.written.is_some_and(|written| written >= kept) {
            return Ok(());
        }
        let new = self.folder.join(NEW_NAME);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(kept.line().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        File::open(&self.folder)?.sync_all()?;
        self.written = Some(kept);
        Ok(())
    }
}
