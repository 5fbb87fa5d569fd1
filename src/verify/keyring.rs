//! Which keys may sign for which account.

use secrecy::SecretString;

use super::{
    key::{EmptyKey, SigningKey},
    payload::ClaimedAccount,
};
use crate::domain::{AccountSid, Refusal};

/// The configured keys, the current one first, for any account or bound to one.
#[derive(Debug, Clone)]
pub struct Keyring {
    account: Option<AccountSid>,
    keys: Vec<SigningKey>,
}

impl Keyring {
    /// Keys from auth tokens, the current one first.
    ///
    /// # Errors
    /// [`EmptyKey`] when there is no token or an empty one: no key, no start.
    pub fn new(account: Option<AccountSid>, tokens: &[SecretString]) -> Result<Self, EmptyKey> {
        let keys = tokens.iter().map(SigningKey::from_auth_token).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(EmptyKey) } else { Ok(Self { account, keys }) }
    }

    /// The keys to try for a claimed account.
    ///
    /// A callback that names no account properly is tried with the keys too: when one matches, Twilio sent it, and
    /// it is kept as a dead letter.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccount`] when the keys are bound to another account.
    pub(super) fn keys(&self, claimed: &ClaimedAccount) -> Result<&[SigningKey], Refusal> {
        match (claimed, &self.account) {
            (ClaimedAccount::Account(claimed), Some(bound)) if claimed != bound => Err(Refusal::UnknownAccount),
            _ => Ok(&self.keys),
        }
    }
}
