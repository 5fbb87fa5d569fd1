//! Logs to stderr without blocking the threads that log.
//!
//! The thread that logs a line formats it and appends it to a [`LogQueue`] in memory. The queue's lock is held for the
//! copy only. One thread, `log-writer`, writes the queue to stderr, every 20 ms or 64 KiB at most, and may block while
//! nothing reads stderr. Lines that do not fit into the queue meanwhile are dropped and counted. So neither a callback nor a
//! thread of librdkafka ever waits for the reader of the log. Panics are logged the same way, because the default panic hook
//! writes to stderr itself. The only wait is [`flush_logs`] at exit, for at most two seconds.

mod outcome_feed;
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

use tokio::sync::broadcast::Receiver;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    prelude::*,
};

pub(crate) use self::outcome_feed::LoggedRequest;
use self::{
    outcome_feed::OutcomeFeed,
    queue::{GATHER_TIME, LogLineWriter, LogQueue},
};
use super::metrics::dropped_log_lines;
use crate::config::{LogFormat, log_filter};

/// How long the exit waits until the log is written. On a busy machine, its thread may wait a second for a processor.
const EXIT_FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a thread that panicked waits until the log is written, because the process may be about to abort.
const PANIC_FLUSH_TIMEOUT: Duration = Duration::from_millis(100);

/// The log queue of the process, once it is initialized.
static LOG: OnceLock<Arc<LogQueue>> = OnceLock::new();

/// Sends the logs of the process to stderr. The default format is text on a terminal and JSON elsewhere. Only the first
/// call has an effect.
///
/// `filter` has the syntax of `RUST_LOG`. An invalid filter lets only errors through.
///
/// # Errors
/// When the system cannot start a thread.
pub(crate) fn init_logging(format: Option<LogFormat>, filter: &str) -> io::Result<()> {
    init(format, filter, None)
}

/// As [`init_logging`], and returns what the log says about each callback from then on, whatever `filter` lets through to
/// stderr. Of the rejected callbacks of a second, the log names only some. A receiver that is too slow misses some.
///
/// # Errors
/// When the system cannot start a thread.
pub(crate) fn init_logging_with_outcomes(
    format: Option<LogFormat>,
    filter: &str,
) -> io::Result<Receiver<LoggedRequest>> {
    let (feed, outcomes) = OutcomeFeed::new();
    init(format, filter, Some(feed))?;
    Ok(outcomes)
}

fn init(format: Option<LogFormat>, filter: &str, feed: Option<OutcomeFeed>) -> io::Result<()> {
    if LOG.get().is_some() {
        return Ok(());
    }
    let queue = start_writer()?;
    let on_terminal = io::stderr().is_terminal();
    let lines = {
        let queue = Arc::clone(&queue);
        // The library would otherwise write its own errors to stderr, which may block.
        fmt::layer().log_internal_errors(false).with_writer(move || LogLineWriter::new(&queue))
    };
    let lines = match format.unwrap_or(if on_terminal { LogFormat::Pretty } else { LogFormat::Json }) {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        LogFormat::Pretty => lines.with_ansi(on_terminal).with_target(false).boxed(),
    };
    let filter = log_filter(filter).unwrap_or_else(|| Targets::new().with_default(LevelFilter::ERROR));
    let initialized = match feed {
        Some(feed) => tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(feed.with_filter(outcome_feed::filter()))
            .try_init(),
        None => tracing_subscriber::registry().with(lines).with(filter).try_init(),
    };
    // A concurrent call may have been first. Its queue receives the lines then.
    if initialized.is_ok() && LOG.set(queue).is_ok() {
        panic::set_hook(Box::new(log_panic));
    }
    Ok(())
}

/// Writes a line to stderr as it is, in its order among the lines of the log and without waiting, like these.
pub(crate) fn write_line(line: &str) {
    if let Some(queue) = LOG.get() {
        queue.push(format!("{line}\n").as_bytes());
    }
}

/// Waits until all logged lines are written, for at most two seconds.
pub(crate) fn flush_logs() {
    if let Some(queue) = LOG.get() {
        queue.flush(EXIT_FLUSH_TIMEOUT);
    }
}

fn start_writer() -> io::Result<Arc<LogQueue>> {
    let queue = Arc::new(LogQueue::new(GATHER_TIME, dropped_log_lines().ok()));
    let writer = Arc::clone(&queue);
    // The writer has a descriptor of its own, because the standard library's stderr has a lock, on which other threads
    // would wait for the writer.
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

/// Runs on the writer's thread, and appends its line to the queue like any other line.
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
        queue.flush(PANIC_FLUSH_TIMEOUT);
    }
}
