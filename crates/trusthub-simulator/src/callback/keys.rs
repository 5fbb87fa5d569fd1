//! The keys of all accounts, and which of them signs the next callback.

use std::collections::HashMap;

use secrecy::SecretString;
use thiserror::Error;
use trusthub_events::{AccountSid, ProfileSid};
use twilio_signature::{Algorithm, EmptyKey, SharedKey, SigningKey};

use super::{
    faults::CallbackFault,
    signers::{CallbackSigner, SignerKey, SignerList},
};

/// Signs callbacks that must be rejected. It is not a secret.
const NEVER_VALID: &str = "never-a-valid-token";

/// The limit on the SharedKeys of one account.
const MAX_SHARED_KEYS: usize = 100;

/// The limit on the profiles with signers of their own.
const MAX_PROFILES: usize = 10_000;

/// Why a key or a list of signers was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SigningError {
    /// The simulator does not have this account.
    #[error("the simulator does not have this account; write one of its accounts")]
    UnknownAccount,
    /// The account has no auth token.
    #[error("the account has no auth token; write the id of one of its SharedKeys")]
    NoAuthToken,
    /// The account has no SharedKey with this id.
    #[error("the account has no SharedKey {0}; write one of its SharedKeys, or add this one")]
    UnknownKey(String),
    /// The account has a SharedKey with this id.
    #[error("the account has a SharedKey {0} already; write another id")]
    KnownKey(String),
    /// The account has the maximum number of SharedKeys.
    #[error("the account has {MAX_SHARED_KEYS} SharedKeys already; use one of them")]
    TooManyKeys,
    /// The maximum number of profiles has signers of their own.
    #[error("{MAX_PROFILES} profiles have signers of their own already; remove those of another profile")]
    TooManyProfiles,
}

/// What a request is signed with, and the settings header that tells the receiver about it.
pub(super) struct RequestSigner {
    pub(super) key: SigningKey,
    /// `X-Twilio-Webhooks-Signature-Settings`; only requests that are signed with a SharedKey have it.
    pub(super) settings: Option<String>,
}

/// The keys and the signers of one account.
struct AccountKeys {
    tokens: Vec<SecretString>,
    shared_keys: HashMap<String, SharedKey>,
    signers: SignerTurns,
}

/// A list of signers, and how many callbacks it has signed.
struct SignerTurns {
    signers: SignerList,
    callbacks: usize,
}

impl SignerTurns {
    fn new(signers: SignerList) -> Self {
        Self { signers, callbacks: 0 }
    }

    fn next(&mut self) -> CallbackSigner {
        let signer = self.signers.turn(self.callbacks);
        self.callbacks = self.callbacks.wrapping_add(1);
        signer
    }
}

/// The keys of all accounts.
pub(super) struct SignerKeys {
    accounts: HashMap<AccountSid, AccountKeys>,
    /// The profiles with signers of their own.
    profiles: HashMap<ProfileSid, SignerTurns>,
}

impl SignerKeys {
    /// Creates the keys from the auth tokens of each account, the primary one first. The auth token signs.
    pub(super) fn new(tokens: &HashMap<AccountSid, Vec<SecretString>>) -> Result<Self, EmptyKey> {
        let mut accounts = HashMap::new();
        for (account, tokens) in tokens {
            tokens.iter().try_for_each(|token| SigningKey::from_auth_token(token).map(drop))?;
            let signers = SignerTurns::new(SignerList::of(CallbackSigner::AUTH_TOKEN));
            let keys = AccountKeys { tokens: tokens.clone(), shared_keys: HashMap::new(), signers };
            accounts.insert(*account, keys);
        }
        Ok(Self { accounts, profiles: HashMap::new() })
    }

    /// Adds a SharedKey. It signs nothing yet, unless the account has no other key.
    pub(super) fn add_shared_key(&mut self, account: &AccountSid, key: SharedKey) -> Result<(), SigningError> {
        let keys = self.accounts.get_mut(account).ok_or(SigningError::UnknownAccount)?;
        if keys.shared_keys.contains_key(key.id()) {
            return Err(SigningError::KnownKey(key.id().to_owned()));
        }
        if keys.shared_keys.len() >= MAX_SHARED_KEYS {
            return Err(SigningError::TooManyKeys);
        }
        if keys.tokens.is_empty() && keys.shared_keys.is_empty() {
            keys.signers = SignerTurns::new(SignerList::of(CallbackSigner::shared_key(key.id())));
        }
        keys.shared_keys.insert(key.id().to_owned(), key);
        Ok(())
    }

    /// Sets the signers of an account.
    pub(super) fn set_account(&mut self, account: &AccountSid, signers: SignerList) -> Result<(), SigningError> {
        let keys = self.accounts.get_mut(account).ok_or(SigningError::UnknownAccount)?;
        keys.check(&signers)?;
        keys.signers = SignerTurns::new(signers);
        Ok(())
    }

    /// Sets the signers of a profile; with `None`, the signers of its account sign again.
    pub(super) fn set_profile(
        &mut self,
        account: &AccountSid,
        profile: &ProfileSid,
        signers: Option<SignerList>,
    ) -> Result<(), SigningError> {
        let Some(signers) = signers else {
            self.profiles.remove(profile);
            return Ok(());
        };
        self.accounts.get(account).ok_or(SigningError::UnknownAccount)?.check(&signers)?;
        if self.profiles.len() >= MAX_PROFILES && !self.profiles.contains_key(profile) {
            return Err(SigningError::TooManyProfiles);
        }
        self.profiles.insert(*profile, SignerTurns::new(signers));
        Ok(())
    }

    /// Returns the signers of a profile, or those of its account if it has none of its own.
    pub(super) fn signers(&self, account: &AccountSid, profile: Option<&ProfileSid>) -> Option<&SignerList> {
        let own = profile.and_then(|profile| self.profiles.get(profile));
        own.or_else(|| self.accounts.get(account).map(|keys| &keys.signers)).map(|turns| &turns.signers)
    }

    /// Returns the signer whose turn it is.
    pub(super) fn next_signer(&mut self, account: &AccountSid, profile: &ProfileSid) -> Option<CallbackSigner> {
        let account = self.accounts.get_mut(account)?;
        Some(self.profiles.get_mut(profile).unwrap_or(&mut account.signers).next())
    }

    /// Returns what this signer signs with, for a callback with these faults; `None` if the account has no such key.
    pub(super) fn request_signer(
        &self,
        account: &AccountSid,
        signer: &CallbackSigner,
        faults: &[CallbackFault],
    ) -> Option<RequestSigner> {
        let keys = self.accounts.get(account)?;
        let is_forged = faults.contains(&CallbackFault::WrongSignature);
        if faults.contains(&CallbackFault::OldToken) {
            let token = keys.tokens.get(1).cloned();
            return auth_token(&token.unwrap_or_else(never_valid), Algorithm::HmacSha1);
        }
        let used = |expected| if signer.has_wrong_algorithm { other(expected) } else { expected };
        match &signer.key {
            SignerKey::AuthToken => {
                let token = keys.tokens.first()?.clone();
                auth_token(&if is_forged { never_valid() } else { token }, used(Algorithm::HmacSha1))
            }
            SignerKey::Shared(id, algorithm) => {
                let key = keys.shared_keys.get(id)?;
                let announced = algorithm.unwrap_or_else(|| key.default_algorithm());
                let forged = SharedKey::new(id, None, &never_valid()).ok().filter(|_| is_forged);
                let signing = forged.as_ref().unwrap_or(key).signing_key(used(announced)).clone();
                Some(RequestSigner { key: signing, settings: Some(key.settings(announced)) })
            }
        }
    }
}

/// A secret that was never valid.
fn never_valid() -> SecretString {
    NEVER_VALID.into()
}

fn auth_token(token: &SecretString, algorithm: Algorithm) -> Option<RequestSigner> {
    SigningKey::new(token, algorithm).ok().map(|key| RequestSigner { key, settings: None })
}

impl AccountKeys {
    /// Whether the account has the keys of these signers.
    fn check(&self, signers: &SignerList) -> Result<(), SigningError> {
        signers.iter().try_for_each(|signer| match signer.shared_key_id() {
            None if self.tokens.is_empty() => Err(SigningError::NoAuthToken),
            Some(id) if !self.shared_keys.contains_key(id) => Err(SigningError::UnknownKey(id.to_owned())),
            _ => Ok(()),
        })
    }
}

fn other(algorithm: Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::HmacSha1 => Algorithm::HmacSha256,
        Algorithm::HmacSha256 => Algorithm::HmacSha1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "webhooks_sharedkey_1";

    fn account() -> AccountSid {
        AccountSid::parse(&format!("AC{}", "0".repeat(32))).unwrap()
    }

    fn profile(digit: char) -> ProfileSid {
        ProfileSid::parse(&format!("BU{}", digit.to_string().repeat(32))).unwrap()
    }

    /// The keys of an account with these tokens and one SharedKey.
    fn keys(tokens: &[&str]) -> SignerKeys {
        let tokens = tokens.iter().map(|token| (*token).into()).collect();
        let mut keys = SignerKeys::new(&HashMap::from([(account(), tokens)])).unwrap();
        keys.add_shared_key(&account(), SharedKey::parse(&format!("{ID}=secret")).unwrap()).unwrap();
        keys
    }

    /// The algorithm of the signature, and the settings header, for a callback that this signer signs.
    fn signed_by(signer: &str, faults: &[CallbackFault]) -> (Algorithm, Option<String>) {
        let signer = keys(&["new", "old"]).request_signer(&account(), &signer.parse().unwrap(), faults).unwrap();
        (signer.key.algorithm(), signer.settings)
    }

    fn named(algorithm: &str) -> Option<String> {
        Some(format!("key={ID},algorithm={algorithm}"))
    }

    #[test]
    fn settings_header_names_the_shared_key_and_its_algorithm() {
        assert_eq!(signed_by("auth_token", &[]), (Algorithm::HmacSha1, None));
        assert_eq!(signed_by(ID, &[]), (Algorithm::HmacSha256, named("HMAC_SHA256")));
        assert_eq!(signed_by(&format!("{ID}:HMAC_SHA1"), &[]), (Algorithm::HmacSha1, named("HMAC_SHA1")));
    }

    #[test]
    fn wrong_algorithm_signs_with_another_one_than_the_receiver_expects() {
        assert_eq!(signed_by("wrong_algorithm:auth_token", &[]), (Algorithm::HmacSha256, None));
        assert_eq!(signed_by(&format!("wrong_algorithm:{ID}"), &[]), (Algorithm::HmacSha1, named("HMAC_SHA256")));
    }

    #[test]
    fn wrong_signature_has_the_settings_header_and_old_token_has_none() {
        assert_eq!(signed_by(ID, &[CallbackFault::WrongSignature]), (Algorithm::HmacSha256, named("HMAC_SHA256")));
        assert_eq!(signed_by(ID, &[CallbackFault::OldToken]), (Algorithm::HmacSha1, None));
    }

    #[test]
    fn profile_has_its_own_signers_until_they_are_removed() {
        let mut keys = keys(&["token"]);
        keys.set_account(&account(), format!("auth_token,{ID}").parse().unwrap()).unwrap();
        keys.set_profile(&account(), &profile('1'), Some(format!("{ID}:HMAC_SHA1").parse().unwrap())).unwrap();
        let mut next = |digit| keys.next_signer(&account(), &profile(digit)).unwrap().to_string();
        assert_eq!([next('1'), next('1')], [(); 2].map(|()| format!("{ID}:HMAC_SHA1")));
        assert_eq!([next('2'), next('3'), next('2')], ["auth_token", ID, "auth_token"], "they take turns");
        keys.set_profile(&account(), &profile('1'), None).unwrap();
        assert_eq!(keys.next_signer(&account(), &profile('1')).unwrap().to_string(), ID);
    }

    #[test]
    fn signer_without_a_key_of_the_account_is_refused() {
        let mut keys = keys(&[]);
        let unknown = SigningError::UnknownKey("other".to_owned());
        assert_eq!(keys.set_account(&account(), format!("{ID},other").parse().unwrap()), Err(unknown.clone()));
        assert_eq!(keys.set_profile(&account(), &profile('1'), Some("other".parse().unwrap())), Err(unknown));
        let token = SignerList::of(CallbackSigner::AUTH_TOKEN);
        assert_eq!(keys.set_account(&account(), token), Err(SigningError::NoAuthToken));
        let again = SharedKey::parse(&format!("{ID}=another")).unwrap();
        assert_eq!(keys.add_shared_key(&account(), again), Err(SigningError::KnownKey(ID.to_owned())));
    }

    #[test]
    fn account_without_a_token_signs_with_its_first_shared_key() {
        let mut keys = keys(&[]);
        keys.add_shared_key(&account(), SharedKey::parse("second=secret").unwrap()).unwrap();
        assert_eq!(keys.next_signer(&account(), &profile('1')).unwrap().to_string(), ID);
    }

    #[test]
    fn keys_and_signers_are_limited() {
        let mut keys = keys(&[]);
        let added = (1..=MAX_SHARED_KEYS)
            .map(|number| keys.add_shared_key(&account(), SharedKey::parse(&format!("k{number}=secret")).unwrap()));
        let refused: Vec<_> = added.filter_map(Result::err).collect();
        assert_eq!(refused, [SigningError::TooManyKeys], "all but one are added");
        let sid = |number: usize| ProfileSid::parse(&format!("BU{number:032x}")).unwrap();
        let mut set = |number| keys.set_profile(&account(), &sid(number), Some(ID.parse().unwrap()));
        assert!((0..MAX_PROFILES).all(|number| set(number).is_ok()));
        assert_eq!(set(MAX_PROFILES), Err(SigningError::TooManyProfiles));
        assert_eq!(set(0), Ok(()), "a profile that has signers can get others");
    }
}
