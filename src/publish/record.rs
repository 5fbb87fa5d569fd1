//! What is handed to Kafka: an event in CloudEvents' binary mode, or a dead letter.

use serde::Serialize;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::domain::{
    DATA_SCHEMA, Destination, EVENT_TYPE, Event, Label as _, ProfileSid, RawCallback, SIGNATURE_HEADER, Timestamp,
    TraceParent, Unprocessable,
};

/// Request headers that are not kept in dead letters: they prove who sent the request, or could.
const SECRET_HEADERS: [&str; 4] = [SIGNATURE_HEADER, "authorization", "proxy-authorization", "cookie"];

/// One record, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which topic.
    pub destination: Destination,
    /// The profile SID, by which Kafka keeps one profile's events in order; unknown in some dead letters.
    pub key: Option<String>,
    /// Kafka headers, in order.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub payload: Vec<u8>,
    /// The record's time.
    pub timestamp: Timestamp,
}

impl Record {
    /// The event in binary mode of the CloudEvents 1.0 Kafka protocol binding: attributes in headers, data as value.
    ///
    /// # Errors
    /// Never for the types of this crate; serde's signature asks for it.
    pub fn event(event: &Event) -> serde_json::Result<Self> {
        let data = &event.data;
        let mut headers = vec![
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", event.id.clone()),
            ("ce_source", event.source()),
            ("ce_type", EVENT_TYPE.to_owned()),
            ("ce_subject", data.profile_sid.to_string()),
            ("ce_time", data.received_at.to_string()),
            ("ce_dataschema", DATA_SCHEMA.to_owned()),
            ("content-type", "application/json".to_owned()),
        ];
        headers.extend(trace_header(event.trace_parent.as_ref()));
        Ok(Self {
            destination: Destination::Events,
            key: Some(data.profile_sid.to_string()),
            headers,
            payload: serde_json::to_vec(data)?,
            timestamp: data.received_at,
        })
    }

    /// The request as it came, but for what could prove its sender, with the reason as a header.
    ///
    /// # Errors
    /// Never for the types of this crate; serde's signature asks for it.
    pub fn dead_letter(
        raw: &RawCallback,
        reason: Unprocessable,
        profile: Option<&ProfileSid>,
        received_at: Timestamp,
    ) -> serde_json::Result<Self> {
        let mut headers = vec![("reason", reason.as_str().to_owned()), ("content-type", "application/json".to_owned())];
        headers.extend(trace_header(raw.header_text("traceparent").and_then(TraceParent::parse).as_ref()));
        Ok(Self {
            destination: Destination::DeadLetters,
            key: profile.map(ToString::to_string),
            headers,
            payload: serde_json::to_vec(&DeadLetter::of(raw, received_at))?,
            timestamp: received_at,
        })
    }
}

fn trace_header(trace: Option<&TraceParent>) -> Option<(&'static str, String)> {
    trace.map(|trace| ("traceparent", trace.as_str().to_owned()))
}

/// The value of a dead letter.
#[derive(Debug, Serialize)]
struct DeadLetter<'a> {
    method: &'static str,
    path_and_query: &'a str,
    headers: Vec<(&'a str, String)>,
    /// The body when it is UTF-8.
    body: Option<&'a str>,
    /// The body when it is not.
    body_base64: Option<String>,
    received_at: Timestamp,
}

impl<'a> DeadLetter<'a> {
    fn of(raw: &'a RawCallback, received_at: Timestamp) -> Self {
        let kept = raw.headers.iter().filter(|header| !SECRET_HEADERS.contains(&header.name.as_str()));
        let body = std::str::from_utf8(&raw.body).ok();
        Self {
            method: raw.verb().as_str(),
            path_and_query: &raw.target,
            headers: kept
                .map(|header| (header.name.as_str(), String::from_utf8_lossy(&header.value).into_owned()))
                .collect(),
            body,
            body_base64: body.is_none().then(|| STANDARD.encode(&raw.body)),
            received_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::domain::{Encoding, Header, Resource};

    fn raw(body: &[u8]) -> RawCallback {
        let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
        RawCallback {
            resource: Resource::CustomerProfile,
            route: "/callbacks/customer-profiles",
            target: "/prefix/callbacks/customer-profiles?a=%20".into(),
            query: Some("a=%20".into()),
            encoding: Encoding::Form,
            headers: vec![
                header("host", "hooks.example.com"),
                header("x-twilio-signature", "secret"),
                header("authorization", "Basic secret"),
                header("cookie", "secret"),
            ],
            body: body.into(),
        }
    }

    #[test]
    fn a_dead_letter_is_the_request_without_what_proves_its_sender() {
        let record = Record::dead_letter(&raw(b"a=b"), Unprocessable::MissingStatus, None, UNIX_EPOCH.into()).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&record.payload).unwrap();
        let expected = serde_json::json!({
            "method": "POST", "path_and_query": "/prefix/callbacks/customer-profiles?a=%20",
            "headers": [["host", "hooks.example.com"]], "body": "a=b", "body_base64": null,
            "received_at": "1970-01-01T00:00:00.000Z",
        });
        assert_eq!(value, expected);
        assert_eq!(record.headers, [("reason", "missing_status".into()), ("content-type", "application/json".into())]);
        assert_eq!((record.key, record.destination), (None, Destination::DeadLetters));
    }

    #[test]
    fn a_body_that_is_not_text_is_kept_in_base64() {
        let record =
            Record::dead_letter(&raw(&[0xff, 0x00]), Unprocessable::InvalidJson, None, UNIX_EPOCH.into()).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&record.payload).unwrap();
        assert_eq!((&value["body"], &value["body_base64"]), (&serde_json::Value::Null, &"/wA=".into()));
    }
}
