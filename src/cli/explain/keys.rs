//! The tokens that a signature is tried with, and how they are called without being shown.

use secrecy::SecretString;

use crate::{
    cli::{Variables, output::Failure},
    config,
    domain::{AccountSid, KeyAge},
    verify::{ClaimedAccount, SigningKey},
};

/// A key with what may be said of it.
pub(super) struct Held {
    pub(super) key: SigningKey,
    /// What it is called: never its value.
    pub(super) name: String,
    pub(super) age: KeyAge,
    owner: Owner,
}

enum Owner {
    /// It may sign for every account.
    Anyone,
    /// The only account there is.
    One(AccountSid),
    /// One of several accounts.
    Listed(AccountSid),
}

impl Held {
    /// Whether the service would try this key for what a request names.
    pub(super) fn is_for(&self, claimed: &ClaimedAccount) -> bool {
        match (&self.owner, claimed) {
            (Owner::One(owner) | Owner::Listed(owner), ClaimedAccount::Account(claimed)) => owner == claimed,
            (Owner::Anyone | Owner::One(_), _) => true,
            (Owner::Listed(_), _) => false,
        }
    }
}

/// The tokens given, or else those of the environment.
pub(super) fn read(given: &[String], variables: Variables) -> Result<Vec<Held>, Failure> {
    let given: Vec<SecretString> = given.iter().map(|token| token.as_str().into()).collect();
    if !given.is_empty() {
        return held(&given, "--token", || Owner::Anyone);
    }
    let twilio = config::load_twilio(variables).map_err(Failure::usage)?;
    match (twilio.listed_accounts(), &twilio.account_sid) {
        (Some(accounts), _) => {
            let accounts = accounts.into_iter();
            let keys = accounts.map(|(sid, tokens)| held(tokens, sid.as_str(), || Owner::Listed(sid.clone())));
            Ok(keys.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        }
        (None, Some(sid)) => held(&twilio.auth_tokens, sid.as_str(), || Owner::One(sid.clone())),
        (None, None) => held(&twilio.auth_tokens, "TWILIO_AUTH_TOKEN", || Owner::Anyone),
    }
}

fn held(tokens: &[SecretString], whose: &str, owner: impl Fn() -> Owner) -> Result<Vec<Held>, Failure> {
    let one = |(token, place): (&SecretString, usize)| {
        let key = SigningKey::from_auth_token(token).map_err(Failure::usage)?;
        let age = if place == 1 { KeyAge::Current } else { KeyAge::Previous };
        Ok(Held { key, name: format!("token {place} of {whose}"), age, owner: owner() })
    };
    tokens.iter().zip(1..).map(one).collect()
}
