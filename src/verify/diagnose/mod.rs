//! Why a signature does not match: finds the request nearby that it would match.
//!
//! What was found is told to the operator alone and accepts nothing. Each candidate is made only when it is tried, and is
//! paid for before it is made: a [`Budget`] counts signatures and everything that is copied, rewritten or hashed. Online
//! the budget is some milliseconds of one processor, whatever the request, the URLs and the keys are. The caller gives
//! the search a thread: [`Verifier::diagnose`] computes and never waits.

mod budget;
mod explain;
mod near_miss;
mod queries;
mod rewrites;
mod urls;

pub use explain::{Explanation, SignedText, Verdict, explain};
pub use near_miss::{NearMiss, NearMissKind};

use self::{
    budget::Budget,
    near_miss::Change,
    queries::queries,
    rewrites::{BODIES, Rewrite, fields, in_order},
    urls::OtherUrls,
};
use super::{
    Verifier, find_match,
    key::{Signature, SigningKey},
    message::{BodyHash, Parts, Signable, body_digest, check_body_hash, compare_body_hash},
    payload::{ClaimedAccount, MAX_FIELDS, Pair, Payload},
    read_signature,
};
use crate::domain::{Construction, Encoding, Headers, PublicUrl, RawCallback, RejectReason};

/// The largest body or query that is rewritten.
const MAX_REWRITTEN_BYTES: usize = 64 << 10;

/// A request as it arrived, with what else in it hints at the URL that Twilio was given.
#[derive(Debug, Clone, Copy)]
pub struct Capture<'a> {
    /// What is signed.
    pub request: Signable<'a>,
    /// The path as received, prefix included.
    pub path: &'a str,
    /// All headers. They are tried, never believed.
    pub headers: &'a Headers,
}

impl<'a> From<&'a RawCallback> for Capture<'a> {
    fn from(raw: &'a RawCallback) -> Self {
        let path = raw.target.split('?').next().unwrap_or_default();
        Self { request: Signable::from(raw), path, headers: &raw.headers }
    }
}

impl Capture<'_> {
    /// The account that the request names.
    ///
    /// # Errors
    /// [`RejectReason::Malformed`] when it has more fields than a callback may have.
    pub fn account(&self) -> Result<ClaimedAccount, RejectReason> {
        Payload::decode(self.request).map(|payload| payload.account())
    }
}

impl Verifier {
    /// What is different in the request that this callback's signature was made for, if that can be found.
    ///
    /// `None` also when the callback is in order. Bounded, but dearer than [`Verifier::verify`].
    #[must_use]
    pub fn diagnose(&self, raw: &RawCallback) -> Option<NearMiss> {
        let mut budget = Budget::DIAGNOSIS;
        self.diagnose_within(raw, &mut budget)
    }

    fn diagnose_within(&self, raw: &RawCallback, budget: &mut Budget) -> Option<NearMiss> {
        let signature = read_signature(raw).ok()?;
        let capture = Capture::from(raw);
        if !budget.rewrite(capture.request.fields().len(), 0) {
            return None;
        }
        let payload = Payload::decode(capture.request).ok()?;
        let keyring = self.keyring.now();
        let keys = keyring.keys(&payload.account()).ok()?;
        let parts = Parts::of(&capture.request, &payload);
        let urls = &self.urls;
        let mut search =
            Search { capture, payload: &payload, parts: &parts, urls, keys, signature: &signature, budget };
        if !search.affords_match() || find_match(urls, &parts, keys, &signature).is_ok() {
            return None;
        }
        search.run().map(|found| found.near_miss)
    }
}

/// What a search found.
struct Found {
    near_miss: NearMiss,
    /// The position of the key.
    key: usize,
    /// What was signed.
    signed: SignedText,
}

/// A message to try, with names and values in one flat list.
#[derive(Clone, Copy)]
struct Candidate<'c> {
    url: &'c str,
    query: Option<&'c str>,
    fields: &'c [&'c [u8]],
}

impl<'c> Candidate<'c> {
    fn len(&self) -> usize {
        let query = self.query.map_or(0, |query| "?".len() + query.len());
        self.url.len() + query + self.fields.iter().map(|part| part.len()).sum::<usize>()
    }

    fn message(&self) -> Vec<&'c [u8]> {
        let mut message = Vec::with_capacity(3 + self.fields.len());
        message.push(self.url.as_bytes());
        message.extend(self.query.iter().flat_map(|query| [b"?".as_slice(), query.as_bytes()]));
        message.extend(self.fields);
        message
    }
}

/// One search for a near miss.
struct Search<'a> {
    capture: Capture<'a>,
    payload: &'a Payload,
    parts: &'a Parts<'a>,
    urls: &'a [PublicUrl],
    keys: &'a [SigningKey],
    signature: &'a Signature,
    budget: &'a mut Budget,
}

impl<'a> Search<'a> {
    /// Whether the request as it is can be tried with every key.
    fn affords_match(&mut self) -> bool {
        let constructions = self.parts.constructions();
        let bases = || self.urls.iter().flat_map(PublicUrl::bases);
        let fields = constructions.iter().map(|construction| self.parts.fields(*construction)).max_by_key(|f| f.len());
        let fields = fields.unwrap_or_default();
        let url = bases().map(String::len).max().unwrap_or_default() + self.capture.request.route.len();
        let query = self.capture.request.query.map_or(0, |query| "?".len() + query.len());
        let bytes = url + query + fields.iter().map(|part| part.len()).sum::<usize>();
        self.budget.sign_all(constructions.len() * bases().count() * self.keys.len(), bytes, fields.len())
    }

    /// Tries the first `own` keys with everything nearby before any other key, so that those cannot use up the budget.
    fn run_own_first(&mut self, own: usize) -> Option<Found> {
        let (own, others) = self.keys.split_at_checked(own).unwrap_or((self.keys, &[]));
        self.run_with(own).or_else(|| {
            let found = self.run_with(others)?;
            Some(Found { key: own.len() + found.key, ..found })
        })
    }

    fn run_with(&mut self, keys: &'a [SigningKey]) -> Option<Found> {
        self.keys = keys;
        self.run()
    }

    /// One difference at a time first, then several in the URL.
    fn run(&mut self) -> Option<Found> {
        let urls: Vec<_> = self.urls.iter().map(|url| OtherUrls::of(url, &self.capture)).collect();
        self.changed_body()
            .or_else(|| urls.iter().find_map(|urls| self.other_urls(urls, 1)))
            .or_else(|| self.other_queries())
            .or_else(|| self.redirected())
            .or_else(|| self.other_fields())
            .or_else(|| urls.iter().find_map(|urls| self.other_urls(urls, 2).or_else(|| self.other_urls(urls, 3))))
    }

    /// The URL is right with its `bodySHA256`, but the body is not.
    fn changed_body(&mut self) -> Option<Found> {
        let request = self.capture.request;
        if self.parts.body_hash() != BodyHash::Wrong || request.encoding == Encoding::Query {
            return None;
        }
        let urls = self.urls;
        let (signed, key) = urls.iter().flat_map(PublicUrl::bases).find_map(|base| {
            let url = format!("{base}{}", request.route);
            self.try_with_keys(Candidate { url: &url, query: request.query, fields: &[] })
        })?;
        let change = Change::new(NearMissKind::Body, self.what_changed_the_body());
        Some(Found::new(signed, key, vec![change], None))
    }

    fn what_changed_the_body(&mut self) -> &'static str {
        const UNKNOWN: &str = "the body is not the one that was signed: its hash is not the bodySHA256 of the URL";
        let Signable { query, body, .. } = self.capture.request;
        let is_signed = |body: &[u8]| check_body_hash(query.unwrap_or_default(), body) == BodyHash::Right;
        let mut affords_one = || self.budget.rewrite(body.len(), 1) && self.budget.digest(body.len());
        let rule = BODIES.iter().take_while(|_| affords_one()).find(|(_, make)| is_signed(&make(body)));
        rule.map_or(UNKNOWN, |(text, _)| text)
    }

    fn other_urls(&mut self, urls: &OtherUrls<'_>, differences: usize) -> Option<Found> {
        const COVERED_BY_THE_URL: &[Construction] = &[Construction::BodyHash];
        let parts = self.parts;
        let constructions = Some(parts.constructions()).filter(|all| !all.is_empty()).unwrap_or(COVERED_BY_THE_URL);
        // Each is written only when there is a budget to try it.
        let mut others = urls.with_differences(differences);
        while !self.budget.exceeded
            && let Some(other) = others.next()
        {
            if !self.budget.rewrite(other.len(), 0) {
                return None;
            }
            let url = other.url();
            let found = constructions.iter().find_map(|construction| {
                let (query, fields) = (parts.query(*construction), parts.fields(*construction));
                self.try_with_keys(Candidate { url: &url, query, fields })
            });
            if let Some((signed, key)) = found {
                return Some(Found::new(signed, key, other.changes(), other.public_url()));
            }
        }
        None
    }

    fn other_queries(&mut self) -> Option<Found> {
        let request = self.capture.request;
        let received = request.query.unwrap_or_default();
        if received.len() > MAX_REWRITTEN_BYTES || !self.budget.digest(request.body.len()) {
            return None;
        }
        let digest = body_digest(request.body);
        // Each rewrite is searched for a hash, piece by piece; beyond a number of pieces they are not rewritten themselves.
        let pieces = received.split('&').count();
        let mut rewrites = queries(request.query, &digest);
        while self.budget.rewrite(received.len() + pieces, pieces.min(MAX_FIELDS))
            && let Some(Rewrite { signed, text }) = rewrites.next()
        {
            if signed.as_deref() == request.query {
                continue;
            }
            let (query, change) = (signed.as_deref(), Change::new(NearMissKind::Query, text));
            // A body that the query covers is signed without its fields, too.
            let is_covered = compare_body_hash(query.unwrap_or_default(), || digest.clone()) == BodyHash::Right;
            let fields = self.parts.fields(Construction::Form);
            let found = self.with_other(query, fields, &change);
            let found = found.or_else(|| is_covered.then(|| self.with_other(query, &[], &change)).flatten());
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// A `POST` whose answer was a redirect comes again as a `GET`.
    fn redirected(&mut self) -> Option<Found> {
        let request = self.capture.request;
        let Payload::Pairs(pairs) = self.payload else { return None };
        let bytes = request.fields().len();
        let is_rewritten = request.encoding == Encoding::Query && bytes <= MAX_REWRITTEN_BYTES;
        if !is_rewritten || !self.budget.rewrite(bytes, pairs.len()) {
            return None;
        }
        let pairs = in_order(pairs.clone());
        let why = "the parameters of the query were signed as the fields of a POST, which perhaps was redirected";
        let change = Change::new(NearMissKind::Query, why);
        [None, request.query].into_iter().find_map(|query| self.with_other(query, &flat(&pairs), &change))
    }

    fn other_fields(&mut self) -> Option<Found> {
        let request = self.capture.request;
        if request.body.len() > MAX_REWRITTEN_BYTES {
            return None;
        }
        let pairs: &[Pair] = match self.payload {
            Payload::Pairs(pairs) => pairs,
            Payload::Json(_) | Payload::Unreadable => &[],
        };
        // One of the lists has the parameters of the query in it, and a body that is no form may become one.
        let query = request.query.unwrap_or_default();
        let (bytes, most_pairs) = (request.body.len() + query.len(), MAX_FIELDS.min(pairs.len() + parameters(query)));
        let mut rewrites = fields(request, pairs);
        while self.budget.rewrite(bytes, most_pairs)
            && let Some(Rewrite { signed, text }) = rewrites.next()
        {
            let found = self.with_other(request.query, &flat(&signed), &Change::new(NearMissKind::Body, text));
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Tries another query and fields under the configured URLs.
    fn with_other(&mut self, query: Option<&str>, fields: &[&[u8]], change: &Change) -> Option<Found> {
        let urls = self.urls;
        urls.iter().find_map(|url| {
            let url = format!("{url}{}", self.capture.request.route);
            let (signed, key) = self.try_with_keys(Candidate { url: &url, query, fields })?;
            Some(Found::new(signed, key, vec![change.clone()], None))
        })
    }

    /// The message and the position of the key that gives the signature for it.
    fn try_with_keys(&mut self, candidate: Candidate<'_>) -> Option<(SignedText, usize)> {
        let (bytes, parts) = (candidate.len(), candidate.fields.len());
        let keys = self.keys;
        let mut message = None;
        let key = keys.iter().position(|key| {
            self.budget.sign(bytes, parts)
                && key.verifies(message.get_or_insert_with(|| candidate.message()), self.signature)
        })?;
        Some((SignedText::new(candidate.url, candidate.query, pairs(candidate.fields)), key))
    }
}

impl Found {
    fn new(signed: SignedText, key: usize, changes: Vec<Change>, public_url: Option<String>) -> Self {
        let kind = changes.first().map_or(NearMissKind::Body, |change| change.kind);
        let (url, query) =
            signed.url.split_once('?').map_or((signed.url.as_str(), None), |(url, query)| (url, Some(query)));
        let near_miss = NearMiss {
            kind,
            url: url.to_owned(),
            has_query: query.is_some(),
            texts: changes.into_iter().map(|change| change.text).collect(),
            public_url,
        };
        Self { near_miss, key, signed }
    }
}

fn parameters(query: &str) -> usize {
    query.split('&').filter(|parameter| !parameter.is_empty()).count()
}

/// Names and values in a flat list.
fn flat(pairs: &[Pair]) -> Vec<&[u8]> {
    pairs.iter().flat_map(|(name, value)| [name.as_slice(), value.as_slice()]).collect()
}

/// Names and values out of a flat list.
fn pairs(flat: &[&[u8]]) -> Vec<Pair> {
    let pair = |pair: &[&[u8]]| match pair {
        [name, value] => Some((name.to_vec(), value.to_vec())),
        _ => None,
    };
    flat.chunks(2).filter_map(pair).collect()
}

#[cfg(test)]
mod tests;
