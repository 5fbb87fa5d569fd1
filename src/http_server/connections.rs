//! The connections to a port: gives each a slot in the table, shuts down evicted ones, and limits the time of the first head.
//!
//! # Failures
//!
//! | What fails | What follows |
//! |---|---|
//! | the system has no second descriptor for a connection | the connection is shut down immediately |
//! | too many connections | the one that has been idle longest is shut down |
//! | too many active requests, or too many bytes | [`ConnectionSlot::activate`] returns `None` |
//! | the first head is late | the connection is answered 400 and shut down |

use std::{
    cell::{Cell, OnceCell},
    io::Write as _,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Weak},
    time::Duration,
};

use actix_web::web::Payload;
use tokio::{
    task::{JoinHandle, spawn_local, yield_now},
    time::sleep,
};

use super::table::{ActiveRequest, AdmittedConnection, Connection, ConnectionTable};

/// The response to a head that is not complete in time.
const LATE_HEAD_RESPONSE: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 11\r\n\r\nBad Request";

impl Connection<TcpStream> {
    /// Shuts the socket down, from any thread. The worker of the connection notices it and closes the connection. Bytes that
    /// were written before are still sent.
    fn shut_down(&self) {
        // Fails if the caller closed the connection first.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl ConnectionTable {
    /// Gives a new connection a slot. If there are too many connections, evicts the one that has been idle longest.
    ///
    /// Returns `None` when the system has no second descriptor, through which the connection could be evicted. Such a
    /// connection is shut down immediately: otherwise its caller could keep it open without limit.
    pub(crate) fn admit(self: &Arc<Self>, stream: &impl AsFd) -> Option<ConnectionSlot> {
        let Ok(second) = stream.as_fd().try_clone_to_owned() else {
            let _ = rustix::net::shutdown(stream, rustix::net::Shutdown::ReadWrite);
            return None;
        };
        let (admitted, evicted) = self.add(TcpStream::from(second));
        if let Some(evicted) = evicted {
            evicted.shut_down();
        }
        Some(ConnectionSlot { admitted, unread: OnceCell::new(), head_limit: Cell::default() })
    }
}

/// Shuts a connection down, from any thread, if it still exists.
pub(crate) struct ConnectionCloser(Weak<Connection<TcpStream>>);

impl ConnectionCloser {
    /// Shuts the connection down now.
    pub(crate) fn close(&self) {
        if let Some(connection) = self.0.upgrade() {
            connection.shut_down();
        }
    }
}

/// The slot of an open connection in its table.
pub(crate) struct ConnectionSlot {
    admitted: AdmittedConnection<TcpStream>,
    /// The unread rest of the body of the last request on this connection.
    unread: OnceCell<Payload>,
    /// Shuts the connection down if its first head is late.
    head_limit: Cell<Option<JoinHandle<()>>>,
}

impl ConnectionSlot {
    /// Whether the limit of active requests is reached, so that there is no use in reading another request.
    #[must_use]
    pub(crate) fn is_saturated(&self) -> bool {
        self.admitted.is_saturated()
    }

    /// Counts a complete request that holds `bytes` bytes. The connection is active until the returned value is dropped.
    /// Returns `None` when a limit is reached or the connection was evicted.
    #[must_use]
    pub(crate) fn activate(&self, bytes: usize) -> Option<ActiveRequest> {
        self.admitted.activate(bytes)
    }

    /// Marks the request in progress as the last one on this connection. `unread` is the rest of its body. If that were
    /// dropped, actix would read the rest of a chunked body without end; if it is kept, actix closes the connection after a
    /// short time.
    pub(crate) fn mark_last_request(&self, unread: Payload) {
        // Set once: later requests on the connection are not answered.
        let _ = self.unread.set(unread);
    }

    /// Whether the last request on this connection was answered.
    #[must_use]
    pub(crate) fn has_had_last_request(&self) -> bool {
        self.unread.get().is_some()
    }

    /// What shuts the connection down later, from any thread. It does not keep the connection open.
    #[must_use]
    pub(crate) fn closer(&self) -> ConnectionCloser {
        ConnectionCloser(Arc::downgrade(self.admitted.connection()))
    }

    /// Limits the bytes that the system holds for a caller that does not read them. The system may round the limit.
    pub(crate) fn limit_send_buffer(&self, bytes: usize) {
        // Without this limit, the system holds more, and everything else stays the same.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&self.admitted.connection().socket, bytes);
    }

    /// Shuts the connection down now.
    pub(crate) fn close(&self) {
        self.admitted.connection().shut_down();
    }

    /// Answers 400 and shuts the connection down if no head is complete after `limit`. To be called on its worker.
    pub(super) fn limit_first_head(&self, limit: Duration) {
        let connection = Arc::downgrade(self.admitted.connection());
        self.head_limit.set(Some(spawn_local(async move {
            sleep(limit).await;
            // The worker itself may have been busy. During this pause it reads the bytes that have arrived meanwhile.
            yield_now().await;
            if let Some(connection) = connection.upgrade() {
                // The first write to a socket fits into its buffer, so it does not block.
                let _ = (&connection.socket).write(LATE_HEAD_RESPONSE);
                connection.shut_down();
            }
        })));
    }

    /// Ends the time limit for the first head, because a head is complete.
    pub(crate) fn on_head(&self) {
        if let Some(limit) = self.head_limit.take() {
            limit.abort();
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.on_head();
    }
}
