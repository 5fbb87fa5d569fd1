//! SharedKeys, and the single changes of the header that names one.

use twilio_signature::{AccountKeys, Algorithm, Keyring, SharedKey};

use test_support::TOKEN;
use test_support::random::Random;

use super::{case::Case, tampering::Tampering};

/// A key for both algorithms and one for each, with secrets as long as tokens.
const SHARED_KEYS: [(&str, Option<Algorithm>, &str); 3] = [
    ("webhooks_sharedkey_any", None, "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6"),
    ("webhooks_sharedkey_sha1", Some(Algorithm::HmacSha1), "b1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6"),
    ("webhooks_sharedkey_sha256", Some(Algorithm::HmacSha256), "c1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6"),
];

/// What signs a genuine request: the secret, its algorithm, and the header that names them.
pub(super) fn random_signer(random: &mut Random) -> (String, Algorithm, Option<String>) {
    if random.one_in(2) {
        return (TOKEN.to_owned(), Algorithm::HmacSha1, None);
    }
    let (id, bound, secret) = random.pick(&SHARED_KEYS);
    let algorithm = bound.unwrap_or_else(|| random.pick(Algorithm::ALL));
    (secret.to_owned(), algorithm, Some(format!("key={id},algorithm={algorithm}")))
}

/// The token and the SharedKeys of the service.
pub(super) fn keyring() -> Keyring {
    let key = |(id, bound, secret): (&str, _, &str)| SharedKey::new(id, bound, &secret.into()).unwrap();
    Keyring::of_keys(None, AccountKeys::new(&[TOKEN.into()], SHARED_KEYS.map(key).into()).unwrap())
}

/// The secret that a caller of an official library selects by the header; `None` if it has none.
pub(super) fn official_secret(settings: Option<&str>) -> Option<&'static str> {
    let Some(settings) = settings.filter(|settings| !settings.is_empty()) else { return Some(TOKEN) };
    let id = members_of(settings, "key").next()?;
    SHARED_KEYS.iter().find(|(known, ..)| *known == id).map(|(.., secret)| *secret)
}

/// Whether the header names an algorithm that its SharedKey is not bound to.
pub(super) fn is_bound_to_another_algorithm(settings: Option<&str>) -> bool {
    let settings = settings.unwrap_or_default();
    let named = match members_of(settings, "algorithm").next() {
        Some(name) => Algorithm::parse(name),
        None => Some(Algorithm::HmacSha1),
    };
    let id = members_of(settings, "key").next();
    let bound = SHARED_KEYS.iter().find(|(known, ..)| Some(*known) == id).and_then(|(_, bound, _)| *bound);
    bound.is_some() && bound != named
}

/// Whether the header names two keys or two algorithms.
pub(super) fn contradicts_itself(settings: Option<&str>) -> bool {
    let settings = settings.unwrap_or_default();
    ["key", "algorithm"].iter().any(|name| {
        let values: Vec<_> = members_of(settings, name).map(str::to_uppercase).collect();
        values.iter().any(|value| *value != values[0])
    })
}

fn members_of<'a>(settings: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let members = settings.split(',').filter_map(|member| member.split_once('='));
    members.filter(move |(member, _)| member.trim() == name).map(|(_, value)| value.trim()).filter(|v| !v.is_empty())
}

fn change(case: &mut Case, change: impl FnOnce(&str) -> String) {
    case.received.settings = case.received.settings.as_deref().map(change);
}

fn other(algorithm: Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::HmacSha1 => Algorithm::HmacSha256,
        Algorithm::HmacSha256 => Algorithm::HmacSha1,
    }
}

/// Names another algorithm without a change of the signature.
fn name_other_algorithm(settings: &str) -> String {
    if settings.contains("SHA256") { settings.replace("SHA256", "SHA1") } else { settings.replace("SHA1", "SHA256") }
}

pub(super) const SETTINGS_TAMPERINGS: &[(&str, Tampering)] = &[
    ("settings are lost", |case, _| case.received.settings = None),
    ("settings are blank", |case, _| case.received.settings = Some(String::new())),
    ("settings that were not sent", |case, random| case.received.settings = random_signer(random).2),
    ("settings of another key", |case, _| {
        change(case, |text| text.replace("key_sha1", "key_any").replace("key_sha256", "key_any"))
    }),
    ("settings of an unknown key", |case, _| change(case, |text| text.replace("sharedkey_", "sharedkey_0"))),
    ("key id in upper case", |case, _| change(case, str::to_uppercase)),
    ("the other algorithm is named", |case, _| change(case, name_other_algorithm)),
    ("signed with the other algorithm", |case, _| case.signed.algorithm = other(case.signed.algorithm)),
    ("signed and named with the other algorithm", |case, _| {
        case.signed.algorithm = other(case.signed.algorithm);
        change(case, name_other_algorithm);
    }),
    ("signed with the token", |case, _| case.signed.token = TOKEN.to_owned()),
    ("algorithm in lower case", |case, _| change(case, |text| text.replace("HMAC_SHA", "hmac_sha"))),
    ("no algorithm", |case, _| change(case, |text| text.split(',').next().unwrap().to_owned())),
    ("an empty algorithm", |case, _| change(case, |text| format!("{},algorithm=", text.split(',').next().unwrap()))),
    ("an unknown algorithm", |case, _| change(case, |text| text.replace("HMAC_SHA", "HMAC_SHA5"))),
    ("no key", |case, _| change(case, |text| text.split(',').nth(1).unwrap().to_owned())),
    ("spaces in the settings", |case, _| change(case, |text| text.replace(',', " , ").replace('=', " = "))),
    ("settings in another order", |case, _| {
        change(case, |text| text.split(',').rev().collect::<Vec<_>>().join(","));
    }),
    ("unknown settings", |case, _| change(case, |text| format!("version=2,x,,{text},Key=y"))),
    ("settings twice", |case, _| change(case, |text| format!("{text}, {text}"))),
    ("two algorithms", |case, _| change(case, |text| format!("{text},{}", name_other_algorithm(text)))),
    ("two keys", |case, _| change(case, |text| format!("{text},key=webhooks_sharedkey_other"))),
];
