//! Finds the event in a record, whatever its format: JSON or Avro, with the attributes of CloudEvents in headers, in the value or
//! in both. A topic has several formats after a change of the configuration.
//!
//! Avro is read with the schema of its writer, which only a schema registry has: the schema of this version may differ from it, and
//! then texts would be read into the wrong fields. So [`read`] asks for it, and without it the record cannot be read *now*: it must
//! be read again later, and not be skipped.
//!
//! ```
//! use trusthub_events::{DataSchema, avro::AvroSchema, content::{EventContent, read}, view::{Record, View}};
//!
//! let known = std::collections::HashMap::<u32, AvroSchema>::new(); // by id, from the registry
//! let value = br#"{"specversion":"1.0","id":"5f0e","type":"io.trusthub-bridge.test.v1","data":{}}"#;
//! let content: EventContent<'_> =
//!     read(|_header| None, Some(value), &[DataSchema::ProfileStatusChanged], |id| known.get(&id).ok_or(id))?;
//! let decision = View::default().apply(&Record::from(&content));
//! # Ok::<(), trusthub_events::content::ContentError<u32>>(())
//! ```

use std::{
    borrow::{Borrow, Cow},
    sync::LazyLock,
};

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{
    DataSchema, Label as _,
    avro::{AvroSchema, schema_id, split_frame},
    cloud_events::{
        AVRO_CONTENT_TYPE, CONTENT_TYPE_HEADER, ID_HEADER, SCHEMA_ID_HEADER, SOURCE_HEADER, STRUCTURED_CONTENT_TYPE,
        SUBJECT_HEADER, TIME_HEADER, TYPE_HEADER,
    },
    view,
};

/// The attributes of the CloudEvent in a record, and its data as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventContent<'a> {
    /// The `id`.
    pub id: Option<Cow<'a, str>>,
    /// The `type`.
    pub event_type: Option<Cow<'a, str>>,
    /// The `source`.
    pub source: Option<Cow<'a, str>>,
    /// The `subject`.
    pub subject: Option<Cow<'a, str>>,
    /// The `time`.
    pub time: Option<Cow<'a, str>>,
    /// The data; `None` for a tombstone. A value that cannot be read is here as something that is no JSON, so that it is neither an
    /// event nor a tombstone.
    pub data: Option<Cow<'a, [u8]>>,
}

impl<'a> From<&'a EventContent<'_>> for view::Record<'a> {
    fn from(content: &'a EventContent<'_>) -> Self {
        Self {
            ce_id: content.id.as_deref(),
            ce_type: content.event_type.as_deref(),
            ce_time: content.time.as_deref(),
            value: content.data.as_deref(),
        }
    }
}

/// Why a record cannot be read now. It must be read again later, and not be skipped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContentError<E> {
    /// The schema of the writer is not known, for the reason that the caller gave.
    #[error("the Avro schema of the record is not known: {0}")]
    UnknownSchema(E),
    /// The schema is that of something else.
    #[error("the schema of the writer is not an Avro schema of {0}; check that the registry is that of the topic")]
    OtherSchema(&'static str),
}

/// The value of a record in the structured mode.
#[derive(Deserialize)]
struct StructuredEvent<'a> {
    #[serde(borrow, rename = "specversion")]
    _version: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    subject: Option<Cow<'a, str>>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// A record, of which the data may still be encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedRecord<'a> {
    /// All is known.
    Content(EventContent<'a>),
    /// The data is Avro.
    Avro {
        /// What the type of the record requires.
        schema: DataSchema,
        /// The id of the writer's schema in the registry.
        schema_id: u32,
        /// The data without the id.
        encoded: &'a [u8],
        /// The rest of the record, with the value as it is.
        content: EventContent<'a>,
    },
}

/// Finds the event in a record. `header` returns the first header with a name, and `value` is `None` for a tombstone.
///
/// Avro of other types than `types` is left as it is, and its schema is not asked for. `writer_schema` returns the schema that the
/// registry has under an id; let it remember them, because it is called for each record in Avro.
///
/// # Errors
/// [`ContentError`], only for a record in Avro. A record that violates the contract of its type is no error here:
/// [`View::apply`](view::View::apply) skips it.
pub fn read<'a, S: Borrow<AvroSchema>, E>(
    header: impl Fn(&str) -> Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    types: &[DataSchema],
    writer_schema: impl FnOnce(u32) -> Result<S, E>,
) -> Result<EventContent<'a>, ContentError<E>> {
    match parse(header, value) {
        ParsedRecord::Avro { schema, schema_id, encoded, content } if types.contains(&schema) => {
            let writer = writer_schema(schema_id).map_err(ContentError::UnknownSchema)?;
            Ok(EventContent { data: Some(decoded(schema, writer.borrow(), encoded)?), ..content })
        }
        ParsedRecord::Content(content) | ParsedRecord::Avro { content, .. } => Ok(content),
    }
}

/// Takes a record apart, and leaves Avro as it is, for a reader that has the schemas later. [`read`] does both.
pub fn parse<'a>(header: impl Fn(&str) -> Option<&'a [u8]>, value: Option<&'a [u8]>) -> ParsedRecord<'a> {
    let text = |name: &str| header(name).and_then(|value| std::str::from_utf8(value).ok());
    let attribute = |name: &str| text(name).map(Cow::Borrowed);
    let content = EventContent {
        id: attribute(ID_HEADER),
        event_type: attribute(TYPE_HEADER),
        source: attribute(SOURCE_HEADER),
        subject: attribute(SUBJECT_HEADER),
        time: attribute(TIME_HEADER),
        data: value.map(Cow::Borrowed),
    };
    let Some(value) = value else { return ParsedRecord::Content(content) };
    let content_type = text(CONTENT_TYPE_HEADER).unwrap_or_default();
    let id_header = header(SCHEMA_ID_HEADER).filter(|_| is(content_type, AVRO_CONTENT_TYPE));
    if let Some(schema) = content.event_type.as_deref().and_then(DataSchema::of_event_type)
        && let Some((schema_id, encoded)) = framed(id_header, value)
    {
        return ParsedRecord::Avro { schema, schema_id, encoded, content };
    }
    // Something between the service and the reader may have dropped the headers.
    let is_bare = content.event_type.is_none() && value.trim_ascii_start().starts_with(b"{");
    let is_structured = is_bare || is(content_type, STRUCTURED_CONTENT_TYPE);
    let structured = is_structured.then(|| serde_json::from_slice::<StructuredEvent<'a>>(value).ok()).flatten();
    ParsedRecord::Content(structured.map_or(content, EventContent::from))
}

impl<'a> From<StructuredEvent<'a>> for EventContent<'a> {
    fn from(event: StructuredEvent<'a>) -> Self {
        Self {
            id: Some(event.id),
            event_type: Some(event.event_type),
            source: event.source,
            subject: event.subject,
            time: event.time,
            data: event.data.map(|data| Cow::Borrowed(data.get().as_bytes())),
        }
    }
}

/// Whether a content type is this one. Parameters such as a charset may follow.
fn is(content_type: &str, expected: &str) -> bool {
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(expected)
}

/// The id of the schema, from a header or in front of the value, and the encoded data.
fn framed<'a>(id_header: Option<&[u8]>, value: &'a [u8]) -> Option<(u32, &'a [u8])> {
    match id_header.and_then(schema_id) {
        Some(id) => Some((id, value)),
        None => split_frame(value),
    }
}

fn decoded<E>(schema: DataSchema, writer: &AvroSchema, encoded: &[u8]) -> Result<Cow<'static, [u8]>, ContentError<E>> {
    if !writer.is_version_of(schema) {
        return Err(ContentError::OtherSchema(schema.record_name()));
    }
    // No bytes are no JSON.
    let Ok(mut value) = writer.decode(encoded) else { return Ok(Cow::Borrowed(b"")) };
    if let Some(Some(reader)) = READERS.get(schema.index()) {
        reader.add_defaults(&mut value);
    }
    Ok(Cow::Owned(value.to_string().into_bytes()))
}

/// The schemas of this version, each at its index. All are valid, which the tests of the schemas show.
static READERS: LazyLock<Vec<Option<AvroSchema>>> =
    LazyLock::new(|| DataSchema::ALL.iter().map(|schema| AvroSchema::parse(schema.avro()).ok()).collect());

#[cfg(test)]
mod tests;
