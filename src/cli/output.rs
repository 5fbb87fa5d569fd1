//! What the commands print, and how they end.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use thiserror::Error;

/// Why a command ends with another code than 0.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// Exit code 1.
    #[error("{0}")]
    Failed(String),
    /// Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Exit code 3: what was looked for was found, as the result has told.
    #[error("something is missing")]
    Missing,
    /// The exit code of a signal that came while the command was stopping. The log says so.
    #[error("interrupted")]
    Interrupted(u8),
    /// Whoever read stdout has enough: no error.
    #[error("stdout is closed")]
    ClosedPipe,
}

impl Failure {
    pub(super) fn failed(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }

    pub(super) fn usage(error: impl ToString) -> Self {
        Self::Usage(error.to_string())
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Failed(text) | Self::Usage(text) => Some(text),
            Self::Missing | Self::Interrupted(_) | Self::ClosedPipe => None,
        }
    }

    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Failed(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::Missing => ExitCode::from(3),
            Self::Interrupted(code) => ExitCode::from(*code),
            Self::ClosedPipe => ExitCode::SUCCESS,
        }
    }
}

/// Prints a line of the result.
pub(super) fn print(line: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ClosedPipe),
        result => result.map_err(Failure::failed),
    }
}

/// Tells the user something that is no result. Nobody can be told when stderr is closed.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints help, the version, or what is wrong with the arguments.
pub(super) fn usage(usage: &clap::Error) -> ExitCode {
    let _ = usage.print();
    if usage.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// A line on a terminal that is written anew, at most twice a second; elsewhere nothing.
#[derive(Debug, Default)]
pub(super) struct Progress(Option<Instant>);

impl Progress {
    const PACE: Duration = Duration::from_millis(500);

    pub(super) fn show(&mut self, text: &str) {
        self.show_with(|| text.to_owned());
    }

    /// The same, with a text that is made only when it is shown.
    pub(super) fn show_with(&mut self, text: impl FnOnce() -> String) {
        let due = self.0.is_none_or(|last| last.elapsed() >= Self::PACE);
        if due && io::stderr().is_terminal() {
            self.0 = Some(Instant::now());
            let _ = write!(io::stderr().lock(), "\r\x1b[K{}", text());
        }
    }

    /// Makes room for another line.
    pub(super) fn clear(&mut self) {
        if self.0.take().is_some() {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Rows that are printed as they come, below a head that comes with the first; and beside them how far it is.
#[derive(Debug)]
pub(super) struct Rows {
    head: Option<String>,
    progress: Progress,
    /// Why nothing more is printed.
    failure: Option<Failure>,
}

impl Rows {
    pub(super) fn below(head: String) -> Self {
        Self { head: Some(head), progress: Progress::default(), failure: None }
    }

    pub(super) fn print(&mut self, row: &str) {
        self.progress.clear();
        for line in self.head.take().as_deref().into_iter().chain([row]) {
            if self.failure.is_none() {
                self.failure = print(line).err();
            }
        }
    }

    /// Tells the user something between the rows.
    pub(super) fn say(&mut self, text: &str) {
        self.progress.clear();
        say(text);
    }

    pub(super) fn progress(&mut self, text: impl FnOnce() -> String) {
        self.progress.show_with(text);
    }

    /// The last row is printed.
    pub(super) fn end(self) -> Result<(), Failure> {
        self.failure.map_or(Ok(()), Err)
    }
}
