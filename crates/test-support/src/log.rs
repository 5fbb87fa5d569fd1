//! The output of a program, read by a separate thread.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::Child,
    sync::{
        Arc, Condvar, Mutex,
        mpsc::{self, Receiver},
    },
    thread::{self, JoinHandle},
};

use serde_json::Value;

/// Reads the lines of an output until it ends, so that a test can wait for each of them with a deadline.
pub fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let output = BufReader::new(output);
    thread::spawn(move || output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
    lines
}

/// The log of one process.
pub(super) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    gate: Arc<LogGate>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    pub(super) fn of(child: &mut Child) -> Self {
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (lines, gate) = (Arc::new(Mutex::new(Vec::new())), Arc::new(LogGate::default()));
        let (into, held) = (Arc::clone(&lines), Arc::clone(&gate));
        let reader = thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if !held.passes() {
                    return;
                }
                into.lock().unwrap().push(line);
            }
        });
        Self { lines, gate, reader: Some(reader) }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub(super) fn find(&self, message: &str) -> Option<Value> {
        let log = self.lines.lock().unwrap();
        let mut lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["message"] == message)
    }

    pub(super) fn hold(&self) -> HeldLog {
        self.gate.set(ReaderState::Held);
        HeldLog(Arc::clone(&self.gate))
    }

    pub(super) fn close(&self) {
        self.gate.set(ReaderState::Closed);
    }

    /// Reads the rest of the log.
    pub(super) fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

/// The state of the log's reader.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ReaderState {
    #[default]
    Reading,
    Held,
    Closed,
}

#[derive(Debug, Default)]
struct LogGate {
    reading: Mutex<ReaderState>,
    changed: Condvar,
}

impl LogGate {
    fn set(&self, reading: ReaderState) {
        *self.reading.lock().unwrap() = reading;
        self.changed.notify_all();
    }

    /// Waits while the log is held. Returns whether reading continues.
    fn passes(&self) -> bool {
        let reading = self.reading.lock().unwrap();
        *self.changed.wait_while(reading, |reading| *reading == ReaderState::Held).unwrap() == ReaderState::Reading
    }
}

/// The log is not read until this is dropped.
pub struct HeldLog(Arc<LogGate>);

impl Drop for HeldLog {
    fn drop(&mut self) {
        self.0.set(ReaderState::Reading);
    }
}
