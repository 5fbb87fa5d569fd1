//! The set-up of logs.
//!
//! A line is formatted on the thread that logs it and appended to a [`LogQueue`] in memory, under a lock that is held for
//! the copy alone. One thread, `log-writer`, writes to stderr and may block there until stderr is read: what does
//! not fit into the queue meanwhile is dropped and counted. So neither a callback nor a thread of librdkafka ever waits
//! for the reader of the log. A panic goes the same way, since the usual hook writes to stderr itself. The one wait is
//! [`flush_logs`] at the exit, half a second at most.

mod queue;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fs::File,
    io::{self, IsTerminal as _, Write},
    os::fd::AsFd as _,
    panic,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    prelude::*,
};

use self::queue::{Line, LogQueue};
use super::metrics::dropped_log_lines;
use crate::config::{LogFormat, log_filter};

/// How long the exit waits for the reader of the log.
const EXIT_PATIENCE: Duration = Duration::from_millis(500);

/// How long a thread that panicked does: the process may be about to abort.
const PANIC_PATIENCE: Duration = Duration::from_millis(100);

/// The log of the process, once it is set up.
static LOG: OnceLock<Arc<LogQueue>> = OnceLock::new();

/// Sends the process's logs to stderr; without a format, as text on a terminal and as JSON elsewhere. The first call wins;
/// later ones change nothing.
///
/// `filter` is in the syntax of `RUST_LOG`; one that cannot be read lets errors through.
///
/// # Errors
/// When the system gives no thread.
pub fn init_logging(format: Option<LogFormat>, filter: &str) -> io::Result<()> {
    if LOG.get().is_some() {
        return Ok(());
    }
    let queue = start_writer()?;
    let on_terminal = io::stderr().is_terminal();
    let lines = {
        let queue = Arc::clone(&queue);
        // The library would report its own errors to stderr, and wait for it.
        fmt::layer().log_internal_errors(false).with_writer(move || Line::of(&queue))
    };
    let lines = match format.unwrap_or(if on_terminal { LogFormat::Pretty } else { LogFormat::Json }) {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        LogFormat::Pretty => lines.with_ansi(on_terminal).with_target(false).boxed(),
    };
    let filter = log_filter(filter).unwrap_or_else(|| Targets::new().with_default(LevelFilter::ERROR));
    // Another call may have been faster; its queue has the lines then.
    if tracing_subscriber::registry().with(lines).with(filter).try_init().is_ok() && LOG.set(queue).is_ok() {
        panic::set_hook(Box::new(log_panic));
    }
    Ok(())
}

/// Waits until everything that was logged is written, half a second at most.
pub fn flush_logs() {
    if let Some(queue) = LOG.get() {
        queue.flush(EXIT_PATIENCE);
    }
}

fn start_writer() -> io::Result<Arc<LogQueue>> {
    let queue = Arc::new(LogQueue::new(dropped_log_lines().ok()));
    let writer = Arc::clone(&queue);
    // A descriptor of its own: the standard library's stderr has a lock, at which others would wait for the writer.
    let stderr: Box<dyn Write + Send> = match io::stderr().as_fd().try_clone_to_owned() {
        Ok(stderr) => Box::new(File::from(stderr)),
        Err(_) => Box::new(io::stderr()),
    };
    let thread = thread::Builder::new().name("log-writer".to_owned());
    thread
        .spawn(move || writer.write_to(stderr, report_dropped))
        .map_err(|error| io::Error::new(error.kind(), format!("cannot start a thread: {error}")))?;
    Ok(queue)
}

/// Appends its line to the queue like any other, on the thread that writes.
fn report_dropped(lines: u64) {
    tracing::warn!(lines, "log lines were dropped because stderr was not read fast enough");
}

fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        thread = thread::current().name(),
        location = panic.location().map(ToString::to_string),
        reason = panic.payload_as_str(),
        backtrace,
        "a thread panicked"
    );
    if let Some(queue) = LOG.get() {
        queue.flush(PANIC_PATIENCE);
    }
}
