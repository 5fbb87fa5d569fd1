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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoding, Headers};

    /// The hints in headers with these values.
    fn hints(values: &[&str]) -> Vec<String> {
        let headers: Headers = values.iter().map(|value| ("host", value)).collect();
        let (path, route, query, encoding, body) = ("/", "/", None, Encoding::Form, b"".as_slice());
        let request = WebhookRequest { path, route, query, encoding, headers: &headers, body };
        header_values(&request, "host").map(str::to_owned).collect()
    }

    #[test]
    fn hints_of_one_or_several_headers_are_the_first_four() {
        assert_eq!(hints(&["a, b,c", "d", "e"]), ["a", "b", "c", "d"]);
        assert_eq!(hints(&["", "", "", "", "a"]), [""; 0], "the fifth header is not read");
    }

    #[test]
    fn hints_of_the_largest_length_are_all_read() {
        let longest: Vec<_> = ["a", "b", "c", "d"].iter().map(|letter| letter.repeat(MAX_HINT_BYTES)).collect();
        assert_eq!(hints(&[&longest.join(", ")]), longest);
        assert_eq!(hints(&["a".repeat(MAX_HINT_BYTES + 1).as_str()]), [""; 0]);
    }

    #[test]
    fn hint_after_the_limit_of_a_header_is_not_read() {
        let hint = |before: usize| hints(&[&format!("{}a", ",".repeat(before))]);
        assert_eq!(hint(4 * (255 + 2) - 1), ["a"]);
        assert_eq!(hint(4 * (255 + 2)), [""; 0]);
    }

    #[test]
    fn hint_with_white_space_or_other_bytes_than_ascii_is_ignored() {
        assert_eq!(hints(&["a b, c\u{fc}, \u{7f}, d"]), ["d"]);
    }
}
