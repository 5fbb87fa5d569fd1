//! The streams of all browsers together.

use std::sync::Arc;

use tokio::sync::{Semaphore, broadcast};

use super::events::Update;

/// How many streams there may be.
pub(super) const MAX_STREAMS: usize = 128;

/// How many updates may wait for a browser. They are shared, so that browsers that read slowly hold no memory of their own.
pub(super) const MAX_BEHIND: usize = 8;

/// The streams of all browsers.
pub(in super::super) struct EventStreams {
    pub(super) updates: broadcast::Sender<Arc<Update>>,
    pub(super) permits: Arc<Semaphore>,
}

impl EventStreams {
    /// No streams.
    pub(in super::super) fn new() -> Self {
        Self { updates: broadcast::Sender::new(MAX_BEHIND), permits: Arc::new(Semaphore::new(MAX_STREAMS)) }
    }
}
