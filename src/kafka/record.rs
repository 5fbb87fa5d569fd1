//! What is handed to Kafka: an event in CloudEvents' binary mode, or a dead letter.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::{RawValue, to_raw_value};

use crate::domain::{
    DATA_SCHEMA, DeadLetterReason, Destination, Event, Label as _, ProfileSid, RawCallback, SIGNATURE_HEADER,
    Timestamp, TraceParent, serialize_label,
};

/// Request headers that are not kept in dead letters: they prove who sent the request, or could.
const SECRET_HEADERS: [&str; 4] = [SIGNATURE_HEADER, "authorization", "proxy-authorization", "cookie"];

/// What is left of each text when a dead letter is cut, in characters.
const CUT: usize = 256;

/// One record, ready to be sent. Its form in serde is how the spool keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Which topic.
    #[serde(serialize_with = "serialize_label", deserialize_with = "read_destination")]
    pub destination: Destination,
    /// The profile SID, by which Kafka keeps one profile's events in order; unknown in some dead letters.
    pub key: Option<String>,
    /// Kafka headers, in order.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// The value.
    pub payload: Box<RawValue>,
    /// The record's time: that of receipt, or the present when the topic does not take records that old.
    pub timestamp: Timestamp,
}

fn read_destination<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Destination, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    Destination::named(&text).ok_or_else(|| D::Error::custom("not a destination"))
}

impl Record {
    /// The event in binary mode of the CloudEvents 1.0 Kafka protocol binding: attributes in headers, data as value.
    ///
    /// # Errors
    /// Never for the types of this crate; serde's signature asks for it.
    pub fn event(event: &Event) -> serde_json::Result<Self> {
        let data = &event.data;
        let mut headers = vec![
            ("ce_specversion".into(), "1.0".into()),
            ("ce_id".into(), event.id.clone().into()),
            ("ce_source".into(), event.source().into()),
            ("ce_type".into(), event.event_type().into()),
            ("ce_subject".into(), data.profile_sid.to_string().into()),
            ("ce_time".into(), data.received_at.to_string().into()),
            ("ce_dataschema".into(), DATA_SCHEMA.into()),
            ("content-type".into(), "application/json".into()),
        ];
        headers.extend(trace_header(event.trace_parent.as_ref()));
        Ok(Self {
            destination: Destination::Events,
            key: Some(data.profile_sid.to_string()),
            headers,
            payload: to_raw_value(data)?,
            timestamp: data.received_at,
        })
    }

    /// The request as it came, but for what could prove its sender, with the reason as a header.
    ///
    /// # Errors
    /// Never for the types of this crate; serde's signature asks for it.
    pub fn dead_letter(
        raw: &RawCallback,
        reason: DeadLetterReason,
        profile: Option<&ProfileSid>,
        received_at: Timestamp,
    ) -> serde_json::Result<Self> {
        let mut headers =
            vec![("reason".into(), reason.as_str().into()), ("content-type".into(), "application/json".into())];
        headers.extend(trace_header(raw.header_text("traceparent").and_then(TraceParent::parse).as_ref()));
        Ok(Self {
            destination: Destination::DeadLetters,
            key: profile.map(ToString::to_string),
            headers,
            payload: to_raw_value(&DeadLetter::of(raw, received_at))?,
            timestamp: received_at,
        })
    }

    /// The same with another time of the record. `ce_time` keeps the time of receipt.
    #[must_use]
    pub fn at(&self, timestamp: Timestamp) -> Self {
        Self { timestamp, ..self.clone() }
    }

    /// The dead letter cut down to what any topic takes, for when it does not take the whole one. An event has no
    /// such form.
    #[must_use]
    pub fn cut(&self) -> Option<Self> {
        let whole: DeadLetter<'_> = match self.destination {
            Destination::Events => return None,
            Destination::DeadLetters => serde_json::from_str(self.payload.get()).ok()?,
        };
        let payload = to_raw_value(&whole.cut(self.payload.get().len())).ok()?;
        Some(Self { payload, headers: self.headers.clone(), key: self.key.clone(), ..*self })
    }
}

fn trace_header(trace: Option<&TraceParent>) -> Option<(Cow<'static, str>, Cow<'static, str>)> {
    trace.map(|trace| ("traceparent".into(), trace.as_str().to_owned().into()))
}

/// The value of a dead letter.
#[derive(Debug, Serialize, Deserialize)]
struct DeadLetter<'a> {
    method: Cow<'a, str>,
    path_and_query: Cow<'a, str>,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The body when it is UTF-8.
    body: Option<Cow<'a, str>>,
    /// The body when it is not.
    body_base64: Option<Cow<'a, str>>,
    received_at: Timestamp,
    /// The size of the whole, when this is only a part of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cut_from_bytes: Option<usize>,
}

impl<'a> DeadLetter<'a> {
    fn of(raw: &'a RawCallback, received_at: Timestamp) -> Self {
        let kept = raw.headers.iter().filter(|(name, _)| !SECRET_HEADERS.contains(name));
        let body = std::str::from_utf8(&raw.body).ok();
        Self {
            method: raw.verb().as_str().into(),
            path_and_query: raw.target.as_str().into(),
            headers: kept.map(|(name, value)| (name.into(), String::from_utf8_lossy(value))).collect(),
            body: body.map(Into::into),
            body_base64: body.is_none().then(|| STANDARD.encode(&raw.body).into()),
            received_at,
            cut_from_bytes: None,
        }
    }

    fn cut(self, size: usize) -> Self {
        let cut = |text: Cow<'_, str>| text.chars().take(CUT).collect::<String>().into();
        Self {
            path_and_query: cut(self.path_and_query),
            headers: Vec::new(),
            body: self.body.map(cut),
            body_base64: self.body_base64.map(cut),
            cut_from_bytes: Some(size),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::domain::{Encoding, Resource};

    fn raw(body: &[u8]) -> RawCallback {
        RawCallback {
            resource: Resource::CustomerProfile,
            route: "/callbacks/customer-profiles",
            target: "/prefix/callbacks/customer-profiles?a=%20".into(),
            query: Some("a=%20".into()),
            encoding: Encoding::Form,
            headers: [
                ("host", "hooks.example.com"),
                ("x-twilio-signature", "secret"),
                ("authorization", "Basic secret"),
                ("cookie", "secret"),
            ]
            .into_iter()
            .collect(),
            body: body.into(),
        }
    }

    #[test]
    fn a_dead_letter_is_the_request_without_what_proves_its_sender() {
        let record =
            Record::dead_letter(&raw(b"a=b"), DeadLetterReason::MissingStatus, None, UNIX_EPOCH.into()).unwrap();
        let value: serde_json::Value = serde_json::from_str(record.payload.get()).unwrap();
        let expected = serde_json::json!({
            "method": "POST", "path_and_query": "/prefix/callbacks/customer-profiles?a=%20",
            "headers": [["host", "hooks.example.com"]], "body": "a=b", "body_base64": null,
            "received_at": "1970-01-01T00:00:00.000Z",
        });
        assert_eq!(value, expected);
        let headers = [("reason", "missing_status"), ("content-type", "application/json")];
        assert_eq!(record.headers, headers.map(|(name, value)| (name.into(), value.into())));
        assert_eq!((record.key, record.destination), (None, Destination::DeadLetters));
    }

    #[test]
    fn a_body_that_is_not_text_is_kept_in_base64() {
        let record =
            Record::dead_letter(&raw(&[0xff, 0x00]), DeadLetterReason::InvalidJson, None, UNIX_EPOCH.into()).unwrap();
        let value: serde_json::Value = serde_json::from_str(record.payload.get()).unwrap();
        assert_eq!((&value["body"], &value["body_base64"]), (&serde_json::Value::Null, &"/wA=".into()));
    }

    #[test]
    fn a_dead_letter_that_is_too_large_is_cut_to_what_tells_which_request_it_was() {
        let raw = raw("ß".repeat(100_000).as_bytes());
        let whole = Record::dead_letter(&raw, DeadLetterReason::RefusedByTopic, None, UNIX_EPOCH.into()).unwrap();
        let cut = whole.cut().unwrap();
        let value: serde_json::Value = serde_json::from_str(cut.payload.get()).unwrap();
        let expected = serde_json::json!({
            "method": "POST", "path_and_query": "/prefix/callbacks/customer-profiles?a=%20",
            "headers": [], "body": "ß".repeat(CUT), "body_base64": null,
            "received_at": "1970-01-01T00:00:00.000Z", "cut_from_bytes": whole.payload.get().len(),
        });
        assert_eq!(value, expected);
        assert_eq!(cut.headers, whole.headers);
    }

    #[test]
    fn the_spool_gives_a_record_back_as_it_was() {
        let record =
            Record::dead_letter(&raw(b"a=\"b\""), DeadLetterReason::MissingStatus, None, UNIX_EPOCH.into()).unwrap();
        let kept: Record = serde_json::from_slice(&serde_json::to_vec(&record).unwrap()).unwrap();
        assert_eq!(format!("{kept:?}"), format!("{record:?}"));
    }
}
