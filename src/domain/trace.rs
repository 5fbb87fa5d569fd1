//! W3C Trace Context.

use std::fmt;

use super::{
    RawCallback,
    cloud_events::{TRACE_PARENT_HEADER, TRACE_STATE_HEADER},
};

/// The id of a trace: 32 lower-case hexadecimal digits, not all of them zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(u128);

/// The id of a span: 16 lower-case hexadecimal digits, not all of them zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(u64);

/// The span that caused something, as the header `traceparent` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace of the span.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    flags: u8,
}

/// What tracing systems add to a [`TraceParent`]: the valid value of a header `tracestate`, which is carried unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceState(String);

/// The trace context of a request or of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The span that caused it.
    pub parent: TraceParent,
    /// What tracing systems add.
    pub state: Option<TraceState>,
}

impl TraceId {
    /// The id with these bits; `None` for zero, which is no id.
    #[must_use]
    pub fn new(bits: u128) -> Option<Self> {
        (bits != 0).then_some(Self(bits))
    }

    /// The bits.
    #[must_use]
    pub fn bits(self) -> u128 {
        self.0
    }
}

impl SpanId {
    /// The id with these bits; `None` for zero, which is no id.
    #[must_use]
    pub fn new(bits: u64) -> Option<Self> {
        (bits != 0).then_some(Self(bits))
    }

    /// The bits.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl TraceParent {
    const SAMPLED: u8 = 1;
    /// Of W3C Trace Context, level 2.
    const RANDOM: u8 = 2;

    /// A span of this process.
    #[must_use]
    pub fn new(trace: TraceId, span: SpanId, is_sampled: bool, is_random: bool) -> Self {
        let random = if is_random { Self::RANDOM } else { 0 };
        Self { trace, span, flags: u8::from(is_sampled) | random }
    }

    /// Parses `version-trace_id-parent_id-flags` in lower-case hexadecimal (W3C Trace Context, section 3.2). A version that is
    /// not known may have more parts behind these four. It is read as version `00`, in which this value is written again.
    ///
    /// Returns `None` for everything else, including the forbidden version `ff` and all-zero identifiers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let version = hexadecimal(parts.next()?, 2)?;
        let trace = TraceId::new(hexadecimal(parts.next()?, 32)?)?;
        let span = SpanId::new(u64::try_from(hexadecimal(parts.next()?, 16)?).ok()?)?;
        let flags = u8::try_from(hexadecimal(parts.next()?, 2)?).ok()?;
        match (version, parts.next()) {
            (0, None) => Some(Self { trace, span, flags }),
            (0, Some(_)) | (0xff, _) => None,
            // Of the flags of another version, only this one is known.
            _ => Some(Self { trace, span, flags: flags & Self::SAMPLED }),
        }
    }

    /// Whether the caller records its spans.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.flags & Self::SAMPLED != 0
    }

    /// Whether the last 56 bits of the trace's id are random.
    #[must_use]
    pub fn is_random(self) -> bool {
        self.flags & Self::RANDOM != 0
    }
}

/// The value of the header.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, self.flags)
    }
}

/// The value of so many lower-case hexadecimal digits.
fn hexadecimal(part: &str, digits: usize) -> Option<u128> {
    let is_valid = part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_valid { u128::from_str_radix(part, 16).ok() } else { None }
}

impl TraceState {
    /// The longest value that is carried, in bytes: what W3C Trace Context requires of everyone who carries one.
    const MAX_BYTES: usize = 512;
    const MAX_MEMBERS: usize = 32;

    /// Parses a list of members, `key=value,key=value` (W3C Trace Context, section 3.3). Returns `None` if it is not valid, is
    /// empty, or is longer than 512 bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_BYTES {
            return None;
        }
        let members = || text.split(',').map(|member| member.trim_matches([' ', '\t']));
        let named = || members().filter(|member| !member.is_empty());
        let is_valid = named().all(is_member) && (1..=Self::MAX_MEMBERS).contains(&named().count());
        is_valid.then(|| Self(text.to_owned()))
    }

    /// The value of the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let is_key_byte = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let starts_well = key.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_value_byte = |b: u8| matches!(b, b' '..=b'~') && b != b'=';
    starts_well
        && key.len() <= 256
        && key.bytes().all(is_key_byte)
        && (1..=256).contains(&value.len())
        && value.bytes().all(is_value_byte)
}

impl TraceContext {
    /// The trace context of a request; `None` if it has none, or several, or one that is not valid.
    #[must_use]
    pub fn of(raw: &RawCallback) -> Option<Self> {
        let text = |value| std::str::from_utf8(value).ok();
        let mut parents = raw.headers.values(TRACE_PARENT_HEADER);
        let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
        let mut states = raw.headers.values(TRACE_STATE_HEADER).map(text);
        let state = match (states.next(), states.next()) {
            (None, _) => None,
            (Some(only), None) => only.and_then(TraceState::parse),
            (Some(first), second) => {
                let all: Option<Vec<_>> = [first].into_iter().chain(second).chain(states).collect();
                all.and_then(|states| TraceState::parse(&states.join(",")))
            }
        };
        Some(Self { parent: TraceParent::parse(text(parent)?)?, state })
    }

    /// The trace context with these values of the headers `traceparent` and `tracestate`; `None` without a valid `traceparent`.
    #[must_use]
    pub fn of_headers([parent, state]: [Option<&str>; 2]) -> Option<Self> {
        Some(Self { parent: TraceParent::parse(parent?)?, state: state.and_then(TraceState::parse) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Encoding, Resource};

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_a_valid_traceparent_is_accepted() {
        let parent = TraceParent::parse(VALID).unwrap();
        assert_eq!(parent.to_string(), VALID);
        assert_eq!(parent.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.span.to_string(), "00f067aa0ba902b7");
        for invalid in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
        ] {
            assert_eq!(TraceParent::parse(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn traceparent_of_a_later_version_is_read_as_version_00() {
        for later in [
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-more-of-it",
        ] {
            assert_eq!(TraceParent::parse(later).unwrap().to_string(), VALID, "{later}");
        }
    }

    #[test]
    fn only_a_valid_tracestate_is_carried() {
        let longest = format!("a={},b={}", "x".repeat(254), "y".repeat(253));
        for valid in ["rojo=00f067aa0ba902b7", "rojo=1, congo=t61rcWkgMzE ,,x@y=a", "1/2*3_4-5=!~", &longest] {
            assert_eq!(TraceState::parse(valid).unwrap().as_str(), valid);
        }
        let too_many = (0..33).map(|n| format!("a{n}=1")).collect::<Vec<_>>().join(",");
        for invalid in
            ["", ",", "a", "=1", "A=1", "a=", "a=b=c", "a=ü", "a=\u{7f}", "_a=1", &too_many, &(longest + "z")]
        {
            assert_eq!(TraceState::parse(invalid), None, "{invalid}");
        }
    }

    fn context(headers: &[(&str, &str)]) -> Option<TraceContext> {
        TraceContext::of(&RawCallback {
            resource: Resource::CustomerProfile,
            route: "/callbacks/customer-profiles".into(),
            target: "/callbacks/customer-profiles".into(),
            query: None,
            encoding: Encoding::Form,
            headers: headers.iter().copied().collect(),
            body: Vec::new(),
        })
    }

    #[test]
    fn context_of_a_request_has_one_parent_and_its_joined_states() {
        let states = [("tracestate", "a=1"), ("tracestate", "b=2")];
        let found = context(&[&[("traceparent", VALID)], &states[..]].concat()).unwrap();
        assert_eq!(found.parent.to_string(), VALID);
        assert_eq!(found.state.unwrap().as_str(), "a=1,b=2");
        assert_eq!(context(&[("traceparent", VALID), ("tracestate", "a")]).unwrap().state, None);
        assert_eq!(context(&[("traceparent", VALID), ("traceparent", VALID)]), None);
        assert_eq!(context(&states), None);
    }
}
