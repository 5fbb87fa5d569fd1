//! What the public port and the admin port have in common: a table of their connections, a limit for the first head of
//! each, and a heartbeat for each worker.
//!
//! A worker is a thread with a runtime of its own, on which actix reads requests and calls handlers. Blocking calls in
//! this module: `dup`, `shutdown` and one `send` on a non-blocking socket. Each returns at once. They are made on the
//! worker of the connection, or of the connection that displaces it, and never under the lock of the table.

mod connections;
mod limits;
#[cfg(test)]
mod tests;

use std::{any::Any, future::pending, sync::Arc, time::Duration};

use actix_web::{HttpRequest, dev::Extensions, http::header};
use tokio::{net::TcpStream, task::spawn_local};

pub use self::{
    connections::{ActiveRequest, ConnectionSlot, ConnectionTable},
    limits::ConnectionLimits,
};
use crate::liveness::Liveness;

/// What a server does with each new connection: it gets a slot in `table`, and its first head has `head_timeout`.
///
/// actix has a time limit for that head as well, but starts it, and looks at it, before it reads: a worker that was
/// busy for as long answers 408 to callers who sent everything in time. That limit is therefore to be switched off.
pub fn admit_into(table: Arc<ConnectionTable>, head_timeout: Duration) -> impl Fn(&dyn Any, &mut Extensions) {
    move |stream, data| {
        let Some(stream) = stream.downcast_ref::<TcpStream>() else { return };
        if let Some(slot) = table.admit(stream) {
            slot.limit_first_head(head_timeout);
            data.insert(slot);
        }
    }
}

/// Registers the worker on whose thread this is called: `name` is stuck when that thread is blocked. To be called where
/// the application is made, which each worker does for itself, on its own thread.
pub fn watch_worker(liveness: &Liveness, name: &'static str) {
    let heartbeat = liveness.register(name);
    spawn_local(async move { heartbeat.beat_while(pending::<()>()).await });
}

/// Whether something follows the head of a request. It may have no end.
#[must_use]
pub fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let has_length = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    has_length || headers.contains_key(header::TRANSFER_ENCODING)
}
