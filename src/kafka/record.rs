//! The records that the service publishes: events in the binary mode of CloudEvents, and dead letters.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::{RawValue, to_raw_value};

use super::dead_letter;
use crate::domain::{
    AccountSid, ConstructionLabel, DeadLetter, DeadLetterAttributes, Destination, Event, Label as _, NoticeContent,
    ProfileNotice, RawCallback, Timestamp, TraceContext, cloud_events,
    dead_letter_headers::{CONSTRUCTION_HEADER, REASON_HEADER},
    serialize_label,
};

/// One record, ready to be published. The spool stores its serde representation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The topic that the record is for.
    #[serde(serialize_with = "serialize_label", deserialize_with = "read_destination")]
    pub destination: Destination,
    /// The profile SID, so that Kafka keeps the events of one profile in order. Unknown in some dead letters.
    pub key: Option<String>,
    /// The Kafka headers, in order.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// The value of the record, as JSON.
    pub payload: Box<RawValue>,
    /// The timestamp of the record: the time of receipt, or the current time if the topic rejects records that old or the event
    /// is replayed.
    pub timestamp: Timestamp,
}

fn read_destination<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Destination, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    Destination::named(&text).ok_or_else(|| D::Error::custom("not a destination"))
}

impl Record {
    /// Encodes an event in the binary mode of the CloudEvents 1.0 Kafka protocol binding: attributes in headers, data
    /// as value.
    ///
    /// # Errors
    /// Never for the types of this crate. Serde's signature requires a result.
    pub fn event(event: &Event) -> serde_json::Result<Self> {
        let data = &event.data;
        let attributes = Attributes {
            id: &event.id,
            event_type: event.event_type(),
            data_schema: cloud_events::DATA_SCHEMA,
            account: &data.account_sid,
            subject: data.subject(),
            time: data.received_at,
        };
        let mut headers = attributes.headers();
        headers.extend(trace_headers(event.trace.as_ref()));
        Ok(Self {
            destination: Destination::Events,
            key: Some(data.subject().to_owned()),
            headers,
            payload: to_raw_value(data)?,
            timestamp: data.received_at,
        })
    }

    /// Encodes a notice of reconciliation as an event.
    ///
    /// # Errors
    /// Never for the types of this crate. Serde's signature requires a result.
    pub fn notice(notice: &ProfileNotice) -> serde_json::Result<Self> {
        let ProfileNotice { id, content } = notice;
        let (event_type, data_schema, payload) = match content {
            NoticeContent::Described(described) => {
                (cloud_events::DESCRIBED_EVENT_TYPE, cloud_events::DESCRIBED_DATA_SCHEMA, to_raw_value(described)?)
            }
            NoticeContent::Deleted(deleted) => {
                (cloud_events::DELETED_EVENT_TYPE, cloud_events::DELETED_DATA_SCHEMA, to_raw_value(deleted)?)
            }
        };
        let (account, subject, time) = (content.account(), content.profile().as_str(), content.received_at());
        let headers = Attributes { id, event_type, data_schema, account, subject, time }.headers();
        Ok(Self { destination: Destination::Events, key: Some(subject.to_owned()), headers, payload, timestamp: time })
    }

    /// Encodes the request as it was received, without the headers that authenticate its sender. The reason is a header, and so
    /// are the id and the time of the event that it would have been.
    /// A signature that does not match is kept for `explain`. It may be Twilio's for another URL, and be accepted once that URL
    /// is added to `PUBLIC_URL`.
    ///
    /// # Errors
    /// Never for the types of this crate. Serde's signature requires a result.
    pub fn dead_letter(raw: &RawCallback, attributes: &DeadLetterAttributes) -> serde_json::Result<Self> {
        let DeadLetterAttributes { reason, profile, event_id, received_at, construction, trace } = attributes;
        let mut headers = vec![
            (REASON_HEADER.into(), reason.as_str().into()),
            (cloud_events::ID_HEADER.into(), event_id.clone().into()),
            (cloud_events::TIME_HEADER.into(), received_at.to_string().into()),
            content_type(),
        ];
        headers.extend(
            construction.map(|matched| (CONSTRUCTION_HEADER.into(), ConstructionLabel(matched).as_str().into())),
        );
        headers.extend(trace_headers(trace.as_ref()));
        Ok(Self {
            destination: Destination::DeadLetters,
            key: profile.as_ref().map(ToString::to_string),
            headers,
            payload: to_raw_value(&dead_letter::of(raw, *reason, *received_at))?,
            timestamp: *received_at,
        })
    }

    /// The value of a header; `None` if the record does not have it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| &**value)
    }

    /// The same record with another timestamp. `ce_time` keeps the time of receipt.
    #[must_use]
    pub fn at(&self, timestamp: Timestamp) -> Self {
        Self { timestamp, ..self.clone() }
    }

    /// The same event as a replay publishes it: with the current time, because the retention of the topic would delete a record
    /// that looks old, and with the id that the repeats of its callback have in common.
    #[must_use]
    pub fn replayed(mut self, now: Timestamp, callback_id: Option<&str>) -> Self {
        self.headers.extend(callback_id.map(|id| (cloud_events::CALLBACK_ID_HEADER.into(), id.to_owned().into())));
        Self { timestamp: now, ..self }
    }

    /// The dead letter, cut to a size that any topic accepts. `None` for an event, which is never cut.
    #[must_use]
    pub fn cut(&self) -> Option<Self> {
        let complete: DeadLetter<'_> = match self.destination {
            Destination::Events => return None,
            Destination::DeadLetters => serde_json::from_str(self.payload.get()).ok()?,
        };
        let payload = to_raw_value(&dead_letter::cut(complete, self.payload.get().len())).ok()?;
        Some(Self { payload, headers: self.headers.clone(), key: self.key.clone(), ..*self })
    }
}

/// The CloudEvents attributes of an event.
struct Attributes<'a> {
    id: &'a str,
    event_type: &'static str,
    data_schema: &'static str,
    account: &'a AccountSid,
    subject: &'a str,
    time: Timestamp,
}

impl Attributes<'_> {
    fn headers(&self) -> Vec<(Cow<'static, str>, Cow<'static, str>)> {
        vec![
            (cloud_events::SPEC_VERSION_HEADER.into(), cloud_events::SPEC_VERSION.into()),
            (cloud_events::ID_HEADER.into(), self.id.to_owned().into()),
            (cloud_events::SOURCE_HEADER.into(), cloud_events::source(self.account).into()),
            (cloud_events::TYPE_HEADER.into(), self.event_type.into()),
            (cloud_events::SUBJECT_HEADER.into(), self.subject.to_owned().into()),
            (cloud_events::TIME_HEADER.into(), self.time.to_string().into()),
            (cloud_events::DATA_SCHEMA_HEADER.into(), self.data_schema.into()),
            content_type(),
        ]
    }
}

fn content_type() -> (Cow<'static, str>, Cow<'static, str>) {
    (cloud_events::CONTENT_TYPE_HEADER.into(), cloud_events::CONTENT_TYPE.into())
}

fn trace_headers(trace: Option<&TraceContext>) -> impl Iterator<Item = (Cow<'static, str>, Cow<'static, str>)> {
    let parent = trace.map(|trace| (cloud_events::TRACE_PARENT_HEADER.into(), trace.parent.to_string().into()));
    let state = trace.and_then(|trace| trace.state.as_ref());
    parent
        .into_iter()
        .chain(state.map(|state| (cloud_events::TRACE_STATE_HEADER.into(), state.as_str().to_owned().into())))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::{
        domain::{Construction, DeadLetterReason, Encoding, Resource},
        kafka::dead_letter::CUT_CHARS,
    };

    fn attributes(reason: DeadLetterReason) -> DeadLetterAttributes {
        let event_id = "0123".to_owned();
        DeadLetterAttributes {
            reason,
            profile: None,
            event_id,
            received_at: UNIX_EPOCH.into(),
            construction: None,
            trace: None,
        }
    }

    fn dead_letter(raw: &RawCallback, reason: DeadLetterReason) -> Record {
        Record::dead_letter(raw, &attributes(reason)).unwrap()
    }

    fn raw(body: &[u8]) -> RawCallback {
        RawCallback {
            resource: Resource::CustomerProfile,
            route: "/callbacks/customer-profiles".into(),
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
    fn dead_letter_is_the_request_without_headers_that_authenticate() {
        let record = dead_letter(&raw(b"a=b"), DeadLetterReason::MissingStatus);
        let value: serde_json::Value = serde_json::from_str(record.payload.get()).unwrap();
        let expected = serde_json::json!({
            "method": "POST", "path_and_query": "/prefix/callbacks/customer-profiles?a=%20",
            "headers": [["host", "hooks.example.com"]], "body": "a=b", "body_base64": null,
            "received_at": "1970-01-01T00:00:00.000Z",
        });
        assert_eq!(value, expected);
        let headers = [
            ("reason", "missing_status"),
            ("ce_id", "0123"),
            ("ce_time", "1970-01-01T00:00:00.000Z"),
            ("content-type", "application/json"),
        ];
        assert_eq!(record.headers, headers.map(|(name, value)| (name.into(), value.into())));
        assert_eq!((record.key, record.destination), (None, Destination::DeadLetters));
    }

    #[test]
    fn dead_letter_names_the_construction_that_matched() {
        let construction = Some(Construction::FormWithoutHash);
        let attributes = DeadLetterAttributes { construction, ..attributes(DeadLetterReason::MissingStatus) };
        let record = Record::dead_letter(&raw(b"a=b"), &attributes).unwrap();
        assert_eq!(record.headers.last(), Some(&("construction".into(), "form_without_hash".into())));
    }

    #[test]
    fn signature_is_kept_only_if_it_does_not_match() {
        for (reason, is_kept) in [(DeadLetterReason::SignatureFailed, true), (DeadLetterReason::RefusedByTopic, false)]
        {
            let record = dead_letter(&raw(b"a=b"), reason);
            assert_eq!(record.payload.get().contains("x-twilio-signature"), is_kept, "{reason:?}");
            assert!(!record.payload.get().contains("Basic secret"));
        }
    }

    #[test]
    fn body_that_is_not_utf8_is_kept_in_base64() {
        let record = dead_letter(&raw(&[0xff, 0x00]), DeadLetterReason::InvalidJson);
        let value: serde_json::Value = serde_json::from_str(record.payload.get()).unwrap();
        assert_eq!((&value["body"], &value["body_base64"]), (&serde_json::Value::Null, &"/wA=".into()));
    }

    #[test]
    fn oversized_dead_letter_is_cut_but_still_identifies_its_request() {
        let raw = raw("ß".repeat(100_000).as_bytes());
        let complete = dead_letter(&raw, DeadLetterReason::RefusedByTopic);
        let cut = complete.cut().unwrap();
        let value: serde_json::Value = serde_json::from_str(cut.payload.get()).unwrap();
        let expected = serde_json::json!({
            "method": "POST", "path_and_query": "/prefix/callbacks/customer-profiles?a=%20",
            "headers": [], "body": "ß".repeat(CUT_CHARS), "body_base64": null,
            "received_at": "1970-01-01T00:00:00.000Z", "cut_from_bytes": complete.payload.get().len(),
        });
        assert_eq!(value, expected);
        assert_eq!(cut.headers, complete.headers);
    }

    #[test]
    fn replayed_record_has_the_present_time_and_the_id_of_its_callback() {
        let record = dead_letter(&raw(b"a=b"), DeadLetterReason::MissingStatus);
        let now = std::time::SystemTime::now().into();
        let replayed = record.clone().replayed(now, Some("4567"));
        assert_eq!((replayed.timestamp, replayed.header("callback_id")), (now, Some("4567")));
        assert_eq!(replayed.header("ce_time"), record.header("ce_time"));
        assert_eq!(record.clone().replayed(now, None).headers, record.headers);
    }

    #[test]
    fn record_survives_the_spool_unchanged() {
        let record = dead_letter(&raw(b"a=\"b\""), DeadLetterReason::MissingStatus);
        let restored: Record = serde_json::from_slice(&serde_json::to_vec(&record).unwrap()).unwrap();
        assert_eq!(format!("{restored:?}"), format!("{record:?}"));
    }
}
