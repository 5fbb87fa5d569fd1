//! [`RawCallback`] → [`VerifiedCallback`]: proves that Twilio sent it.
//!
//! The message is built only from raw bytes and the configured public URL. A closed, ordered list of constructions is
//! tried with every spelling of the URL and every key of the account; the first match is reported, nothing else.

mod key;
mod keyring;
mod message;
mod payload;

pub use key::{EmptyKey, Signature, SigningKey};
pub use keyring::Keyring;
pub use message::{sign, url_with_body_hash};
pub use payload::{ClaimedAccount, MAX_FIELDS, Pair, Payload, decode_form, fold_name};

use self::message::{BodyHash, Parts};
use crate::domain::{Construction, KeyAge, PublicUrl, RawCallback, Refusal};

/// The header that carries the signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";

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
    raw: RawCallback,
    payload: Payload,
    account: ClaimedAccount,
    matched: Match,
}

impl VerifiedCallback {
    /// The callback as it arrived.
    #[must_use]
    pub fn raw(&self) -> &RawCallback {
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
    keyring: Keyring,
}

impl Verifier {
    /// A verifier for these public URLs and keys.
    #[must_use]
    pub fn new(urls: Vec<PublicUrl>, keyring: Keyring) -> Self {
        Self { urls, keyring }
    }

    /// Proves that the callback is Twilio's.
    ///
    /// # Errors
    /// The [`Refusal`] to count and log; the caller of the service is never told which.
    pub fn verify(&self, raw: RawCallback) -> Result<VerifiedCallback, Refusal> {
        let signature = read_signature(&raw)?;
        let payload = Payload::decode(&raw)?;
        let account = payload.account();
        let keys = self.keyring.keys(&account)?;
        let matched = self.find_match(&Parts::of(&raw, &payload), keys, &signature)?;
        Ok(VerifiedCallback { raw, payload, account, matched })
    }

    fn find_match(&self, parts: &Parts<'_>, keys: &[SigningKey], signature: &Signature) -> Result<Match, Refusal> {
        let mut refusal = Refusal::SignatureMismatch;
        for &construction in parts.constructions() {
            let Some(key) = self.matching_key(parts, construction, keys, signature) else { continue };
            if construction == Construction::BodyHash && parts.body_hash() != BodyHash::Right {
                refusal = Refusal::BodyHashMismatch;
                continue;
            }
            return Ok(Match { construction, key });
        }
        Err(refusal)
    }

    fn matching_key(
        &self,
        parts: &Parts<'_>,
        construction: Construction,
        keys: &[SigningKey],
        signature: &Signature,
    ) -> Option<KeyAge> {
        let bases = self.urls.iter().flat_map(PublicUrl::bases);
        let messages: Vec<_> = bases.map(|base| parts.message(construction, base)).collect();
        let index = keys.iter().position(|key| messages.iter().any(|message| key.verifies(message, signature)))?;
        Some(if index == 0 { KeyAge::Current } else { KeyAge::Previous })
    }
}

/// The one signature of a callback. A proxy may repeat the header, but not with another value.
fn read_signature(raw: &RawCallback) -> Result<Signature, Refusal> {
    let mut values = raw.header(SIGNATURE_HEADER);
    let first = values.next().ok_or(Refusal::MissingSignature)?;
    if values.any(|other| other != first) {
        return Err(Refusal::MalformedSignature);
    }
    Signature::parse(first).ok_or(Refusal::MalformedSignature)
}

#[cfg(test)]
mod tests;
