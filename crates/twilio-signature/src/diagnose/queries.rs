//! Candidate queries: how proxies, frameworks and hand-written signers change a query.

use std::{collections::HashSet, iter::once_with};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::rewrites::{MAX_OMITTED, Rewrite};
use crate::{
    limits::MAX_FIELDS,
    message::body_hash_parameter,
    payload::{Pair, decode_form},
};

/// Encodes all but the unreserved characters of RFC 3986.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The description of a rewrite, and the function that rewrites the query; `None` is a URL without a query.
type QueryRule = (&'static str, fn(&str) -> Option<String>);

const NO_QUERY_RULES: [QueryRule; 1] = [("the URL at Twilio ends with a bare ?", |_| Some(String::new()))];
const EMPTY_QUERY_RULES: [QueryRule; 1] = [("the URL arrived with a bare ? that was not signed", |_| None)];

const TEXT_RULES: [QueryRule; 7] = [
    ("the URL arrived with a query that was not signed", |_| None),
    ("the query was signed with + for %20", |query| Some(query.replace("%20", "+"))),
    ("the query was signed with %20 for +", |query| Some(query.replace('+', "%20"))),
    ("the query was signed with upper-case percent digits", |query| {
        Some(convert_hex_digits(query, u8::to_ascii_uppercase))
    }),
    ("the query was signed with lower-case percent digits", |query| {
        Some(convert_hex_digits(query, u8::to_ascii_lowercase))
    }),
    ("the query was signed percent-decoded", |query| Some(decode(query))),
    ("the query was signed decoded", |query| Some(decode(&query.replace('+', " ")))),
];

/// What to change if a client escaped characters after it had signed them.
const ESCAPED_AFTER_SIGNING: &str = "write these characters escaped in the callback URL at Twilio, or use POST; if a proxy \
                                     escapes them, configure it to forward the query unchanged";

/// Characters that a query may contain, and that some clients escape after they have signed the query: all of RFC 3986, those
/// that JavaScript's `encodeURIComponent` leaves, and the apostrophe, which browsers' URL parsers escape.
const ESCAPE_RULES: [QueryRule; 5] = [
    ("the query was signed with ' for %27", |query| Some(unescape(query, b"'"))),
    ("the query was signed with the characters !'()* not escaped", |query| Some(unescape(query, b"!'()*"))),
    ("the query was signed with the characters !$'()*,;:@/? not escaped", |query| {
        Some(unescape(query, b"!$'()*,;:@/?-._~"))
    }),
    ("the query was signed with %27 for '", |query| Some(escape(query, b"'"))),
    ("the query was signed with the characters !'()* escaped", |query| Some(escape(query, b"!'()*"))),
];

/// Applied only when the query has at most as many parameters as a request may have fields.
const PARAMETER_RULES: [QueryRule; 4] = [
    ("the query was signed in another percent-encoding", |query| Some(encode(query, "%20"))),
    ("the query was signed in another percent-encoding, with + for spaces", |query| Some(encode(query, "+"))),
    ("the query was signed with its parameters sorted", |query| Some(sort_parameters(query))),
    ("the query arrived with parameters that were signed only once", |query| Some(remove_repeats(query))),
];

/// The bytes and the parameters that one rewrite of this query costs.
pub(super) fn query_size(query: &str) -> (usize, usize) {
    let parameters = query.split('&').count();
    // Each rewrite is split to search for a hash. Parameters are rewritten one by one only up to a number of them.
    (query.len() + parameters, parameters.min(MAX_FIELDS))
}

/// Rewrites of the received query; some may equal it. Each rewrite is computed on demand, in time proportional to the length
/// of the query.
pub(super) fn query_rewrites<'q>(
    received: Option<&'q str>,
    digest: &'q str,
) -> impl Iterator<Item = Rewrite<Option<String>>> + 'q {
    let query = received.unwrap_or_default();
    let parameters = query.split('&').count();
    let (text_rules, parameter_rules): (&[QueryRule], &[QueryRule]) = match received {
        None => (&NO_QUERY_RULES, &[]),
        Some("") => (&EMPTY_QUERY_RULES, &[]),
        Some(_) if parameters > MAX_FIELDS => (&TEXT_RULES, &[]),
        Some(_) => (&TEXT_RULES, &PARAMETER_RULES),
    };
    let escape_rules: &[QueryRule] = if query.contains(['%', '!', '\'', '(', ')', '*']) { &ESCAPE_RULES } else { &[] };
    let escapes = escape_rules.iter().map(move |(text, rewrite)| Rewrite {
        remedy: Some(ESCAPED_AFTER_SIGNING),
        ..Rewrite::new(rewrite(query), *text)
    });
    let rules = text_rules.iter().chain(parameter_rules);
    let omitted = if parameter_rules.is_empty() { 0 } else { parameters.min(MAX_OMITTED) };
    rules
        .map(move |(text, rewrite)| Rewrite::new(rewrite(query), *text))
        .chain(escapes)
        .chain((0..omitted).map(move |omitted| omit_parameter(query, omitted)))
        .chain(once_with(move || add_body_hash(query, digest)))
}

fn omit_parameter(query: &str, omitted: usize) -> Rewrite<Option<String>> {
    let kept = query.split('&').enumerate().filter(|(index, _)| *index != omitted);
    let rest = kept.map(|(_, parameter)| parameter).collect::<Vec<_>>().join("&");
    let number = omitted + 1;
    Rewrite::new(Some(rest), format!("the query arrived with a parameter, number {number}, that was not signed"))
}

fn add_body_hash(query: &str, digest: &str) -> Rewrite<Option<String>> {
    let hash = body_hash_parameter(digest);
    let hashed = if query.is_empty() { hash } else { format!("{query}&{hash}") };
    Rewrite::new(Some(hashed), "the query arrived without the bodySHA256 that Twilio signed")
}

/// Converts the hexadecimal digits of percent-encoded bytes and leaves the other bytes unchanged.
fn convert_hex_digits(query: &str, convert: fn(&u8) -> u8) -> String {
    let mut pieces = query.split('%');
    let mut rewritten = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        rewritten.push('%');
        rewritten.extend(piece.char_indices().map(|(index, c)| match u8::try_from(c) {
            Ok(byte) if index < 2 && byte.is_ascii_hexdigit() => char::from(convert(&byte)),
            _ => c,
        }));
    }
    rewritten
}

/// Replaces the escapes of these characters by the characters.
fn unescape(query: &str, characters: &[u8]) -> String {
    let mut pieces = query.split('%');
    let mut rewritten = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|byte| characters.contains(byte)).zip(piece.get(2..)) {
            Some((byte, rest)) => {
                rewritten.push(char::from(byte));
                rewritten.push_str(rest);
            }
            None => {
                rewritten.push('%');
                rewritten.push_str(piece);
            }
        }
    }
    rewritten
}

/// Escapes these characters, and leaves escapes as they are.
fn escape(query: &str, characters: &[u8]) -> String {
    let mut rewritten = String::with_capacity(query.len());
    for c in query.chars() {
        match u8::try_from(c).ok().filter(|byte| characters.contains(byte)) {
            Some(byte) => rewritten.push_str(&format!("%{byte:02X}")),
            None => rewritten.push(c),
        }
    }
    rewritten
}

fn decode(query: &str) -> String {
    percent_decode_str(query).decode_utf8_lossy().into_owned()
}

fn encode(query: &str, space: &str) -> String {
    let component = |bytes: &[u8]| percent_encode(bytes, COMPONENT).to_string().replace("%20", space);
    let parameter = |(name, value): &Pair| format!("{}={}", component(name), component(value));
    let pairs = decode_form(query.as_bytes()).unwrap_or_default();
    pairs.iter().map(parameter).collect::<Vec<_>>().join("&")
}

fn sort_parameters(query: &str) -> String {
    let mut parameters: Vec<_> = query.split('&').collect();
    parameters.sort_unstable();
    parameters.join("&")
}

fn remove_repeats(query: &str) -> String {
    let mut seen = HashSet::new();
    query.split('&').filter(|parameter| seen.insert(*parameter)).collect::<Vec<_>>().join("&")
}
