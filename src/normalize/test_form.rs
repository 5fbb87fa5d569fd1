//! Signed forms for tests: what is signed, and the body that arrives with the signature.

use twilio_signature::{Keyring, Pair, SigningKey, Verifier, sign};

use crate::{
    domain::{Encoding, PublicUrl, RawCallback, RejectReason, Resource, SIGNATURE_HEADER},
    verify::VerifiedCallback,
};

const BASE: &str = "https://hooks.example.com";
const ROUTE: &str = "/callbacks/customer-profiles";

pub(super) fn pair(name: &str, value: &str) -> Pair {
    (name.into(), value.into())
}

/// A callback whose signature is that of the pairs, with this body and these headers.
pub(super) fn verify_form(
    signed: &[Pair],
    body: &str,
    headers: &[(&str, &str)],
) -> Result<VerifiedCallback, RejectReason> {
    let key = SigningKey::from_auth_token(&"token".into()).unwrap();
    let verifier = Verifier::new(vec![PublicUrl::parse(BASE).unwrap()], Keyring::new(None, &["token".into()]).unwrap());
    let signature = sign(&key, &format!("{BASE}{ROUTE}"), signed).to_string();
    let signature = [(SIGNATURE_HEADER, signature.as_str())];
    let raw = RawCallback {
        resource: Resource::CustomerProfile,
        route: ROUTE.into(),
        target: ROUTE.into(),
        query: None,
        encoding: Encoding::Form,
        headers: headers.iter().chain(&signature).copied().collect(),
        body: body.into(),
    };
    VerifiedCallback::verify(&verifier, raw)
}

/// Percent-encodes every byte except those that `is_plain` lets through.
fn encode(bytes: &[u8], is_plain: &mut impl FnMut(u8) -> bool) -> String {
    let mut text = String::new();
    for byte in bytes {
        match *byte {
            byte if byte.is_ascii_alphanumeric() && is_plain(byte) => text.push(char::from(byte)),
            b' ' if is_plain(b' ') => text.push('+'),
            byte => text.push_str(&format!("%{byte:02x}")),
        }
    }
    text
}

/// A form with these pairs, in this order.
pub(super) fn form_of<'a>(pairs: impl IntoIterator<Item = &'a Pair>, mut is_plain: impl FnMut(u8) -> bool) -> String {
    let pieces = pairs
        .into_iter()
        .map(|(name, value)| format!("{}={}", encode(name, &mut is_plain), encode(value, &mut is_plain)));
    pieces.collect::<Vec<_>>().join("&")
}
