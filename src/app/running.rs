//! What runs beside the callbacks until the service stops, and how long a stop waits for it.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    liveness::Liveness,
    receive::{Server, ServerHandle},
};

/// For what is told to end when the time to stop is over already: it does so at its next step.
const LAST_MOMENT: Duration = Duration::from_millis(100);

/// A task that runs until the service stops.
pub(super) struct Background {
    what: &'static str,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// A server that runs.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

impl Background {
    /// Starts a loop, which has to tick for as long as it runs.
    pub(super) fn start<F>(liveness: &Liveness, what: &'static str, work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let (work, heartbeat) = (work(stop.clone()), liveness.register(what));
        let task = tokio::spawn(async move { heartbeat.beat_while(work).await });
        Self { what, stop, task }
    }

    pub(super) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Waits for its end, at most `patience` and a moment: one that hangs must not keep the process from its end.
    pub(super) async fn stop(mut self, patience: Duration) {
        self.cancel();
        match timeout(patience + LAST_MOMENT, &mut self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "{} ended with an error", self.what),
            Err(_elapsed) => tracing::error!("{} does not end; the stop does not wait for it", self.what),
        }
    }
}

impl Running {
    pub(super) fn start(
        listener: TcpListener,
        server: impl FnOnce(TcpListener) -> io::Result<Server>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let server = server(listener)?;
        Ok(Self { address, handle: server.handle(), task: tokio::spawn(server) })
    }

    /// Lets the server finish its handlers for at most `patience`. Handlers that take longer are cancelled, so that what
    /// they accepted is finished without them.
    pub(super) async fn stop(mut self, patience: Duration) {
        if timeout(patience, self.handle.stop(true)).await.is_err() {
            // Its workers end at once.
            self.task.abort();
        }
        match timeout(LAST_MOMENT, &mut self.task).await {
            Ok(Ok(Err(error))) => tracing::error!(%error, address = %self.address, "the server ended with an error"),
            Ok(_) => {}
            Err(_elapsed) => {
                tracing::error!(address = %self.address, "the server does not end; the stop does not wait for it")
            }
        }
    }
}
