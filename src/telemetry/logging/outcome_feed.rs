//! Passes what the log says about requests on to a subscriber inside the process: `dev` shows it.

use std::fmt;

use tokio::sync::broadcast::{self, Receiver, Sender};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::{Context, Layer},
};

/// The number of requests that a subscriber can lag behind before it misses some.
const MAX_LAG: usize = 1024;

/// The limit in bytes on each text that is passed on.
const MAX_TEXT: usize = 1000;

/// The message about a request to a callback path.
const CALLBACK: &str = "callback";
/// The message about a request to another path.
const UNKNOWN_PATH: &str = "unknown path";

/// What the log says about a request to the public port, as far as a person looks at it. The texts come from outside, so they
/// must be escaped for a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LoggedRequest {
    /// The label of the outcome, such as `rejected`; empty if the path is not a callback path.
    pub outcome: String,
    /// Why it is not `published`.
    pub reason: Option<String>,
    /// What would have matched instead of the signature.
    pub diagnosis: Option<String>,
    /// The kind of profile that the path names.
    pub resource: Option<String>,
    /// The status that a verified callback announces.
    pub status: Option<String>,
    /// The profile of a verified callback.
    pub profile_sid: Option<String>,
    /// The method and the path, if the path is not a callback path.
    pub other_path: Option<(String, String)>,
}

/// A layer of the log that sends each line about a request to its subscriber.
pub(super) struct OutcomeFeed(Sender<LoggedRequest>);

impl OutcomeFeed {
    pub(super) fn new() -> (Self, Receiver<LoggedRequest>) {
        let (sender, receiver) = broadcast::channel(MAX_LAG);
        (Self(sender), receiver)
    }
}

/// Lets the lines about requests through.
pub(super) fn filter() -> Targets {
    Targets::new()
        .with_target("trusthub_bridge::pipeline", LevelFilter::INFO)
        .with_target("trusthub_bridge::receive", LevelFilter::DEBUG)
}

impl<S: Subscriber> Layer<S> for OutcomeFeed {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        if line.is_about_request {
            // The subscriber may have gone.
            let _ = self.0.send(line.request);
        }
    }
}

/// The fields of one line.
#[derive(Default)]
struct Line {
    is_about_request: bool,
    request: LoggedRequest,
}

impl Line {
    fn set(&mut self, name: &str, text: &str) {
        let Self { is_about_request, request } = self;
        let text = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default().to_owned();
        match name {
            "message" => *is_about_request = [CALLBACK, UNKNOWN_PATH].contains(&text.as_str()),
            "outcome" => request.outcome = text,
            "reason" => request.reason = Some(text),
            "diagnosis" => request.diagnosis = Some(text),
            "resource" => request.resource = Some(text),
            "status" => request.status = Some(text),
            "profile_sid" => request.profile_sid = Some(text),
            "method" => request.other_path.get_or_insert_default().0 = text,
            "path" => request.other_path.get_or_insert_default().1 = text,
            _ => {}
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::{layer::SubscriberExt as _, registry};

    use super::*;

    #[test]
    fn only_lines_about_requests_are_passed_on_and_their_texts_are_cut() {
        let (feed, mut received) = OutcomeFeed::new();
        tracing::subscriber::with_default(registry().with(feed), || {
            tracing::warn!(outcome = "rejected", "another message");
            let (reason, none) = (Some("url_mismatch"), None::<&str>);
            tracing::warn!(
                outcome = "rejected",
                resource = "trust-product",
                reason,
                status = none,
                offset = 1,
                "callback"
            );
            tracing::debug!(method = %"GET", path = "ü".repeat(1000), "unknown path");
        });
        let rejected = LoggedRequest {
            outcome: "rejected".to_owned(),
            resource: Some("trust-product".to_owned()),
            reason: Some("url_mismatch".to_owned()),
            ..LoggedRequest::default()
        };
        let other = ("GET".to_owned(), "ü".repeat(500));
        assert_eq!(received.try_recv(), Ok(rejected));
        assert_eq!(received.try_recv(), Ok(LoggedRequest { other_path: Some(other), ..LoggedRequest::default() }));
        assert!(received.try_recv().is_err());
    }
}
