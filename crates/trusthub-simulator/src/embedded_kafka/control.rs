//! Stops and starts the broker, from any thread.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use rdkafka::error::KafkaError;
use thiserror::Error;
use tokio::sync::oneshot;

use super::cluster::Cluster;

/// What the thread of the cluster is to do.
pub(super) enum Command {
    /// Let the broker listen (`true`) or not, and report the result.
    SetUp(bool, oneshot::Sender<Result<(), KafkaError>>),
    /// Destroy the cluster.
    End,
}

/// Why the embedded Kafka was not stopped or started.
#[derive(Debug, Error)]
pub enum KafkaControlError {
    /// librdkafka refuses it.
    #[error(transparent)]
    Cluster(#[from] KafkaError),
    /// The cluster does not exist any more.
    #[error("the embedded Kafka has ended")]
    Ended,
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
        result.await.map_err(|_| KafkaControlError::Ended)??;
        self.is_up.store(is_up, Ordering::Relaxed);
        Ok(())
    }
}

/// Carries commands out until the last one.
pub(super) fn run_commands(mut cluster: Cluster, commands: &mpsc::Receiver<Command>) {
    while let Ok(Command::SetUp(is_up, result)) = commands.recv() {
        // The one that asked may have stopped waiting.
        let _ = result.send(cluster.set_up(is_up));
    }
}
