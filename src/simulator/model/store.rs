//! A file that keeps the profiles while the simulator does not run: a line for each change, rewritten at each start.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Profile;
use crate::domain::ProfileSid;

/// A line of the file.
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
    #[error("{}: line {line} is not a state of the simulator; name another file, or remove this one", .file.display())]
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
        let lock = File::create(beside(path, "lock")).map_err(io)?;
        lock.try_lock().map_err(|_| BadState::Used(path.to_owned()))?;
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
        if let Err(error) = self.file.write_all(&bytes) {
            // Half a line would spoil the next one.
            self.file.set_len(self.length)?;
            return Err(error);
        }
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

fn read(path: &Path) -> Result<Vec<Profile>, BadState> {
    let io = |error| BadState::Io { file: path.to_owned(), error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let (mut file, mut text, mut profiles) = (BufReader::new(file), Vec::new(), HashMap::new());
    for line in 1.. {
        text.clear();
        file.read_until(b'\n', &mut text).map_err(io)?;
        // What has no end was cut off when the simulator was killed, and nobody was told that it happened.
        if text.pop() != Some(b'\n') {
            break;
        }
        match serde_json::from_slice(&text) {
            Ok(Line::Profile(profile)) => drop(insert(&mut profiles, profile)),
            Ok(Line::Deleted(sid)) => drop(profiles.remove(&sid)),
            Err(_) => return Err(BadState::Line { file: path.to_owned(), line }),
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
    let mut file = BufWriter::new(File::create(&fresh)?);
    for profile in profiles {
        serde_json::to_writer(&mut file, &Line::Profile(profile))?;
        file.write_all(b"\n")?;
    }
    file.into_inner()?.sync_all()?;
    fs::rename(fresh, path)?;
    OpenOptions::new().append(true).open(path)
}
