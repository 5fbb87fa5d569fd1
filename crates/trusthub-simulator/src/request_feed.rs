//! The requests to the API as they are answered, for a terminal.

use tokio::sync::broadcast;
use trusthub_events::Timestamp;

/// The number of requests that a subscriber can lag behind before it misses some.
const MAX_LAG: usize = 1024;

/// An answered request to the API or to the control requests. It contains neither the query, nor headers, nor a body,
/// because these have secrets and personal data.
#[derive(Debug, Clone)]
pub struct AnsweredRequest {
    /// The time at which it arrived.
    pub time: Timestamp,
    /// The HTTP method, cut to 16 bytes.
    pub method: String,
    /// The path without the query, as it was sent, cut to 200 bytes.
    pub path: String,
    /// The HTTP status code of the response.
    pub status: u16,
    /// Why it was refused, if it was.
    pub refusal: Option<Refusal>,
    /// The duration until the response was ready.
    pub milliseconds: u64,
}

/// The error in a response.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Twilio's error code.
    pub code: u32,
    /// The message, cut to 300 bytes. It can contain text of the request.
    pub message: String,
}

/// Where subscribers receive the requests.
pub(super) struct RequestFeed(broadcast::Sender<AnsweredRequest>);

impl Default for RequestFeed {
    fn default() -> Self {
        Self(broadcast::Sender::new(MAX_LAG))
    }
}

impl RequestFeed {
    pub(super) fn subscribe(&self) -> broadcast::Receiver<AnsweredRequest> {
        self.0.subscribe()
    }

    /// Passes a request on to all subscribers. It never waits for them.
    pub(super) fn send(&self, request: AnsweredRequest) {
        // This fails if there are no subscribers, which is fine.
        let _ = self.0.send(request);
    }
}
