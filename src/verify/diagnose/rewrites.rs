//! Other fields and bodies that may have been signed: what proxies, frameworks and hand-written signers do to them.

use std::{borrow::Cow, collections::HashSet};

use percent_encoding::percent_decode;

use crate::{
    domain::Encoding,
    verify::{
        message::Signable,
        payload::{Pair, decode_form},
    },
};

/// Parameters or fields that are left out one by one.
pub(super) const MAX_OMITTED: usize = 8;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
thread_local! {
    /// Rewrites that this thread has made.
    pub(super) static MADE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Something else that may have been signed, and the words for it.
pub(super) struct Rewrite<T> {
    pub(super) signed: T,
    pub(super) text: Cow<'static, str>,
}

impl<T> Rewrite<T> {
    pub(super) fn new(signed: T, text: impl Into<Cow<'static, str>>) -> Self {
        #[cfg(test)]
        MADE.set(MADE.get() + 1);
        Self { signed, text: text.into() }
    }
}

/// The words for a rewrite, and how its fields are made of the request and of its decoded body.
type FieldRule = (&'static str, fn(&Signable<'_>, &[Pair]) -> Vec<Pair>);

const OF_JSON: [FieldRule; 2] = [
    ("the URL alone was signed, so that nothing covers the body", |_, _| Vec::new()),
    ("the body was signed as a form, but its Content-Type says otherwise", |request, _| {
        in_order(decode_form(request.body).unwrap_or_default())
    }),
];

const OF_A_FORM: [FieldRule; 14] = [
    ("the URL alone was signed, without the fields of the body", |_, _| Vec::new()),
    ("the fields were signed without the white space around them", |_, pairs| {
        each(pairs, |text| text.trim_ascii().to_vec())
    }),
    ("the fields were signed with LF for CRLF", |_, pairs| each(pairs, |text| replaced(text, b"\r\n", b"\n"))),
    ("the fields were signed with CRLF for LF", |_, pairs| each(pairs, |text| replaced(text, b"\n", b"\r\n"))),
    ("the fields were signed in UTF-8, but arrived in Latin-1", |_, pairs| {
        each(pairs, |text| text.iter().copied().map(char::from).collect::<String>().into_bytes())
    }),
    ("the fields were signed in Latin-1, but arrived in UTF-8", |_, pairs| each(pairs, latin_1)),
    ("the fields were signed with U+FFFD for what is not UTF-8", |_, pairs| {
        each(pairs, |text| String::from_utf8_lossy(text).into_owned().into_bytes())
    }),
    ("the fields were signed without those that are empty", |_, pairs| {
        in_order(pairs.iter().filter(|(_, value)| !value.is_empty()).cloned().collect())
    }),
    ("the query was signed a second time, among the fields", |request, pairs| {
        let from_query = decode_form(request.query.unwrap_or_default().as_bytes()).unwrap_or_default();
        in_order([pairs, &from_query].concat())
    }),
    ("the fields were signed with repeats of one value", |_, pairs| {
        let mut repeated = pairs.to_vec();
        repeated.sort_unstable();
        repeated
    }),
    ("the fields were signed with the last value of each name only", |_, pairs| {
        let mut seen = HashSet::new();
        in_order(pairs.iter().rev().filter(|(name, _)| seen.insert(name)).cloned().collect())
    }),
    ("the fields were signed in the order of the body, not sorted", |_, pairs| pairs.to_vec()),
    ("the fields were signed with + not read as a space", |request, _| {
        in_order(split(request.body, |text| percent_decode(text).collect()))
    }),
    ("the fields were signed percent-encoded", |request, _| in_order(split(request.body, <[u8]>::to_vec))),
];

/// Other fields than those of the body, in the order in which they are signed. Each list is made when it is asked for, at
/// a cost in proportion to the request.
pub(super) fn fields<'r>(request: Signable<'r>, pairs: &'r [Pair]) -> impl Iterator<Item = Rewrite<Vec<Pair>>> + 'r {
    let (rules, omitted): (&[FieldRule], usize) = match request.encoding {
        Encoding::Query => (&[], 0),
        Encoding::Json => (&OF_JSON, 0),
        Encoding::Form => (&OF_A_FORM, pairs.len().min(MAX_OMITTED)),
    };
    rules
        .iter()
        .map(move |(text, make)| Rewrite::new(make(&request, pairs), *text))
        .chain((0..omitted).map(move |omitted| without(pairs, omitted)))
}

fn without(pairs: &[Pair], omitted: usize) -> Rewrite<Vec<Pair>> {
    let kept = pairs.iter().enumerate().filter(|(index, _)| *index != omitted).map(|(_, pair)| pair.clone());
    let place = omitted + 1;
    Rewrite::new(
        in_order(kept.collect()),
        format!("the body arrived with a field, number {place}, that was not signed"),
    )
}

fn each(pairs: &[Pair], change: fn(&[u8]) -> Vec<u8>) -> Vec<Pair> {
    in_order(pairs.iter().map(|(name, value)| (change(name), change(value))).collect())
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

/// The words for what happened to a body, and how the one that was signed is made of it.
type BodyRule = (&'static str, fn(&[u8]) -> Vec<u8>);

/// What can have happened to a body whose `bodySHA256` is not its hash, under a URL whose signature is right.
pub(super) const BODIES: [BodyRule; 10] = [
    ("the body arrived with a line end that was not signed", |body| without_lf(body).to_vec()),
    ("the body arrived with a line end that was not signed", |body| {
        let unended = without_lf(body);
        unended.strip_suffix(b"\r").unwrap_or(unended).to_vec()
    }),
    ("the body arrived without the line end that was signed", |body| [body, b"\n"].concat()),
    ("the body arrived without the line end that was signed", |body| [body, b"\r\n"].concat()),
    ("the body arrived with white space around it that was not signed", |body| body.trim_ascii().to_vec()),
    ("the body was signed with LF for CRLF", |body| replaced(body, b"\r\n", b"\n")),
    ("the body was signed with CRLF for LF", |body| replaced(body, b"\n", b"\r\n")),
    ("the body arrived with a byte order mark that was not signed", |body| {
        body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body).to_vec()
    }),
    ("the body arrived without the byte order mark that was signed", |body| [BYTE_ORDER_MARK, body].concat()),
    ("an empty body was signed", |_| Vec::new()),
];

fn without_lf(body: &[u8]) -> &[u8] {
    body.strip_suffix(b"\n").unwrap_or(body)
}
