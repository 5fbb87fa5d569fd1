//! What `probe` needs: the URL and the key of its test callback, and the Kafka cluster in which the event is to arrive.

use secrecy::SecretString;

use super::{
    catalogue::{KAFKA_BOOTSTRAP_SERVERS, TWILIO_ACCOUNTS_FILE, TWILIO_SHARED_KEYS},
    environment::Environment,
    kafka::{KafkaConfig, KafkaSections},
    twilio::{ListedAccount, PublicSection, TwilioConfig, TwilioSection},
    validate::Validator,
};
use crate::domain::{AccountSid, PublicUrl, SharedKey};

/// What `probe` needs to send its test callback and to look for the event.
#[derive(Debug, Clone)]
pub struct ProbeConfig {
    /// The first public URL.
    pub public_url: PublicUrl,
    /// What signs the callback.
    pub signer: ProbeSigner,
    /// The Kafka cluster in which the test event is to arrive; `None` if it is not configured and not required.
    pub kafka: Option<KafkaConfig>,
}

/// What `probe` signs its test callback with.
#[derive(Debug, Clone)]
pub struct ProbeSigner {
    /// The account that the key belongs to, if it is known.
    pub account: Option<AccountSid>,
    /// A key of the account.
    pub key: ProbeKey,
}

/// A key that `probe` can sign with.
#[derive(Debug, Clone)]
pub enum ProbeKey {
    /// An auth token.
    AuthToken(SecretString),
    /// A SharedKey, with the algorithm that it is bound to, or else HMAC-SHA256.
    SharedKey(Box<SharedKey>),
}

impl ProbeKey {
    fn shared(key: &SharedKey) -> Self {
        Self::SharedKey(Box::new(key.clone()))
    }
}

/// An account whose SID may be unknown, with its tokens and its SharedKeys.
type ProbeCandidate<'a> = (Option<&'a AccountSid>, &'a [SecretString], &'a [SharedKey]);

/// Reads the settings. The callback is signed with the SharedKey of this id, or with the first key.
pub(super) fn read(
    environment: &Environment,
    requires_kafka: bool,
    shared_key: Option<&str>,
    validator: &mut Validator,
) -> Option<ProbeConfig> {
    let urls = environment.section::<PublicSection>("PUBLIC_", validator)?.validate(validator);
    let twilio = environment.section::<TwilioSection>("TWILIO_", validator)?.validate(validator);
    let kafka = if requires_kafka || environment.is_set(&KAFKA_BOOTSTRAP_SERVERS) {
        Some(KafkaSections::from(environment, validator)?.validate(validator)?)
    } else {
        None
    };
    let twilio = twilio?;
    let signer = match shared_key {
        Some(id) => shared_key_signer(&twilio, id, validator),
        None => first_signer(&twilio),
    };
    Some(ProbeConfig { public_url: urls?.into_iter().next()?, signer: signer?, kafka })
}

/// Returns all accounts; without an accounts file, the one whose SID may be unknown.
fn candidates(twilio: &TwilioConfig) -> Vec<ProbeCandidate<'_>> {
    let listed = twilio.listed_accounts().map(|accounts| {
        accounts.map(|ListedAccount { sid, tokens, shared_keys }| (Some(sid), tokens, shared_keys)).collect()
    });
    let own = || vec![(twilio.account_sid.as_ref(), twilio.auth_tokens.as_slice(), twilio.shared_keys.as_slice())];
    listed.unwrap_or_else(own)
}

/// Returns the current token of the first account, or its first SharedKey if it has no token.
fn first_signer(twilio: &TwilioConfig) -> Option<ProbeSigner> {
    let (account, tokens, shared_keys) = candidates(twilio).into_iter().next()?;
    let token = tokens.first().cloned().map(ProbeKey::AuthToken);
    let key = token.or_else(|| shared_keys.first().map(ProbeKey::shared))?;
    Some(ProbeSigner { account: account.cloned(), key })
}

fn shared_key_signer(twilio: &TwilioConfig, id: &str, validator: &mut Validator) -> Option<ProbeSigner> {
    let found = candidates(twilio).into_iter().find_map(|(account, _, shared_keys)| {
        let key = ProbeKey::shared(shared_keys.iter().find(|key| key.id() == id)?);
        Some(ProbeSigner { account: account.cloned(), key })
    });
    if found.is_none() {
        let variable = if twilio.accounts.is_some() { &TWILIO_ACCOUNTS_FILE } else { &TWILIO_SHARED_KEYS };
        validator.report(variable, "has no SharedKey with the id in --shared-key; add it, or write another id");
    }
    found
}
