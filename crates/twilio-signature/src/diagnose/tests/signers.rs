//! Near misses in which another key signed the unchanged request.

use super::*;
use crate::{AccountKeys, Algorithm, SIGNATURE_SETTINGS_HEADER, SharedKey, VerifyError, key::HASHED};

const SHARED: [&str; 3] = ["any=secret-1", "sha256:HMAC_SHA256=secret-2", "sha1:HMAC_SHA1=secret-3"];

fn with_shared_keys(tokens: &[&str]) -> Verifier {
    let tokens: Vec<_> = tokens.iter().map(|token| (*token).into()).collect();
    let shared = SHARED.iter().map(|setting| SharedKey::parse(setting).unwrap()).collect();
    let keyring = Keyring::of_keys(None, AccountKeys::new(&tokens, shared).unwrap());
    Verifier::new(vec![PublicUrl::parse(BASE).unwrap()], keyring)
}

fn signed_with(secret: &str, algorithm: Algorithm, url: &str, settings: Option<&str>) -> OwnedRequest {
    let key = SigningKey::new(&secret.into(), algorithm).unwrap();
    let mut raw = form(FORM);
    raw.headers.push(SIGNATURE_HEADER, sign(&key, url, &decoded(FORM)).to_string().as_bytes());
    settings.into_iter().for_each(|settings| raw.headers.push(SIGNATURE_SETTINGS_HEADER, settings.as_bytes()));
    raw
}

fn near_miss(secret: &str, algorithm: Algorithm, settings: Option<&str>) -> Option<NearMiss> {
    let raw = signed_with(secret, algorithm, &format!("{BASE}{ROUTE}"), settings);
    with_shared_keys(&[TOKEN]).diagnose(&raw.as_request())
}

#[test]
fn other_key_or_algorithm_is_named_with_the_setting_to_change() {
    use Algorithm::{HmacSha1, HmacSha256};
    use NearMissKind::{Algorithm as OtherAlgorithm, Key, SettingsHeader};
    for (secret, algorithm, settings, kind, text, remedy) in [
        (
            "secret-1",
            HmacSha256,
            None,
            SettingsHeader,
            "SharedKey any signed it with HMAC_SHA256",
            "forward the header",
        ),
        ("secret-3", HmacSha1, None, SettingsHeader, "SharedKey sha1 signed it with HMAC_SHA1", "is missing"),
        ("secret-1", HmacSha256, Some("key=other,algorithm=HMAC_SHA256"), Key, "SharedKey any", "TWILIO_SHARED_KEYS"),
        ("secret-1", HmacSha256, Some("key=sha256,algorithm=HMAC_SHA256"), Key, "SharedKey any", "correct the id"),
        ("secret-1", HmacSha256, Some("key=any"), OtherAlgorithm, "the request names HMAC_SHA1", "unchanged"),
        ("secret-2", HmacSha1, Some("key=sha256"), OtherAlgorithm, "bound to another", "without an algorithm in"),
        ("secret-1", HmacSha256, Some("key=any,algorithm=x"), SettingsHeader, "does not say so", "unchanged"),
        ("secret-1", HmacSha256, Some("algorithm=HMAC_SHA256"), SettingsHeader, "does not say so", "unchanged"),
        (TOKEN, HmacSha1, Some("key=any"), SettingsHeader, "an auth token signed it", "not to add the header"),
        (TOKEN, HmacSha1, Some("key=other"), SettingsHeader, "an auth token signed it", "not to add the header"),
    ] {
        let found = near_miss(secret, algorithm, settings).unwrap();
        let described = found.to_string();
        assert_eq!(found.kind(), kind, "{described}");
        assert!(described.contains(text) && described.contains(remedy), "{described}");
        assert!(!described.contains(secret) && !found.is_url(), "{described}");
    }
}

#[test]
fn request_that_is_accepted_or_signed_by_an_unknown_key_has_no_near_miss() {
    use Algorithm::{HmacSha1, HmacSha256};
    for (secret, algorithm, settings) in [
        ("secret-1", HmacSha256, Some("key=any,algorithm=HMAC_SHA256")),
        (TOKEN, HmacSha1, None),
        (TOKEN, HmacSha256, None),
        ("unknown", HmacSha256, None),
        ("unknown", HmacSha1, Some("key=any,algorithm=HMAC_SHA1")),
    ] {
        assert_eq!(near_miss(secret, algorithm, settings), None, "{secret} {algorithm} {settings:?}");
    }
}

#[test]
fn near_miss_of_the_url_is_found_with_the_named_key() {
    let url = format!("http://hooks.example.com{ROUTE}");
    let raw = signed_with("secret-1", Algorithm::HmacSha256, &url, Some("key=any,algorithm=HMAC_SHA256"));
    let verifier = with_shared_keys(&[TOKEN]);
    assert_eq!(verifier.verify(&raw.as_request()).unwrap_err(), VerifyError::SignatureMismatch);
    assert_eq!(verifier.diagnose(&raw.as_request()).unwrap().kind(), NearMissKind::Scheme);
}

#[test]
fn search_with_many_keys_stays_within_its_budget() {
    let shared = (0..500).map(|number| SharedKey::parse(&format!("key-{number}=secret-{number}")).unwrap());
    let keyring = Keyring::of_keys(None, AccountKeys::new(&[TOKEN.into()], shared.collect()).unwrap());
    let verifier = Verifier::new(vec![PublicUrl::parse(BASE).unwrap()], keyring);
    for settings in [None, Some("key=key-1,algorithm=HMAC_SHA256")] {
        let raw = signed_with("unknown", Algorithm::HmacSha256, BASE, settings);
        let mut budget = Budget::DIAGNOSIS;
        HASHED.set(0);
        assert_eq!(verifier.diagnose_within(&raw.as_request(), &mut budget), None);
        assert!(budget.exceeded && HASHED.get() <= Budget::DIAGNOSIS.work, "{budget:?}");
    }
}

#[test]
fn other_key_is_no_near_miss_of_a_body_that_was_also_changed() {
    let near_miss = |hashed: &[u8]| {
        let url = url_with_body_hash(&format!("{BASE}{ROUTE}"), hashed);
        let mut raw = raw(Encoding::Json, url.split_once('?').map(|(_, query)| query), "{}");
        let key = SigningKey::new(&"secret-1".into(), Algorithm::HmacSha256).unwrap();
        raw.headers.push(SIGNATURE_HEADER, sign(&key, &url, &[]).to_string().as_bytes());
        with_shared_keys(&[TOKEN]).diagnose(&raw.as_request()).map(|near_miss| near_miss.kind())
    };
    assert_eq!(near_miss(b"{}"), Some(NearMissKind::SettingsHeader));
    assert_eq!(near_miss(b"{ }"), None);
}
