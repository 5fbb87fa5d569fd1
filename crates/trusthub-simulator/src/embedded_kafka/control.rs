//! Stops and starts the broker, from any thread.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use tokio::sync::oneshot;

use super::{cluster::Cluster, error::KafkaControlError};

/// What the thread of the cluster is to do.
pub(super) enum Command {
    /// Let the broker listen (`true`) or not, and report the result.
    SetUp(bool, oneshot::Sender<Result<(), KafkaControlError>>),
    /// Destroy the cluster.
    End,
}

/// Stops and starts the broker of an [`EmbeddedKafka`](super::EmbeddedKafka). A clone controls the same broker.
#[derive(Debug, Clone)]
pub struct KafkaControl {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) is_up: Arc<AtomicBool>,
}

impl KafkaControl {
    /// Whether the broker accepts connections.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    /// Lets the broker accept connections, or closes its port and all connections. It keeps its records.
    ///
    /// # Errors
    /// [`KafkaControlError`].
    pub async fn set_up(&self, is_up: bool) -> Result<(), KafkaControlError> {
        let (sender, result) = oneshot::channel();
        self.commands.send(Command::SetUp(is_up, sender)).map_err(|_| KafkaControlError::Ended)?;
        result.await.map_err(|_| KafkaControlError::Ended)?
    }
}

/// Carries commands out until the last one, and says in `is_up` whether the broker listens.
pub(super) fn run_commands(mut cluster: Cluster, commands: &mpsc::Receiver<Command>, is_up: &AtomicBool) {
    while let Ok(Command::SetUp(listens, result)) = commands.recv() {
        let done = cluster.set_up(listens);
        is_up.store(cluster.is_up(), Ordering::Relaxed);
        // The one that asked may have stopped waiting.
        let _ = result.send(done);
    }
}
