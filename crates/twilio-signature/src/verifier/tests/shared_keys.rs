//! Requests that a SharedKey signed.

use proptest::prelude::*;

use super::*;
use crate::{AccountKeys, SIGNATURE_SETTINGS_HEADER, SharedKey};

/// A key for both algorithms, and one for each. No two secrets are equal.
const SHARED: [&str; 3] = ["any=secret-1", "sha256:HMAC_SHA256=secret-2", "sha1:HMAC_SHA1=secret-3"];

fn shared_keys() -> Vec<SharedKey> {
    SHARED.iter().map(|setting| SharedKey::parse(setting).unwrap()).collect()
}

fn shared_key(id: &str) -> SharedKey {
    shared_keys().into_iter().find(|key| key.id() == id).unwrap()
}

fn with_shared_keys(account: Option<&str>, tokens: &[&str]) -> Verifier {
    let tokens: Vec<_> = tokens.iter().map(|token| (*token).into()).collect();
    let keys = AccountKeys::new(&tokens, shared_keys()).unwrap();
    Verifier::new(vec![PublicUrl::parse(BASE).unwrap()], Keyring::of_keys(account, keys))
}

/// A form that this key signed, with these settings headers.
fn signed_by(key: &SigningKey, settings: &[&str]) -> OwnedRequest {
    let form = UnsignedRequest::form("Status=draft");
    let signature = sign(key, &form.url(BASE), &[("Status".into(), "draft".into())]);
    let mut raw = form.raw(vec![signature.to_string()]);
    raw.headers.extend(settings.iter().map(|settings| (SIGNATURE_SETTINGS_HEADER, *settings)));
    raw
}

fn verify_all(raw: &OwnedRequest) -> Result<(KeyKind, Algorithm), VerifyError> {
    let verified = with_shared_keys(None, &[TOKEN, OLD_TOKEN]).verify(&raw.as_request())?;
    let SignatureMatch { construction, key, algorithm } = verified.matched();
    assert_eq!(construction, Construction::Form);
    Ok((key, algorithm))
}

fn verify_settings(id: &str, algorithm: Algorithm, settings: &[&str]) -> Result<(KeyKind, Algorithm), VerifyError> {
    verify_all(&signed_by(shared_key(id).signing_key(algorithm), settings))
}

#[test]
fn named_key_is_accepted_with_the_named_algorithm() {
    use Algorithm::{HmacSha1, HmacSha256};
    for (id, algorithm) in [("any", HmacSha1), ("any", HmacSha256), ("sha1", HmacSha1), ("sha256", HmacSha256)] {
        let settings = shared_key(id).settings(algorithm);
        assert_eq!(verify_settings(id, algorithm, &[&settings]), Ok((KeyKind::Shared, algorithm)), "{settings}");
        assert_eq!(verify_settings(id, algorithm, &[&settings, &settings]), Ok((KeyKind::Shared, algorithm)));
    }
    assert_eq!(verify_settings("any", HmacSha1, &["key=any"]), Ok((KeyKind::Shared, HmacSha1)));
}

#[test]
fn key_that_the_request_does_not_name_is_not_tried() {
    use Algorithm::{HmacSha1, HmacSha256};
    for (id, settings, error) in [
        ("any", "key=sha256,algorithm=HMAC_SHA256", VerifyError::SignatureMismatch),
        ("any", "key=ANY,algorithm=HMAC_SHA256", VerifyError::UnknownSharedKey),
        ("any", "key=other,algorithm=HMAC_SHA256", VerifyError::UnknownSharedKey),
        ("any", "key=any,algorithm=HMAC_SHA512", VerifyError::UnknownAlgorithm),
        ("any", "algorithm=HMAC_SHA256", VerifyError::MalformedSettings),
        ("any", "key=any,algorithm=HMAC_SHA1", VerifyError::MalformedSignature),
        ("any", "key=any", VerifyError::MalformedSignature),
        ("any", "", VerifyError::MalformedSignature),
        ("sha1", "key=sha1,algorithm=HMAC_SHA256", VerifyError::AlgorithmNotAllowed),
    ] {
        assert_eq!(verify_settings(id, HmacSha256, &[settings]), Err(error), "{settings}");
    }
    assert_eq!(verify_settings("any", HmacSha256, &[]), Err(VerifyError::MalformedSignature));
    assert_eq!(verify_settings("any", HmacSha1, &[]), Err(VerifyError::SignatureMismatch));
    let bound = verify_settings("sha256", HmacSha1, &["key=sha256,algorithm=HMAC_SHA1"]);
    assert_eq!(bound, Err(VerifyError::AlgorithmNotAllowed));
}

#[test]
fn auth_token_is_accepted_only_without_the_header_and_with_hmac_sha1() {
    let [sha1, sha256] = [Algorithm::HmacSha1, Algorithm::HmacSha256]
        .map(|algorithm| SigningKey::new(&TOKEN.into(), algorithm).unwrap());
    let current = Ok((KeyKind::Current, Algorithm::HmacSha1));
    assert_eq!(verify_all(&signed_by(&sha1, &[])), current);
    assert_eq!(verify_all(&signed_by(&sha1, &[""])), current, "a blank header is as good as none");
    assert_eq!(verify_all(&signed_by(&sha256, &[])), Err(VerifyError::MalformedSignature));
    for (settings, error) in [
        ("key=any,algorithm=HMAC_SHA1", VerifyError::SignatureMismatch),
        ("key=,algorithm=HMAC_SHA1", VerifyError::MalformedSettings),
        ("key=other,algorithm=HMAC_SHA1", VerifyError::UnknownSharedKey),
    ] {
        assert_eq!(verify_all(&signed_by(&sha1, &[settings])), Err(error), "{settings}");
    }
}

#[test]
fn shared_keys_alone_are_enough_and_belong_to_their_account() {
    let verify_for = |claimed: char| {
        let form = UnsignedRequest::form(&format!("AccountSid={}", account(claimed)));
        let pairs = [("AccountSid".into(), account(claimed).into())];
        let key = shared_key("any");
        let signature = sign(key.signing_key(Algorithm::HmacSha256), &form.url(BASE), &pairs).to_string();
        let mut raw = form.raw(vec![signature]);
        raw.headers.push(SIGNATURE_SETTINGS_HEADER, key.settings(Algorithm::HmacSha256).as_bytes());
        with_shared_keys(Some(&account('1')), &[]).verify(&raw.as_request()).map(|verified| verified.matched().key)
    };
    assert_eq!(verify_for('1'), Ok(KeyKind::Shared));
    assert_eq!(verify_for('2'), Err(VerifyError::UnknownAccount));
    let unsettled = signed_by(&SigningKey::from_auth_token(&TOKEN.into()).unwrap(), &[]);
    let error = with_shared_keys(None, &[]).verify(&unsettled.as_request()).unwrap_err();
    assert_eq!(error, VerifyError::SignatureMismatch);
}

/// A member of a settings header: often one that matters.
fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => ("[kK]ey|algorithm", "any|sha1|sha256|other|HMAC_SHA1|hmac_sha256|HMAC_SHA512| |")
            .prop_map(|(name, value)| format!("{name}={value}")),
        1 => "[ -~]{0,12}",
    ]
}

fn header() -> impl Strategy<Value = (String, String)> {
    let list = prop::collection::vec(member(), 0..4).prop_map(|members| members.join(","));
    let name =
        prop::sample::select(vec![SIGNATURE_SETTINGS_HEADER, SIGNATURE_SETTINGS_HEADER, "x-other", "X-Twilio-Key"]);
    (name.prop_map(str::to_owned), list)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    /// Acceptance requires a signature under a configured key with an algorithm that is allowed for it.
    #[test]
    fn acceptance_needs_a_valid_signature_whatever_headers_come_with_it(
        secret in prop::sample::select(vec![TOKEN, OLD_TOKEN, "secret-1", "secret-2", "secret-3", "unknown"]),
        algorithm in prop::sample::select(Algorithm::ALL),
        is_changed in prop::bool::weighted(0.2),
        headers in prop::collection::vec(header(), 0..3),
    ) {
        let mut raw = signed_by(&SigningKey::new(&secret.into(), algorithm).unwrap(), &[]);
        raw.headers.extend(headers);
        if is_changed {
            raw.body.push(b'x');
        }
        // The kind of key and the algorithms that each secret is configured for.
        let allowed = match secret {
            TOKEN => (KeyKind::Current, &[Algorithm::HmacSha1][..]),
            OLD_TOKEN => (KeyKind::Previous, &[Algorithm::HmacSha1][..]),
            "secret-1" => (KeyKind::Shared, Algorithm::ALL),
            "secret-2" => (KeyKind::Shared, &[Algorithm::HmacSha256][..]),
            "secret-3" => (KeyKind::Shared, &[Algorithm::HmacSha1][..]),
            _ => (KeyKind::Current, &[][..]),
        };
        if let Ok(accepted) = verify_all(&raw) {
            prop_assert!(!is_changed);
            prop_assert_eq!(accepted, (allowed.0, algorithm));
            prop_assert!(allowed.1.contains(&algorithm));
        }
    }
}
