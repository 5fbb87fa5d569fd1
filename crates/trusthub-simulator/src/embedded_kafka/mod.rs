//! librdkafka's in-process Kafka cluster. Demonstrations need nothing else to be installed then.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create the cluster and its topics, stop and start its broker, destroy it | `embedded-kafka` | none | none; the cluster answers from memory |
//! | wait until the cluster is destroyed | the one that drops [`EmbeddedKafka`] | none | as above |

mod cluster;
mod control;
mod error;
mod forwarder;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicBool, mpsc},
    thread::{self, JoinHandle},
};

use rdkafka::error::KafkaError;

use self::{
    cluster::Cluster,
    control::{Command, run_commands},
    forwarder::Forwarder,
};
pub use self::{
    control::KafkaControl,
    error::{EmbeddedKafkaError, KafkaControlError},
};

/// A Kafka cluster inside this process. It listens on loopback, so that kcat and other librdkafka clients can read it. It can
/// be stopped and started again, and keeps its records meanwhile.
pub struct EmbeddedKafka {
    address: SocketAddr,
    control: KafkaControl,
    _forwarder: Forwarder,
    thread: Option<JoinHandle<()>>,
}

impl EmbeddedKafka {
    /// Starts one broker with these topics. Clients find it through `listener`: librdkafka chooses the port of the broker
    /// itself, and tells it to clients that connect. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`EmbeddedKafkaError`].
    pub fn start(topics: &[&str], partitions: i32, listener: TcpListener) -> Result<Self, EmbeddedKafkaError> {
        let topics: Vec<_> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let (commands, received) = mpsc::channel();
        let (started, is_started) = mpsc::channel();
        let is_up = Arc::new(AtomicBool::new(true));
        let control = KafkaControl { commands, is_up: Arc::clone(&is_up) };
        // The cluster cannot move to another thread, so it is created on its own.
        let thread = thread::Builder::new().name("embedded-kafka".to_owned()).spawn(move || {
            match Cluster::start(&topics, partitions) {
                Ok(cluster) => {
                    let _ = started.send(Ok(cluster.address()));
                    run_commands(cluster, &received, &is_up);
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        })?;
        let broker = is_started.recv().unwrap_or(Err(EmbeddedKafkaError::Cluster(KafkaError::Canceled)))?;
        Ok(Self {
            address: listener.local_addr()?,
            control,
            _forwarder: Forwarder::start(listener, broker)?,
            thread: Some(thread),
        })
    }

    /// Returns the value for `KAFKA_BOOTSTRAP_SERVERS`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.address.to_string()
    }

    /// Returns what stops and starts the broker.
    #[must_use]
    pub fn control(&self) -> KafkaControl {
        self.control.clone()
    }
}

impl Drop for EmbeddedKafka {
    fn drop(&mut self) {
        // The thread has ended already if nothing receives the command.
        let _ = self.control.commands.send(Command::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
