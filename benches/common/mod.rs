//! Callbacks and keyrings that the benches of single stages have in common.

use secrecy::SecretString;
use trusthub_bridge::{
    domain::{AccountSid, Encoding, PublicUrl, RawCallback, Resource, SIGNATURE_HEADER},
    verify::{Keyring, SigningKey, Verifier, decode_form, sign},
};

pub(crate) const ACCOUNTS: u32 = 25_000;

const BASE: &str = "https://hooks.example.com";
const ROUTE: &str = "/callbacks/customer-profiles";

pub(crate) fn account(number: u32) -> AccountSid {
    AccountSid::parse(&format!("AC{number:032x}")).unwrap()
}

fn token(number: u32) -> SecretString {
    format!("{number:032x}").into()
}

pub(crate) fn verifier(accounts: u32) -> Verifier {
    let accounts: Vec<_> = (0..accounts).map(|number| (account(number), vec![token(number)])).collect();
    let keyring = Keyring::of_accounts(accounts.iter().map(|(sid, tokens)| (sid, tokens.as_slice()))).unwrap();
    Verifier::new(vec![PublicUrl::parse(BASE).unwrap()], keyring)
}

/// A callback of the first account with this body, signed with a number's token.
pub(crate) fn callback(body: &str, signer: u32) -> RawCallback {
    let key = SigningKey::from_auth_token(&token(signer)).unwrap();
    let fields = decode_form(body.as_bytes()).unwrap_or_default();
    let signature = sign(&key, &format!("{BASE}{ROUTE}"), &fields).to_string();
    RawCallback {
        resource: Resource::CustomerProfile,
        route: ROUTE,
        target: ROUTE.into(),
        query: None,
        encoding: Encoding::Form,
        headers: [(SIGNATURE_HEADER, signature)].into_iter().collect(),
        body: body.into(),
    }
}
