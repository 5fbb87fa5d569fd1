//! Hints at the original URL in the headers of a request.

use crate::WebhookRequest;

/// Maximum number of values that are used of one header.
const MAX_HINTS: usize = 4;
/// Maximum length of such a value.
pub(super) const MAX_HINT_BYTES: usize = 255;

/// Maximum number of bytes that are read of one header.
const MAX_HEADER_BYTES: usize = MAX_HINTS * (MAX_HINT_BYTES + 2);

/// The first values of a header that are short and printable. The header may come from an attacker.
pub(super) fn header_values<'a>(request: &WebhookRequest<'a>, header: &str) -> impl Iterator<Item = &'a str> {
    let texts = request.headers.values(header).filter_map(|value| {
        // A list of valid hints is shorter; the rest is ignored.
        let start = value.get(..MAX_HEADER_BYTES).unwrap_or(value);
        std::str::from_utf8(start).ok()
    });
    let values = texts.take(MAX_HINTS).flat_map(|text| text.split(',')).map(str::trim);
    let plain =
        |value: &&str| (1..=MAX_HINT_BYTES).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic());
    values.filter(plain).take(MAX_HINTS).collect::<Vec<_>>().into_iter()
}
