//! Other queries and bodies that may have been signed: what proxies, frameworks and hand-written signers do to them.

use std::{borrow::Cow, collections::HashSet};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_decode_str, percent_encode};

use crate::{
    domain::Encoding,
    verify::{
        message::{BodyHash, Signable, check_body_hash, url_with_body_hash},
        payload::{Pair, decode_form},
    },
};

/// Parameters or fields that are left out one by one.
const MAX_OMITTED: usize = 8;

/// What RFC 3986 calls unreserved stands for itself.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Something else that may have been signed, and the words for it.
pub(super) struct Rewrite<T> {
    pub(super) signed: T,
    pub(super) text: Cow<'static, str>,
}

fn rewrite<T>(signed: T, text: impl Into<Cow<'static, str>>) -> Rewrite<T> {
    Rewrite { signed, text: text.into() }
}

/// Other queries than the one received.
pub(super) fn queries(request: &Signable<'_>) -> Vec<Rewrite<Option<String>>> {
    let mut rewrites = request.query.map_or_else(
        || vec![rewrite(Some(String::new()), "Twilio was given the URL with a bare ? at its end")],
        rewritten_queries,
    );
    let received = request.query.filter(|query| !query.is_empty());
    let hashed = url_with_body_hash(&received.map_or_else(String::new, |query| format!("?{query}")), request.body);
    let hashed = hashed.strip_prefix('?').map(str::to_owned);
    rewrites.push(rewrite(hashed, "the query arrived without the bodySHA256 that Twilio signed"));
    rewrites.retain(|rewrite| rewrite.signed.as_deref() != request.query);
    rewrites
}

fn rewritten_queries(query: &str) -> Vec<Rewrite<Option<String>>> {
    if query.is_empty() {
        return vec![rewrite(None, "the URL arrived with a bare ? that was not signed")];
    }
    let parameters: Vec<&str> = query.split('&').collect();
    let pairs = decode_form(query.as_bytes()).unwrap_or_default();
    let mut rewrites = vec![
        rewrite(None, "the URL arrived with a query that was not signed"),
        rewrite(Some(query.replace("%20", "+")), "the query was signed with + for %20"),
        rewrite(Some(query.replace('+', "%20")), "the query was signed with %20 for +"),
        rewrite(Some(digits(query, u8::to_ascii_uppercase)), "the query was signed with upper-case percent digits"),
        rewrite(Some(digits(query, u8::to_ascii_lowercase)), "the query was signed with lower-case percent digits"),
        rewrite(Some(decoded(query)), "the query was signed percent-decoded"),
        rewrite(Some(decoded(&query.replace('+', " "))), "the query was signed decoded"),
        rewrite(Some(encoded(&pairs, "%20")), "the query was signed in another percent-encoding"),
        rewrite(Some(encoded(&pairs, "+")), "the query was signed in another percent-encoding, with + for spaces"),
        rewrite(Some(sorted(&parameters)), "the query was signed with its parameters sorted"),
        rewrite(Some(distinct(&parameters)), "the query arrived with parameters that were signed only once"),
    ];
    rewrites.extend((0..parameters.len().min(MAX_OMITTED)).map(|omitted| {
        let rest = without(&parameters, omitted).join("&");
        let place = omitted + 1;
        rewrite(Some(rest), format!("the query arrived with a parameter, number {place}, that was not signed"))
    }));
    rewrites
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

fn encoded(pairs: &[Pair], space: &str) -> String {
    let component = |bytes: &[u8]| percent_encode(bytes, COMPONENT).to_string().replace("%20", space);
    let parameter = |(name, value): &Pair| format!("{}={}", component(name), component(value));
    pairs.iter().map(parameter).collect::<Vec<_>>().join("&")
}

fn sorted(parameters: &[&str]) -> String {
    let mut parameters = parameters.to_vec();
    parameters.sort_unstable();
    parameters.join("&")
}

fn distinct(parameters: &[&str]) -> String {
    let mut seen = HashSet::new();
    let first = parameters.iter().copied().filter(|parameter| seen.insert(*parameter));
    first.collect::<Vec<_>>().join("&")
}

fn without<T: Clone>(items: &[T], omitted: usize) -> Vec<T> {
    items.iter().enumerate().filter(|(index, _)| *index != omitted).map(|(_, item)| item.clone()).collect()
}

/// Other fields than those of the body, in the order in which they are signed.
pub(super) fn fields(request: &Signable<'_>) -> Vec<Rewrite<Vec<Pair>>> {
    let alone = |text| rewrite(Vec::new(), text);
    let pairs = decode_form(request.body).unwrap_or_default();
    match request.encoding {
        Encoding::Query => Vec::new(),
        Encoding::Json => vec![
            alone("the URL alone was signed, so that nothing covers the body"),
            rewrite(in_order(pairs), "the body was signed as a form, but its Content-Type says otherwise"),
        ],
        Encoding::Form => [
            vec![alone("the URL alone was signed, without the fields of the body")],
            rewritten_values(&pairs),
            rewritten_lists(request, &pairs),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

/// What a rewrite does to each name and value.
type Values = (&'static str, fn(&[u8]) -> Vec<u8>);

const VALUES: [Values; 6] = [
    ("the fields were signed without the white space around them", |text| text.trim_ascii().to_vec()),
    ("the fields were signed with LF for CRLF", |text| replaced(text, b"\r\n", b"\n")),
    ("the fields were signed with CRLF for LF", |text| replaced(text, b"\n", b"\r\n")),
    ("the fields were signed in UTF-8, but arrived in Latin-1", |text| {
        text.iter().copied().map(char::from).collect::<String>().into_bytes()
    }),
    ("the fields were signed in Latin-1, but arrived in UTF-8", latin_1),
    ("the fields were signed with U+FFFD for what is not UTF-8", |text| {
        String::from_utf8_lossy(text).into_owned().into_bytes()
    }),
];

fn rewritten_values(pairs: &[Pair]) -> Vec<Rewrite<Vec<Pair>>> {
    let each = |change: fn(&[u8]) -> Vec<u8>| pairs.iter().map(|(name, value)| (change(name), change(value))).collect();
    VALUES.iter().map(|(text, change)| rewrite(in_order(each(*change)), *text)).collect()
}

fn rewritten_lists(request: &Signable<'_>, pairs: &[Pair]) -> Vec<Rewrite<Vec<Pair>>> {
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
    let mut seen = HashSet::new();
    let latest = pairs.iter().rev().filter(|(name, _)| seen.insert(name)).cloned().collect();
    let mut repeated = pairs.to_vec();
    repeated.sort_unstable();
    let from_query = decode_form(request.query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let raw = |decode: fn(&[u8]) -> Vec<u8>| in_order(split(request.body, decode));
    let mut rewrites = vec![
        rewrite(in_order(filled), "the fields were signed without those that are empty"),
        rewrite(in_order([pairs, &from_query].concat()), "the query was signed a second time, among the fields"),
        rewrite(repeated, "the fields were signed with repeats of one value"),
        rewrite(in_order(latest), "the fields were signed with the last value of each name only"),
        rewrite(pairs.to_vec(), "the fields were signed in the order of the body, not sorted"),
        rewrite(raw(|text| percent_decode(text).collect()), "the fields were signed with + not read as a space"),
        rewrite(raw(<[u8]>::to_vec), "the fields were signed percent-encoded"),
    ];
    rewrites.extend((0..pairs.len().min(MAX_OMITTED)).map(|omitted| {
        let place = omitted + 1;
        rewrite(
            in_order(without(pairs, omitted)),
            format!("the body arrived with a field, number {place}, that was not signed"),
        )
    }));
    rewrites
}

/// The fields as they are signed: sorted, each pair once.
pub(super) fn in_order(mut pairs: Vec<Pair>) -> Vec<Pair> {
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn split(body: &[u8], decode: fn(&[u8]) -> Vec<u8>) -> Vec<Pair> {
    let pieces = body.split(|b| *b == b'&').filter(|piece| !piece.is_empty());
    let pair = |piece: &[u8]| {
        let mut halves = piece.splitn(2, |b| *b == b'=');
        let mut half = || decode(halves.next().unwrap_or_default());
        (half(), half())
    };
    pieces.map(pair).collect()
}

fn latin_1(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut rest = text;
    let mut rewritten = Vec::with_capacity(text.len());
    while let Some((first, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            rewritten.extend(to);
            rest = after;
        } else {
            rewritten.push(*first);
            rest = tail;
        }
    }
    rewritten
}

/// What happened to a body whose `bodySHA256` is not its hash, under a URL whose signature is right.
pub(super) fn changed_body(request: &Signable<'_>) -> &'static str {
    let body = request.body;
    let unmarked = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let unended = body.strip_suffix(b"\n").unwrap_or(body);
    let rewrites = [
        (unended.to_vec(), "the body arrived with a line end that was not signed"),
        (
            unended.strip_suffix(b"\r").unwrap_or(unended).to_vec(),
            "the body arrived with a line end that was not signed",
        ),
        ([body, b"\n"].concat(), "the body arrived without the line end that was signed"),
        ([body, b"\r\n"].concat(), "the body arrived without the line end that was signed"),
        (body.trim_ascii().to_vec(), "the body arrived with white space around it that was not signed"),
        (replaced(body, b"\r\n", b"\n"), "the body was signed with LF for CRLF"),
        (replaced(body, b"\n", b"\r\n"), "the body was signed with CRLF for LF"),
        (unmarked.to_vec(), "the body arrived with a byte order mark that was not signed"),
        ([BYTE_ORDER_MARK, body].concat(), "the body arrived without the byte order mark that was signed"),
        (Vec::new(), "an empty body was signed"),
    ];
    let query = request.query.unwrap_or_default();
    let signed = rewrites.iter().find(|(body, _)| check_body_hash(query, body) == BodyHash::Right);
    signed
        .map_or("the body is not the one that was signed: its hash is not the bodySHA256 of the URL", |(_, text)| text)
}
