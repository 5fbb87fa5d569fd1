//! Calls that must be made even if the system has no thread for them now.

use std::time::Duration;

use super::BackgroundCall;
use crate::blocking::{self, BlockingError};

/// Starts the call now; the result completes when the call has returned. Retries when the system cannot start a thread.
pub(super) fn start_with_retries<W: FnOnce() + Send + 'static>(
    name: &'static str,
    mut call: impl FnMut() -> W + Send + 'static,
) -> BackgroundCall {
    const PAUSE: Duration = Duration::from_secs(1);
    let first = blocking::run(name, call());
    Box::pin(async move {
        let mut result = first.await;
        while let Err(error @ BlockingError::NoThread(_)) = result {
            tracing::error!(%error, "cannot start the call {name}; retrying every second");
            tokio::time::sleep(PAUSE).await;
            result = blocking::run(name, call()).await;
        }
    })
}
