//! The cluster itself, on its own thread.

use std::{io, net::SocketAddr};

use rdkafka::{error::KafkaError, mocking::MockCluster, producer::DefaultProducerContext};
use tokio::net::TcpSocket;

use super::error::EmbeddedKafkaError;

/// What librdkafka calls all brokers.
const ALL_BROKERS: i32 = -1;

/// One broker with its topics.
pub(super) struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    address: SocketAddr,
    /// Keeps the port while the broker does not listen on it.
    reserved: Option<TcpSocket>,
}

impl Cluster {
    pub(super) fn start(topics: &[String], partitions: i32) -> Result<Self, EmbeddedKafkaError> {
        let mock = MockCluster::new(1)?;
        for topic in topics {
            mock.create_topic(topic, partitions, 1)?;
        }
        let address = mock.bootstrap_servers().parse().map_err(io::Error::other)?;
        Ok(Self { mock, address, reserved: None })
    }

    /// The address of the broker.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the broker listen, or closes its port and all connections. It keeps its records.
    pub(super) fn set_up(&mut self, is_up: bool) -> Result<(), KafkaError> {
        if is_up {
            return self.mock.broker_up(ALL_BROKERS);
        }
        self.mock.broker_down(ALL_BROKERS)?;
        if self.reserved.is_none() {
            // librdkafka aborts the process if it cannot listen on the same port again, which another program, or a
            // client that connects to a closed port, could get meanwhile.
            self.reserved = reserve(self.address).ok();
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
