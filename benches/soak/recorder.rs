//! The ledger on disk: one file per caller, sixteen bytes per call.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
    time::Instant,
};

use test_support::ledger::{Call, CallRecorder};

/// The number, the status (0 without an answer), milliseconds from the start to the call, microseconds to the answer.
const FIELDS: usize = 4;
const SIZE: usize = FIELDS * 4;

/// Records the calls of one caller in a file.
pub(crate) struct FileRecorder {
    file: BufWriter<File>,
    began: Instant,
}

impl FileRecorder {
    pub(crate) fn create(folder: &Path, caller: u64) -> Self {
        Self { file: BufWriter::new(File::create(path(folder, caller)).unwrap()), began: Instant::now() }
    }

    pub(crate) fn close(mut self) {
        self.file.flush().unwrap();
    }
}

impl CallRecorder for FileRecorder {
    fn record(&mut self, call: Call) {
        let sent = (call.sent - self.began).as_millis();
        let fields = [call.number.into(), call.status.unwrap_or(0).into(), sent, call.took.as_micros()];
        for field in fields {
            self.file.write_all(&u32::try_from(field).unwrap().to_le_bytes()).unwrap();
        }
    }
}

/// A recorded call.
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) status: u32,
    pub(crate) sent_ms: u32,
    pub(crate) took_us: u32,
}

/// The recorded calls of this caller.
pub(crate) fn lines(folder: &Path, caller: u64) -> impl Iterator<Item = Line> {
    let mut file = BufReader::new(File::open(path(folder, caller)).unwrap());
    std::iter::from_fn(move || {
        let mut bytes = [0; SIZE];
        file.read_exact(&mut bytes).ok()?;
        let field = |index: usize| u32::from_le_bytes(bytes[index * 4..][..4].try_into().unwrap());
        Some(Line { number: field(0) as usize, status: field(1), sent_ms: field(2), took_us: field(3) })
    })
}

fn path(folder: &Path, caller: u64) -> PathBuf {
    folder.join(format!("ledger-{caller}.bin"))
}
