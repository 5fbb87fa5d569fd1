//! The streams of all browsers together.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;

use super::events::Update;

/// How many streams there may be.
pub(super) const MAX_STREAMS: usize = 128;

/// How many updates may wait for a browser. They are shared, so that browsers that read slowly hold no memory of their own.
pub(super) const MAX_BEHIND: usize = 8;

/// The streams of all browsers.
pub(in super::super) struct EventStreams {
    pub(super) updates: broadcast::Sender<Arc<Update>>,
    pub(super) permits: Arc<Semaphore>,
    /// Cancelled to end the streams of today. Later ones have the next token.
    end: Mutex<CancellationToken>,
}

impl EventStreams {
    /// No streams.
    pub(in super::super) fn new() -> Self {
        let permits = Arc::new(Semaphore::new(MAX_STREAMS));
        Self { updates: broadcast::Sender::new(MAX_BEHIND), permits, end: Mutex::default() }
    }

    /// When a stream ends that is opened now. To be called before its password is checked, so that none outlives its password.
    pub(in super::super) fn end(&self) -> CancellationToken {
        self.end.lock().clone()
    }

    /// Ends all streams.
    pub(in super::super) fn end_all(&self) {
        std::mem::take(&mut *self.end.lock()).cancel();
    }
}
