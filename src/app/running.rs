//! The background tasks and servers of the service, and how long a stop waits for them.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use tokio::{
    task::JoinHandle,
    time::{timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    liveness::Liveness,
    receive::{Server, ServerHandle},
};

/// The time that all tasks and servers together get after the time to stop is over. They need only their next step to notice
/// the stop, but on a busy machine they may wait for a processor. The chart gives a pod five seconds more than its configured
/// time, and the log needs some of them.
pub(super) const GRACE_PERIOD: Duration = Duration::from_secs(1);

/// The time that each of them gets even after that, so that one that hangs does not make all others look as if they hung.
const SHORTEST_STOP: Duration = Duration::from_millis(100);

/// When to stop waiting for a task or a server.
fn end_of_wait(deadline: Instant) -> tokio::time::Instant {
    (deadline + GRACE_PERIOD).max(Instant::now() + SHORTEST_STOP).into()
}

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

    /// Cancels the task and waits for its end, for at most `limit` and [`GRACE_PERIOD`].
    pub(super) async fn stop(self, limit: Duration) {
        self.stop_by(Instant::now() + limit).await;
    }

    /// The same, at most until `deadline` and [`GRACE_PERIOD`], but at least for [`SHORTEST_STOP`]: a hanging task must not
    /// keep the process from exiting.
    pub(super) async fn stop_by(mut self, deadline: Instant) {
        self.cancel();
        match timeout_at(end_of_wait(deadline), &mut self.task).await {
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
    /// they accepted are then finished without them. Waits for the end of the server as
    /// [`BackgroundTask::stop_by`] does for that of a task.
    pub(super) async fn stop_by(mut self, limit: Duration, deadline: Instant) {
        if timeout(limit, self.handle.stop(true)).await.is_err() {
            // This ends the workers immediately.
            self.task.abort();
        }
        match timeout_at(end_of_wait(deadline), &mut self.task).await {
            Ok(Ok(Err(error))) => tracing::error!(%error, address = %self.address, "the server ended with an error"),
            Ok(_) => {}
            Err(_elapsed) => {
                tracing::error!(address = %self.address, "the server did not stop in time; shutdown continues without it")
            }
        }
    }
}
