//! Callbacks and keyrings that the benchmarks of single steps share.

use secrecy::SecretString;
use trusthub_bridge::domain::{AccountSid, Encoding, PublicUrl, RawCallback, Resource, SIGNATURE_HEADER};
use twilio_signature::{AccountKeys, Keyring, SigningKey, Verifier, decode_form, sign};

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
    let keys = accounts.iter().map(|(sid, tokens)| (sid.as_str(), AccountKeys::new(tokens, Vec::new()).unwrap()));
    let keyring = Keyring::of_accounts(keys).unwrap();
    Verifier::new(vec![PublicUrl::parse(BASE).unwrap()], keyring)
}

/// A verifier with these numbers of public URLs and of keys of the first account. It tries at most 24 signatures per
/// callback.
#[allow(dead_code, reason = "not all benchmarks use it")]
pub(crate) fn widest_verifier(urls: u32, keys: u32) -> Verifier {
    let urls = (0..urls).map(|number| PublicUrl::parse(&format!("https://hooks-{number}.example.com:8443/p")).unwrap());
    let tokens: Vec<_> = (0..keys).map(token).collect();
    Verifier::new(urls.collect(), Keyring::new(Some(account(0).as_str()), &tokens).unwrap())
}

/// A callback with this body and query, many headers that hint at other URLs, and an invalid signature.
#[allow(dead_code, reason = "not all benchmarks use it")]
pub(crate) fn forged(encoding: Encoding, body: &str, query: Option<&str>) -> RawCallback {
    const HINTS: [&str; 10] = [
        "host",
        "x-forwarded-host",
        "x-original-host",
        "x-forwarded-uri",
        "x-original-uri",
        "x-original-url",
        "x-rewrite-url",
        "x-envoy-original-path",
        "x-forwarded-prefix",
        "x-forwarded-port",
    ];
    let mut forged = RawCallback { encoding, ..callback(body, 0) };
    forged.target = query.map_or(ROUTE.into(), |query| format!("{ROUTE}?{query}"));
    forged.query = query.map(str::to_owned);
    let signature = (SIGNATURE_HEADER.to_owned(), "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned());
    let hints = HINTS.iter().flat_map(|name| {
        (0..8)
            .map(|number| ((*name).to_owned(), format!("/{}{number}.example:80{number}, ", "h".repeat(240)).repeat(4)))
    });
    forged.headers = std::iter::once(signature).chain(hints).collect();
    forged
}

/// A callback of the first account with this body, signed with the token of this number.
pub(crate) fn callback(body: &str, signer: u32) -> RawCallback {
    let key = SigningKey::from_auth_token(&token(signer)).unwrap();
    let fields = decode_form(body.as_bytes()).unwrap_or_default();
    let signature = sign(&key, &format!("{BASE}{ROUTE}"), &fields).to_string();
    RawCallback {
        resource: Resource::CustomerProfile,
        route: ROUTE.into(),
        target: ROUTE.into(),
        query: None,
        encoding: Encoding::Form,
        headers: [(SIGNATURE_HEADER, signature)].into_iter().collect(),
        body: body.into(),
    }
}
