//! Gives the broker a second address, whose port can be chosen.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
    time::sleep,
};

/// The number of connections at the same time. Clients use theirs only until they know the address of the broker.
const MAX_CONNECTIONS: usize = 256;

/// The pause after a connection could not be accepted, as when the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Forwards connections until it is dropped.
pub(super) struct Forwarder(JoinHandle<()>);

impl Forwarder {
    pub(super) fn start(listener: std::net::TcpListener, broker: SocketAddr) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self(tokio::spawn(forward(TcpListener::from_std(listener)?, broker))))
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn forward(listener: TcpListener, broker: SocketAddr) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
        let Ok((mut client, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        tokio::spawn(async move {
            let _permit = permit;
            // While the broker is stopped, the connection is closed.
            if let Ok(mut server) = TcpStream::connect(broker).await {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}
