mod budget;
mod rewrites;
mod signers;
mod urls;

use proptest::prelude::*;

use super::{
    budget::Budget,
    rewrites::in_signing_order,
    search::{FoundNearMiss, MAX_REWRITTEN_BYTES, Search},
    *,
};
use crate::{
    Encoding, Headers, Keyring, PublicUrl, SIGNATURE_HEADER, SigningKey, Verifier, decode_form,
    message::MessageBuilder, payload::Pair, sign, test_request::OwnedRequest, url_with_body_hash,
    verifier::read_signature,
};

const BASE: &str = "https://hooks.example.com";
const ROUTE: &str = "/callbacks/customer-profiles";
const TOKEN: &str = "current-token";
const FORM: &str = "Status=draft&FailureReason=&Note=a+b";

fn raw(encoding: Encoding, query: Option<&str>, body: &str) -> OwnedRequest {
    OwnedRequest {
        route: ROUTE,
        target: query.map_or(ROUTE.to_owned(), |query| format!("{ROUTE}?{query}")),
        query: query.map(str::to_owned),
        encoding,
        headers: Headers::default(),
        body: body.into(),
    }
}

fn form(body: &str) -> OwnedRequest {
    raw(Encoding::Form, None, body)
}

fn decoded(body: &str) -> Vec<Pair> {
    decode_form(body.as_bytes()).unwrap()
}

fn signed(mut raw: OwnedRequest, url: &str, fields: &[Pair]) -> OwnedRequest {
    let key = SigningKey::from_auth_token(&TOKEN.into()).unwrap();
    raw.headers.push(SIGNATURE_HEADER, sign(&key, url, fields).to_string().as_bytes());
    raw
}

fn forged(mut raw: OwnedRequest) -> OwnedRequest {
    raw.headers.push(SIGNATURE_HEADER, b"AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    raw
}

fn verifier(url: &str) -> Verifier {
    let keyring = Keyring::new(None, &[TOKEN.into(), "previous-token".into()]).unwrap();
    Verifier::new(vec![PublicUrl::parse(url).unwrap()], keyring)
}

/// The kind and the text of the near miss of a request.
fn diagnosis(configured: &str, raw: &OwnedRequest) -> (NearMissKind, String) {
    let near_miss = verifier(configured).diagnose(&raw.as_request()).unwrap();
    (near_miss.kind(), near_miss.to_string())
}

#[test]
fn unrelated_signature_has_no_near_miss() {
    let verifier = verifier(BASE);
    for raw in [
        form(FORM),
        signed(form(FORM), "https://elsewhere.example/x", &decoded(FORM)),
        signed(form(FORM), &format!("{BASE}{ROUTE}"), &decoded("Status=twilio-approved")),
    ] {
        assert_eq!(verifier.diagnose(&raw.as_request()), None);
    }
}

#[test]
fn every_kind_except_those_of_body_and_key_concerns_the_url() {
    let is_url = |kind| {
        NearMiss { kind, url: BASE.into(), has_query: false, texts: vec![], public_url: None, specific_remedy: None }
            .is_url()
    };
    use NearMissKind::*;
    for kind in [Scheme, Port, Host, Prefix, TrailingSlash, PathSpelling, Slashes, LetterCase, Credentials, Query] {
        assert!(is_url(kind), "{kind}");
    }
    for kind in [Body, Key, Algorithm, SettingsHeader] {
        assert!(!is_url(kind), "{kind}");
    }
}

fn explanation(raw: &OwnedRequest) -> Explanation {
    let urls = [PublicUrl::parse(BASE).unwrap()];
    let keys = [SigningKey::from_auth_token(&TOKEN.into()).unwrap()];
    let request = raw.as_request();
    explain(&request, &urls, &keys, 1, &read_signature(&request).unwrap()).unwrap()
}

#[test]
fn explanation_within_its_budget_is_exhaustive() {
    let result = explanation(&forged(form(FORM))).result;
    assert!(matches!(result, MatchResult::Unexplained { is_exhaustive: true }));
}

#[test]
fn explanation_says_whether_a_signature_would_cover_the_body() {
    for (query, is_covered) in [(None, false), (Some("a=1"), false), (Some("bodySHA256=00"), true)] {
        assert_eq!(explanation(&forged(raw(Encoding::Json, query, "{}"))).is_covered, is_covered, "{query:?}");
    }
    assert!(explanation(&forged(form(FORM))).is_covered);
}

#[test]
fn explanation_shows_the_matching_message_or_the_first_one_tried() {
    let expected = |signed_url: &str| {
        let SignedText { url, fields } = explanation(&signed(form(FORM), signed_url, &decoded(FORM))).expected;
        assert_eq!(fields, in_signing_order(decoded(FORM)));
        url
    };
    for url in [format!("{BASE}{ROUTE}"), format!("{BASE}:443{ROUTE}")] {
        assert_eq!(expected(&url), url);
    }
    assert_eq!(expected("https://elsewhere.example"), format!("{BASE}{ROUTE}"));
}

proptest! {
    #[test]
    fn correctly_signed_request_has_no_near_miss(
        fields in prop::collection::vec(("[a-zA-Z]{1,6}", "[ -~]{0,8}"), 0..6),
        query in prop::option::of("[!-~&&[^#]]{0,24}"),
    ) {
        let encode = |text: &str| percent_encoding::percent_encode(text.as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string();
        let body = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&");
        let url = query.as_ref().map_or(format!("{BASE}{ROUTE}"), |query| format!("{BASE}{ROUTE}?{query}"));
        let raw = signed(raw(Encoding::Form, query.as_deref(), &body), &url, &decoded(&body));
        prop_assert_eq!(verifier(BASE).diagnose(&raw.as_request()), None);
    }

    #[test]
    fn diagnosis_of_any_bytes_neither_panics_nor_finds_anything(
        body in prop::collection::vec(any::<u8>(), 0..256),
        query in prop::option::of("\\PC{0,64}"),
        host in prop::collection::vec(any::<u8>(), 0..64),
        signature in any::<[u8; 20]>(),
        encoding in prop::sample::select(vec![Encoding::Form, Encoding::Json, Encoding::Query]),
    ) {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let headers = [("host", host.clone()), ("x-forwarded-prefix", host.clone()), ("x-original-uri", host),
            (SIGNATURE_HEADER, STANDARD.encode(signature).into_bytes())];
        let headers = headers.into_iter().collect();
        let raw = OwnedRequest { headers, body, ..raw(encoding, query.as_deref(), "") };
        prop_assert_eq!(verifier("https://hooks.example.com/p").diagnose(&raw.as_request()), None);
    }
}
