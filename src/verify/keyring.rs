//! Which keys may sign for which account.

use std::{collections::HashMap, sync::Arc};

use arc_swap::{ArcSwap, Guard};
use secrecy::SecretString;

use super::{
    key::{EmptyKey, SigningKey},
    payload::ClaimedAccount,
};
use crate::domain::{AccountSid, RejectReason};

/// The configured keys.
#[derive(Debug, Clone)]
pub struct Keyring {
    holders: Holders,
}

/// Who the keys belong to. Those of one holder stand in order, the current one first.
#[derive(Debug, Clone)]
enum Holders {
    /// Any account: nobody said whose the keys are.
    Any(Vec<SigningKey>),
    /// This account.
    One(AccountSid, Vec<SigningKey>),
    /// Each of these accounts.
    Many(HashMap<AccountSid, Vec<SigningKey>>),
}

impl Keyring {
    /// Keys from auth tokens, the current one first, for any account or bound to one.
    ///
    /// # Errors
    /// [`EmptyKey`] when there is no token or an empty one: no key, no start.
    pub fn new(account: Option<AccountSid>, tokens: &[SecretString]) -> Result<Self, EmptyKey> {
        let keys = keys_of(tokens)?;
        let holders = match account {
            Some(account) => Holders::One(account, keys),
            None => Holders::Any(keys),
        };
        Ok(Self { holders })
    }

    /// The keys of many accounts, each with its tokens, the current one first.
    ///
    /// # Errors
    /// [`EmptyKey`] when there is no account, or one without a token or with an empty one.
    pub fn of_accounts<'a>(
        accounts: impl IntoIterator<Item = (&'a AccountSid, &'a [SecretString])>,
    ) -> Result<Self, EmptyKey> {
        let accounts = accounts.into_iter().map(|(sid, tokens)| Ok((sid.clone(), keys_of(tokens)?)));
        let accounts = accounts.collect::<Result<HashMap<_, _>, _>>()?;
        if accounts.is_empty() { Err(EmptyKey) } else { Ok(Self { holders: Holders::Many(accounts) }) }
    }

    /// The keys to try for a claimed account.
    ///
    /// While the keys belong to no more than one account, a callback that names none properly is tried with them too:
    /// when one matches, Twilio sent it, and it is kept as a dead letter. With several accounts it stands for none.
    ///
    /// # Errors
    /// [`RejectReason::UnknownAccount`] when no keys are there for what the callback claims.
    pub(super) fn keys(&self, claimed: &ClaimedAccount) -> Result<&[SigningKey], RejectReason> {
        let keys = match (&self.holders, claimed) {
            (Holders::One(holder, _), ClaimedAccount::Account(claimed)) if claimed != holder => None,
            (Holders::Any(keys) | Holders::One(_, keys), _) => Some(keys),
            (Holders::Many(accounts), ClaimedAccount::Account(claimed)) => accounts.get(claimed),
            (Holders::Many(_), _) => None,
        };
        keys.map(Vec::as_slice).ok_or(RejectReason::UnknownAccount)
    }
}

fn keys_of(tokens: &[SecretString]) -> Result<Vec<SigningKey>, EmptyKey> {
    let keys = tokens.iter().map(SigningKey::from_auth_token).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(EmptyKey) } else { Ok(keys) }
}

/// The keyring in use. A clone is a handle on the same one.
///
/// It can be replaced at any time: each callback is verified with the keyring of one moment, and none waits.
#[derive(Debug, Clone)]
pub struct LiveKeyring(Arc<ArcSwap<Keyring>>);

impl LiveKeyring {
    pub(super) fn new(keyring: Keyring) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(keyring)))
    }

    /// Verifies with these keys from the next callback on.
    pub fn replace(&self, keyring: Keyring) {
        self.0.store(Arc::new(keyring));
    }

    pub(super) fn now(&self) -> Guard<Arc<Keyring>> {
        self.0.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(digit: char) -> AccountSid {
        AccountSid::parse(&format!("AC{}", digit.to_string().repeat(32))).unwrap()
    }

    fn tried(keyring: &Keyring, claimed: ClaimedAccount) -> Result<usize, RejectReason> {
        keyring.keys(&claimed).map(<[SigningKey]>::len)
    }

    /// Account 1 with one token, account 2 with two.
    fn two_accounts() -> Keyring {
        let (one, two) = (account('1'), account('2'));
        let (tokens_of_one, tokens_of_two) = (["a".into()], ["b".into(), "c".into()]);
        Keyring::of_accounts([(&one, tokens_of_one.as_slice()), (&two, &tokens_of_two)]).unwrap()
    }

    const WITHOUT_ACCOUNT: [ClaimedAccount; 3] =
        [ClaimedAccount::Missing, ClaimedAccount::Invalid, ClaimedAccount::Conflicting];

    #[test]
    fn keys_of_nobody_in_particular_are_tried_for_everybody() {
        let keyring = Keyring::new(None, &["a".into()]).unwrap();
        for claimed in WITHOUT_ACCOUNT.into_iter().chain([ClaimedAccount::Account(account('1'))]) {
            assert_eq!(tried(&keyring, claimed), Ok(1));
        }
    }

    #[test]
    fn keys_of_one_account_are_not_tried_for_another() {
        let keyring = Keyring::new(Some(account('1')), &["a".into()]).unwrap();
        for claimed in WITHOUT_ACCOUNT.into_iter().chain([ClaimedAccount::Account(account('1'))]) {
            assert_eq!(tried(&keyring, claimed), Ok(1));
        }
        assert_eq!(tried(&keyring, ClaimedAccount::Account(account('2'))), Err(RejectReason::UnknownAccount));
    }

    #[test]
    fn of_many_accounts_only_the_keys_of_the_claimed_one_are_tried() {
        let keyring = two_accounts();
        assert_eq!(tried(&keyring, ClaimedAccount::Account(account('1'))), Ok(1));
        assert_eq!(tried(&keyring, ClaimedAccount::Account(account('2'))), Ok(2));
        for claimed in WITHOUT_ACCOUNT.into_iter().chain([ClaimedAccount::Account(account('3'))]) {
            assert_eq!(tried(&keyring, claimed), Err(RejectReason::UnknownAccount));
        }
    }

    #[test]
    fn no_account_and_an_account_without_key_are_refused() {
        let sid = account('1');
        assert_eq!(Keyring::of_accounts([]).unwrap_err(), EmptyKey);
        assert_eq!(Keyring::of_accounts([(&sid, [].as_slice())]).unwrap_err(), EmptyKey);
        assert_eq!(Keyring::of_accounts([(&sid, ["".into()].as_slice())]).unwrap_err(), EmptyKey);
    }

    #[test]
    fn a_replaced_keyring_counts_at_once_for_every_handle() {
        let live = LiveKeyring::new(Keyring::new(None, &["a".into()]).unwrap());
        let handle = live.clone();
        let before = live.now();
        handle.replace(two_accounts());
        assert_eq!(tried(&live.now(), ClaimedAccount::Missing), Err(RejectReason::UnknownAccount));
        assert_eq!(tried(&before, ClaimedAccount::Missing), Ok(1), "what was begun is finished with the old keys");
    }
}
