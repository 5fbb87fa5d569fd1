//! Signing keys and signatures.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;
use thiserror::Error;

/// Length of an HMAC-SHA1, the only algorithm that Twilio currently uses for webhooks.
const SIGNATURE_LEN: usize = 20;

/// The decoded value of an `X-Twilio-Signature` header. It proves nothing until it is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(crate) [u8; SIGNATURE_LEN]);

impl Signature {
    /// Parses the value of the header: standard base64 with padding and zero trailing bits, as Twilio writes it.
    ///
    /// Returns `None` for everything else. Each signature has exactly one accepted spelling.
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

/// The parts of a signed message, in order. They are hashed one after another without being concatenated.
pub(crate) type MessageParts<'a> = [&'a [u8]];

/// A signing key is empty, so that anyone could forge a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a signing key must not be empty")]
pub struct EmptyKey;

#[cfg(test)]
thread_local! {
    /// Number of bytes that this thread has signed or verified.
    pub(crate) static HASHED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A key and its algorithm. Currently always an auth token with HMAC-SHA1.
///
/// Twilio has announced other kinds of keys (SharedKeys with a selectable algorithm); they belong in this type.
#[derive(Clone)]
pub struct SigningKey {
    keyed: Hmac<Sha1>,
}

impl SigningKey {
    /// Creates a key from the auth token of an account.
    ///
    /// # Errors
    /// [`EmptyKey`] when the token is empty.
    pub fn from_auth_token(token: &SecretString) -> Result<Self, EmptyKey> {
        let token = token.expose_secret().as_bytes();
        if token.is_empty() {
            return Err(EmptyKey);
        }
        Hmac::new_from_slice(token).map(|keyed| Self { keyed }).map_err(|_| EmptyKey)
    }

    fn mac(&self, message: &MessageParts<'_>) -> Hmac<Sha1> {
        let mut mac = self.keyed.clone();
        #[cfg(test)]
        HASHED.set(HASHED.get() + message.iter().map(|part| part.len()).sum::<usize>());
        for part in message {
            mac.update(part);
        }
        mac
    }

    pub(crate) fn sign(&self, message: &MessageParts<'_>) -> Signature {
        Signature(self.mac(message).finalize().into_bytes().into())
    }

    /// Whether this key signed the message. Compares in constant time.
    pub(crate) fn verifies(&self, message: &MessageParts<'_>, signature: &Signature) -> bool {
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
    fn signature_is_canonical_base64_of_twenty_bytes() {
        let valid = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        assert_eq!(Signature::parse(valid.as_bytes()).unwrap().to_string(), valid);
        for invalid in [
            "",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8",
            "RSOYDt4T1cUTdK1PDd93/VVr8B9=",
            "RSOYDt4T1cUTdK1PDd93_VVr8B8=",
            " RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=\n",
            "RSOYDt4T1cUTdK1PDd93/VVr8A==",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8fAAAA",
        ] {
            assert_eq!(Signature::parse(invalid.as_bytes()), None, "{invalid:?}");
        }
    }

    #[test]
    fn empty_key_is_rejected_and_debug_output_hides_the_key() {
        assert_eq!(SigningKey::from_auth_token(&"".into()).unwrap_err(), EmptyKey);
        let key = SigningKey::from_auth_token(&"0123456789".into()).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey([redacted])");
    }
}
