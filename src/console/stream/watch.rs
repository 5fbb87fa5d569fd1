//! Notices a browser that reads nothing.

use std::{
    future::Future,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::time::sleep;

use crate::http_server::ConnectionCloser;

/// Since when bytes have been offered to the server that it has not taken; `None` while there are none.
#[derive(Debug, Default, Clone)]
pub(super) struct StallWatch(Arc<Mutex<Option<Instant>>>);

impl StallWatch {
    /// The server has asked for more bytes.
    pub(super) fn note_taken(&self) {
        *self.0.lock() = None;
    }

    /// Bytes are offered to the server.
    pub(super) fn note_offered(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    /// Closes the connection when nothing was taken for this long. Ends when the stream ends.
    pub(super) fn close_if_stalled(
        &self,
        closer: ConnectionCloser,
        limit: Duration,
    ) -> impl Future<Output = ()> + use<> {
        let offered = Arc::downgrade(&self.0);
        async move {
            while let Some(since) = present(&offered) {
                let stalled = since.map_or(Duration::ZERO, |since| since.elapsed());
                if stalled >= limit {
                    tracing::debug!("closed a connection to the console whose browser reads nothing");
                    return closer.close();
                }
                sleep(limit - stalled).await;
            }
        }
    }
}

/// The content while the stream exists.
fn present(offered: &Weak<Mutex<Option<Instant>>>) -> Option<Option<Instant>> {
    offered.upgrade().map(|offered| *offered.lock())
}
