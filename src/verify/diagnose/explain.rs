//! The same diagnosis for a captured request, with what was signed.

use super::{Budget, Capture, Found, NearMiss, Search, pairs};
use crate::{
    domain::{Construction, PublicUrl, RejectReason},
    verify::{
        find_match,
        key::{Signature, SigningKey},
        message::Parts,
        payload::{Pair, Payload},
    },
};

/// A message that is signed: the URL with its query, then names and values.
///
/// It holds what the request holds, personal data included, and is for the terminal of whoever holds the request.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedText {
    /// The URL with its query.
    pub url: String,
    /// The names and values, in the order in which they are signed.
    pub fields: Vec<Pair>,
}

impl SignedText {
    pub(super) fn new(url: &str, query: Option<&str>, fields: Vec<Pair>) -> Self {
        let url = query.map_or_else(|| url.to_owned(), |query| format!("{url}?{query}"));
        Self { url, fields }
    }

    /// The parts, in the order in which they are signed.
    #[must_use]
    pub fn message(&self) -> Vec<&[u8]> {
        let fields = self.fields.iter().flat_map(|(name, value)| [name.as_slice(), value.as_slice()]);
        std::iter::once(self.url.as_bytes()).chain(fields).collect()
    }

    /// The signature that this key gives.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Signature {
        key.sign(&self.message())
    }
}

/// What became of a captured request's signature.
pub enum Verdict {
    /// It is right.
    Matches {
        /// How the message was built.
        construction: Construction,
        /// The position of the key.
        key: usize,
    },
    /// It is right for another request.
    NearMiss {
        /// What is different there.
        near_miss: NearMiss,
        /// The position of the key.
        key: usize,
        /// What was signed there.
        signed: SignedText,
    },
    /// It fits nothing nearby.
    Unexplained {
        /// Whether everything was tried with every key.
        is_exhaustive: bool,
    },
}

/// A verdict together with what it was passed on.
pub struct Explanation {
    /// The verdict.
    pub verdict: Verdict,
    /// What is expected to be signed: the message that matched, or the first that was tried.
    pub expected: SignedText,
    /// Whether any construction fits this request; none does when nothing would cover its body.
    pub is_covered: bool,
}

/// Explains the signature of a captured request.
///
/// The request as it is is tried with every key, what is nearby with the first `own` keys, those of the request's
/// account, and then with the others as far as the work stays bounded.
///
/// # Errors
/// [`RejectReason::Malformed`] when it has more fields than a callback may have.
pub fn explain(
    capture: &Capture<'_>,
    urls: &[PublicUrl],
    keys: &[SigningKey],
    own: usize,
    signature: &Signature,
) -> Result<Explanation, RejectReason> {
    let payload = Payload::decode(capture.request)?;
    let parts = Parts::of(&capture.request, &payload);
    let verdict = match find_match(urls, &parts, keys, signature) {
        Ok((construction, key)) => Verdict::Matches { construction, key },
        Err(_) => {
            let mut budget = Budget::EXPLANATION;
            let (capture, payload, parts) = (*capture, &payload, &parts);
            let mut search = Search { capture, payload, parts, urls, keys, signature, budget: &mut budget };
            match search.run_own_first(own) {
                Some(Found { near_miss, key, signed }) => Verdict::NearMiss { near_miss, key, signed },
                None => Verdict::Unexplained { is_exhaustive: !budget.exceeded },
            }
        }
    };
    let expected = expected(&verdict, capture.request.route, &parts, urls, keys, signature);
    let is_covered = !parts.constructions().is_empty();
    Ok(Explanation { verdict, expected, is_covered })
}

fn expected(
    verdict: &Verdict,
    route: &str,
    parts: &Parts<'_>,
    urls: &[PublicUrl],
    keys: &[SigningKey],
    signature: &Signature,
) -> SignedText {
    let text = |construction, base: &str| {
        let fields = pairs(parts.fields(construction));
        SignedText::new(&format!("{base}{route}"), parts.query(construction), fields)
    };
    let mut bases = urls.iter().flat_map(PublicUrl::bases).map(String::as_str);
    if let Verdict::Matches { construction, key } = verdict {
        let fits = |text: &SignedText| keys.get(*key).is_some_and(|key| key.verifies(&text.message(), signature));
        let matched = bases.clone().map(|base| text(*construction, base)).find(fits);
        if let Some(matched) = matched {
            return matched;
        }
    }
    let first = parts.constructions().first().copied().unwrap_or(Construction::BodyHash);
    text(first, bases.next().unwrap_or_default())
}
