//! Signing keys and signatures.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;
use thiserror::Error;

/// Bytes of an HMAC-SHA1, the only algorithm that Twilio's callbacks of today use.
const SIGNATURE_BYTES: usize = 20;

/// The value of an `X-Twilio-Signature` header: decoded, not yet believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(super) [u8; SIGNATURE_BYTES]);

impl Signature {
    /// Reads the header's value: standard base64 with padding and without stray bits, as Twilio writes it.
    ///
    /// `None` for everything else. A second spelling of one signature is refused, lest two texts mean the same.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        STANDARD.decode(value).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

/// The parts of a signed message, in order. They are hashed one after another and never joined.
pub(super) type Message<'a> = [&'a [u8]];

/// An empty key, which would sign for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a signing key must not be empty")]
pub struct EmptyKey;

#[cfg(test)]
thread_local! {
    /// Bytes that this thread has signed or verified.
    pub(super) static HASHED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A key together with its algorithm: HMAC-SHA1 over an auth token.
///
/// Twilio announced keys of other kinds (SharedKeys with a chosen algorithm); this type is the one place for them.
#[derive(Clone)]
pub struct SigningKey {
    keyed: Hmac<Sha1>,
}

impl SigningKey {
    /// A key from an account's auth token.
    ///
    /// # Errors
    /// [`EmptyKey`].
    pub fn from_auth_token(token: &SecretString) -> Result<Self, EmptyKey> {
        let token = token.expose_secret().as_bytes();
        if token.is_empty() {
            return Err(EmptyKey);
        }
        Hmac::new_from_slice(token).map(|keyed| Self { keyed }).map_err(|_| EmptyKey)
    }

    fn mac(&self, message: &Message<'_>) -> Hmac<Sha1> {
        let mut mac = self.keyed.clone();
        #[cfg(test)]
        HASHED.set(HASHED.get() + message.iter().map(|part| part.len()).sum::<usize>());
        for part in message {
            mac.update(part);
        }
        mac
    }

    pub(super) fn sign(&self, message: &Message<'_>) -> Signature {
        Signature(self.mac(message).finalize().into_bytes().into())
    }

    /// Whether the signature is this key's for the message, compared in constant time.
    pub(super) fn verifies(&self, message: &Message<'_>, signature: &Signature) -> bool {
        self.mac(message).verify_slice(&signature.0).is_ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_base64_of_twenty_bytes_is_a_signature() {
        let good = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        assert_eq!(Signature::parse(good.as_bytes()).unwrap().to_string(), good);
        for bad in [
            "",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8",
            "RSOYDt4T1cUTdK1PDd93/VVr8B9=",
            "RSOYDt4T1cUTdK1PDd93_VVr8B8=",
            " RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=\n",
            "RSOYDt4T1cUTdK1PDd93/VVr8A==",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8fAAAA",
        ] {
            assert_eq!(Signature::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn an_empty_key_is_refused_and_no_key_is_printed() {
        assert_eq!(SigningKey::from_auth_token(&"".into()).unwrap_err(), EmptyKey);
        let key = SigningKey::from_auth_token(&"0123456789".into()).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey([redacted])");
    }
}
