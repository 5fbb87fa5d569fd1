//! A file that keeps the profiles while the simulator does not run: a line for each change, rewritten at each start.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Profile;
use crate::domain::ProfileSid;

/// The first line of the file, so that no other file is taken for one.
const HEAD: &[u8] = b"trusthub-bridge simulator, version 1\n";

/// A line of the file behind the first.
#[derive(Debug, Serialize, Deserialize)]
enum Line<P> {
    /// The profile is so from now on.
    Profile(P),
    /// The profile is no more.
    Deleted(ProfileSid),
}

/// Why a state cannot be used.
#[derive(Debug, Error)]
pub enum BadState {
    /// It cannot be read or written.
    #[error("{}: {error}", .file.display())]
    Io {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is not a state, or not of this version.
    #[error("{}: line {line} is not that of a state of the simulator; name another file, or remove this one", .file.display())]
    Line {
        /// Which file.
        file: PathBuf,
        /// Which line, counted from 1.
        line: usize,
    },
    /// Another simulator has it.
    #[error("{} is used by another simulator; end that one, or name another file", .0.display())]
    Used(PathBuf),
}

/// The open file.
#[derive(Debug)]
pub struct Store {
    file: File,
    /// Up to where it is whole.
    length: u64,
    /// Held for as long as this lives; the file itself is replaced at each start.
    _lock: File,
}

impl Store {
    /// Opens the file, or makes it, and returns the profiles in it.
    ///
    /// # Errors
    /// [`BadState`].
    pub fn open(path: &Path) -> Result<(Self, Vec<Profile>), BadState> {
        let io = |error| BadState::Io { file: path.to_owned(), error };
        let lock = private(&beside(path, "lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BadState::Used(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let profiles = read(path)?;
        let file = rewrite(path, &profiles).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        Ok((Self { file, length, _lock: lock }, profiles))
    }

    /// Writes a profile as it is now.
    ///
    /// # Errors
    /// Those of the file.
    pub(super) fn keep(&mut self, profile: &Profile) -> io::Result<()> {
        self.write(&Line::Profile(profile))
    }

    /// Writes that a profile is no more.
    ///
    /// # Errors
    /// Those of the file.
    pub(super) fn forget(&mut self, sid: &ProfileSid) -> io::Result<()> {
        self.write(&Line::<&Profile>::Deleted(sid.clone()))
    }

    fn write(&mut self, line: &Line<&Profile>) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        // Half a line of an earlier failure would spoil this one.
        self.file.set_len(self.length)?;
        self.file.write_all(&bytes)?;
        self.length = self.length.saturating_add(bytes.len() as u64);
        Ok(())
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// For nobody but its owner: it names people.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)
}

fn read(path: &Path) -> Result<Vec<Profile>, BadState> {
    let io = |error| BadState::Io { file: path.to_owned(), error };
    let wrong = |line| BadState::Line { file: path.to_owned(), line };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut lines = BufReader::new(file).split(b'\n').zip(1..);
    let Some((head, line)) = lines.next() else { return Ok(Vec::new()) };
    if HEAD.strip_suffix(b"\n") != Some(&head.map_err(io)?) {
        return Err(wrong(line));
    }
    let mut profiles = HashMap::new();
    let mut lines = lines.peekable();
    while let Some((text, line)) = lines.next() {
        match serde_json::from_slice(&text.map_err(io)?) {
            Ok(Line::Profile(profile)) => drop(insert(&mut profiles, profile)),
            Ok(Line::Deleted(sid)) => drop(profiles.remove(&sid)),
            // The last one was cut off when the simulator was killed, and nobody was told that it happened.
            Err(error) if error.is_eof() && lines.peek().is_none() => {}
            Err(_) => return Err(wrong(line)),
        }
    }
    let mut profiles: Vec<_> = profiles.into_values().collect();
    profiles.sort_by_key(|profile: &Profile| profile.serial);
    Ok(profiles)
}

fn insert(profiles: &mut HashMap<ProfileSid, Profile>, profile: Profile) -> Option<Profile> {
    profiles.insert(profile.sid.clone(), profile)
}

/// Only what is still so.
fn rewrite(path: &Path, profiles: &[Profile]) -> io::Result<File> {
    let fresh = beside(path, "new");
    let mut file = BufWriter::new(private(&fresh)?);
    file.write_all(HEAD)?;
    for profile in profiles {
        serde_json::to_writer(&mut file, &Line::Profile(profile))?;
        file.write_all(b"\n")?;
    }
    file.into_inner()?.sync_all()?;
    fs::rename(fresh, path)?;
    OpenOptions::new().append(true).open(path)
}
