//! The tokens that `explain` tries, with names that do not reveal them.

use secrecy::SecretString;
use twilio_signature::{ClaimedAccount, Keyring, SigningKey};

use crate::{
    app,
    cli::{output::Failure, variables::Variables},
    config,
    domain::{AccountSid, KeyKind},
};

/// A signing key with a name for the output.
pub(super) struct NamedKey {
    pub(super) key: SigningKey,
    /// Describes where the token is configured; never contains its value.
    pub(super) name: String,
    pub(super) age: KeyKind,
    scope: KeyScope,
}

/// The accounts whose callbacks a key may sign.
enum KeyScope {
    /// Every account.
    Any,
    /// The only configured account.
    Single(AccountSid),
    /// One of several configured accounts.
    Listed(AccountSid),
}

impl NamedKey {
    /// Whether the service would try this key for a request that claims this account.
    pub(super) fn is_for(&self, claimed: &ClaimedAccount) -> bool {
        match (&self.scope, claimed) {
            (KeyScope::Single(account) | KeyScope::Listed(account), ClaimedAccount::Account(claimed)) => {
                account.as_str() == claimed
            }
            (KeyScope::Any | KeyScope::Single(_), _) => true,
            (KeyScope::Listed(_), _) => false,
        }
    }
}

/// Reads the tokens of the command line, or those of the environment when there are none. Also returns the keyring that the
/// service would have.
pub(super) fn read(tokens: &[String], variables: Variables) -> Result<(Vec<NamedKey>, Keyring), Failure> {
    let tokens: Vec<SecretString> = tokens.iter().map(|token| token.as_str().into()).collect();
    if !tokens.is_empty() {
        let keyring = Keyring::new(None, &tokens).map_err(Failure::usage)?;
        return Ok((named_keys(&tokens, "--token", || KeyScope::Any)?, keyring));
    }
    let twilio = config::load_twilio(variables).map_err(Failure::usage)?;
    let keyring = app::keyring(&twilio).map_err(Failure::usage)?;
    let keys = match (twilio.listed_accounts(), &twilio.account_sid) {
        (Some(accounts), _) => {
            let accounts = accounts.into_iter();
            let keys = accounts.map(|(sid, tokens)| named_keys(tokens, sid.as_str(), || KeyScope::Listed(sid.clone())));
            keys.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
        }
        (None, Some(sid)) => named_keys(&twilio.auth_tokens, sid.as_str(), || KeyScope::Single(sid.clone()))?,
        (None, None) => named_keys(&twilio.auth_tokens, "TWILIO_AUTH_TOKEN", || KeyScope::Any)?,
    };
    Ok((keys, keyring))
}

fn named_keys(tokens: &[SecretString], source: &str, scope: impl Fn() -> KeyScope) -> Result<Vec<NamedKey>, Failure> {
    let named_key = |(token, number): (&SecretString, usize)| {
        let key = SigningKey::from_auth_token(token).map_err(Failure::usage)?;
        let age = if number == 1 { KeyKind::Current } else { KeyKind::Previous };
        Ok(NamedKey { key, name: format!("token {number} of {source}"), age, scope: scope() })
    };
    tokens.iter().zip(1..).map(named_key).collect()
}
