//! Calls that block, each on a thread of its own.
//!
//! Name look-ups, files, sockets and librdkafka can each hold the thread that asks them for as long as they like. Nothing
//! of that kind is called on a worker, on the runtime or under a lock: it is called through [`run`], by callers that wait
//! for one call before they make the next. So there are never more such threads than callers, and a call that hangs
//! delays its own caller only. Tokio's pool of blocking threads gives no such promise, because everything shares it.

use std::{future::Future, io, thread};

use thiserror::Error;
use tokio::sync::oneshot;

/// Why a blocking call gave no result.
#[derive(Debug, Error)]
pub enum BlockingError {
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    NoThread(#[from] io::Error),
    /// The call panicked.
    #[error("the call panicked")]
    Panicked,
}

/// Runs `work` on a new thread called `name` (at most 15 bytes are shown by the system). It begins at once and comes to
/// its end whether or not the future is awaited; a process that exits does not wait for it.
///
/// # Errors
/// [`BlockingError`]
pub fn run<T: Send + 'static>(
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
    async fn a_call_that_hangs_delays_no_other_call() {
        let (release, held) = mpsc::channel::<()>();
        let hanging = run("hangs", move || held.recv());
        assert_eq!(run("works", || 7).await.unwrap(), 7);
        release.send(()).unwrap();
        assert!(hanging.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        assert!(matches!(run("panics", || panic!("on purpose")).await, Err::<(), _>(BlockingError::Panicked)));
    }
}
