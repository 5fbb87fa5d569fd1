//! The keys that may sign requests, by account.

use std::{collections::HashMap, sync::Arc};

use arc_swap::{ArcSwap, Guard};
use secrecy::SecretString;

use crate::{
    key::{EmptyKey, SigningKey},
    payload::{ClaimedAccount, canonical_sid},
};

/// The configured keys. Accounts are named by their SIDs, such as `AC` and 32 hexadecimal digits.
#[derive(Debug, Clone)]
pub struct Keyring {
    keys: AccountKeys,
}

/// Keys by account. The keys of an account are in order, the current one first.
#[derive(Debug, Clone)]
enum AccountKeys {
    /// Keys for any account: the configuration does not name one.
    Any(Vec<SigningKey>),
    /// The keys of a single account.
    Single(String, Vec<SigningKey>),
    /// The keys of several accounts.
    PerAccount(HashMap<String, Vec<SigningKey>>),
}

impl Keyring {
    /// Creates a keyring from auth tokens, the current one first. They are valid for any account, or only for `account`, whose
    /// digits have no case.
    ///
    /// A request that names no valid account is verified with them as well: look at
    /// [`VerifiedPayload::account`](crate::VerifiedPayload::account) where the account matters.
    ///
    /// # Errors
    /// [`EmptyKey`] when there is no token or a token is empty.
    pub fn new(account: Option<&str>, tokens: &[SecretString]) -> Result<Self, EmptyKey> {
        let keys = signing_keys(tokens)?;
        let keys = match account {
            Some(account) => AccountKeys::Single(canonical_sid(account), keys),
            None => AccountKeys::Any(keys),
        };
        Ok(Self { keys })
    }

    /// Creates a keyring from the tokens of several accounts; each account lists its current token first.
    ///
    /// # Errors
    /// [`EmptyKey`] when there is no account, or an account has no token or an empty one.
    pub fn of_accounts<'a>(
        accounts: impl IntoIterator<Item = (&'a str, &'a [SecretString])>,
    ) -> Result<Self, EmptyKey> {
        let accounts = accounts.into_iter().map(|(sid, tokens)| Ok((canonical_sid(sid), signing_keys(tokens)?)));
        let accounts = accounts.collect::<Result<HashMap<_, _>, _>>()?;
        if accounts.is_empty() { Err(EmptyKey) } else { Ok(Self { keys: AccountKeys::PerAccount(accounts) }) }
    }

    /// The keys to try for a claimed account.
    ///
    /// Unless keys are listed per account, a request that names no valid account is tried with the configured keys as
    /// well: if one matches, Twilio sent the request, and the caller decides what to do with it. With keys per account, such
    /// a request has no keys.
    ///
    /// Returns `None` when there is no key for the claimed account.
    pub(crate) fn keys(&self, claimed: &ClaimedAccount) -> Option<&[SigningKey]> {
        let keys = match (&self.keys, claimed) {
            (AccountKeys::Single(account, _), ClaimedAccount::Account(claimed)) if claimed != account => None,
            (AccountKeys::Any(keys) | AccountKeys::Single(_, keys), _) => Some(keys),
            (AccountKeys::PerAccount(accounts), ClaimedAccount::Account(claimed)) => accounts.get(claimed),
            (AccountKeys::PerAccount(_), _) => None,
        };
        keys.map(Vec::as_slice)
    }
}

fn signing_keys(tokens: &[SecretString]) -> Result<Vec<SigningKey>, EmptyKey> {
    let keys = tokens.iter().map(SigningKey::from_auth_token).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(EmptyKey) } else { Ok(keys) }
}

/// The keyring in use. Clones share it.
///
/// It can be replaced at any time without blocking: each request is verified with a single version of the keyring.
#[derive(Debug, Clone)]
pub struct LiveKeyring(Arc<ArcSwap<Keyring>>);

impl LiveKeyring {
    pub(crate) fn new(keyring: Keyring) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(keyring)))
    }

    /// Replaces the keyring, starting with the next request.
    pub fn replace(&self, keyring: Keyring) {
        self.0.store(Arc::new(keyring));
    }

    pub(crate) fn load(&self) -> Guard<Arc<Keyring>> {
        self.0.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(digit: char) -> String {
        format!("AC{}", digit.to_string().repeat(32))
    }

    fn key_count(keyring: &Keyring, claimed: ClaimedAccount) -> Option<usize> {
        keyring.keys(&claimed).map(<[SigningKey]>::len)
    }

    /// A keyring with one token of account 1 and two tokens of account 2.
    fn two_accounts() -> Keyring {
        let (one, two) = (account('1'), account('2'));
        let (tokens_of_one, tokens_of_two) = (["a".into()], ["b".into(), "c".into()]);
        Keyring::of_accounts([(one.as_str(), tokens_of_one.as_slice()), (&two, &tokens_of_two)]).unwrap()
    }

    const WITHOUT_ACCOUNT: [ClaimedAccount; 3] =
        [ClaimedAccount::Missing, ClaimedAccount::Invalid, ClaimedAccount::Conflicting];

    #[test]
    fn keys_without_an_account_are_tried_for_every_account() {
        let keyring = Keyring::new(None, &["a".into()]).unwrap();
        for claimed in WITHOUT_ACCOUNT.into_iter().chain([ClaimedAccount::Account(account('1'))]) {
            assert_eq!(key_count(&keyring, claimed), Some(1));
        }
    }

    #[test]
    fn keys_of_one_account_are_not_tried_for_another() {
        let keyring = Keyring::new(Some(&account('1')), &["a".into()]).unwrap();
        for claimed in WITHOUT_ACCOUNT.into_iter().chain([ClaimedAccount::Account(account('1'))]) {
            assert_eq!(key_count(&keyring, claimed), Some(1));
        }
        assert_eq!(key_count(&keyring, ClaimedAccount::Account(account('2'))), None);
    }

    #[test]
    fn only_the_keys_of_the_claimed_account_are_tried() {
        let keyring = two_accounts();
        assert_eq!(key_count(&keyring, ClaimedAccount::Account(account('1'))), Some(1));
        assert_eq!(key_count(&keyring, ClaimedAccount::Account(account('2'))), Some(2));
        for claimed in WITHOUT_ACCOUNT.into_iter().chain([ClaimedAccount::Account(account('3'))]) {
            assert_eq!(key_count(&keyring, claimed), None);
        }
    }

    #[test]
    fn configured_account_has_digits_without_case() {
        let (lower, upper) = (account('a'), account('A'));
        let claimed = || ClaimedAccount::Account(lower.clone());
        assert_eq!(key_count(&Keyring::new(Some(&upper), &["a".into()]).unwrap(), claimed()), Some(1));
        let listed = Keyring::of_accounts([(upper.as_str(), ["a".into()].as_slice())]).unwrap();
        assert_eq!(key_count(&listed, claimed()), Some(1));
    }

    #[test]
    fn keyring_without_an_account_or_without_a_key_is_rejected() {
        let sid = account('1');
        assert_eq!(Keyring::of_accounts([]).unwrap_err(), EmptyKey);
        assert_eq!(Keyring::of_accounts([(sid.as_str(), [].as_slice())]).unwrap_err(), EmptyKey);
        assert_eq!(Keyring::of_accounts([(sid.as_str(), ["".into()].as_slice())]).unwrap_err(), EmptyKey);
    }

    #[test]
    fn replaced_keyring_takes_effect_at_once_for_every_handle() {
        let live = LiveKeyring::new(Keyring::new(None, &["a".into()]).unwrap());
        let handle = live.clone();
        let before = live.load();
        handle.replace(two_accounts());
        assert_eq!(key_count(&live.load(), ClaimedAccount::Missing), None);
        assert_eq!(
            key_count(&before, ClaimedAccount::Missing),
            Some(1),
            "a verification in progress keeps the old keys"
        );
    }
}
