//! Why the service, or a command that uses parts of it, could not start.

use std::{io, net::SocketAddr, path::PathBuf};

use durable_spool::OpenError;
use thiserror::Error;
use twilio_signature::EmptyKey;

use crate::{
    config::Problems, kafka::ClientError, registry::RegistryError, telemetry::MetricsError, traces::ReceiverError,
};

/// Why the service could not start.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    /// The service cannot listen on an address.
    #[error("{variable}: cannot listen on {address}: {error}; choose another address or port")]
    Listen {
        /// The variable that sets the address.
        variable: &'static str,
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The runtime or a server could not be created.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// librdkafka does not accept the configuration.
    #[error("Kafka client: {0}; see the KAFKA_ variables")]
    Kafka(#[source] ClientError),
    /// The schema registry cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The receiver of traces cannot be used.
    #[error(transparent)]
    Traces(#[from] ReceiverError),
    /// A signing key is empty.
    #[error("TWILIO_AUTH_TOKEN: {0}")]
    Key(#[from] EmptyKey),
    /// The spool cannot be opened.
    #[error("SPOOL_DIR: {0}")]
    Spool(#[from] OpenError),
    /// The folder of the spool does not exist.
    #[error("SPOOL_DIR: {} is not a folder; write the path of the service's spool folder", .0.display())]
    NoSpool(PathBuf),
    /// The client for Trust Hub cannot be created.
    #[error(transparent)]
    TrustHub(#[from] Problems),
    /// The metrics contradict each other.
    #[error("metrics: {0}")]
    Metrics(#[from] MetricsError),
}
