//! Verifies callbacks: turns a [`RawCallback`] into a [`VerifiedCallback`], which proves that Twilio sent it.
//!
//! [`twilio_signature`] checks the signature and never waits. This module joins its proof to the callback, and gives each
//! reason for a rejection the name that it has in metrics and logs.

use std::{ops::Deref, sync::Arc};

use twilio_signature::{
    BODY_HASH_PARAMETER, ClaimedAccount, MAX_FIELDS, Pair, Payload, SignatureMatch, SignedContent, Verifier,
    VerifyError, decode_form,
};

use crate::domain::{Construction, RawCallback, RejectReason, Verb};

/// A callback that Twilio sent, with its decoded fields. A [`VerifiedCallback`] is one, and so is a dead letter of a verified
/// callback.
#[derive(Debug)]
pub struct AuthenticCallback {
    raw: Arc<RawCallback>,
    payload: Payload,
    account: ClaimedAccount,
    construction: Construction,
    parameters: Vec<Pair>,
}

impl AuthenticCallback {
    /// The callback of a dead letter. The service writes the construction only into the letters of callbacks whose signature
    /// matched, and leaves the signature out. So nothing is verified here: this trusts every user who may write to the topic. Only
    /// `replay` calls it.
    ///
    /// # Errors
    /// [`RejectReason::Malformed`] if there are too many fields. The service writes no such letter.
    pub(crate) fn of_dead_letter(raw: RawCallback, construction: Construction) -> Result<Self, RejectReason> {
        let payload = raw.as_request().decode_unverified().map_err(|_| RejectReason::Malformed)?;
        let account = raw.as_request().account().map_err(|_| RejectReason::Malformed)?;
        let parameters = query_parameters(&raw);
        Ok(Self { raw: Arc::new(raw), payload, account, construction, parameters })
    }

    /// The callback as it arrived.
    #[must_use]
    pub fn raw(&self) -> &Arc<RawCallback> {
        &self.raw
    }

    /// The decoded fields.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The first [`MAX_FIELDS`] query parameters of a `POST` in the order received, except those of the signature scheme. They
    /// are not fields.
    #[must_use]
    pub fn parameters(&self) -> &[Pair] {
        &self.parameters
    }

    /// The account that the callback names.
    #[must_use]
    pub fn account(&self) -> &ClaimedAccount {
        &self.account
    }

    /// How the signed message was built.
    #[must_use]
    pub fn construction(&self) -> Construction {
        self.construction
    }
}

/// A callback that Twilio signed. Only [`VerifiedCallback::verify`] creates one. A verified payload alone is not
/// enough, because nothing joins it to a callback:
///
/// ```compile_fail
/// # use trusthub_bridge::verify::{AuthenticCallback, VerifiedCallback};
/// # use twilio_signature::VerifiedPayload;
/// fn forge(callback: AuthenticCallback, verified: &VerifiedPayload) -> VerifiedCallback {
///     VerifiedCallback { callback, matched: verified.matched(), signed_content: verified.signed_content() }
/// }
/// ```
#[derive(Debug)]
pub struct VerifiedCallback {
    callback: AuthenticCallback,
    matched: SignatureMatch,
    signed_content: SignedContent,
}

impl VerifiedCallback {
    /// Verifies that Twilio sent the callback.
    ///
    /// # Errors
    /// The [`RejectReason`] to count and log. The response to the sender must not reveal it.
    pub fn verify(verifier: &Verifier, raw: impl Into<Arc<RawCallback>>) -> Result<Self, RejectReason> {
        let raw = raw.into();
        let verified = verifier.verify(&raw.as_request())?;
        let (matched, signed_content) = (verified.matched(), verified.signed_content());
        let (account, parameters) = (verified.account().clone(), query_parameters(&raw));
        let (payload, construction) = (verified.into_payload(), matched.construction);
        let callback = AuthenticCallback { raw, payload, account, construction, parameters };
        Ok(Self { callback, matched, signed_content })
    }

    /// The construction and the key that matched.
    #[must_use]
    pub fn matched(&self) -> SignatureMatch {
        self.matched
    }

    /// The digest of the bytes that were signed.
    #[must_use]
    pub fn signed_content(&self) -> SignedContent {
        self.signed_content
    }
}

impl Deref for VerifiedCallback {
    type Target = AuthenticCallback;

    fn deref(&self) -> &AuthenticCallback {
        &self.callback
    }
}

/// Decodes the query of a `POST` as far as [`MAX_FIELDS`]. The rest is ignored: a callback that Twilio signed is not rejected.
fn query_parameters(raw: &RawCallback) -> Vec<Pair> {
    // Twilio's callbacks have no query.
    let (Verb::Post, Some(query)) = (raw.verb(), &raw.query) else { return Vec::new() };
    let first: Vec<_> = query.split('&').filter(|piece| !piece.is_empty()).take(MAX_FIELDS).collect();
    let mut parameters = decode_form(first.join("&").as_bytes()).unwrap_or_default();
    parameters.retain(|(name, _)| name != BODY_HASH_PARAMETER.as_bytes());
    parameters
}

impl From<VerifyError> for RejectReason {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::MissingSignature => Self::MissingSignature,
            VerifyError::MalformedSignature => Self::MalformedSignature,
            VerifyError::MalformedSettings => Self::MalformedSignatureSettings,
            VerifyError::UnknownAlgorithm => Self::UnknownAlgorithm,
            VerifyError::UnknownSharedKey => Self::UnknownSharedKey,
            VerifyError::AlgorithmNotAllowed => Self::AlgorithmNotAllowed,
            VerifyError::TooManyFields(_) => Self::Malformed,
            VerifyError::UnknownAccount => Self::UnknownAccount,
            VerifyError::SignatureMismatch => Self::SignatureMismatch,
            VerifyError::BodyHashMismatch => Self::BodyHashMismatch,
        }
    }
}

#[cfg(test)]
mod tests {
    use twilio_signature::{Keyring, MAX_FIELDS, SigningKey, decode_form, sign};

    use super::*;
    use crate::domain::{Encoding, Headers, PublicUrl, Resource, SIGNATURE_HEADER};

    const BASE: &str = "https://hooks.example.com";
    const ROUTE: &str = "/callbacks/customer-profiles";
    const TOKEN: &str = "token";

    fn verify(body: &str, headers: Headers) -> Result<VerifiedCallback, RejectReason> {
        let keyring = Keyring::new(None, &[TOKEN.into()]).unwrap();
        let verifier = Verifier::new(vec![PublicUrl::parse(BASE).unwrap()], keyring);
        let raw = RawCallback {
            resource: Resource::CustomerProfile,
            route: ROUTE.into(),
            target: ROUTE.to_owned(),
            query: None,
            encoding: Encoding::Form,
            headers,
            body: body.into(),
        };
        VerifiedCallback::verify(&verifier, raw)
    }

    #[test]
    fn verified_callback_has_the_request_and_its_fields() {
        let key = SigningKey::from_auth_token(&TOKEN.into()).unwrap();
        let fields = decode_form(b"Status=draft").unwrap();
        let signature = sign(&key, &format!("{BASE}{ROUTE}"), &fields).to_string();
        let verified = verify("Status=draft", [(SIGNATURE_HEADER, signature)].into_iter().collect()).unwrap();
        assert_eq!(verified.raw().body, b"Status=draft");
        assert_eq!(verified.payload(), &Payload::Pairs(fields));
    }

    #[test]
    fn callback_without_a_valid_signature_is_rejected_with_its_reason() {
        let signed = |signature: &str| [(SIGNATURE_HEADER, signature)].into_iter().collect();
        let forged = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let reason = |body: &str, headers| verify(body, headers).unwrap_err();
        assert_eq!(reason("", Headers::default()), RejectReason::MissingSignature);
        assert_eq!(reason("", signed("x")), RejectReason::MalformedSignature);
        assert_eq!(reason("", signed(forged)), RejectReason::SignatureMismatch);
        assert_eq!(reason(&"a&".repeat(MAX_FIELDS + 1), signed(forged)), RejectReason::Malformed);
    }
}
