//! Explains the signature of a captured request, including the signed message.

use super::{
    budget::Budget,
    near_miss::NearMiss,
    search::{FoundNearMiss, Search},
    signed_text::{SignedText, to_pairs},
};
use crate::{
    Construction, PublicUrl, TooManyFields, WebhookRequest,
    key::{Signature, SigningKey},
    message::MessageBuilder,
    verifier::find_match,
};

/// Whether the signature of a captured request matches.
pub enum MatchResult {
    /// The signature matches the request.
    Matches {
        /// How the message was built.
        construction: Construction,
        /// Index of the key.
        key: usize,
    },
    /// The signature matches a similar request.
    NearMiss {
        /// How that request differs.
        near_miss: NearMiss,
        /// Index of the key.
        key: usize,
        /// The message that was signed.
        signed: SignedText,
    },
    /// The signature matches no similar request that was tried.
    Unexplained {
        /// Whether everything was tried with every key.
        is_exhaustive: bool,
    },
}

/// The explanation of a signature.
pub struct Explanation {
    /// Whether the signature matches.
    pub result: MatchResult,
    /// The expected message: the one that matched, or the first one that was tried.
    pub expected: SignedText,
    /// Whether any construction applies to this request. None applies when no signature would cover its body.
    pub is_covered: bool,
}

/// Explains the signature of a captured request.
///
/// Tries the unchanged request with every key. Then tries similar requests with the first `own` keys, which belong to the
/// account of the request, and finally with the other keys, within a bounded amount of work.
///
/// # Errors
/// [`TooManyFields`] when the request has more than [`MAX_FIELDS`](crate::MAX_FIELDS) fields.
pub fn explain(
    request: &WebhookRequest<'_>,
    urls: &[PublicUrl],
    keys: &[SigningKey],
    own: usize,
    signature: &Signature,
) -> Result<Explanation, TooManyFields> {
    let payload = request.decode_unverified()?;
    let messages = MessageBuilder::new(request, &payload);
    let result = match find_match(urls, &messages, keys, signature) {
        Ok((construction, key)) => MatchResult::Matches { construction, key },
        Err(_) => {
            let mut budget = Budget::EXPLANATION;
            let (request, payload, messages) = (*request, &payload, &messages);
            let mut search = Search { request, payload, messages, urls, keys, signature, budget: &mut budget };
            match search.run_own_first(own) {
                Some(FoundNearMiss { near_miss, key, signed }) => MatchResult::NearMiss { near_miss, key, signed },
                None => MatchResult::Unexplained { is_exhaustive: !budget.exceeded },
            }
        }
    };
    let expected = expected_message(&result, request.route, &messages, urls, keys, signature);
    let is_covered = !messages.constructions().is_empty();
    Ok(Explanation { result, expected, is_covered })
}

fn expected_message(
    result: &MatchResult,
    route: &str,
    messages: &MessageBuilder<'_>,
    urls: &[PublicUrl],
    keys: &[SigningKey],
    signature: &Signature,
) -> SignedText {
    let text = |construction, base: &str| {
        let fields = to_pairs(messages.fields(construction));
        SignedText::new(&format!("{base}{route}"), messages.query(construction), fields)
    };
    let mut bases = urls.iter().flat_map(PublicUrl::bases).map(String::as_str);
    if let MatchResult::Matches { construction, key } = result {
        let matches = |text: &SignedText| keys.get(*key).is_some_and(|key| key.verifies(&text.message(), signature));
        let matched = bases.clone().map(|base| text(*construction, base)).find(matches);
        if let Some(matched) = matched {
            return matched;
        }
    }
    let first = messages.constructions().first().copied().unwrap_or(Construction::BodyHash);
    text(first, bases.next().unwrap_or_default())
}
