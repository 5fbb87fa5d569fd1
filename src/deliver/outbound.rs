//! A record on its way to Kafka, with the dead letter that is published instead if its topic rejects it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Construction, DataSchema, DeadLetterAttributes, DeadLetterReason, Destination, Event, ProfileSid, RawCallback,
        TopicPosition, TraceContext, TraceParent, cloud_events, dead_letter_headers::REASON_HEADER,
    },
    kafka::Record,
    traces::{SpanStart, Tracer},
};

/// A record and its fallback.
pub(super) struct OutboundRecord {
    pub(super) record: Record,
    fallback: Fallback,
}

/// What is published instead of a record that its topic rejects.
enum Fallback {
    /// The dead letter of the event's request. It is built only when it is needed.
    Request { raw: Arc<RawCallback>, construction: Option<Construction> },
    /// A dead letter that has been built already: that of an event in the spool.
    DeadLetter(Record),
    /// Nothing. The only other form of a dead letter is its cut one, and an event of a reconciliation has no other form.
    None,
}

/// An outbound record as the spool stores it: one JSON object.
#[derive(Serialize, Deserialize)]
pub(super) struct SpooledRecord<R> {
    /// The record.
    pub(super) record: R,
    /// The dead letter that is published instead of an event that its topic rejects.
    pub(super) fallback: Option<R>,
}

impl OutboundRecord {
    pub(super) fn event(event: &Event, raw: &Arc<RawCallback>) -> serde_json::Result<Self> {
        let fallback = Fallback::Request { raw: Arc::clone(raw), construction: event.construction };
        Ok(Self { record: Record::event(event)?, fallback })
    }

    /// A dead letter, or an event that has no request. The next reconciliation finds such an event again.
    pub(super) fn without_fallback(record: Record) -> Self {
        Self { record, fallback: Fallback::None }
    }

    pub(super) fn is_dead_letter(&self) -> bool {
        self.record.destination == Destination::DeadLetters
    }

    /// The schema of a notice, which describes a profile or says that it is gone; `None` for other records. Only reconciliation
    /// publishes notices, and finds again what was not published. A later notice of a profile replaces an earlier one.
    pub(super) fn notice_schema(&self) -> Option<DataSchema> {
        let schema = self.record.header(cloud_events::DATA_SCHEMA_HEADER).and_then(DataSchema::of_urn);
        schema.filter(|schema| *schema != DataSchema::ProfileStatusChanged)
    }

    /// The SID of the profile that a notice is about; `None` for other records.
    pub(super) fn notice_key(&self) -> Option<&str> {
        self.notice_schema().and(self.record.key.as_deref())
    }

    /// The dead letters that may be published instead, best first.
    pub(super) fn fallbacks(&self) -> impl Iterator<Item = Record> {
        let dead_letter = self.dead_letter();
        let cut = dead_letter.as_ref().unwrap_or(&self.record).cut();
        dead_letter.into_iter().chain(cut)
    }

    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let fallback = self.dead_letter();
        serde_json::to_vec(&SpooledRecord { record: &self.record, fallback: fallback.as_ref() })
    }

    fn dead_letter(&self) -> Option<Record> {
        match &self.fallback {
            Fallback::Request { raw, construction } => {
                Record::dead_letter(raw, &dead_letter_attributes(&self.record, *construction)).ok()
            }
            Fallback::DeadLetter(record) => Some(record.clone()),
            Fallback::None => None,
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> serde_json::Result<Self> {
        let SpooledRecord { record, fallback } = serde_json::from_slice(bytes)?;
        Ok(Self { record, fallback: fallback.map_or(Fallback::None, Fallback::DeadLetter) })
    }
}

/// The headers `traceparent` and `tracestate`.
fn trace_headers(record: &Record) -> [Option<&str>; 2] {
    [cloud_events::TRACE_PARENT_HEADER, cloud_events::TRACE_STATE_HEADER].map(|name| record.header(name))
}

/// The attributes of the dead letter that is published instead of the record of an event.
fn dead_letter_attributes(record: &Record, construction: Option<Construction>) -> DeadLetterAttributes {
    DeadLetterAttributes {
        reason: DeadLetterReason::RefusedByTopic,
        profile: record.key.as_deref().and_then(|key| ProfileSid::parse(key).ok()),
        event_id: record.header(cloud_events::ID_HEADER).unwrap_or_default().to_owned(),
        received_at: record.timestamp,
        construction,
        trace: TraceContext::of_headers(trace_headers(record)),
    }
}

/// Logs and traces where Kafka has written a record of the spool, whose handover began at `start`: the line of its callback only
/// says that it was spooled. Names nothing of the callback but what the line of the callback names.
pub(super) fn report_published(tracer: &Tracer, record: &Record, written: &TopicPosition, start: SpanStart) {
    let context = trace_headers(record);
    let [trace_parent, _] = context;
    tracer.record_drained(context, record.key.as_deref(), written, start);
    let TopicPosition { topic, position } = written;
    tracing::info!(
        ce_id = record.header(cloud_events::ID_HEADER),
        profile_sid = record.key.as_deref(),
        reason = record.header(REASON_HEADER),
        topic = &**topic,
        partition = position.partition,
        offset = position.offset,
        trace_id = trace_parent.and_then(TraceParent::parse).map(|parent| display(parent.trace)),
        "published a record of the spool"
    );
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        time::{Duration, UNIX_EPOCH},
    };

    use super::*;
    use crate::domain::{
        AccountSid, Encoding, Origin, ProfileStatusChanged, Resource, Status, Timestamp, callback_route,
    };

    fn profile() -> ProfileSid {
        ProfileSid::parse(&format!("BU{}", "2".repeat(32))).unwrap()
    }

    fn event(trace: Option<TraceContext>) -> Event {
        let data = ProfileStatusChanged {
            account_sid: AccountSid::parse(&format!("AC{}", "1".repeat(32))).unwrap(),
            profile_sid: profile(),
            resource: Resource::CustomerProfile,
            status: Status::InReview,
            raw_status: "in-review".to_owned(),
            failure_reason: None,
            errors: Vec::new(),
            valid_until: None,
            received_at: Timestamp::from(UNIX_EPOCH + Duration::from_millis(1_795_172_640_123)),
            origin: Origin::Callback,
            idempotency_token: None,
            extra: BTreeMap::new(),
            profile: None,
        };
        Event { id: "0f".repeat(16), is_test: false, trace, construction: Some(Construction::BodyHash), data }
    }

    fn request() -> Arc<RawCallback> {
        Arc::new(RawCallback {
            resource: Resource::CustomerProfile,
            route: callback_route(Resource::CustomerProfile).unwrap().into(),
            target: "/callbacks/customer-profiles".to_owned(),
            query: None,
            encoding: Encoding::Form,
            headers: [("host", "hooks.example.com")].into_iter().collect(),
            body: b"Status=in-review".to_vec(),
        })
    }

    #[test]
    fn dead_letter_of_a_refused_event_has_what_the_event_has() {
        let parent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        for headers in [[None, None], [parent, None], [parent, Some("rojo=1,congo=2")]] {
            let (event, raw) = (event(TraceContext::of_headers(headers)), request());
            let attributes = DeadLetterAttributes {
                reason: DeadLetterReason::RefusedByTopic,
                profile: Some(profile()),
                event_id: event.id.clone(),
                received_at: event.data.received_at,
                construction: event.construction,
                trace: event.trace.clone(),
            };
            let expected = format!("{:?}", Record::dead_letter(&raw, &attributes).unwrap());
            let outbound = OutboundRecord::event(&event, &raw).unwrap();
            assert_eq!(format!("{:?}", outbound.fallbacks().next().unwrap()), expected);
            let spooled = OutboundRecord::decode(&outbound.encode().unwrap()).unwrap();
            assert_eq!(format!("{:?}", spooled.fallbacks().next().unwrap()), expected);
        }
    }
}
