//! Signing keys and signatures.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;
use sha2::Sha256;
use thiserror::Error;

use crate::algorithm::Algorithm;

/// The decoded value of an `X-Twilio-Signature` header. It proves nothing until it is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature(SignatureBytes);

/// The bytes of a signature, whose number follows from the algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignatureBytes {
    HmacSha1([u8; 20]),
    HmacSha256([u8; 32]),
}

impl Signature {
    /// Parses the value of the header: standard base64 with padding and zero trailing bits, as Twilio writes it, of as many
    /// bytes as one of the algorithms gives.
    ///
    /// Returns `None` for everything else. Each signature has exactly one accepted spelling.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let bytes = STANDARD.decode(value).ok()?;
        let sha1 = bytes.as_slice().try_into().map(SignatureBytes::HmacSha1);
        sha1.or_else(|_| bytes.as_slice().try_into().map(SignatureBytes::HmacSha256)).ok().map(Self)
    }

    /// The only algorithm whose signatures have this length.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            SignatureBytes::HmacSha1(_) => Algorithm::HmacSha1,
            SignatureBytes::HmacSha256(_) => Algorithm::HmacSha256,
        }
    }

    /// The bytes of the signature.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            SignatureBytes::HmacSha1(bytes) => bytes,
            SignatureBytes::HmacSha256(bytes) => bytes,
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.as_bytes()))
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

/// A secret and the algorithm that it signs with. A key verifies only the signatures of its own algorithm.
#[derive(Clone)]
pub struct SigningKey(KeyedHash);

/// The state of the hash after the secret.
#[derive(Clone)]
enum KeyedHash {
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
}

impl SigningKey {
    /// Creates a key from the auth token of an account, which signs with HMAC-SHA1.
    ///
    /// # Errors
    /// [`EmptyKey`] when the token is empty.
    pub fn from_auth_token(token: &SecretString) -> Result<Self, EmptyKey> {
        Self::new(token, Algorithm::HmacSha1)
    }

    /// Creates a key from an auth token or from the secret of a SharedKey.
    ///
    /// # Errors
    /// [`EmptyKey`] when the secret is empty.
    pub fn new(secret: &SecretString, algorithm: Algorithm) -> Result<Self, EmptyKey> {
        let secret = secret.expose_secret().as_bytes();
        if secret.is_empty() {
            return Err(EmptyKey);
        }
        let keyed = match algorithm {
            Algorithm::HmacSha1 => Hmac::new_from_slice(secret).map(KeyedHash::HmacSha1),
            Algorithm::HmacSha256 => Hmac::new_from_slice(secret).map(KeyedHash::HmacSha256),
        };
        keyed.map(Self).map_err(|_| EmptyKey)
    }

    /// The algorithm that this key signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            KeyedHash::HmacSha1(_) => Algorithm::HmacSha1,
            KeyedHash::HmacSha256(_) => Algorithm::HmacSha256,
        }
    }

    pub(crate) fn sign(&self, message: &MessageParts<'_>) -> Signature {
        Signature(match &self.0 {
            KeyedHash::HmacSha1(keyed) => SignatureBytes::HmacSha1(hash(keyed, message).finalize().into_bytes().into()),
            KeyedHash::HmacSha256(keyed) => {
                SignatureBytes::HmacSha256(hash(keyed, message).finalize().into_bytes().into())
            }
        })
    }

    /// Whether this key signed the message. Compares in constant time.
    pub(crate) fn verifies(&self, message: &MessageParts<'_>, signature: &Signature) -> bool {
        match (&self.0, &signature.0) {
            (KeyedHash::HmacSha1(keyed), SignatureBytes::HmacSha1(bytes)) => {
                hash(keyed, message).verify_slice(bytes).is_ok()
            }
            (KeyedHash::HmacSha256(keyed), SignatureBytes::HmacSha256(bytes)) => {
                hash(keyed, message).verify_slice(bytes).is_ok()
            }
            _ => false,
        }
    }
}

/// Hashes the message with a copy of the keyed state.
fn hash<M: hmac::Mac + Clone>(keyed: &M, message: &MessageParts<'_>) -> M {
    let mut mac = keyed.clone();
    #[cfg(test)]
    HASHED.set(HASHED.get() + message.iter().map(|part| part.len()).sum::<usize>());
    for part in message {
        mac.update(part);
    }
    mac
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signature of one message with each algorithm.
    const SIGNATURES: [(&str, Algorithm); 2] = [
        ("RSOYDt4T1cUTdK1PDd93/VVr8B8=", Algorithm::HmacSha1),
        ("033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=", Algorithm::HmacSha256),
    ];

    #[test]
    fn signature_is_canonical_base64_of_as_many_bytes_as_an_algorithm_gives() {
        for (valid, algorithm) in SIGNATURES {
            let signature = Signature::parse(valid.as_bytes()).unwrap();
            assert_eq!((signature.to_string().as_str(), signature.algorithm()), (valid, algorithm));
            assert_eq!(signature.as_bytes().len(), algorithm.signature_bytes());
        }
        for invalid in [
            "",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8",
            "RSOYDt4T1cUTdK1PDd93/VVr8B9=",
            "RSOYDt4T1cUTdK1PDd93_VVr8B8=",
            " RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=\n",
            "RSOYDt4T1cUTdK1PDd93/VVr8A==",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8fAAAA",
            "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5t=",
            "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5sA",
            "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjAw==",
        ] {
            assert_eq!(Signature::parse(invalid.as_bytes()), None, "{invalid:?}");
        }
    }

    #[test]
    fn key_verifies_only_signatures_of_its_own_algorithm() {
        let message: &MessageParts<'_> = &[b"https://hooks.example.com/", b"AB"];
        for &signing in Algorithm::ALL {
            let signature = SigningKey::new(&"12345".into(), signing).unwrap().sign(message);
            assert_eq!(signature.algorithm(), signing);
            for &verifying in Algorithm::ALL {
                let key = SigningKey::new(&"12345".into(), verifying).unwrap();
                assert_eq!(key.verifies(message, &signature), signing == verifying, "{signing} {verifying}");
                assert_eq!(key.algorithm(), verifying);
            }
        }
    }

    #[test]
    fn empty_key_is_rejected_and_debug_output_hides_the_key() {
        assert_eq!(SigningKey::from_auth_token(&"".into()).unwrap_err(), EmptyKey);
        for &algorithm in Algorithm::ALL {
            assert_eq!(SigningKey::new(&"".into(), algorithm).unwrap_err(), EmptyKey);
            let key = SigningKey::new(&"0123456789".into(), algorithm).unwrap();
            assert_eq!(format!("{key:?}"), "SigningKey([redacted])");
        }
    }

    #[test]
    fn algorithm_is_named_in_any_letter_case_and_nothing_else() {
        for &algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
            assert_eq!(Algorithm::parse(&algorithm.as_str().to_lowercase()), Some(algorithm));
        }
        for unknown in ["", "HMAC_SHA512", "HMAC-SHA256", "SHA256", "HMAC_SHA1 ", "HMAC_SHA"] {
            assert_eq!(Algorithm::parse(unknown), None, "{unknown:?}");
        }
    }
}
