//! The keys of Twilio's Webhooks API, which sign instead of an auth token.

use std::fmt;

use secrecy::SecretString;
use thiserror::Error;

use crate::{
    algorithm::Algorithm,
    key::{EmptyKey, SigningKey},
};

/// The maximum length of an id. Twilio's are shorter.
const MAX_ID_BYTES: usize = 128;

/// A SharedKey: a key that Twilio signs webhooks with instead of the auth token, and names in the request.
#[derive(Clone)]
pub struct SharedKey {
    id: String,
    /// The only algorithm that the key may sign with; `None` for the one that the request names.
    bound: Option<Algorithm>,
    hmac_sha1: SigningKey,
    hmac_sha256: SigningKey,
}

/// Why a setting is not a SharedKey. No text repeats the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SharedKeyError {
    /// There is no id before a `=`.
    #[error("is not an id and a secret; write webhooks_sharedkey_…=secret")]
    Form,
    /// The id is empty, too long, or has a character that an id cannot have.
    #[error(
        "has an id that is empty, too long or not plain text; write the id that Twilio shows, webhooks_sharedkey_…"
    )]
    Id,
    /// The algorithm after the id is not known.
    #[error("is bound to an unknown algorithm; write HMAC_SHA1 or HMAC_SHA256 after the id, or neither")]
    UnknownAlgorithm,
    /// The secret is empty or contains white space.
    #[error("has a secret that is empty or contains white space; write only the secret")]
    Secret,
}

impl SharedKey {
    /// Creates a key from its id, such as `webhooks_sharedkey_…`, and its secret. A key that is bound to an algorithm never
    /// verifies a signature of another one, whichever the request names.
    ///
    /// # Errors
    /// [`SharedKeyError::Id`] and [`SharedKeyError::Secret`].
    pub fn new(id: &str, bound: Option<Algorithm>, secret: &SecretString) -> Result<Self, SharedKeyError> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b'=' | b':');
        if !(1..=MAX_ID_BYTES).contains(&id.len()) || !id.bytes().all(is_plain) {
            return Err(SharedKeyError::Id);
        }
        let key = |algorithm| SigningKey::new(secret, algorithm).map_err(|EmptyKey| SharedKeyError::Secret);
        let (hmac_sha1, hmac_sha256) = (key(Algorithm::HmacSha1)?, key(Algorithm::HmacSha256)?);
        Ok(Self { id: id.to_owned(), bound, hmac_sha1, hmac_sha256 })
    }

    /// Creates a key from its name in a setting, `id` or `id:HMAC_SHA256`, and its secret.
    ///
    /// # Errors
    /// Each [`SharedKeyError`] except [`SharedKeyError::Form`].
    pub fn from_name(name: &str, secret: &str) -> Result<Self, SharedKeyError> {
        let (id, bound) = match name.split_once(':') {
            Some((id, algorithm)) => (id, Some(Algorithm::parse(algorithm).ok_or(SharedKeyError::UnknownAlgorithm)?)),
            None => (name, None),
        };
        if secret.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(SharedKeyError::Secret);
        }
        Self::new(id, bound, &secret.into())
    }

    /// Creates a key from a setting: `id=secret`, or `id:HMAC_SHA256=secret` for a key that is bound to an algorithm.
    ///
    /// # Errors
    /// [`SharedKeyError`].
    pub fn parse(setting: &str) -> Result<Self, SharedKeyError> {
        let (name, secret) = setting.split_once('=').ok_or(SharedKeyError::Form)?;
        Self::from_name(name, secret)
    }

    /// The id, which requests name. It is not secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The only algorithm that the key may sign with; `None` for the one that the request names.
    #[must_use]
    pub fn bound(&self) -> Option<Algorithm> {
        self.bound
    }

    /// Whether the key may sign with this algorithm.
    #[must_use]
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        self.bound.is_none_or(|bound| bound == algorithm)
    }

    /// The algorithm to sign with: the one that the key is bound to, or else HMAC-SHA256.
    #[must_use]
    pub fn default_algorithm(&self) -> Algorithm {
        self.bound.unwrap_or(Algorithm::HmacSha256)
    }

    /// The key for signing with this algorithm, whether or not it is allowed.
    #[must_use]
    pub fn signing_key(&self, algorithm: Algorithm) -> &SigningKey {
        match algorithm {
            Algorithm::HmacSha1 => &self.hmac_sha1,
            Algorithm::HmacSha256 => &self.hmac_sha256,
        }
    }

    /// The value of [`SIGNATURE_SETTINGS_HEADER`](crate::SIGNATURE_SETTINGS_HEADER) in a request that this key signs.
    #[must_use]
    pub fn settings(&self, algorithm: Algorithm) -> String {
        format!("key={},algorithm={algorithm}", self.id)
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedKey({}, [redacted])", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_has_an_id_a_secret_and_perhaps_an_algorithm() {
        let key = SharedKey::parse("webhooks_sharedkey_1=a=b:c").unwrap();
        assert_eq!((key.id(), key.bound()), ("webhooks_sharedkey_1", None));
        assert!(Algorithm::ALL.iter().all(|algorithm| key.allows(*algorithm)));
        assert_eq!(key.default_algorithm(), Algorithm::HmacSha256);
        assert_eq!(key.settings(Algorithm::HmacSha1), "key=webhooks_sharedkey_1,algorithm=HMAC_SHA1");
        for &algorithm in Algorithm::ALL {
            let key = SharedKey::parse(&format!("webhooks_sharedkey_1:{algorithm}=secret")).unwrap();
            assert_eq!((key.bound(), key.default_algorithm()), (Some(algorithm), algorithm));
            let allowed: Vec<_> = Algorithm::ALL.iter().filter(|algorithm| key.allows(**algorithm)).collect();
            assert_eq!(allowed, [&algorithm]);
        }
    }

    #[test]
    fn setting_that_is_not_a_key_is_rejected_without_repeating_it() {
        let long = format!("{}=hunter2", "k".repeat(MAX_ID_BYTES + 1));
        for (setting, error) in [
            ("hunter2", SharedKeyError::Form),
            ("=hunter2", SharedKeyError::Id),
            ("a b=hunter2", SharedKeyError::Id),
            ("schlüssel=hunter2", SharedKeyError::Id),
            (long.as_str(), SharedKeyError::Id),
            ("id:HMAC_SHA512=hunter2", SharedKeyError::UnknownAlgorithm),
            ("id:=hunter2", SharedKeyError::UnknownAlgorithm),
            ("id=", SharedKeyError::Secret),
            ("id= hunter2", SharedKeyError::Secret),
        ] {
            let found = SharedKey::parse(setting).unwrap_err();
            assert_eq!(found, error, "{setting}");
            assert!(!found.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn debug_output_hides_the_secret() {
        assert_eq!(format!("{:?}", SharedKey::parse("id=hunter2").unwrap()), "SharedKey(id, [redacted])");
    }
}
