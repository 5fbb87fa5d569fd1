//! The background tasks and servers of the service, and how long a stop waits for them.

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

/// The time that a task gets even if the time to stop is over already. It needs only its next step to notice the stop.
const GRACE_PERIOD: Duration = Duration::from_millis(100);

/// A task that runs until the service stops.
pub(super) struct BackgroundTask {
    name: &'static str,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// A running server.
pub(super) struct RunningServer {
    pub(super) address: SocketAddr,
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

impl BackgroundTask {
    /// Starts a task. Its heartbeat is registered in `liveness` until it ends.
    pub(super) fn start<F>(liveness: &Liveness, name: &'static str, work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let (work, heartbeat) = (work(stop.clone()), liveness.register(name));
        let task = tokio::spawn(async move { heartbeat.beat_while(work).await });
        Self { name, stop, task }
    }

    pub(super) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Cancels the task and waits for its end, for at most `limit` and [`GRACE_PERIOD`]: a hanging task must not keep the
    /// process from exiting.
    pub(super) async fn stop(mut self, limit: Duration) {
        self.cancel();
        match timeout(limit + GRACE_PERIOD, &mut self.task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "{} ended with an error", self.name),
            Err(_elapsed) => tracing::error!("{} did not stop in time; shutdown continues without it", self.name),
        }
    }
}

impl RunningServer {
    pub(super) fn start(
        listener: TcpListener,
        server: impl FnOnce(TcpListener) -> io::Result<Server>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let server = server(listener)?;
        Ok(Self { address, handle: server.handle(), task: tokio::spawn(server) })
    }

    /// Lets the server finish its handlers for at most `limit`. Handlers that take longer are cancelled. The callbacks that
    /// they accepted are then finished without them.
    pub(super) async fn stop(mut self, limit: Duration) {
        if timeout(limit, self.handle.stop(true)).await.is_err() {
            // This ends the workers immediately.
            self.task.abort();
        }
        match timeout(GRACE_PERIOD, &mut self.task).await {
            Ok(Ok(Err(error))) => tracing::error!(%error, address = %self.address, "the server ended with an error"),
            Ok(_) => {}
            Err(_elapsed) => {
                tracing::error!(address = %self.address, "the server did not stop in time; shutdown continues without it")
            }
        }
    }
}
