//! [`RawCallback`] → [`VerifiedCallback`]: proves that Twilio sent it.
//!
//! The message is built only from raw bytes and the configured public URL. A closed, ordered list of constructions is
//! tried with every spelling of the URL and every key of the account; the first match is reported, nothing else.

mod diagnose;
mod key;
mod keyring;
mod message;
mod payload;

pub use diagnose::{Capture, Explanation, NearMiss, NearMissKind, SignedText, Verdict, explain};
pub use key::{EmptyKey, Signature, SigningKey};
pub use keyring::{Keyring, LiveKeyring};
pub use message::{Signable, sign, url_with_body_hash};
pub use payload::{ClaimedAccount, MAX_FIELDS, Pair, Payload, decode_form, is_named};

use std::sync::Arc;

use self::message::{BodyHash, Parts};
use crate::domain::{Construction, KeyAge, PublicUrl, RawCallback, RejectReason, SIGNATURE_HEADER};

/// A callback that Twilio signed. Only [`Verifier::verify`] makes one.
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
    matched: Match,
}

impl VerifiedCallback {
    /// The callback as it arrived.
    #[must_use]
    pub fn raw(&self) -> &Arc<RawCallback> {
        &self.raw
    }

    /// Its decoded fields.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The account that it comes from, as far as it named one.
    #[must_use]
    pub fn account(&self) -> &ClaimedAccount {
        &self.account
    }

    /// What matched.
    #[must_use]
    pub fn matched(&self) -> Match {
        self.matched
    }
}

/// Which construction and key gave the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// How the message was built.
    pub construction: Construction,
    /// Which key it was signed with.
    pub key: KeyAge,
}

/// Verifies callbacks against the configured URLs and keys.
#[derive(Debug)]
pub struct Verifier {
    urls: Vec<PublicUrl>,
    keyring: LiveKeyring,
}

impl Verifier {
    /// A verifier for these public URLs and keys.
    #[must_use]
    pub fn new(urls: Vec<PublicUrl>, keyring: Keyring) -> Self {
        Self { urls, keyring: LiveKeyring::new(keyring) }
    }

    /// A handle on the keys, to replace them later.
    #[must_use]
    pub fn keyring(&self) -> LiveKeyring {
        self.keyring.clone()
    }

    /// Proves that the callback is Twilio's.
    ///
    /// # Errors
    /// The [`RejectReason`] to count and log; the caller of the service is never told which.
    pub fn verify(&self, raw: impl Into<Arc<RawCallback>>) -> Result<VerifiedCallback, RejectReason> {
        let raw = raw.into();
        let signature = read_signature(&raw)?;
        let request = Signable::from(&*raw);
        let payload = Payload::decode(request)?;
        let account = payload.account();
        let keyring = self.keyring.now();
        let keys = keyring.keys(&account)?;
        let (construction, position) = find_match(&self.urls, &Parts::of(&request, &payload), keys, &signature)?;
        let key = if position == 0 { KeyAge::Current } else { KeyAge::Previous };
        let matched = Match { construction, key };
        Ok(VerifiedCallback { raw, payload, account, matched })
    }
}

/// The construction and the position of the key that give the signature.
fn find_match(
    urls: &[PublicUrl],
    parts: &Parts<'_>,
    keys: &[SigningKey],
    signature: &Signature,
) -> Result<(Construction, usize), RejectReason> {
    let mut refusal = RejectReason::SignatureMismatch;
    for &construction in parts.constructions() {
        let Some(key) = matching_key(urls, parts, construction, keys, signature) else { continue };
        if construction == Construction::BodyHash && parts.body_hash() != BodyHash::Right {
            refusal = RejectReason::BodyHashMismatch;
            continue;
        }
        return Ok((construction, key));
    }
    Err(refusal)
}

fn matching_key(
    urls: &[PublicUrl],
    parts: &Parts<'_>,
    construction: Construction,
    keys: &[SigningKey],
    signature: &Signature,
) -> Option<usize> {
    let bases = || urls.iter().flat_map(PublicUrl::bases);
    // Most often the first message under the first key is the one that was signed.
    keys.iter().position(|key| bases().any(|base| key.verifies(&parts.message(construction, base), signature)))
}

/// The one signature of a callback. A proxy may repeat the header, but not with another value.
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
