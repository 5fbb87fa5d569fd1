//! Takes records apart, whatever their format, by the rules of [`content`], which consumers know as well. A topic has several
//! formats after a change of the configuration, so every reader uses this.

use std::borrow::Cow;

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

use crate::domain::content::{self, ParsedRecord};

/// Takes a record apart.
pub(super) fn parse<'m>(message: &'m BorrowedMessage<'_>) -> ParsedRecord<'m> {
    content::parse(|name| header_bytes(message, name), message.payload())
}

/// The CloudEvents `id` of a record, which no format hides.
pub(super) fn event_id<'m>(message: &'m BorrowedMessage<'_>) -> Option<Cow<'m, str>> {
    match parse(message) {
        ParsedRecord::Content(content) | ParsedRecord::Avro { content, .. } => content.id,
    }
}

/// The first header of this name as text.
pub(super) fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    std::str::from_utf8(header_bytes(message, name)?).ok()
}

fn header_bytes<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m [u8]> {
    message.headers()?.iter().find(|header| header.key == name)?.value
}
