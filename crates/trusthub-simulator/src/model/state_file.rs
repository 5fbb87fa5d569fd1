//! The file that stores the profiles and objects between runs of the simulator.
//!
//! Format: a header line, then one JSON line for each change; the last line of a profile or object wins. Opening the
//! file rewrites it with one line for each of them, and so removes superseded lines. A lock file beside it keeps a second simulator out.
//!
//! Failure modes: a last line that was cut off when the simulator was killed is ignored, because the request that caused
//! it was never answered. Any other unreadable line is an error, and the file stays as it is.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use trusthub_events::ProfileSid;

use super::{objects::ComplianceObject, profile::SimulatedProfile};

/// The first line of the file. It prevents any other file from being taken for a state file and overwritten.
const HEADER: &[u8] = b"trusthub-bridge simulator, version 1\n";

/// A line of the file after the header.
#[derive(Debug, Serialize, Deserialize)]
enum StateRecord<P, O> {
    /// The profile as it is from this line on.
    Profile(P),
    /// The SID of a profile that was deleted.
    Deleted(ProfileSid),
    /// The end user, document or address as it is from this line on.
    Object(O),
    /// The SID of an object that was deleted.
    DeletedObject(String),
}

type BorrowedRecord<'a> = StateRecord<&'a SimulatedProfile, &'a ComplianceObject>;

/// What a state file contains.
#[derive(Debug, Default)]
pub struct StoredState {
    /// The profiles, in the order of their creation.
    pub(super) profiles: Vec<SimulatedProfile>,
    /// The end users, documents and addresses, in the order of their creation.
    pub(super) objects: Vec<ComplianceObject>,
}

impl StoredState {
    /// Returns the seed of the generator of SIDs. After a restart with the same seed it must be another one, because the
    /// generator would repeat the SIDs of everything that is stored. The same seed and contents give the same one.
    pub(super) fn seed_after(&self, seed: u64) -> u64 {
        let of_profiles = self.profiles.iter().flat_map(|profile| {
            let assignments = profile.assignments.iter().map(|assignment| assignment.sid.as_str());
            let endpoints = profile.endpoints.iter().map(|endpoint| endpoint.sid.as_str());
            let evaluations = profile.evaluations.iter().map(|evaluation| evaluation.sid.as_str());
            assignments.chain(endpoints).chain(evaluations).chain([profile.sid.as_str()])
        });
        let sids = of_profiles.chain(self.objects.iter().map(|object| object.sid.as_str()));
        let last_digits = |sid: &str| sid.get(18..).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        sids.filter_map(last_digits).fold(seed, |seed, digits| seed ^ digits)
    }
}

/// Why a state file cannot be used.
#[derive(Debug, Error)]
pub enum StateFileError {
    /// The file cannot be read or written.
    #[error("{}: {error}", .file.display())]
    Io {
        /// The path of the file.
        file: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// The file is not a state file, or has another version.
    #[error("{}: line {line} does not belong in a state file of the simulator; name another file, or remove this one", .file.display())]
    Line {
        /// The path of the file.
        file: PathBuf,
        /// The number of the line, counted from 1.
        line: usize,
    },
    /// Another simulator uses the file.
    #[error("{} is in use by another simulator; stop that one, or name another file", .0.display())]
    Used(PathBuf),
}

/// An open state file.
#[derive(Debug)]
pub struct StateFile {
    file: File,
    /// The length up to the end of the last complete line.
    length: u64,
    /// The locked lock file. It is separate because opening the state file replaces it.
    _lock: File,
}

impl StateFile {
    /// Opens or creates the file and returns its contents.
    ///
    /// # Errors
    /// [`StateFileError`].
    pub fn open(path: &Path) -> Result<(Self, StoredState), StateFileError> {
        let io = |error| StateFileError::Io { file: path.to_owned(), error };
        let lock = create_private(&sibling(path, "lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateFileError::Used(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let state = read(path)?;
        let file = rewrite(path, &state).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        Ok((Self { file, length, _lock: lock }, state))
    }

    /// Appends the current state of a profile.
    ///
    /// # Errors
    /// [`io::Error`] if the file cannot be written.
    pub(super) fn append(&mut self, profile: &SimulatedProfile) -> io::Result<()> {
        self.write(&StateRecord::Profile(profile))
    }

    /// Appends the deletion of a profile.
    ///
    /// # Errors
    /// [`io::Error`] if the file cannot be written.
    pub(super) fn append_deletion(&mut self, sid: &ProfileSid) -> io::Result<()> {
        self.write(&StateRecord::Deleted(*sid))
    }

    /// Appends the current state of an object.
    ///
    /// # Errors
    /// [`io::Error`] if the file cannot be written.
    pub(super) fn append_object(&mut self, object: &ComplianceObject) -> io::Result<()> {
        self.write(&StateRecord::Object(object))
    }

    /// Appends the deletion of an object.
    ///
    /// # Errors
    /// [`io::Error`] if the file cannot be written.
    pub(super) fn append_object_deletion(&mut self, sid: &str) -> io::Result<()> {
        self.write(&StateRecord::DeletedObject(sid.to_owned()))
    }

    fn write(&mut self, record: &BorrowedRecord<'_>) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(record)?;
        bytes.push(b'\n');
        // Removes the partial line that an earlier failed write may have left; it would corrupt this one.
        self.file.set_len(self.length)?;
        self.file.write_all(&bytes)?;
        self.length = self.length.saturating_add(bytes.len() as u64);
        Ok(())
    }
}

fn sibling(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Creates a file that only its owner can read, because it contains personal data.
fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)
}

fn read(path: &Path) -> Result<StoredState, StateFileError> {
    let io = |error| StateFileError::Io { file: path.to_owned(), error };
    let wrong = |line| StateFileError::Line { file: path.to_owned(), line };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(StoredState::default()),
        Err(error) => return Err(io(error)),
    };
    let mut lines = BufReader::new(file).split(b'\n').zip(1..);
    let Some((header, line)) = lines.next() else { return Ok(StoredState::default()) };
    if HEADER.strip_suffix(b"\n") != Some(&header.map_err(io)?) {
        return Err(wrong(line));
    }
    let mut latest = LatestRecords::default();
    let mut lines = lines.peekable();
    while let Some((text, line)) = lines.next() {
        match serde_json::from_slice(&text.map_err(io)?) {
            Ok(record) => latest.apply(record),
            // The simulator was killed while it wrote the last line, so the request was not answered.
            Err(error) if error.is_eof() && lines.peek().is_none() => {}
            Err(_) => return Err(wrong(line)),
        }
    }
    Ok(latest.into_state())
}

/// The latest record of each profile and object.
#[derive(Debug, Default)]
struct LatestRecords {
    profiles: HashMap<ProfileSid, SimulatedProfile>,
    objects: HashMap<String, ComplianceObject>,
}

impl LatestRecords {
    fn apply(&mut self, record: StateRecord<SimulatedProfile, ComplianceObject>) {
        match record {
            StateRecord::Profile(profile) => drop(self.profiles.insert(profile.sid, profile)),
            StateRecord::Deleted(sid) => drop(self.profiles.remove(&sid)),
            StateRecord::Object(object) => drop(self.objects.insert(object.sid.clone(), object)),
            StateRecord::DeletedObject(sid) => drop(self.objects.remove(&sid)),
        }
    }

    fn into_state(self) -> StoredState {
        let mut profiles: Vec<_> = self.profiles.into_values().collect();
        profiles.sort_by_key(|profile| profile.serial);
        let mut objects: Vec<_> = self.objects.into_values().collect();
        objects.sort_by_key(|object| object.serial);
        StoredState { profiles, objects }
    }
}

/// Replaces the file with one that holds only the current state, and opens it for appending.
fn rewrite(path: &Path, state: &StoredState) -> io::Result<File> {
    let fresh = sibling(path, "new");
    let mut file = BufWriter::new(create_private(&fresh)?);
    file.write_all(HEADER)?;
    let profiles = state.profiles.iter().map(BorrowedRecord::Profile);
    for record in profiles.chain(state.objects.iter().map(BorrowedRecord::Object)) {
        serde_json::to_writer(&mut file, &record)?;
        file.write_all(b"\n")?;
    }
    file.into_inner()?.sync_all()?;
    fs::rename(fresh, path)?;
    OpenOptions::new().append(true).open(path)
}
