//! Runs each blocking call on a thread of its own.
//!
//! A name lookup, a file, a socket or librdkafka can block the calling thread without limit. Such a call is never made on a
//! worker, on the runtime or under a lock. It is made through [`run`], by callers that wait for one call before they make the
//! next. So there are never more such threads than callers, and a call that hangs delays only its own caller. Tokio's pool of
//! blocking threads does not guarantee this, because all callers share it.

use std::{future::Future, io, thread};

use thiserror::Error;
use tokio::sync::oneshot;

/// Why a blocking call gave no result.
#[derive(Debug, Error)]
pub(crate) enum BlockingError {
    /// The system cannot create a thread.
    #[error("cannot start a thread: {0}")]
    NoThread(#[from] io::Error),
    /// The call panicked.
    #[error("the call panicked")]
    Panicked,
}

/// Runs `work` on a new thread called `name` (the system shows at most 15 bytes of it). The work starts immediately and
/// runs to completion whether or not the future is awaited. A process that exits does not wait for it.
///
/// # Errors
/// [`BlockingError`] when there was no thread for the work, or when it panicked.
pub(crate) fn run<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Result<T, BlockingError>> + Send + 'static {
    let (sender, result) = oneshot::channel();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // The caller may have stopped waiting.
        let _ = sender.send(work());
    });
    async move {
        thread?;
        result.await.map_err(|_dropped| BlockingError::Panicked)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn hanging_call_delays_no_other_call() {
        let (release, held) = mpsc::channel::<()>();
        let hanging = run("hangs", move || held.recv());
        assert_eq!(run("works", || 7).await.unwrap(), 7);
        release.send(()).unwrap();
        assert!(hanging.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn panic_is_an_error() {
        assert!(matches!(run("panics", || panic!("on purpose")).await, Err::<(), _>(BlockingError::Panicked)));
    }
}
