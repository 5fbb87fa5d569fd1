//! The signals of the process, and the flag that tells the rest of the service that it is shutting down.
//!
//! The first SIGTERM or SIGINT starts the shutdown. A second one ends the process immediately. SIGHUP reloads the
//! credential files.
//!
//! A shutdown has these steps, which `app::Service::stop` makes:
//!
//! 1. `/readyz` fails, but the service still serves all requests for `SHUTDOWN_DELAY_SECS`, so that the ingress can notice.
//! 2. The public port closes, and its handlers are finished.
//! 3. The accepted callbacks are finished. Two seconds before `SHUTDOWN_TIMEOUT_SECS` ends, records that Kafka has not
//!    acknowledged are spooled.
//! 4. The background tasks stop.
//! 5. The producer is flushed, and the spool is closed.
//! 6. The admin port closes.
//!
//! This module makes no blocking call.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Whether the service is shutting down. Clones share one flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShutdownFlag(Arc<AtomicBool>);

impl ShutdownFlag {
    /// Starts the shutdown: from now on the service is not ready.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`begin`](Self::begin) was called.
    #[must_use]
    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A signal that requests a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// SIGINT, which Ctrl-C sends.
    Interrupt,
    /// SIGTERM, which Kubernetes, Docker and systemd send.
    Terminate,
}

impl StopSignal {
    /// The name of the signal, such as `SIGTERM`.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// The exit code of a process that this signal ended before its shutdown was complete: 128 plus the number of the signal,
    /// as shells report it.
    #[must_use]
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Listens for the signals that request a shutdown. To be created before any port listens: a signal during the start must not
/// end the service without a drain.
#[derive(Debug)]
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Installs handlers for SIGTERM and SIGINT, which no longer end the process then. Needs a Tokio runtime.
    ///
    /// # Errors
    /// An I/O error if a signal handler cannot be installed.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next of these signals.
    pub(crate) async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.terminate.recv() => StopSignal::Terminate,
            _ = self.interrupt.recv() => StopSignal::Interrupt,
        }
    }
}

/// Listens for SIGHUP, which requests a reload of the credential files. A terminal sends it as well when it is closed.
#[derive(Debug)]
pub(crate) struct ReloadSignals(Signal);

impl ReloadSignals {
    /// Installs a handler for SIGHUP, which no longer ends the process then. Needs a Tokio runtime.
    ///
    /// # Errors
    /// An I/O error if the signal handler cannot be installed.
    pub(crate) fn listen() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next SIGHUP.
    pub(crate) async fn next(&mut self) {
        self.0.recv().await;
    }
}
