//! Verifies signatures: turns a [`WebhookRequest`] into a [`VerifiedPayload`], which proves that Twilio signed it.

use crate::{
    Algorithm, Construction, KeyKind, PublicUrl, SIGNATURE_HEADER, SignatureMatch, VerifyError, WebhookRequest,
    key::{Signature, SigningKey},
    keyring::{Keyring, LiveKeyring},
    message::{BodyHashCheck, MessageBuilder, SignedContent},
    payload::{ClaimedAccount, Payload},
    settings::SignatureSettings,
};

/// The fields of a request that Twilio signed. Only [`Verifier::verify`] creates one.
///
/// ```compile_fail
/// use twilio_signature::{ClaimedAccount, Payload, SignatureMatch, SignedContent, VerifiedPayload};
///
/// fn forge(
///     payload: Payload,
///     account: ClaimedAccount,
///     matched: SignatureMatch,
///     signed_content: SignedContent,
/// ) -> VerifiedPayload {
///     VerifiedPayload { payload, account, matched, signed_content }
/// }
/// ```
#[derive(Debug)]
pub struct VerifiedPayload {
    payload: Payload,
    account: ClaimedAccount,
    matched: SignatureMatch,
    signed_content: SignedContent,
}

impl VerifiedPayload {
    /// The decoded fields.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Takes the decoded fields.
    #[must_use]
    pub fn into_payload(self) -> Payload {
        self.payload
    }

    /// The account that the request names.
    #[must_use]
    pub fn account(&self) -> &ClaimedAccount {
        &self.account
    }

    /// The construction and the key that matched.
    #[must_use]
    pub fn matched(&self) -> SignatureMatch {
        self.matched
    }

    /// The digest of the bytes that were signed, which identifies repeats of the request.
    #[must_use]
    pub fn signed_content(&self) -> SignedContent {
        self.signed_content
    }
}

/// Verifies requests against the configured URLs and keys. Clones share the keys, also when they are replaced.
#[derive(Debug, Clone)]
pub struct Verifier {
    pub(crate) urls: Vec<PublicUrl>,
    pub(crate) keyring: LiveKeyring,
}

impl Verifier {
    /// Creates a verifier for these public URLs and keys.
    #[must_use]
    pub fn new(urls: Vec<PublicUrl>, keyring: Keyring) -> Self {
        Self { urls, keyring: LiveKeyring::new(keyring) }
    }

    /// A handle for replacing the keys later.
    #[must_use]
    pub fn keyring(&self) -> LiveKeyring {
        self.keyring.clone()
    }

    /// Verifies that Twilio signed the request.
    ///
    /// # Errors
    /// The [`VerifyError`] to count and log. The response to the sender must not reveal it.
    pub fn verify(&self, request: &WebhookRequest<'_>) -> Result<VerifiedPayload, VerifyError> {
        let signature = read_signature(request)?;
        let settings = SignatureSettings::read(request.headers)?;
        let algorithm = settings.map_or(Algorithm::HmacSha1, |settings| settings.algorithm);
        if signature.algorithm() != algorithm {
            return Err(VerifyError::MalformedSignature);
        }
        let payload = request.decode_unverified()?;
        let account = payload.account();
        let keyring = self.keyring.load();
        let keys = keyring.keys(&account).ok_or(VerifyError::UnknownAccount)?.select(settings)?;
        let messages = MessageBuilder::new(request, &payload);
        let (construction, position) = find_match(&self.urls, &messages, keys, &signature)?;
        let signed_content = messages.content(construction);
        let key = match (settings, position) {
            (Some(_), _) => KeyKind::Shared,
            (None, 0) => KeyKind::Current,
            (None, _) => KeyKind::Previous,
        };
        let matched = SignatureMatch { construction, key, algorithm };
        Ok(VerifiedPayload { payload, account, matched, signed_content })
    }
}

/// Returns the construction and the index of the key that produced the signature.
pub(crate) fn find_match(
    urls: &[PublicUrl],
    messages: &MessageBuilder<'_>,
    keys: &[SigningKey],
    signature: &Signature,
) -> Result<(Construction, usize), VerifyError> {
    let mut reason = VerifyError::SignatureMismatch;
    for &construction in messages.constructions() {
        let Some(key) = matching_key(urls, messages, construction, keys, signature) else { continue };
        if construction == Construction::BodyHash && messages.body_hash() != BodyHashCheck::Match {
            reason = VerifyError::BodyHashMismatch;
            continue;
        }
        return Ok((construction, key));
    }
    Err(reason)
}

fn matching_key(
    urls: &[PublicUrl],
    messages: &MessageBuilder<'_>,
    construction: Construction,
    keys: &[SigningKey],
    signature: &Signature,
) -> Option<usize> {
    let bases = || urls.iter().flat_map(PublicUrl::bases);
    // Usually the first message matches with the first key.
    keys.iter().position(|key| bases().any(|base| key.verifies(&messages.message(construction, base), signature)))
}

/// Reads the signature of a request. A proxy may repeat the header, but only with the same value.
pub(crate) fn read_signature(request: &WebhookRequest<'_>) -> Result<Signature, VerifyError> {
    let mut values = request.headers.values(SIGNATURE_HEADER);
    let first = values.next().ok_or(VerifyError::MissingSignature)?;
    if values.any(|other| other != first) {
        return Err(VerifyError::MalformedSignature);
    }
    Signature::parse(first).ok_or(VerifyError::MalformedSignature)
}

#[cfg(test)]
mod tests;
