//! Verifies signatures: turns a [`RawCallback`] into a [`VerifiedCallback`], which proves that Twilio sent it.
//!
//! The message is built only from raw bytes and the configured public URL. The following list of constructions is closed
//! and ordered; a callback is accepted only if one of them matches for a spelling of the URL and a key of the account.
//!
//! | Construction | Used for | Signed message |
//! |---|---|---|
//! | `form` | form | URL with query, then each distinct name and value, sorted |
//! | `body_hash` | form or JSON with `bodySHA256` in the query | URL with query; in addition, `bodySHA256` must be the hash of the body |
//! | `form_without_hash` | form with `bodySHA256` in the query | as `form`, without `bodySHA256` |
//! | `query` | `GET` | URL with query |
//! | `query_without_hash` | `GET` with `bodySHA256` in the query | as `query`, without `bodySHA256` |
//!
//! # Invariants
//!
//! - A JSON body is accepted only with `bodySHA256`: otherwise the signature does not cover it.
//! - Signatures are compared in constant time, and the response does not reveal why a signature was rejected.
//! - A diagnosis ([`Verifier::diagnose`], [`explain`]) describes a near miss to the operator. It never accepts a callback,
//!   its cost is bounded, and the text of a [`NearMiss`] contains no token, no field and no query value.
//!
//! All functions compute without waiting and without I/O.

mod diagnose;
mod key;
mod keyring;
mod message;
mod payload;

pub use diagnose::{CapturedRequest, Explanation, MatchResult, NearMiss, NearMissKind, SignedText, explain};
pub use key::{EmptyKey, Signature, SigningKey};
pub use keyring::{Keyring, LiveKeyring};
pub use message::{Signable, sign, url_with_body_hash};
pub use payload::{ClaimedAccount, MAX_FIELDS, Pair, Payload, decode_form, is_named};

use std::sync::Arc;

use self::message::{BodyHashCheck, MessageBuilder};
use crate::domain::{Construction, KeyAge, PublicUrl, RawCallback, RejectReason, SIGNATURE_HEADER};

/// A callback that Twilio signed. Only [`Verifier::verify`] creates one.
///
/// ```compile_fail
/// # use trusthub_bridge::{domain::RawCallback, verify::VerifiedCallback};
/// fn forge(raw: RawCallback) -> VerifiedCallback {
///     VerifiedCallback { raw }
/// }
/// ```
#[derive(Debug)]
pub struct VerifiedCallback {
    raw: Arc<RawCallback>,
    payload: Payload,
    account: ClaimedAccount,
    matched: SignatureMatch,
}

impl VerifiedCallback {
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

    /// The account that the callback names.
    #[must_use]
    pub fn account(&self) -> &ClaimedAccount {
        &self.account
    }

    /// The construction and the key that matched.
    #[must_use]
    pub fn matched(&self) -> SignatureMatch {
        self.matched
    }
}

/// The construction and the key that produced a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureMatch {
    /// How the message was built.
    pub construction: Construction,
    /// Whether the current or an earlier key signed it.
    pub key: KeyAge,
}

/// Verifies callbacks against the configured URLs and keys.
#[derive(Debug)]
pub struct Verifier {
    urls: Vec<PublicUrl>,
    keyring: LiveKeyring,
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

    /// Verifies that Twilio sent the callback.
    ///
    /// # Errors
    /// The [`RejectReason`] to count and log. The response to the sender must not reveal it.
    pub fn verify(&self, raw: impl Into<Arc<RawCallback>>) -> Result<VerifiedCallback, RejectReason> {
        let raw = raw.into();
        let signature = read_signature(&raw)?;
        let request = Signable::from(&*raw);
        let payload = Payload::decode(request)?;
        let account = payload.account();
        let keyring = self.keyring.load();
        let keys = keyring.keys(&account)?;
        let (construction, position) =
            find_match(&self.urls, &MessageBuilder::new(&request, &payload), keys, &signature)?;
        let key = if position == 0 { KeyAge::Current } else { KeyAge::Previous };
        let matched = SignatureMatch { construction, key };
        Ok(VerifiedCallback { raw, payload, account, matched })
    }
}

/// Returns the construction and the index of the key that produced the signature.
fn find_match(
    urls: &[PublicUrl],
    messages: &MessageBuilder<'_>,
    keys: &[SigningKey],
    signature: &Signature,
) -> Result<(Construction, usize), RejectReason> {
    let mut reason = RejectReason::SignatureMismatch;
    for &construction in messages.constructions() {
        let Some(key) = matching_key(urls, messages, construction, keys, signature) else { continue };
        if construction == Construction::BodyHash && messages.body_hash() != BodyHashCheck::Match {
            reason = RejectReason::BodyHashMismatch;
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

/// Reads the signature of a callback. A proxy may repeat the header, but only with the same value.
fn read_signature(raw: &RawCallback) -> Result<Signature, RejectReason> {
    let mut values = raw.headers.values(SIGNATURE_HEADER);
    let first = values.next().ok_or(RejectReason::MissingSignature)?;
    if values.any(|other| other != first) {
        return Err(RejectReason::MalformedSignature);
    }
    Signature::parse(first).ok_or(RejectReason::MalformedSignature)
}

#[cfg(test)]
mod tests;
