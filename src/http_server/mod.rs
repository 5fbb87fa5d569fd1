//! Shared parts of the public and the admin server: a table of connections, a time limit for the first head of each
//! connection, and a heartbeat for each worker.
//!
//! A worker is a thread with a runtime of its own, on which actix reads requests and calls handlers.
//!
//! # Calls that can block
//!
//! | Call | Thread | Lock | Bound |
//! |---|---|---|---|
//! | `dup` of a socket | the worker of the connection | none | returns immediately |
//! | `shutdown` of a socket | the worker of the connection, or of the connection for which it is evicted | none | returns immediately |
//! | one `send` on a non-blocking socket | the worker of the connection | none | returns immediately |

mod connections;
mod limits;
#[cfg(test)]
mod model;
mod primitives;
mod table;
#[cfg(test)]
mod tests;

use std::{any::Any, future::pending, sync::Arc, time::Duration};

use actix_web::{HttpRequest, dev::Extensions, http::header};
use tokio::{net::TcpStream, task::spawn_local};

pub(crate) use self::{
    connections::{ConnectionCloser, ConnectionSlot},
    limits::ConnectionLimits,
    table::{ActiveRequest, ConnectionTable},
};
use crate::liveness::Liveness;

/// Returns the hook that a server calls for each new connection. It gives the connection a slot in `table`, and its first
/// head `head_timeout` to arrive.
///
/// actix also has a time limit for the head, but it checks that limit before it reads. A worker that was busy for that long
/// would answer 408 to callers who sent the head in time. The caller must therefore switch that limit off.
pub(crate) fn admit_into(table: Arc<ConnectionTable>, head_timeout: Duration) -> impl Fn(&dyn Any, &mut Extensions) {
    move |stream, data| {
        let Some(stream) = stream.downcast_ref::<TcpStream>() else { return };
        if let Some(slot) = table.admit(stream) {
            slot.limit_first_head(head_timeout);
            data.insert(slot);
        }
    }
}

/// Registers the worker on whose thread this is called, so that `name` counts as stuck while that thread is blocked. To be
/// called from the application factory, which each worker calls on its own thread.
pub(crate) fn watch_worker(liveness: &Liveness, name: &'static str) {
    let heartbeat = liveness.register(name);
    spawn_local(async move { heartbeat.beat_while(pending::<()>()).await });
}

/// Whether a body follows the head of a request. The body may be endless.
#[must_use]
pub(crate) fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let has_length = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    has_length || headers.contains_key(header::TRANSFER_ENCODING)
}
