//! Stopping: what asks for it and how the rest of the service learns of it. And the one signal that does not stop it.
//!
//! The first SIGTERM or SIGINT begins the stop; a second one ends the process at once.
//!
//! The order is: not ready but still serving in full, for as long as the ingress needs to notice; stop accepting;
//! finish the handlers; finish the accepted callbacks; flush the producer; the admin port last.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::signal::unix::{Signal, SignalKind, signal};

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

/// A signal that asks the process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT, as of Ctrl-C.
    Interrupt,
    /// SIGTERM, as of Kubernetes, Docker and systemd.
    Terminate,
}

impl StopSignal {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// The exit code of a process that this signal ended before it was finished: 128 and the signal's number, as shells
    /// report it.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// The signals that ask the service to stop. Made before anything listens: a signal that comes while the service
/// starts must not end it undrained.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// From now on SIGTERM and SIGINT do not end the process. Needs a Tokio runtime.
    ///
    /// # Errors
    /// When the process cannot install a signal handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one of them.
    pub async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.terminate.recv() => StopSignal::Terminate,
            _ = self.interrupt.recv() => StopSignal::Interrupt,
        }
    }
}

/// SIGHUP, which asks the service to read its files of keys again. A terminal that is closed sends it, too.
#[derive(Debug)]
pub struct ReloadSignals(Signal);

impl ReloadSignals {
    /// From now on SIGHUP does not end the process. Needs a Tokio runtime.
    ///
    /// # Errors
    /// When the process cannot install a signal handler.
    pub fn listen() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        self.0.recv().await;
    }
}
