//! An event before it becomes a record.

use trusthub_events::cloud_events::{EVENT_TYPE, TEST_EVENT_TYPE};

use super::{Fingerprint, ProfileStatusChanged, TraceParent};

/// A [`ProfileStatusChanged`] with its CloudEvents attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The CloudEvents `id`, which repeats of one event share on every replica.
    pub id: String,
    /// Identifies repeats of the same callback.
    pub fingerprint: Fingerprint,
    /// Whether this is a test event: its type is [`TEST_EVENT_TYPE`], and no status changed.
    pub is_test: bool,
    /// The trace context of the request.
    pub trace_parent: Option<TraceParent>,
    /// The change itself.
    pub data: ProfileStatusChanged,
}

impl Event {
    /// The CloudEvents `type`.
    #[must_use]
    pub fn event_type(&self) -> &'static str {
        if self.is_test { TEST_EVENT_TYPE } else { EVENT_TYPE }
    }
}
