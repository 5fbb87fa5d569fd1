//! Stopping: what asks for it and how the rest of the service learns of it.
//!
//! The order is: not ready but still serving in full, for as long as the ingress needs to notice; stop accepting;
//! finish the handlers; finish the accepted callbacks; flush the producer; the admin port last.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::signal::unix::{SignalKind, signal};

/// Whether the service is stopping. Copies share one state.
#[derive(Debug, Clone, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// From now on the service is not ready.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`begin`](Self::begin) was called.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits for SIGTERM or SIGINT and returns its name.
///
/// # Errors
/// When the process cannot install a signal handler.
pub async fn asked_to_stop() -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
