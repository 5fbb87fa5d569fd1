//! The keys that may sign requests, by account.

use std::{collections::HashMap, sync::Arc};

use arc_swap::{ArcSwap, Guard};
use secrecy::SecretString;

use crate::{
    VerifyError,
    key::{EmptyKey, SigningKey},
    payload::{ClaimedAccount, canonical_sid},
    settings::SignatureSettings,
    shared_key::SharedKey,
};

/// The keys of one account: its auth tokens, its SharedKeys, or both.
#[derive(Debug, Clone)]
pub struct AccountKeys {
    /// The auth tokens, the current one first.
    tokens: Vec<SigningKey>,
    shared: Vec<SharedKey>,
}

impl AccountKeys {
    /// Creates the keys of an account from its auth tokens, the current one first, and its SharedKeys. Of SharedKeys with the
    /// same id, the first one is used.
    ///
    /// # Errors
    /// [`EmptyKey`] when there is no key at all, or a token is empty.
    pub fn new(tokens: &[SecretString], shared: Vec<SharedKey>) -> Result<Self, EmptyKey> {
        let tokens = tokens.iter().map(SigningKey::from_auth_token).collect::<Result<Vec<_>, _>>()?;
        if tokens.is_empty() && shared.is_empty() { Err(EmptyKey) } else { Ok(Self { tokens, shared }) }
    }

    pub(crate) fn tokens(&self) -> &[SigningKey] {
        &self.tokens
    }

    pub(crate) fn shared(&self) -> &[SharedKey] {
        &self.shared
    }

    /// The keys to try: the SharedKey that the request names, with the algorithm that it names, or else the auth tokens.
    ///
    /// # Errors
    /// [`VerifyError::UnknownSharedKey`] and [`VerifyError::AlgorithmNotAllowed`].
    pub(crate) fn select(&self, settings: Option<SignatureSettings<'_>>) -> Result<&[SigningKey], VerifyError> {
        let Some(SignatureSettings { key, algorithm }) = settings else { return Ok(&self.tokens) };
        let shared = self.shared.iter().find(|shared| shared.id() == key).ok_or(VerifyError::UnknownSharedKey)?;
        if !shared.allows(algorithm) {
            return Err(VerifyError::AlgorithmNotAllowed);
        }
        Ok(std::slice::from_ref(shared.signing_key(algorithm)))
    }
}

/// The configured keys. Accounts are named by their SIDs, such as `AC` and 32 hexadecimal digits.
#[derive(Debug, Clone)]
pub struct Keyring {
    accounts: KeysByAccount,
}

/// Keys by account.
#[derive(Debug, Clone)]
enum KeysByAccount {
    /// Keys for any account: the configuration does not name one.
    Any(AccountKeys),
    /// The keys of a single account.
    Single(String, AccountKeys),
    /// The keys of several accounts.
    PerAccount(HashMap<String, AccountKeys>),
}

impl Keyring {
    /// Creates a keyring from auth tokens, the current one first: [`of_keys`](Self::of_keys) without SharedKeys.
    ///
    /// # Errors
    /// [`EmptyKey`] when there is no token or a token is empty.
    pub fn new(account: Option<&str>, tokens: &[SecretString]) -> Result<Self, EmptyKey> {
        Ok(Self::of_keys(account, AccountKeys::new(tokens, Vec::new())?))
    }

    /// Creates a keyring of keys that are valid for any account, or only for `account`, whose digits have no case.
    ///
    /// A request that names no valid account is verified with them as well: look at
    /// [`VerifiedPayload::account`](crate::VerifiedPayload::account) where the account matters.
    #[must_use]
    pub fn of_keys(account: Option<&str>, keys: AccountKeys) -> Self {
        let accounts = match account {
            Some(account) => KeysByAccount::Single(canonical_sid(account), keys),
            None => KeysByAccount::Any(keys),
        };
        Self { accounts }
    }

    /// Creates a keyring from the keys of several accounts.
    ///
    /// # Errors
    /// [`EmptyKey`] when there is no account.
    pub fn of_accounts<'a>(accounts: impl IntoIterator<Item = (&'a str, AccountKeys)>) -> Result<Self, EmptyKey> {
        let accounts: HashMap<_, _> = accounts.into_iter().map(|(sid, keys)| (canonical_sid(sid), keys)).collect();
        if accounts.is_empty() { Err(EmptyKey) } else { Ok(Self { accounts: KeysByAccount::PerAccount(accounts) }) }
    }

    /// The keys of a claimed account.
    ///
    /// Unless keys are listed per account, a request that names no valid account is tried with the configured keys as
    /// well: if one matches, Twilio sent the request, and the caller decides what to do with it. With keys per account, such
    /// a request has no keys.
    ///
    /// Returns `None` when there is no key for the claimed account.
    pub(crate) fn keys(&self, claimed: &ClaimedAccount) -> Option<&AccountKeys> {
        match (&self.accounts, claimed) {
            (KeysByAccount::Single(account, _), ClaimedAccount::Account(claimed)) if claimed != account => None,
            (KeysByAccount::Any(keys) | KeysByAccount::Single(_, keys), _) => Some(keys),
            (KeysByAccount::PerAccount(accounts), ClaimedAccount::Account(claimed)) => accounts.get(claimed),
            (KeysByAccount::PerAccount(_), _) => None,
        }
    }
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
        keyring.keys(&claimed).map(|keys| keys.tokens().len())
    }

    fn tokens(tokens: &[&str]) -> AccountKeys {
        let tokens: Vec<_> = tokens.iter().map(|token| (*token).into()).collect();
        AccountKeys::new(&tokens, Vec::new()).unwrap()
    }

    /// A keyring with one token of account 1 and two tokens of account 2.
    fn two_accounts() -> Keyring {
        let (one, two) = (account('1'), account('2'));
        Keyring::of_accounts([(one.as_str(), tokens(&["a"])), (&two, tokens(&["b", "c"]))]).unwrap()
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
        let listed = Keyring::of_accounts([(upper.as_str(), tokens(&["a"]))]).unwrap();
        assert_eq!(key_count(&listed, claimed()), Some(1));
    }

    #[test]
    fn keyring_without_an_account_or_without_a_key_is_rejected() {
        let shared = || vec![SharedKey::parse("id=secret").unwrap()];
        assert_eq!(Keyring::of_accounts([]).unwrap_err(), EmptyKey);
        assert_eq!(AccountKeys::new(&[], Vec::new()).unwrap_err(), EmptyKey);
        assert_eq!(AccountKeys::new(&["".into()], shared()).unwrap_err(), EmptyKey);
        assert!(AccountKeys::new(&[], shared()).is_ok());
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
