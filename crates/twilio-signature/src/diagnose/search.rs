//! The search for a near miss, within a budget.

use std::iter::once;

use super::{
    budget::Budget,
    near_miss::{Difference, NearMiss, NearMissKind},
    orders::other_orders,
    queries::{query_rewrites, query_size},
    rewrites::{BODY_RULES, Rewrite, field_rewrites, fields_size, in_signing_order},
    signed_text::{SignedText, to_pairs},
    urls::CandidateUrls,
};
use crate::{
    Construction, Encoding, PublicUrl, WebhookRequest,
    key::{Signature, SigningKey},
    message::{BodyHashCheck, MessageBuilder, body_digest, check_body_hash, compare_body_hash},
    payload::{Pair, Payload},
    public_url::redact_credentials,
    settings::SignatureSettings,
    verifier::{Verifier, find_match, read_signature},
};

/// The largest body or query that is rewritten.
pub(super) const MAX_REWRITTEN_BYTES: usize = 64 << 10;

impl Verifier {
    /// Finds a similar request that the signature of this request matches.
    ///
    /// Also returns `None` when the signature matches the request itself. The cost is bounded, but higher than that of
    /// [`Verifier::verify`].
    #[must_use]
    pub fn diagnose(&self, request: &WebhookRequest<'_>) -> Option<NearMiss> {
        let mut budget = Budget::DIAGNOSIS;
        self.diagnose_within(request, &mut budget)
    }

    pub(super) fn diagnose_within(&self, request: &WebhookRequest<'_>, budget: &mut Budget) -> Option<NearMiss> {
        let signature = read_signature(request).ok()?;
        if !budget.rewrite(request.fields().len(), 0) {
            return None;
        }
        let payload = request.decode_unverified().ok()?;
        let keyring = self.keyring.load();
        let account_keys = keyring.keys(&payload.account())?;
        let settings = SignatureSettings::read(request.headers);
        let keys = settings.and_then(|settings| account_keys.select(settings)).unwrap_or_default();
        let messages = MessageBuilder::new(request, &payload);
        let (urls, payload, messages, signature) = (&self.urls, &payload, &messages, &signature);
        let mut search = Search { request: *request, payload, messages, urls, keys, signature, budget };
        if !search.charge_match() || find_match(urls, messages, keys, signature).is_ok() {
            return None;
        }
        let found = search.try_other_signers(account_keys, settings).or_else(|| search.run());
        found.map(|found| found.near_miss)
    }
}

/// The result of a successful search.
pub(super) struct FoundNearMiss {
    pub(super) near_miss: NearMiss,
    /// Index of the key.
    pub(super) key: usize,
    /// The message that was signed.
    pub(super) signed: SignedText,
}

/// A message to try.
#[derive(Clone, Copy)]
pub(super) struct CandidateMessage<'c> {
    pub(super) url: &'c str,
    pub(super) query: Option<&'c str>,
    /// A flat list of alternating names and values.
    pub(super) fields: &'c [&'c [u8]],
}

impl<'c> CandidateMessage<'c> {
    fn parts(&self) -> impl Iterator<Item = &'c [u8]> {
        let query = self.query.into_iter().flat_map(|query| [b"?".as_slice(), query.as_bytes()]);
        once(self.url.as_bytes()).chain(query).chain(self.fields.iter().copied())
    }

    fn len(&self) -> usize {
        self.parts().map(<[u8]>::len).sum()
    }
}

/// A search for a near miss.
pub(super) struct Search<'a> {
    pub(super) request: WebhookRequest<'a>,
    pub(super) payload: &'a Payload,
    pub(super) messages: &'a MessageBuilder<'a>,
    pub(super) urls: &'a [PublicUrl],
    pub(super) keys: &'a [SigningKey],
    pub(super) signature: &'a Signature,
    pub(super) budget: &'a mut Budget,
}

impl<'a> Search<'a> {
    /// Charges trying the unchanged request with every key.
    fn charge_match(&mut self) -> bool {
        let (messages, urls) = (self.messages, self.urls);
        let bases = || urls.iter().flat_map(PublicUrl::bases);
        let longest = bases().max_by_key(|base| base.len()).map_or("", String::as_str);
        let url = format!("{longest}{}", self.request.route);
        let signatures = bases().count() * self.keys.len();
        messages.constructions().iter().all(|construction| {
            let (query, fields) = (messages.query(*construction), messages.fields(*construction));
            let bytes = CandidateMessage { url: &url, query, fields }.len();
            self.budget.sign_all(signatures, bytes, fields.len())
        })
    }

    /// Tries all candidates with the first `own` keys before any other key, so that the others cannot use up the budget.
    pub(super) fn run_own_first(&mut self, own: usize) -> Option<FoundNearMiss> {
        let (own, others) = self.keys.split_at_checked(own).unwrap_or((self.keys, &[]));
        self.run_with(own).or_else(|| {
            let found = self.run_with(others)?;
            Some(FoundNearMiss { key: own.len() + found.key, ..found })
        })
    }

    fn run_with(&mut self, keys: &'a [SigningKey]) -> Option<FoundNearMiss> {
        self.keys = keys;
        self.run()
    }

    /// Tries single differences first, then several differences in the URL.
    fn run(&mut self) -> Option<FoundNearMiss> {
        if self.keys.iter().all(|key| key.algorithm() != self.signature.algorithm()) {
            return None;
        }
        let urls: Vec<_> = self.urls.iter().map(|url| CandidateUrls::new(url, &self.request)).collect();
        self.try_changed_body()
            .or_else(|| urls.iter().find_map(|urls| self.try_urls(urls, 1)))
            .or_else(|| self.try_queries())
            .or_else(|| self.try_redirect())
            .or_else(|| self.try_fields())
            .or_else(|| urls.iter().find_map(|urls| self.try_urls(urls, 2).or_else(|| self.try_urls(urls, 3))))
            .or_else(|| self.try_orders())
    }

    /// Tries the URL alone: it matches with its `bodySHA256` when only the body was changed.
    fn try_changed_body(&mut self) -> Option<FoundNearMiss> {
        let request = self.request;
        if self.messages.body_hash() != BodyHashCheck::Mismatch || request.encoding == Encoding::Query {
            return None;
        }
        let urls = self.urls;
        let (signed, key) = urls.iter().flat_map(PublicUrl::bases).find_map(|base| {
            let url = format!("{base}{}", request.route);
            self.try_with_keys(CandidateMessage { url: &url, query: request.query, fields: &[] })
        })?;
        let difference = Difference::new(NearMissKind::Body, self.describe_changed_body());
        Some(FoundNearMiss::new(signed, key, vec![difference], None))
    }

    fn describe_changed_body(&mut self) -> &'static str {
        const UNKNOWN: &str =
            "the body is not the one that was signed: its hash differs from the bodySHA256 of the URL";
        let WebhookRequest { query, body, .. } = self.request;
        let is_signed = |body: &[u8]| check_body_hash(query.unwrap_or_default(), body) == BodyHashCheck::Match;
        let mut charge_one = || self.budget.rewrite(body.len(), 1) && self.budget.digest(body.len());
        let rule = BODY_RULES.iter().take_while(|_| charge_one()).find(|(_, rewrite)| is_signed(&rewrite(body)));
        rule.map_or(UNKNOWN, |(text, _)| text)
    }

    fn try_urls(&mut self, urls: &CandidateUrls<'_>, differences: usize) -> Option<FoundNearMiss> {
        const URL_ONLY: &[Construction] = &[Construction::BodyHash];
        let messages = self.messages;
        let constructions = Some(messages.constructions()).filter(|all| !all.is_empty()).unwrap_or(URL_ONLY);
        // A candidate is written out only when the budget allows trying it.
        let mut candidates = urls.with_differences(differences);
        while !self.budget.exceeded
            && let Some(candidate) = candidates.next()
        {
            if !self.budget.rewrite(candidate.len(), 0) {
                return None;
            }
            let url = candidate.url();
            let found = constructions.iter().find_map(|construction| {
                let (query, fields) = (messages.query(*construction), messages.fields(*construction));
                self.try_with_keys(CandidateMessage { url: &url, query, fields })
            });
            if let Some((signed, key)) = found {
                return Some(FoundNearMiss::new(signed, key, candidate.differences(), candidate.public_url()));
            }
        }
        None
    }

    fn try_queries(&mut self) -> Option<FoundNearMiss> {
        let request = self.request;
        let received = request.query.unwrap_or_default();
        if received.len() > MAX_REWRITTEN_BYTES || !self.budget.digest(request.body.len()) {
            return None;
        }
        let digest = body_digest(request.body);
        let (bytes, parameters) = query_size(received);
        let mut rewrites = query_rewrites(request.query, &digest);
        while self.budget.rewrite(bytes, parameters)
            && let Some(Rewrite { signed, text, remedy }) = rewrites.next()
        {
            if signed.as_deref() == request.query {
                continue;
            }
            let (query, difference) = (signed.as_deref(), Difference { kind: NearMissKind::Query, text, remedy });
            // When the query covers the body, the fields may not be signed.
            let is_covered = compare_body_hash(query.unwrap_or_default(), || digest.clone()) == BodyHashCheck::Match;
            let fields = self.messages.fields(Construction::Form);
            let found = self.try_under_configured_urls(query, fields, &difference);
            let found =
                found.or_else(|| is_covered.then(|| self.try_under_configured_urls(query, &[], &difference)).flatten());
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Tries other orders of the parameters, of which there are many, so they come last.
    fn try_orders(&mut self) -> Option<FoundNearMiss> {
        let request = self.request;
        let received = request.query.filter(|query| query.len() <= MAX_REWRITTEN_BYTES)?;
        let text = "the query was signed with its parameters in another order";
        let difference = Difference::new(NearMissKind::Query, text);
        let constructions = self.messages.constructions();
        let fields = self.messages.fields(constructions.first().copied().unwrap_or(Construction::BodyHash));
        let is_covered = self.messages.body_hash() == BodyHashCheck::Match;
        let mut orders = other_orders(received);
        while self.budget.rewrite(received.len(), 0)
            && let Some(order) = orders.next()
        {
            if order == received {
                continue;
            }
            let query = Some(order.as_str());
            let found = self.try_under_configured_urls(query, fields, &difference);
            let found = found.or_else(|| {
                let is_other = is_covered && !fields.is_empty();
                is_other.then(|| self.try_under_configured_urls(query, &[], &difference)).flatten()
            });
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Tries the query of a `GET` as the fields of a `POST`: a client that follows a redirect repeats a `POST` as a `GET`.
    fn try_redirect(&mut self) -> Option<FoundNearMiss> {
        let request = self.request;
        let Payload::Pairs(pairs) = self.payload else { return None };
        let bytes = request.fields().len();
        let is_rewritten = request.encoding == Encoding::Query && bytes <= MAX_REWRITTEN_BYTES;
        if !is_rewritten || !self.budget.rewrite(bytes, pairs.len()) {
            return None;
        }
        let pairs = in_signing_order(pairs.clone());
        let text = "the query parameters were signed as the fields of a POST, which may have been redirected";
        let difference = Difference::new(NearMissKind::Query, text);
        let queries = [None, request.query].into_iter();
        queries.into_iter().find_map(|query| self.try_under_configured_urls(query, &flatten(&pairs), &difference))
    }

    fn try_fields(&mut self) -> Option<FoundNearMiss> {
        let request = self.request;
        if request.body.len() > MAX_REWRITTEN_BYTES {
            return None;
        }
        let pairs: &[Pair] = match self.payload {
            Payload::Pairs(pairs) => pairs,
            Payload::Json(_) | Payload::Unreadable => &[],
        };
        let (bytes, most_pairs) = fields_size(&request, pairs);
        let mut rewrites = field_rewrites(request, pairs);
        while self.budget.rewrite(bytes, most_pairs)
            && let Some(Rewrite { signed, text, remedy }) = rewrites.next()
        {
            let difference = Difference { kind: NearMissKind::Body, text, remedy };
            let found = self.try_under_configured_urls(request.query, &flatten(&signed), &difference);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Tries a different query or different fields with the configured URLs.
    fn try_under_configured_urls(
        &mut self,
        query: Option<&str>,
        fields: &[&[u8]],
        difference: &Difference,
    ) -> Option<FoundNearMiss> {
        let urls = self.urls;
        urls.iter().flat_map(PublicUrl::configured_bases).find_map(|base| {
            let url = format!("{base}{}", self.request.route);
            let (signed, key) = self.try_with_keys(CandidateMessage { url: &url, query, fields })?;
            Some(FoundNearMiss::new(signed, key, vec![difference.clone()], None))
        })
    }

    /// Returns the message and the index of the key that matches.
    pub(super) fn try_with_keys(&mut self, candidate: CandidateMessage<'_>) -> Option<(SignedText, usize)> {
        let (bytes, parts) = (candidate.len(), candidate.fields.len());
        let keys = self.keys;
        let mut message = None;
        let key = keys.iter().position(|key| {
            key.algorithm() == self.signature.algorithm()
                && self.budget.sign(bytes, parts)
                && key.verifies(message.get_or_insert_with(|| candidate.parts().collect::<Vec<_>>()), self.signature)
        })?;
        Some((SignedText::new(candidate.url, candidate.query, to_pairs(candidate.fields)), key))
    }
}

impl FoundNearMiss {
    pub(super) fn new(
        signed: SignedText,
        key: usize,
        differences: Vec<Difference>,
        public_url: Option<String>,
    ) -> Self {
        let kind = differences.first().map_or(NearMissKind::Body, |difference| difference.kind);
        let (url, query) =
            signed.url.split_once('?').map_or((signed.url.as_str(), None), |(url, query)| (url, Some(query)));
        let near_miss = NearMiss {
            kind,
            url: redact_credentials(url),
            has_query: query.is_some(),
            specific_remedy: differences.iter().find_map(|difference| difference.remedy),
            texts: differences.into_iter().map(|difference| difference.text).collect(),
            public_url,
        };
        Self { near_miss, key, signed }
    }
}

/// Converts pairs to a flat list of alternating names and values.
fn flatten(pairs: &[Pair]) -> Vec<&[u8]> {
    pairs.iter().flat_map(|(name, value)| [name.as_slice(), value.as_slice()]).collect()
}
