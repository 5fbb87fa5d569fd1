//! Takes records apart, whatever their format: JSON or Avro, and with the attributes of CloudEvents in headers, in the value or
//! in both. A topic has several formats after a change of the configuration, so every reader uses this.

use std::borrow::Cow;

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::{
    DataSchema,
    avro::split_frame,
    cloud_events::{CONTENT_TYPE_HEADER, ID_HEADER, STRUCTURED_CONTENT_TYPE, TIME_HEADER, TYPE_HEADER},
};

/// The attributes of a record that readers use, and its data as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RecordContent<'m> {
    /// The CloudEvents `id`.
    pub(super) id: Option<Cow<'m, str>>,
    /// The CloudEvents `type`.
    pub(super) event_type: Option<Cow<'m, str>>,
    /// The CloudEvents `time`.
    pub(super) time: Option<Cow<'m, str>>,
    /// The data; `None` for a tombstone. A value that cannot be read is here as it is, so that it is neither data nor a
    /// tombstone.
    pub(super) data: Option<Cow<'m, [u8]>>,
}

/// A record, of which the data may still be encoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParsedRecord<'m> {
    /// All is known.
    Content(RecordContent<'m>),
    /// The data is Avro, with the schema that has this id in the registry.
    Avro {
        /// What the type of the record requires.
        schema: DataSchema,
        /// The id.
        schema_id: u32,
        /// The data without the id.
        encoded: &'m [u8],
        /// The rest of the record, with the value as it is.
        content: RecordContent<'m>,
    },
}

/// The value of a record in the structured mode.
#[derive(Deserialize)]
struct StructuredValue<'m> {
    #[serde(borrow, rename = "specversion")]
    _version: Cow<'m, str>,
    #[serde(borrow)]
    id: Cow<'m, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'m, str>,
    #[serde(borrow)]
    time: Option<Cow<'m, str>>,
    #[serde(borrow)]
    data: Option<&'m RawValue>,
}

/// Takes a record apart.
pub(super) fn parse<'m>(message: &'m BorrowedMessage<'_>) -> ParsedRecord<'m> {
    parse_parts(|name| header(message, name), message.payload())
}

/// The CloudEvents `id` of a record, which no format hides.
pub(super) fn event_id<'m>(message: &'m BorrowedMessage<'_>) -> Option<Cow<'m, str>> {
    match parse(message) {
        ParsedRecord::Content(content) | ParsedRecord::Avro { content, .. } => content.id,
    }
}

/// The same for the parts of a record.
pub(super) fn parse_parts<'m>(header: impl Fn(&str) -> Option<&'m str>, value: Option<&'m [u8]>) -> ParsedRecord<'m> {
    let text = |name: &str| header(name).map(Cow::Borrowed);
    let content = RecordContent {
        id: text(ID_HEADER),
        event_type: text(TYPE_HEADER),
        time: text(TIME_HEADER),
        data: value.map(Cow::Borrowed),
    };
    let Some(value) = value else { return ParsedRecord::Content(content) };
    if let Some((schema_id, encoded)) = split_frame(value)
        && let Some(schema) = content.event_type.as_deref().and_then(DataSchema::of_event_type)
    {
        return ParsedRecord::Avro { schema, schema_id, encoded, content };
    }
    let is_structured = match header(CONTENT_TYPE_HEADER) {
        Some(content_type) if is_structured_type(content_type) => true,
        // Something between the service and the topic may have dropped the headers.
        _ => content.event_type.is_none() && value.trim_ascii_start().starts_with(b"{"),
    };
    let structured = is_structured.then(|| serde_json::from_slice::<StructuredValue<'m>>(value).ok()).flatten();
    ParsedRecord::Content(structured.map_or(content, RecordContent::from))
}

impl<'m> From<StructuredValue<'m>> for RecordContent<'m> {
    fn from(value: StructuredValue<'m>) -> Self {
        Self {
            id: Some(value.id),
            event_type: Some(value.event_type),
            time: value.time,
            data: value.data.map(|data| Cow::Borrowed(data.get().as_bytes())),
        }
    }
}

/// Parameters such as a charset may follow.
fn is_structured_type(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(STRUCTURED_CONTENT_TYPE)
}

/// The first header of this name as text.
pub(super) fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    let header = message.headers()?.iter().find(|header| header.key == name)?;
    std::str::from_utf8(header.value?).ok()
}

#[cfg(test)]
mod tests;
