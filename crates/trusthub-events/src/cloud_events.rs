//! The CloudEvents attributes of an event: the names of their headers in a record, and the values that are fixed.
//!
//! Records use the binary mode of the [Kafka protocol binding]: each attribute is a header, and the data is the value of
//! the record. [`ProfileStatusChanged`](crate::ProfileStatusChanged) derives the attributes that depend on the data.
//!
//! [Kafka protocol binding]: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md

use crate::AccountSid;

/// What the header of an attribute begins with.
pub const ATTRIBUTE_PREFIX: &str = "ce_";

/// The header with the version of CloudEvents, [`SPEC_VERSION`].
pub const SPEC_VERSION_HEADER: &str = "ce_specversion";

/// The header with the `id`, which all repeats of an event share.
pub const ID_HEADER: &str = "ce_id";

/// The header with the `source`, the account in Trust Hub.
pub const SOURCE_HEADER: &str = "ce_source";

/// The header with the `type`, such as [`EVENT_TYPE`].
pub const TYPE_HEADER: &str = "ce_type";

/// The header with the `subject`, the SID of the profile.
pub const SUBJECT_HEADER: &str = "ce_subject";

/// The header with the `time` of the receipt, or of the fetch.
pub const TIME_HEADER: &str = "ce_time";

/// The header with the `dataschema`, [`DATA_SCHEMA`].
pub const DATA_SCHEMA_HEADER: &str = "ce_dataschema";

/// The header with the `datacontenttype`, which has no prefix: [`CONTENT_TYPE`].
pub const CONTENT_TYPE_HEADER: &str = "content-type";

/// The version of CloudEvents.
pub const SPEC_VERSION: &str = "1.0";

/// The `type` of [`ProfileStatusChanged`](crate::ProfileStatusChanged). An incompatible change increments the version at
/// its end.
pub const EVENT_TYPE: &str = "io.trusthub-bridge.profile.status-changed.v1";

/// The `type` of an event that tests an installation. Its data is a
/// [`ProfileStatusChanged`](crate::ProfileStatusChanged) that never happened; consumers ignore it like any unknown type.
pub const TEST_EVENT_TYPE: &str = "io.trusthub-bridge.test.v1";

/// The `type` of a [`ProfileDeleted`](crate::ProfileDeleted).
pub const DELETED_EVENT_TYPE: &str = "io.trusthub-bridge.profile.deleted.v1";

/// The `type` of a [`ProfileDescribed`](crate::ProfileDescribed).
pub const DESCRIBED_EVENT_TYPE: &str = "io.trusthub-bridge.profile.described.v1";

/// The `type` of a [`ProfileState`](crate::state::ProfileState), the record of the state topic.
pub const STATE_TYPE: &str = "io.trusthub-bridge.profile.state.v1";

/// The `dataschema` of a [`ProfileStatusChanged`](crate::ProfileStatusChanged). It identifies the JSON Schema in `schemas/`.
pub const DATA_SCHEMA: &str = "urn:trusthub-bridge:profile-status-changed:v1";

/// The `dataschema` of a [`ProfileDeleted`](crate::ProfileDeleted).
pub const DELETED_DATA_SCHEMA: &str = "urn:trusthub-bridge:profile-deleted:v1";

/// The `dataschema` of a [`ProfileDescribed`](crate::ProfileDescribed).
pub const DESCRIBED_DATA_SCHEMA: &str = "urn:trusthub-bridge:profile-described:v1";

/// The `dataschema` of a [`ProfileState`](crate::state::ProfileState).
pub const STATE_DATA_SCHEMA: &str = "urn:trusthub-bridge:profile-state:v1";

/// The `datacontenttype`: the value of a record is JSON.
pub const CONTENT_TYPE: &str = "application/json";

/// The `datacontenttype` of a record whose value is Avro, in the [wire format](crate::avro) of Confluent's clients.
pub const AVRO_CONTENT_TYPE: &str = "application/avro";

/// The content type of a record in the structured mode of CloudEvents: its value is an object with the attributes and, as
/// `data`, the data. No attribute is a header.
pub const STRUCTURED_CONTENT_TYPE: &str = "application/cloudevents+json";

/// The header with the [id of the schema](crate::avro::schema_prefix) of the value, if it is not in front of the value.
pub const SCHEMA_ID_HEADER: &str = "__value_schema_id";

/// The header with the trace context of the event, which is the attribute `traceparent` of an extension of CloudEvents.
pub const TRACE_PARENT_HEADER: &str = "traceparent";

/// The header with what tracing systems add to the trace context, which is the attribute `tracestate` of the same extension.
pub const TRACE_STATE_HEADER: &str = "tracestate";

/// The header of a replayed event with the id that all repeats of its callback have in common, if that is not its own. It is no
/// attribute of CloudEvents.
pub const CALLBACK_ID_HEADER: &str = "callback_id";

/// The name that the attribute in this header has in the structured mode; `None` for a header without an attribute.
#[must_use]
pub fn attribute_of_header(name: &str) -> Option<&str> {
    match name {
        TRACE_PARENT_HEADER | TRACE_STATE_HEADER => Some(name),
        _ => name.strip_prefix(ATTRIBUTE_PREFIX),
    }
}

/// The `source` of an event about a profile of this account.
#[must_use]
pub fn source(account: &AccountSid) -> String {
    format!("//trusthub.twilio.com/accounts/{account}")
}
