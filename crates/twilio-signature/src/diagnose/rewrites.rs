//! Candidate fields and bodies: how proxies, frameworks and hand-written signers change them.

use std::{borrow::Cow, collections::HashSet};

use percent_encoding::percent_decode;

use crate::{
    Encoding, WebhookRequest,
    limits::MAX_FIELDS,
    payload::{Pair, decode_form},
};

/// Maximum number of parameters or fields that are omitted one by one.
pub(super) const MAX_OMITTED: usize = 8;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
thread_local! {
    /// Number of rewrites that this thread has computed.
    pub(super) static REWRITES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A rewritten query or list of fields that may have been signed, with its description.
pub(super) struct Rewrite<T> {
    pub(super) signed: T,
    pub(super) text: Cow<'static, str>,
    /// What to change, unless that follows from the kind.
    pub(super) remedy: Option<&'static str>,
}

impl<T> Rewrite<T> {
    pub(super) fn new(signed: T, text: impl Into<Cow<'static, str>>) -> Self {
        #[cfg(test)]
        REWRITES.set(REWRITES.get() + 1);
        Self { signed, text: text.into(), remedy: None }
    }
}

/// The description of a rewrite, and the function that computes the fields from the request and its decoded body.
type FieldRule = (&'static str, fn(&WebhookRequest<'_>, &[Pair]) -> Vec<Pair>);

const JSON_RULES: [FieldRule; 2] = [
    ("only the URL was signed, so the signature does not cover the body", |_, _| Vec::new()),
    ("the body was signed as a form, but its Content-Type says otherwise", |request, _| {
        in_signing_order(decode_form(request.body).unwrap_or_default())
    }),
];

const FORM_RULES: [FieldRule; 15] = [
    ("only the URL was signed, without the fields of the body", |_, _| Vec::new()),
    (
        "the body ends with a line ending that was not signed: a proxy or the tool that captured it added the line ending",
        |request, _| in_signing_order(decode_form(strip_line_end(request.body)).unwrap_or_default()),
    ),
    ("the fields were signed without the white space around them", |_, pairs| {
        map_texts(pairs, |text| text.trim_ascii().to_vec())
    }),
    ("the fields were signed with LF for CRLF", |_, pairs| map_texts(pairs, |text| replace(text, b"\r\n", b"\n"))),
    ("the fields were signed with CRLF for LF", |_, pairs| map_texts(pairs, |text| replace(text, b"\n", b"\r\n"))),
    ("the fields were signed in UTF-8, but arrived in Latin-1", |_, pairs| {
        map_texts(pairs, |text| text.iter().copied().map(char::from).collect::<String>().into_bytes())
    }),
    ("the fields were signed in Latin-1, but arrived in UTF-8", |_, pairs| map_texts(pairs, to_latin_1)),
    ("the fields were signed with U+FFFD for bytes that are not UTF-8", |_, pairs| {
        map_texts(pairs, |text| String::from_utf8_lossy(text).into_owned().into_bytes())
    }),
    ("the fields were signed without the empty ones", |_, pairs| {
        in_signing_order(pairs.iter().filter(|(_, value)| !value.is_empty()).cloned().collect())
    }),
    ("the query was signed a second time, among the fields", |request, pairs| {
        let from_query = decode_form(request.query.unwrap_or_default().as_bytes()).unwrap_or_default();
        in_signing_order([pairs, &from_query].concat())
    }),
    ("the fields were signed with repeated values", |_, pairs| {
        let mut repeated = pairs.to_vec();
        repeated.sort_unstable();
        repeated
    }),
    ("the fields were signed with only the last value of each name", |_, pairs| {
        let mut seen = HashSet::new();
        in_signing_order(pairs.iter().rev().filter(|(name, _)| seen.insert(name)).cloned().collect())
    }),
    ("the fields were signed in the order of the body, not sorted", |_, pairs| pairs.to_vec()),
    ("the fields were signed with + not decoded to a space", |request, _| {
        in_signing_order(split_pairs(request.body, |text| percent_decode(text).collect()))
    }),
    ("the fields were signed percent-encoded", |request, _| {
        in_signing_order(split_pairs(request.body, <[u8]>::to_vec))
    }),
];

/// The bytes and, at most, the pairs that one rewrite of the fields costs.
pub(super) fn fields_size(request: &WebhookRequest<'_>, pairs: &[Pair]) -> (usize, usize) {
    // One of the lists includes the query parameters, and a body that is not a form may be decoded as one.
    let query = request.query.unwrap_or_default();
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty()).count();
    (request.body.len() + query.len(), MAX_FIELDS.min(pairs.len() + parameters))
}

/// Rewrites of the fields, each in the order in which they are signed. Each rewrite is computed on demand, in time
/// proportional to the size of the request.
pub(super) fn field_rewrites<'r>(
    request: WebhookRequest<'r>,
    pairs: &'r [Pair],
) -> impl Iterator<Item = Rewrite<Vec<Pair>>> + 'r {
    let (rules, omitted): (&[FieldRule], usize) = match request.encoding {
        Encoding::Query => (&[], 0),
        Encoding::Json => (&JSON_RULES, 0),
        Encoding::Form => (&FORM_RULES, pairs.len().min(MAX_OMITTED)),
    };
    rules
        .iter()
        .map(move |(text, rewrite)| Rewrite::new(rewrite(&request, pairs), *text))
        .chain((0..omitted).map(move |omitted| omit_field(pairs, omitted)))
}

fn omit_field(pairs: &[Pair], omitted: usize) -> Rewrite<Vec<Pair>> {
    let kept = pairs.iter().enumerate().filter(|(index, _)| *index != omitted).map(|(_, pair)| pair.clone());
    let number = omitted + 1;
    Rewrite::new(
        in_signing_order(kept.collect()),
        format!("the body arrived with a field, number {number}, that was not signed"),
    )
}

fn map_texts(pairs: &[Pair], change: fn(&[u8]) -> Vec<u8>) -> Vec<Pair> {
    in_signing_order(pairs.iter().map(|(name, value)| (change(name), change(value))).collect())
}

/// Sorts the fields and removes duplicates, as Twilio does before signing.
pub(super) fn in_signing_order(mut pairs: Vec<Pair>) -> Vec<Pair> {
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn split_pairs(body: &[u8], decode: fn(&[u8]) -> Vec<u8>) -> Vec<Pair> {
    let pieces = body.split(|b| *b == b'&').filter(|piece| !piece.is_empty());
    let pair = |piece: &[u8]| {
        let mut halves = piece.splitn(2, |b| *b == b'=');
        let mut half = || decode(halves.next().unwrap_or_default());
        (half(), half())
    };
    pieces.map(pair).collect()
}

fn to_latin_1(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
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

/// The description of a change to a body, and the function that undoes it.
type BodyRule = (&'static str, fn(&[u8]) -> Vec<u8>);

/// Changes to a body that explain why its hash differs from `bodySHA256` although the signature of the URL matches.
pub(super) const BODY_RULES: [BodyRule; 10] = [
    ("the body arrived with a line ending that was not signed", |body| strip_lf(body).to_vec()),
    ("the body arrived with a line ending that was not signed", |body| strip_line_end(body).to_vec()),
    ("the body arrived without the line ending that was signed", |body| [body, b"\n"].concat()),
    ("the body arrived without the line ending that was signed", |body| [body, b"\r\n"].concat()),
    ("the body arrived with white space around it that was not signed", |body| body.trim_ascii().to_vec()),
    ("the body was signed with LF for CRLF", |body| replace(body, b"\r\n", b"\n")),
    ("the body was signed with CRLF for LF", |body| replace(body, b"\n", b"\r\n")),
    ("the body arrived with a byte order mark that was not signed", |body| {
        body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body).to_vec()
    }),
    ("the body arrived without the byte order mark that was signed", |body| [BYTE_ORDER_MARK, body].concat()),
    ("an empty body was signed", |_| Vec::new()),
];

fn strip_lf(body: &[u8]) -> &[u8] {
    body.strip_suffix(b"\n").unwrap_or(body)
}

fn strip_line_end(body: &[u8]) -> &[u8] {
    let unended = strip_lf(body);
    unended.strip_suffix(b"\r").unwrap_or(unended)
}
