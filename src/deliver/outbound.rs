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

/// The attributes of the dead letter that is published instead of the record of an event.
fn dead_letter_attributes(record: &Record, construction: Option<Construction>) -> DeadLetterAttributes {
    let trace = [cloud_events::TRACE_PARENT_HEADER, cloud_events::TRACE_STATE_HEADER].map(|name| record.header(name));
    DeadLetterAttributes {
        reason: DeadLetterReason::RefusedByTopic,
        profile: record.key.as_deref().and_then(|key| ProfileSid::parse(key).ok()),
        event_id: record.header(cloud_events::ID_HEADER).unwrap_or_default().to_owned(),
        received_at: record.timestamp,
        construction,
        trace: TraceContext::of_headers(trace),
    }
}

/// Logs and traces where Kafka has written a record of the spool, whose handover began at `start`: the line of its callback only
/// says that it was spooled. Names nothing of the callback but what the line of the callback names.
pub(super) fn report_published(tracer: &Tracer, record: &Record, written: &TopicPosition, start: SpanStart) {
    let trace_parent = record.header(cloud_events::TRACE_PARENT_HEADER);
    let context = [trace_parent, record.header(cloud_events::TRACE_STATE_HEADER)];
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
