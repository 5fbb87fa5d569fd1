//! The cluster itself, on its own thread.

use std::{io, net::SocketAddr};

use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};
use tokio::net::TcpSocket;

use super::error::{EmbeddedKafkaError, KafkaControlError};

/// What librdkafka calls all brokers.
const ALL_BROKERS: i32 = -1;

/// One broker with its topics.
pub(super) struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    address: SocketAddr,
    /// Keeps the port while the broker does not listen on it.
    reserved: Option<TcpSocket>,
    is_up: bool,
}

impl Cluster {
    pub(super) fn start(topics: &[String], partitions: i32) -> Result<Self, EmbeddedKafkaError> {
        let mock = MockCluster::new(1)?;
        for topic in topics {
            mock.create_topic(topic, partitions, 1)?;
        }
        let address = mock.bootstrap_servers().parse().map_err(io::Error::other)?;
        Ok(Self { mock, address, reserved: None, is_up: true })
    }

    /// The address of the broker.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the broker listens.
    pub(super) fn is_up(&self) -> bool {
        self.is_up
    }

    /// Lets the broker listen, or closes its port and all connections. It keeps its records.
    pub(super) fn set_up(&mut self, is_up: bool) -> Result<(), KafkaControlError> {
        if is_up {
            // librdkafka aborts the process if it cannot listen on its port again.
            self.reserve()?;
            self.mock.broker_up(ALL_BROKERS)?;
            self.is_up = true;
            return Ok(());
        }
        self.mock.broker_down(ALL_BROKERS)?;
        self.is_up = false;
        self.reserve()
    }

    /// Keeps the port, which another program, or a client that connects to a closed port, could get otherwise.
    fn reserve(&mut self) -> Result<(), KafkaControlError> {
        if self.reserved.is_none() && !self.is_up {
            self.reserved = Some(reserve(self.address)?);
        }
        Ok(())
    }
}

/// Binds the address without listening, so that only a socket with `SO_REUSEADDR`, as librdkafka's has, can bind it.
fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
