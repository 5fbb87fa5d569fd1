//! Other queries that may have been signed: what proxies, frameworks and hand-written signers do to them.

use std::{collections::HashSet, iter::once_with};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::rewrites::{MAX_OMITTED, Rewrite};
use crate::verify::{
    message::body_hash_parameter,
    payload::{MAX_FIELDS, Pair, decode_form},
};

/// What RFC 3986 calls unreserved is not encoded.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The words for a rewrite, and how it is made of the query; `None` is a URL without one.
type Rule = (&'static str, fn(&str) -> Option<String>);

const WITHOUT_A_QUERY: [Rule; 1] = [("Twilio was given the URL with a bare ? at its end", |_| Some(String::new()))];
const WITH_AN_EMPTY_ONE: [Rule; 1] = [("the URL arrived with a bare ? that was not signed", |_| None)];

const OF_TEXT: [Rule; 7] = [
    ("the URL arrived with a query that was not signed", |_| None),
    ("the query was signed with + for %20", |query| Some(query.replace("%20", "+"))),
    ("the query was signed with %20 for +", |query| Some(query.replace('+', "%20"))),
    ("the query was signed with upper-case percent digits", |query| Some(digits(query, u8::to_ascii_uppercase))),
    ("the query was signed with lower-case percent digits", |query| Some(digits(query, u8::to_ascii_lowercase))),
    ("the query was signed percent-decoded", |query| Some(decoded(query))),
    ("the query was signed decoded", |query| Some(decoded(&query.replace('+', " ")))),
];

/// Only for queries with no more parameters than a callback may have fields.
const OF_PARAMETERS: [Rule; 4] = [
    ("the query was signed in another percent-encoding", |query| Some(encoded(query, "%20"))),
    ("the query was signed in another percent-encoding, with + for spaces", |query| Some(encoded(query, "+"))),
    ("the query was signed with its parameters sorted", |query| Some(sorted(query))),
    ("the query arrived with parameters that were signed only once", |query| Some(distinct(query))),
];

/// Other queries than the one received, among them some that are equal to it. Each is made when it is asked for, one at
/// a time, at a cost in proportion to the query.
pub(super) fn queries<'q>(
    received: Option<&'q str>,
    digest: &'q str,
) -> impl Iterator<Item = Rewrite<Option<String>>> + 'q {
    let query = received.unwrap_or_default();
    let parameters = query.split('&').count();
    let (of_text, of_parameters): (&[Rule], &[Rule]) = match received {
        None => (&WITHOUT_A_QUERY, &[]),
        Some("") => (&WITH_AN_EMPTY_ONE, &[]),
        Some(_) if parameters > MAX_FIELDS => (&OF_TEXT, &[]),
        Some(_) => (&OF_TEXT, &OF_PARAMETERS),
    };
    let rules = of_text.iter().chain(of_parameters);
    let omitted = if of_parameters.is_empty() { 0 } else { parameters.min(MAX_OMITTED) };
    rules
        .map(move |(text, make)| Rewrite::new(make(query), *text))
        .chain((0..omitted).map(move |omitted| without(query, omitted)))
        .chain(once_with(move || hashed(query, digest)))
}

fn without(query: &str, omitted: usize) -> Rewrite<Option<String>> {
    let kept = query.split('&').enumerate().filter(|(index, _)| *index != omitted);
    let rest = kept.map(|(_, parameter)| parameter).collect::<Vec<_>>().join("&");
    let place = omitted + 1;
    Rewrite::new(Some(rest), format!("the query arrived with a parameter, number {place}, that was not signed"))
}

fn hashed(query: &str, digest: &str) -> Rewrite<Option<String>> {
    let hash = body_hash_parameter(digest);
    let hashed = if query.is_empty() { hash } else { format!("{query}&{hash}") };
    Rewrite::new(Some(hashed), "the query arrived without the bodySHA256 that Twilio signed")
}

/// The query with the case of its percent digits changed, other bytes untouched.
fn digits(query: &str, change: fn(&u8) -> u8) -> String {
    let mut pieces = query.split('%');
    let mut rewritten = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        rewritten.push('%');
        rewritten.extend(piece.char_indices().map(|(index, c)| match u8::try_from(c) {
            Ok(byte) if index < 2 && byte.is_ascii_hexdigit() => char::from(change(&byte)),
            _ => c,
        }));
    }
    rewritten
}

fn decoded(query: &str) -> String {
    percent_decode_str(query).decode_utf8_lossy().into_owned()
}

fn encoded(query: &str, space: &str) -> String {
    let component = |bytes: &[u8]| percent_encode(bytes, COMPONENT).to_string().replace("%20", space);
    let parameter = |(name, value): &Pair| format!("{}={}", component(name), component(value));
    let pairs = decode_form(query.as_bytes()).unwrap_or_default();
    pairs.iter().map(parameter).collect::<Vec<_>>().join("&")
}

fn sorted(query: &str) -> String {
    let mut parameters: Vec<_> = query.split('&').collect();
    parameters.sort_unstable();
    parameters.join("&")
}

fn distinct(query: &str) -> String {
    let mut seen = HashSet::new();
    query.split('&').filter(|parameter| seen.insert(*parameter)).collect::<Vec<_>>().join("&")
}
