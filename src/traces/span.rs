//! Spans, as they are exported.

use std::{
    borrow::Cow,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::domain::{SpanId, TraceId, TraceParent, TraceState};

/// The role of a span. The numbers are those of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpanKind {
    Internal = 1,
    Server = 2,
    Client = 3,
    Producer = 4,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AttributeValue {
    Text(Cow<'static, str>),
    Number(i64),
    Flag(bool),
}

/// A finished span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
    /// The span that caused it.
    pub(super) parent: Option<SpanId>,
    /// Whether the id of the trace is random, as W3C Trace Context defines it.
    pub(super) is_random: bool,
    /// Whether the parent is a span of another process.
    pub(super) has_remote_parent: bool,
    pub(super) state: Option<TraceState>,
    pub(super) name: Cow<'static, str>,
    pub(super) kind: SpanKind,
    /// In nanoseconds since the Unix epoch.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) attributes: SpanAttributes,
    /// Another span to which it is related, which is not its parent or is so in another trace.
    pub(super) link: Option<TraceParent>,
    /// Whether what it stands for has failed.
    pub(super) has_failed: bool,
}

/// Attributes in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SpanAttributes(pub(super) Vec<(&'static str, AttributeValue)>);

impl SpanAttributes {
    pub(super) fn text(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.0.push((name, AttributeValue::Text(value.into())));
        self
    }

    pub(super) fn text_if(self, name: &'static str, value: Option<impl Into<Cow<'static, str>>>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(super) fn number(mut self, name: &'static str, value: i64) -> Self {
        self.0.push((name, AttributeValue::Number(value)));
        self
    }

    pub(super) fn flag(mut self, name: &'static str, value: bool) -> Self {
        self.0.push((name, AttributeValue::Flag(value)));
        self
    }
}

/// The start of a span by both clocks: its time by one, and its duration by the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpanStart {
    time: SystemTime,
    instant: Instant,
}

impl SpanStart {
    /// Now.
    pub(crate) fn now() -> Self {
        Self { time: SystemTime::now(), instant: Instant::now() }
    }

    /// The time at an instant, in nanoseconds since the Unix epoch.
    pub(super) fn nanos_at(&self, instant: Instant) -> u64 {
        let time = match instant.checked_duration_since(self.instant) {
            Some(later) => self.time.checked_add(later),
            None => self.time.checked_sub(self.instant.saturating_duration_since(instant)),
        };
        let since_epoch = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        since_epoch.map_or(0, |since: Duration| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The time of this start.
    pub(super) fn nanos(&self) -> u64 {
        self.nanos_at(self.instant)
    }
}
