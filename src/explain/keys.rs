//! The keys that are tried, with names that do not reveal them.

use secrecy::SecretString;
use twilio_signature::{ClaimedAccount, EmptyKey, SharedKey, SignatureSettings, SigningKey};

use crate::{
    config::{ListedAccount, TwilioConfig},
    domain::{AccountSid, Algorithm, KeyKind},
};

/// A signing key with a name for the output.
pub(crate) struct NamedKey {
    pub(super) key: SigningKey,
    /// Describes where the key is configured; never contains its value.
    pub(super) name: String,
    pub(super) kind: KeyKind,
    scope: KeyScope,
    /// The id of a SharedKey, if the service accepts this algorithm of it.
    accepted_id: Option<String>,
}

/// The accounts whose callbacks a key may sign.
#[derive(Clone)]
enum KeyScope {
    /// Every account.
    Any,
    /// The only configured account.
    Single(AccountSid),
    /// One of several configured accounts.
    Listed(AccountSid),
}

impl NamedKey {
    /// The keys of a configuration.
    ///
    /// # Errors
    /// [`EmptyKey`].
    pub(crate) fn of_config(twilio: &TwilioConfig) -> Result<Vec<Self>, EmptyKey> {
        if let Some(accounts) = twilio.listed_accounts() {
            let mut keys = Vec::new();
            for ListedAccount { sid, tokens, shared_keys } in accounts {
                let scope = KeyScope::Listed(*sid);
                keys.extend(named_tokens(tokens, sid.as_str(), &scope)?);
                keys.extend(named_shared_keys(shared_keys, sid.as_str(), &scope));
            }
            return Ok(keys);
        }
        let (scope, source) = match &twilio.account_sid {
            Some(sid) => (KeyScope::Single(*sid), Some(sid.as_str())),
            None => (KeyScope::Any, None),
        };
        let mut keys = named_tokens(&twilio.auth_tokens, source.unwrap_or("TWILIO_AUTH_TOKEN"), &scope)?;
        keys.extend(named_shared_keys(&twilio.shared_keys, source.unwrap_or("TWILIO_SHARED_KEYS"), &scope));
        Ok(keys)
    }

    /// Keys that may sign for every account, with what to call their sources.
    ///
    /// # Errors
    /// [`EmptyKey`].
    pub(crate) fn of_any_account(
        (tokens, token_source): (&[SecretString], &str),
        (shared_keys, shared_key_source): (&[SharedKey], &str),
    ) -> Result<Vec<Self>, EmptyKey> {
        let mut keys = named_tokens(tokens, token_source, &KeyScope::Any)?;
        keys.extend(named_shared_keys(shared_keys, shared_key_source, &KeyScope::Any));
        Ok(keys)
    }

    /// Whether the key belongs to this account.
    pub(super) fn is_of(&self, claimed: &ClaimedAccount) -> bool {
        match (&self.scope, claimed) {
            (KeyScope::Single(account) | KeyScope::Listed(account), ClaimedAccount::Account(claimed)) => {
                account.as_str() == claimed
            }
            (KeyScope::Any | KeyScope::Single(_), _) => true,
            (KeyScope::Listed(_), _) => false,
        }
    }

    /// Whether the service would try this key for a request with these settings; `None` if they cannot be read.
    pub(super) fn is_selected_by(&self, settings: Option<Option<SignatureSettings<'_>>>) -> bool {
        match settings {
            None => false,
            Some(None) => self.kind != KeyKind::Shared,
            Some(Some(SignatureSettings { key, algorithm })) => {
                self.accepted_id.as_deref() == Some(key) && self.key.algorithm() == algorithm
            }
        }
    }
}

fn named_tokens(tokens: &[SecretString], source: &str, scope: &KeyScope) -> Result<Vec<NamedKey>, EmptyKey> {
    let named = |(token, number): (&SecretString, usize)| {
        let key = SigningKey::from_auth_token(token)?;
        let kind = if number == 1 { KeyKind::Current } else { KeyKind::Previous };
        let name = format!("token {number} of {source}");
        Ok(NamedKey { key, name, kind, scope: scope.clone(), accepted_id: None })
    };
    tokens.iter().zip(1..).map(named).collect()
}

/// Each SharedKey with each algorithm, also with one that it is not bound to: such a signature is a near miss.
fn named_shared_keys(keys: &[SharedKey], source: &str, scope: &KeyScope) -> Vec<NamedKey> {
    let named = |key: &SharedKey, algorithm: Algorithm| NamedKey {
        key: key.signing_key(algorithm).clone(),
        name: format!("{} of {source} with {algorithm}", key.id()),
        kind: KeyKind::Shared,
        scope: scope.clone(),
        accepted_id: key.allows(algorithm).then(|| key.id().to_owned()),
    };
    keys.iter().flat_map(|key| Algorithm::ALL.iter().map(move |algorithm| named(key, *algorithm))).collect()
}
