use proptest::prelude::*;

use super::*;
use crate::{
    domain::{Label as _, Resource, SIGNATURE_HEADER},
    verify::{Keyring, sign, url_with_body_hash},
};

const BASE: &str = "https://hooks.example.com";
const ROUTE: &str = "/callbacks/customer-profiles";
const TOKEN: &str = "current-token";
const FORM: &str = "Status=draft&FailureReason=&Note=a+b";

fn raw(encoding: Encoding, query: Option<&str>, body: &str) -> RawCallback {
    RawCallback {
        resource: Resource::CustomerProfile,
        route: ROUTE,
        target: query.map_or(ROUTE.to_owned(), |query| format!("{ROUTE}?{query}")),
        query: query.map(str::to_owned),
        encoding,
        headers: vec![],
        body: body.into(),
    }
}

fn form(body: &str) -> RawCallback {
    raw(Encoding::Form, None, body)
}

fn decoded(body: &str) -> Vec<Pair> {
    decode_form(body.as_bytes()).unwrap()
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: value.into() }
}

fn signed(mut raw: RawCallback, url: &str, fields: &[Pair]) -> RawCallback {
    let key = SigningKey::from_auth_token(&TOKEN.into()).unwrap();
    raw.headers.push(header(SIGNATURE_HEADER, &sign(&key, url, fields).to_string()));
    raw
}

fn verifier(url: &str) -> Verifier {
    let keyring = Keyring::new(None, &[TOKEN.into(), "previous-token".into()]).unwrap();
    Verifier::new(vec![PublicUrl::parse(url).unwrap()], keyring)
}

/// The kind and the words of the near miss of a callback.
fn diagnosis(configured: &str, raw: &RawCallback) -> (NearMissKind, String) {
    let near_miss = verifier(configured).diagnose(raw).unwrap();
    (near_miss.kind(), near_miss.to_string())
}

/// The diagnosis of a form that was signed for another URL.
fn url_diagnosis(configured: &str, given: &str, headers: &[(&str, &str)]) -> (NearMissKind, String) {
    let mut raw = signed(form(FORM), given, &decoded(FORM));
    raw.headers.extend(headers.iter().map(|(name, value)| header(name, value)));
    diagnosis(configured, &raw)
}

#[test]
fn http_for_https_is_told_with_the_setting_to_change() {
    let (kind, text) = url_diagnosis(BASE, &format!("http://hooks.example.com{ROUTE}"), &[]);
    assert_eq!(kind, NearMissKind::Scheme);
    assert_eq!(
        text,
        "signature would match http://hooks.example.com/callbacks/customer-profiles: PUBLIC_URL says https, Twilio \
         was given the http URL; set PUBLIC_URL=http://hooks.example.com, or correct the callback URL at Twilio"
    );
    let (kind, text) = url_diagnosis("http://hooks.example.com", &format!("{BASE}{ROUTE}"), &[]);
    assert_eq!(kind, NearMissKind::Scheme);
    assert!(text.contains("PUBLIC_URL says http, Twilio was given the https URL"), "{text}");
}

/// The configured URL, the one that was signed, the headers; the kind and words of the diagnosis.
type OtherUrlCase<'a> = (&'a str, String, &'a [(&'a str, &'a str)], NearMissKind, &'a str);

#[test]
fn each_other_url_is_told_as_what_differs() {
    use NearMissKind::*;
    let prefixed = format!("{BASE}/twilio");
    let host = [("host", "bridge.internal:8081")];
    let cases: [OtherUrlCase<'_>; 14] = [
        (BASE, format!("{BASE}:8443{ROUTE}"), &[], Port, "says no port, Twilio was given port 8443"),
        (BASE, format!("{BASE}:9443{ROUTE}"), &[("x-forwarded-port", "9443")], Port, "given port 9443"),
        (BASE, format!("{BASE}:8081{ROUTE}"), &host, Port, "given port 8081"),
        (BASE, format!("{BASE}{ROUTE}/"), &[], TrailingSlash, "with a slash at its end; correct the callback URL"),
        (&prefixed, format!("{BASE}{ROUTE}"), &[], Prefix, "has the prefix /twilio, Twilio was given no prefix"),
        (&prefixed, format!("{prefixed}/twilio{ROUTE}"), &[], Prefix, "given the prefix /twilio/twilio"),
        (
            BASE,
            format!("{prefixed}{ROUTE}"),
            &[("x-forwarded-prefix", "/twilio/")],
            Prefix,
            "given the prefix /twilio;",
        ),
        (
            BASE,
            format!("{prefixed}{ROUTE}"),
            &[("x-original-uri", "/twilio/callbacks/customer-profiles?a")],
            Prefix,
            "",
        ),
        (BASE, format!("https://bridge.internal:8081{ROUTE}"), &host, Host, "given bridge.internal:8081"),
        (BASE, format!("https://bridge.internal{ROUTE}"), &host, Host, "given bridge.internal"),
        (BASE, format!("https://b.example{ROUTE}"), &[("x-forwarded-host", "b.example, c")], Host, "given b.example"),
        ("https://Hooks.example.com", format!("{BASE}{ROUTE}"), &[], Host, "the spelling hooks.example.com"),
        (
            BASE,
            format!("http://bridge.internal:8081{ROUTE}"),
            &host,
            Scheme,
            "the http URL and PUBLIC_URL says the host",
        ),
        (&prefixed, format!("http://bridge.internal{ROUTE}"), &host, Scheme, "set PUBLIC_URL=http://bridge.internal,"),
    ];
    for (configured, given, headers, kind, words) in cases {
        let (found, text) = url_diagnosis(configured, &given, headers);
        assert_eq!(found, kind, "{text}");
        assert!(text.contains(words) && text.starts_with(&format!("signature would match {given}: ")), "{text}");
    }
}

#[test]
fn each_other_query_is_told_without_its_values() {
    let cases = [
        ("a=b%20c", Some("a=b+c"), "+ for %20"),
        ("a=b+c", Some("a=b%20c"), "%20 for +"),
        ("a=%2fb", Some("a=%2Fb"), "upper-case"),
        ("a=%2Fb", Some("a=%2fb"), "lower-case"),
        ("a=%C3%BC", Some("a=ü"), "percent-decoded"),
        ("a=[1]&b", Some("a=%5B1%5D&b="), "another percent-encoding"),
        ("b=2&a=1", Some("a=1&b=2"), "sorted"),
        ("a=1&b=2&a=1", Some("a=1&b=2"), "only once"),
        ("a=1&secret=2", Some("a=1"), "number 2"),
        ("a=1", None, "a query that was not signed"),
        ("", None, "bare ?"),
    ];
    for (arrived, given, words) in cases {
        let url = given.map_or(format!("{BASE}{ROUTE}"), |query| format!("{BASE}{ROUTE}?{query}"));
        for (encoding, body) in [(Encoding::Form, FORM), (Encoding::Query, "")] {
            let raw = signed(raw(encoding, Some(arrived), body), &url, &decoded(body));
            let (kind, text) = diagnosis(BASE, &raw);
            assert_eq!(kind, NearMissKind::Query, "{text}");
            assert!(text.contains(words) && !text.contains("b=2") && !text.contains("secret"), "{text}");
        }
    }
}

#[test]
fn a_query_that_was_lost_or_signed_twice_is_told() {
    let bare = signed(form(FORM), &format!("{BASE}{ROUTE}?"), &decoded(FORM));
    assert!(diagnosis(BASE, &bare).1.contains("bare ?"));
    let json = raw(Encoding::Json, None, "{}");
    let hashed = signed(json, &url_with_body_hash(&format!("{BASE}{ROUTE}"), b"{}"), &[]);
    assert!(diagnosis(BASE, &hashed).1.contains("without the bodySHA256"));
    let redirected = signed(raw(Encoding::Query, Some(FORM), ""), &format!("{BASE}{ROUTE}"), &decoded(FORM));
    assert!(diagnosis(BASE, &redirected).1.contains("redirected"));
    let url = format!("{BASE}{ROUTE}?a=1");
    let twice = signed(raw(Encoding::Form, Some("a=1"), FORM), &url, &decoded(&format!("{FORM}&a=1")));
    assert!(diagnosis(BASE, &twice).1.contains("a second time"));
}

#[test]
fn each_other_body_is_told_without_its_values() {
    let in_order_of_body = |text: &str| vec![(b"Z".to_vec(), text.into()), (b"A".to_vec(), b"1".to_vec())];
    let cases = [
        ("A=1&Z=secret", vec![], "URL alone"),
        ("A=+secret%20", decoded("A=secret"), "white space"),
        ("A=secret%0D%0A", decoded("A=secret%0A"), "LF for CRLF"),
        ("A=secret%0Ax", decoded("A=secret%0D%0Ax"), "CRLF for LF"),
        ("A=secret%FC", decoded("A=secret%C3%BC"), "arrived in Latin-1"),
        ("A=secret%C3%BC", decoded("A=secret%FC"), "arrived in UTF-8"),
        ("A=secret%FC", decoded("A=secret%EF%BF%BD"), "U+FFFD"),
        ("A=secret&B=", decoded("A=secret"), "empty"),
        ("A=secret&A=secret", [decoded("A=secret"), decoded("A=secret")].concat(), "repeats"),
        ("A=x&A=secret&B=1", decoded("A=secret&B=1"), "last value"),
        ("Z=secret&A=1", in_order_of_body("secret"), "not sorted"),
        ("A=secret%2B+", vec![(b"A".to_vec(), b"secret%2B+".to_vec())], "percent-encoded"),
        ("A=secret+x", vec![(b"A".to_vec(), b"secret+x".to_vec())], "+ not read"),
        ("A=1&secret=2&Z=3", decoded("A=1&Z=3"), "number 2"),
    ];
    for (body, fields, words) in cases {
        let key = SigningKey::from_auth_token(&TOKEN.into()).unwrap();
        let signature = SignedText::new(&format!("{BASE}{ROUTE}"), None, fields).sign(&key);
        let mut raw = form(body);
        raw.headers.push(header(SIGNATURE_HEADER, &signature.to_string()));
        let (kind, text) = diagnosis(BASE, &raw);
        assert_eq!(kind, NearMissKind::Body, "{body}: {text}");
        assert!(text.contains(words) && !text.contains("secret"), "{body}: {text}");
    }
}

#[test]
fn a_json_body_that_was_changed_is_told_with_what_changed() {
    let url = |body: &str| url_with_body_hash(&format!("{BASE}{ROUTE}"), body.as_bytes());
    let cases = [
        ("{}\n", "{}", "with a line end"),
        ("{}", "{}\r\n", "without the line end"),
        ("{\r\n}", "{\n}", "LF for CRLF"),
        ("\u{feff}{}", "{}", "byte order mark"),
        ("{}", "", "empty body"),
        ("{}", r#"{"a": 1}"#, "not the one that was signed"),
    ];
    for (arrived, sent, words) in cases {
        let url = url(sent);
        let raw = signed(raw(Encoding::Json, url.split('?').nth(1), arrived), &url, &[]);
        let (kind, text) = diagnosis(BASE, &raw);
        assert_eq!(kind, NearMissKind::Body, "{text}");
        assert!(text.contains(words), "{text}");
    }
    let alone = signed(raw(Encoding::Json, None, "{}"), &format!("{BASE}{ROUTE}"), &[]);
    assert!(diagnosis(BASE, &alone).1.contains("nothing covers the body"));
    let relabelled = signed(raw(Encoding::Json, None, FORM), &format!("{BASE}{ROUTE}"), &decoded(FORM));
    assert!(diagnosis(BASE, &relabelled).1.contains("Content-Type"));
}

#[test]
fn a_signature_of_nothing_nearby_has_no_near_miss() {
    let verifier = verifier(BASE);
    for raw in [
        form(FORM),
        signed(form(FORM), "https://elsewhere.example/x", &decoded(FORM)),
        signed(form(FORM), &format!("{BASE}{ROUTE}"), &decoded("Status=twilio-approved")),
    ] {
        assert_eq!(verifier.diagnose(&raw), None);
    }
}

#[test]
fn every_kind_but_the_body_is_a_matter_of_the_url() {
    let of_url: Vec<_> = NearMissKind::ALL.iter().filter(|kind| kind.is_url()).collect();
    assert_eq!(of_url.len(), NearMissKind::ALL.len() - 1);
    assert!(!NearMissKind::Body.is_url());
}

/// What is left of the budget after a search that finds nothing.
fn left(raw: &RawCallback, urls: &[&str], keys: usize) -> Budget {
    let urls: Vec<_> = urls.iter().map(|url| PublicUrl::parse(url).unwrap()).collect();
    let keys: Vec<_> =
        (0..keys).map(|key| SigningKey::from_auth_token(&format!("token-{key}").into()).unwrap()).collect();
    let signature = Signature::parse(b"AAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    let capture = Capture::from(raw);
    let payload = Payload::decode(capture.request).unwrap();
    let parts = Parts::of(&capture.request, &payload);
    let mut search =
        Search { capture, parts: &parts, urls: &urls, keys: &keys, signature: &signature, budget: Budget::of(1) };
    assert!(search.run().is_none());
    search.budget
}

#[test]
fn a_search_in_vain_costs_no_more_than_its_budget() {
    let usual = left(&form(FORM), &[BASE], 1);
    assert!((1..MAX_SIGNATURES).contains(&usual.signatures), "{usual:?}");
    let hints: Vec<_> = (0..100).map(|n| header("host", &format!("h{n}.example:{n}"))).collect();
    let query = format!("a=1&{}", url_with_body_hash("", b"").trim_start_matches('?'));
    let many = RawCallback { headers: hints, ..raw(Encoding::Form, Some(&query), &"A=1&".repeat(900)) };
    let left_of_many = left(&many, &[BASE, "https://b.example/p", "http://c.example:81"], 3);
    assert_eq!(left_of_many.signatures, 0);
    let large = form(&format!("A={}", "x".repeat(MAX_REWRITTEN_BYTES * 4)));
    assert!(left(&large, &[BASE], 1).signatures > MAX_SIGNATURES / 2);
}

proptest! {
    #[test]
    fn a_callback_in_order_has_no_near_miss(
        fields in prop::collection::vec(("[a-zA-Z]{1,6}", "[ -~]{0,8}"), 0..6),
        query in prop::option::of("[!-~&&[^#]]{0,24}"),
    ) {
        let encode = |text: &str| percent_encoding::percent_encode(text.as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string();
        let body = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&");
        let url = query.as_ref().map_or(format!("{BASE}{ROUTE}"), |query| format!("{BASE}{ROUTE}?{query}"));
        let raw = signed(raw(Encoding::Form, query.as_deref(), &body), &url, &decoded(&body));
        prop_assert_eq!(verifier(BASE).diagnose(&raw), None);
    }

    #[test]
    fn no_bytes_make_a_diagnosis_panic_or_find_what_was_never_signed(
        body in prop::collection::vec(any::<u8>(), 0..256),
        query in prop::option::of("\\PC{0,64}"),
        host in prop::collection::vec(any::<u8>(), 0..64),
        signature in any::<[u8; 20]>(),
        encoding in prop::sample::select(vec![Encoding::Form, Encoding::Json, Encoding::Query]),
    ) {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let headers = [("host", host.clone()), ("x-forwarded-prefix", host.clone()), ("x-original-uri", host),
            (SIGNATURE_HEADER, STANDARD.encode(signature).into_bytes())];
        let headers = headers.map(|(name, value)| Header { name: name.into(), value }).to_vec();
        let raw = RawCallback { headers, body, ..raw(encoding, query.as_deref(), "") };
        prop_assert_eq!(verifier("https://hooks.example.com/p").diagnose(&raw), None);
    }
}
