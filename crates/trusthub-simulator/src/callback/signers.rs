//! What signs a callback: the auth token of its account, or a SharedKey of the account.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use thiserror::Error;
use twilio_signature::Algorithm;

/// The name of the auth token among the signers.
const AUTH_TOKEN: &str = "auth_token";

/// Stands before a signer whose callbacks must be rejected.
const WRONG_ALGORITHM: &str = "wrong_algorithm:";

/// The limit on the signers that take turns. Twilio splits callbacks between two settings at most.
const MAX_SIGNERS: usize = 8;

/// The key of a [`CallbackSigner`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SignerKey {
    /// The primary auth token. Callbacks have no settings header.
    AuthToken,
    /// The SharedKey with this id. `None` is the algorithm that the key is bound to, or else HMAC-SHA256.
    Shared(String, Option<Algorithm>),
}

/// Signs callbacks. It is written as `auth_token`, as the id of a SharedKey, or as id and algorithm,
/// `webhooks_sharedkey_1:HMAC_SHA1`. With `wrong_algorithm:` before it, the signature is made with the other algorithm than
/// the one that the receiver expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackSigner {
    pub(super) key: SignerKey,
    /// The signature is made with another algorithm than the request says.
    pub(super) has_wrong_algorithm: bool,
}

/// A text that is not a [`CallbackSigner`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "write auth_token, the id of a SharedKey, or the id and an algorithm, such as webhooks_sharedkey_1:HMAC_SHA256 or \
     webhooks_sharedkey_1:HMAC_SHA1; wrong_algorithm: before it makes signatures that do not match"
)]
pub struct CallbackSignerError;

impl CallbackSigner {
    /// The primary auth token of the account.
    pub const AUTH_TOKEN: Self = Self { key: SignerKey::AuthToken, has_wrong_algorithm: false };

    /// The SharedKey of the account with this id.
    #[must_use]
    pub fn shared_key(id: &str) -> Self {
        Self { key: SignerKey::Shared(id.to_owned(), None), has_wrong_algorithm: false }
    }

    /// The SharedKey, unless the auth token signs.
    pub(super) fn shared_key_id(&self) -> Option<&str> {
        match &self.key {
            SignerKey::AuthToken => None,
            SignerKey::Shared(id, _) => Some(id),
        }
    }
}

impl FromStr for CallbackSigner {
    type Err = CallbackSignerError;

    fn from_str(text: &str) -> Result<Self, CallbackSignerError> {
        let (has_wrong_algorithm, key) = match text.strip_prefix(WRONG_ALGORITHM) {
            Some(key) => (true, key),
            None => (false, text),
        };
        let key = match key.split_once(':') {
            None if key == AUTH_TOKEN => SignerKey::AuthToken,
            None => SignerKey::Shared(shared_key_id(key)?, None),
            Some((id, algorithm)) => {
                let algorithm = Algorithm::parse(algorithm).ok_or(CallbackSignerError)?;
                SignerKey::Shared(shared_key_id(id)?, Some(algorithm))
            }
        };
        Ok(Self { key, has_wrong_algorithm })
    }
}

impl fmt::Display for CallbackSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_wrong_algorithm {
            f.write_str(WRONG_ALGORITHM)?;
        }
        match &self.key {
            SignerKey::AuthToken => f.write_str(AUTH_TOKEN),
            SignerKey::Shared(id, None) => f.write_str(id),
            SignerKey::Shared(id, Some(algorithm)) => write!(f, "{id}:{algorithm}"),
        }
    }
}

impl Serialize for CallbackSigner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn shared_key_id(text: &str) -> Result<String, CallbackSignerError> {
    if text.is_empty() || text == AUTH_TOKEN { Err(CallbackSignerError) } else { Ok(text.to_owned()) }
}

/// The signers of an account or of a profile. Its callbacks are signed by each in turn, as when Twilio splits the callbacks
/// between two settings during a move. Written as a comma list; at least one and at most eight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SignerList(Vec<CallbackSigner>);

impl SignerList {
    /// A list of one signer.
    #[must_use]
    pub fn of(signer: CallbackSigner) -> Self {
        Self(vec![signer])
    }

    /// All signers, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &CallbackSigner> {
        self.0.iter()
    }

    /// The signer whose turn it is, after this many callbacks.
    pub(super) fn turn(&self, callbacks: usize) -> CallbackSigner {
        self.0.get(callbacks % self.0.len().max(1)).cloned().unwrap_or(CallbackSigner::AUTH_TOKEN)
    }
}

impl FromStr for SignerList {
    type Err = CallbackSignerError;

    fn from_str(text: &str) -> Result<Self, CallbackSignerError> {
        let signers = text.split(',').map(|signer| signer.trim().parse()).collect::<Result<Vec<_>, _>>()?;
        if signers.len() <= MAX_SIGNERS { Ok(Self(signers)) } else { Err(CallbackSignerError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signers_are_written_as_they_are_parsed() {
        for text in ["auth_token", "k", "k:HMAC_SHA1", "k:HMAC_SHA256", "wrong_algorithm:auth_token"] {
            assert_eq!(text.parse::<CallbackSigner>().unwrap().to_string(), text);
        }
        let list = "auth_token, wrong_algorithm:k:HMAC_SHA1".parse::<SignerList>().unwrap();
        assert_eq!(
            serde_json::to_value(list).unwrap(),
            serde_json::json!(["auth_token", "wrong_algorithm:k:HMAC_SHA1"])
        );
    }

    #[test]
    fn text_with_another_algorithm_or_without_an_id_is_not_a_signer() {
        for wrong in ["", "k:", "k:HMAC_MD5", ":HMAC_SHA1", "auth_token:HMAC_SHA1"] {
            assert_eq!(wrong.parse::<CallbackSigner>(), Err(CallbackSignerError), "{wrong}");
        }
        assert_eq!("k,".parse::<SignerList>(), Err(CallbackSignerError));
        assert_eq!(["k"; 9].join(",").parse::<SignerList>(), Err(CallbackSignerError));
    }

    #[test]
    fn signers_take_turns() {
        let list = "auth_token,k".parse::<SignerList>().unwrap();
        let turns: Vec<_> = (0..4).map(|callbacks| list.turn(callbacks).to_string()).collect();
        assert_eq!(turns, ["auth_token", "k", "auth_token", "k"]);
    }
}
