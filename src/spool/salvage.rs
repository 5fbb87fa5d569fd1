//! What can be had from the files of a stopped service, whatever their state.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs::{self, File},
    io,
    ops::ControlFlow,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    Entry,
    disk::{ASIDE, LIVE},
    frame::{self, HEAD, Head, LARGEST, MAGIC},
};

/// How much of a file is looked at once.
const WINDOW: usize = 1 << 20;

/// A store in a spool's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it is the one in use; the others were set aside because they are damaged.
    pub live: bool,
}

/// The stores in a spool's folder: the one in use first, then the others from the oldest to the newest.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<StoreFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let live = name == LIVE;
        if live || name.to_string_lossy().starts_with(ASIDE) {
            files.push(StoreFile { path: entry.path(), bytes: entry.metadata()?.len(), live });
        }
    }
    files.sort_by(|a, b| (Reverse(a.live), &a.path).cmp(&(Reverse(b.live), &b.path)));
    Ok(files)
}

/// What a salvage came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Whole records that were found.
    pub found: u64,
    /// Bytes of the file that could not be read.
    pub unreadable_bytes: u64,
}

/// Finds whole records in a store file, whatever its state, and hands them over in the order of their positions.
///
/// Records that were removed or parked may be among them: their bytes stay in the file until others need the place.
///
/// # Errors
/// When the file cannot be opened, or a record that was found cannot be read a second time.
pub fn salvage(path: &Path, mut each: impl FnMut(Entry) -> ControlFlow<()>) -> io::Result<Summary> {
    let file = Raw::open(path)?;
    let (places, unreadable_bytes) = file.places();
    for place in places.values() {
        if let Some(entry) = file.entry(*place)?
            && each(entry).is_break()
        {
            break;
        }
    }
    Ok(Summary { found: frame::bytes(places.len()), unreadable_bytes })
}

/// Where the frames begin, by position and checksum: the store copies its pages, so that a record is found repeatedly.
type Places = BTreeMap<(u64, u32), u64>;

/// A file of which nothing is known.
struct Raw {
    file: File,
    length: u64,
}

impl Raw {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    /// All whole frames, and how many bytes could not be read.
    fn places(&self) -> (Places, u64) {
        let mut places = Places::new();
        let mut unreadable = 0;
        // Windows overlap, so that a magic number across their border is seen.
        for start in (0..self.length).step_by(WINDOW) {
            match self.read(start, frame::bytes(WINDOW + MAGIC.len() - 1)) {
                Ok(window) => self.note_frames(start, &window, &mut places),
                Err(_) => unreadable += (self.length - start).min(frame::bytes(WINDOW)),
            }
        }
        (places, unreadable)
    }

    fn note_frames(&self, start: u64, window: &[u8], places: &mut Places) {
        let candidates = window.windows(MAGIC.len()).enumerate().filter(|(_, bytes)| *bytes == MAGIC);
        for (index, _) in candidates {
            let place = start.saturating_add(frame::bytes(index));
            if let Ok(Some((head, _))) = self.frame(place) {
                places.entry((head.position, head.checksum)).or_insert(place);
            }
        }
    }

    fn entry(&self, place: u64) -> io::Result<Option<Entry>> {
        Ok(self.frame(place)?.map(|(head, record)| head.entry(record)))
    }

    /// The frame at this place, if it is whole.
    fn frame(&self, place: u64) -> io::Result<Option<(Head, Vec<u8>)>> {
        let start = self.read(place, frame::bytes(HEAD))?;
        let Some((head, _)) = Head::split(&start).filter(|(head, _)| head.length() <= frame::bytes(LARGEST)) else {
            return Ok(None);
        };
        let record = self.read(place.saturating_add(frame::bytes(HEAD)), head.length())?;
        Ok((frame::bytes(record.len()) == head.length() && head.verifies(&record)).then_some((head, record)))
    }

    /// So many bytes, or as many as the file has.
    fn read(&self, place: u64, length: u64) -> io::Result<Vec<u8>> {
        let length = length.min(self.length.saturating_sub(place));
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, place)?;
        Ok(bytes)
    }
}
