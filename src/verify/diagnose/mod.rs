//! Why a signature does not match: finds the request nearby that it would match.
//!
//! What was found is told to the operator alone and accepts nothing. The work is bounded, in signatures and in bytes.

mod explain;
mod near_miss;
mod rewrites;
mod urls;

pub use explain::{Explanation, SignedText, Verdict, explain};
pub use near_miss::{NearMiss, NearMissKind};

use self::{
    near_miss::Change,
    rewrites::{Rewrite, changed_body, fields, in_order, queries},
    urls::{OtherUrl, other_urls},
};
use super::{
    Verifier, find_match,
    key::{Signature, SigningKey},
    message::{BodyHash, Parts, Signable, check_body_hash},
    payload::{ClaimedAccount, Pair, Payload, decode_form},
    read_signature,
};
use crate::domain::{Construction, Encoding, Headers, PublicUrl, RawCallback, Refusal};

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
    /// [`Refusal::Malformed`] when it has more fields than a callback may have.
    pub fn account(&self) -> Result<ClaimedAccount, Refusal> {
        Payload::decode(self.request).map(|payload| payload.account())
    }
}

impl Verifier {
    /// What is different in the request that this callback's signature was made for, if that can be found.
    ///
    /// `None` also when the callback is in order. Bounded, but far dearer than [`Verifier::verify`].
    #[must_use]
    pub fn diagnose(&self, raw: &RawCallback) -> Option<NearMiss> {
        let signature = read_signature(raw).ok()?;
        let capture = Capture::from(raw);
        let payload = Payload::decode(capture.request).ok()?;
        let keyring = self.keyring.now();
        let keys = keyring.keys(&payload.account()).ok()?;
        let parts = Parts::of(&capture.request, &payload);
        if find_match(&self.urls, &parts, keys, &signature).is_ok() {
            return None;
        }
        let mut search =
            Search { capture, parts: &parts, urls: &self.urls, keys, signature: &signature, budget: Budget::DIAGNOSIS };
        search.run().map(|found| found.near_miss)
    }
}

/// What a search may still cost.
#[derive(Debug, Clone, Copy)]
struct Budget {
    signatures: usize,
    /// Bytes that are signed, which is what large bodies cost.
    bytes: usize,
    /// Whether something was left untried.
    exceeded: bool,
}

impl Budget {
    /// While callbacks are served.
    const DIAGNOSIS: Self = Self { signatures: 256, bytes: 4 << 20, exceeded: false };
    /// For somebody who waits for the answer: a second or two, however many keys there are.
    const EXPLANATION: Self = Self { signatures: 8_000_000, bytes: 1 << 30, exceeded: false };

    fn spend(&mut self, bytes: usize) -> bool {
        match (self.signatures.checked_sub(1), self.bytes.checked_sub(bytes)) {
            (Some(signatures), Some(bytes)) => {
                *self = Self { signatures, bytes, ..*self };
                true
            }
            _ => {
                self.exceeded = true;
                false
            }
        }
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

/// One search for a near miss.
struct Search<'a> {
    capture: Capture<'a>,
    parts: &'a Parts<'a>,
    urls: &'a [PublicUrl],
    keys: &'a [SigningKey],
    signature: &'a Signature,
    budget: Budget,
}

impl<'a> Search<'a> {
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
        let urls = self.urls.iter().flat_map(|url| other_urls(url, &self.capture));
        let (nearer, farther): (Vec<_>, Vec<_>) = urls.partition(|other| other.changes.len() == 1);
        self.changed_body()
            .or_else(|| self.other_urls(&nearer))
            .or_else(|| self.other_queries())
            .or_else(|| self.other_fields())
            .or_else(|| self.other_urls(&farther))
    }

    /// The URL is right with its `bodySHA256`, but the body is not.
    fn changed_body(&mut self) -> Option<Found> {
        let request = self.capture.request;
        if self.parts.body_hash() != BodyHash::Wrong || request.encoding == Encoding::Query {
            return None;
        }
        let urls = self.urls;
        urls.iter().flat_map(PublicUrl::bases).find_map(|base| {
            let text = SignedText::new(&format!("{base}{}", request.route), request.query, Vec::new());
            let key = self.matching_key(&text)?;
            Some(Found::new(text, key, vec![Change::new(NearMissKind::Body, changed_body(&request))], None))
        })
    }

    fn other_urls(&mut self, urls: &[OtherUrl]) -> Option<Found> {
        let tails = self.tails();
        urls.iter().find_map(|other| {
            tails.iter().find_map(|(query, fields)| {
                let text = SignedText::new(&other.url, query.as_deref(), fields.clone());
                let key = self.matching_key(&text)?;
                Some(Found::new(text, key, other.changes.clone(), other.public_url.clone()))
            })
        })
    }

    /// What each construction signs after the URL.
    fn tails(&self) -> Vec<(Option<String>, Vec<Pair>)> {
        let constructions = match self.parts.constructions() {
            [] => &[Construction::BodyHash],
            constructions => constructions,
        };
        let tail = |construction: &Construction| {
            let query = self.parts.query(*construction).map(str::to_owned);
            (query, pairs(self.parts.fields(*construction)))
        };
        constructions.iter().map(tail).collect()
    }

    fn other_queries(&mut self) -> Option<Found> {
        let request = self.capture.request;
        if request.query.is_some_and(|query| query.len() > MAX_REWRITTEN_BYTES) {
            return None;
        }
        let fields = pairs(self.parts.fields(Construction::Form));
        let found = queries(&request).into_iter().find_map(|Rewrite { signed, text }| {
            let query = signed.as_deref();
            let change = Change::new(NearMissKind::Query, text);
            self.rewritten(query, fields.clone(), change.clone()).or_else(|| {
                // A body that the query covers is signed without its fields, too.
                let hash = check_body_hash(query.unwrap_or_default(), request.body);
                (hash == BodyHash::Right).then(|| self.rewritten(query, Vec::new(), change)).flatten()
            })
        });
        found.or_else(|| self.redirected())
    }

    /// A `POST` whose answer was a redirect comes again as a `GET`.
    fn redirected(&mut self) -> Option<Found> {
        let request = self.capture.request;
        if request.encoding != Encoding::Query {
            return None;
        }
        let fields = in_order(decode_form(request.fields()).ok()?);
        let why = "the parameters of the query were signed as the fields of a POST, which perhaps was redirected";
        [None, request.query]
            .into_iter()
            .find_map(|query| self.rewritten(query, fields.clone(), Change::new(NearMissKind::Query, why)))
    }

    fn other_fields(&mut self) -> Option<Found> {
        let request = self.capture.request;
        if request.body.len() > MAX_REWRITTEN_BYTES {
            return None;
        }
        fields(&request).into_iter().find_map(|Rewrite { signed, text }| {
            self.rewritten(request.query, signed, Change::new(NearMissKind::Body, text))
        })
    }

    /// Tries another query and fields under the configured URLs.
    fn rewritten(&mut self, query: Option<&str>, fields: Vec<Pair>, change: Change) -> Option<Found> {
        let urls = self.urls;
        urls.iter().find_map(|url| {
            let url = format!("{url}{}", self.capture.request.route);
            let text = SignedText::new(&url, query, fields.clone());
            let key = self.matching_key(&text)?;
            Some(Found::new(text, key, vec![change.clone()], None))
        })
    }

    fn matching_key(&mut self, text: &SignedText) -> Option<usize> {
        let message = text.message();
        let bytes = message.iter().map(|part| part.len()).sum();
        let keys = self.keys;
        keys.iter().position(|key| self.budget.spend(bytes) && key.verifies(&message, self.signature))
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
