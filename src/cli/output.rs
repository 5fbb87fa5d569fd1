//! Output and exit codes of the commands.

use std::{
    error::Error,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use thiserror::Error as DeriveError;

/// Any error, or a text.
type BoxedError = Box<dyn Error + Send + Sync>;

/// Why a command ends early, and with which exit code.
#[derive(Debug, DeriveError)]
pub(super) enum Failure {
    /// The command failed: exit code 1.
    #[error(transparent)]
    Failed(BoxedError),
    /// The usage or the configuration is not valid: exit code 2.
    #[error(transparent)]
    Usage(BoxedError),
    /// The command has found what `--exit-code` asks about, as the printed result shows: exit code 3.
    #[error("something was found")]
    Found,
    /// A second signal arrived while the command was stopping: the exit code of that signal. The log says so.
    #[error("interrupted")]
    Interrupted(u8),
    /// The reader of stdout has closed it, which is no error: exit code 0.
    #[error("stdout is closed")]
    ClosedPipe,
}

impl Failure {
    pub(super) fn failed(error: impl Into<BoxedError>) -> Self {
        Self::Failed(error.into())
    }

    pub(super) fn usage(error: impl Into<BoxedError>) -> Self {
        Self::Usage(error.into())
    }

    /// The text to print, if the command has not printed everything already.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Failed(error) | Self::Usage(error) => Some(error.to_string()),
            Self::Found | Self::Interrupted(_) | Self::ClosedPipe => None,
        }
    }

    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Failed(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::Found => ExitCode::from(3),
            Self::Interrupted(code) => ExitCode::from(*code),
            Self::ClosedPipe => ExitCode::SUCCESS,
        }
    }
}

/// Prints a line of the result on stdout.
pub(super) fn print(line: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ClosedPipe),
        result => result.map_err(Failure::failed),
    }
}

/// Prints a diagnostic on stderr. A closed stderr is ignored.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints each warning on stderr.
pub(super) fn warn_all(warnings: &[String]) {
    warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
}

/// Prints help, the version, or the error in the arguments, and returns the exit code.
pub(super) fn usage(usage: &clap::Error) -> ExitCode {
    let _ = usage.print();
    if usage.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// A progress line on a terminal, which is updated at most twice a second. Without a terminal it prints nothing.
#[derive(Debug, Default)]
pub(super) struct ProgressLine(Option<Instant>);

impl ProgressLine {
    const UPDATE_INTERVAL: Duration = Duration::from_millis(500);

    pub(super) fn show(&mut self, text: &str) {
        self.show_with(|| text.to_owned());
    }

    /// As [`show`](Self::show), but builds the text only if it is shown.
    pub(super) fn show_with(&mut self, text: impl FnOnce() -> String) {
        let due = self.0.is_none_or(|last| last.elapsed() >= Self::UPDATE_INTERVAL);
        if due && io::stderr().is_terminal() {
            self.0 = Some(Instant::now());
            let _ = write!(io::stderr().lock(), "\r\x1b[K{}", text());
        }
    }

    /// Removes the progress line, so that another line can be printed.
    pub(super) fn clear(&mut self) {
        if self.0.take().is_some() {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Prints rows as they arrive, below a header that is printed before the first row, together with a progress line. What
/// successive rows have in common is a heading above them, which keeps the rows short.
#[derive(Debug)]
pub(super) struct Rows {
    header: Option<String>,
    /// The heading above the last row.
    group: String,
    progress: ProgressLine,
    /// The first error. No row is printed after it.
    failure: Option<Failure>,
}

impl Rows {
    pub(super) fn below(header: String) -> Self {
        Self { header: Some(header), group: String::new(), progress: ProgressLine::default(), failure: None }
    }

    /// Rows without a header.
    pub(super) fn plain() -> Self {
        Self { header: None, group: String::new(), progress: ProgressLine::default(), failure: None }
    }

    /// Prints a row. A heading comes before it unless the last row had the same heading.
    pub(super) fn print(&mut self, group: String, row: &str) {
        self.progress.clear();
        let is_new = self.group != group;
        self.group = group;
        let heading = is_new.then_some(self.group.as_str());
        for line in self.header.take().as_deref().into_iter().chain(heading).chain([row]) {
            if self.failure.is_none() {
                self.failure = print(line).err();
            }
        }
    }

    /// Prints a diagnostic between the rows.
    pub(super) fn say(&mut self, text: &str) {
        self.progress.clear();
        say(text);
    }

    pub(super) fn progress(&mut self, text: impl FnOnce() -> String) {
        self.progress.show_with(text);
    }

    /// Returns the first error of printing, if there was one.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.failure.map_or(Ok(()), Err)
    }
}
