use super::*;
use crate::diagnose::hints::MAX_HINT_BYTES;

/// Diagnoses a form that was signed for another URL.
fn url_diagnosis(configured: &str, signed_url: &str, headers: &[(&str, &str)]) -> (NearMissKind, String) {
    let mut raw = signed(form(FORM), signed_url, &decoded(FORM));
    raw.headers.extend(headers.iter().copied());
    diagnosis(configured, &raw)
}

#[test]
fn different_scheme_is_reported_with_the_setting_to_change() {
    let (kind, text) = url_diagnosis(BASE, &format!("http://hooks.example.com{ROUTE}"), &[]);
    assert_eq!(kind, NearMissKind::Scheme);
    assert_eq!(
        text,
        "signature would match http://hooks.example.com/callbacks/customer-profiles: PUBLIC_URL says https, but \
         the URL at Twilio says http; set PUBLIC_URL=http://hooks.example.com, or correct the callback URL at Twilio"
    );
    let (kind, text) = url_diagnosis("http://hooks.example.com", &format!("{BASE}{ROUTE}"), &[]);
    assert_eq!(kind, NearMissKind::Scheme);
    assert!(text.contains("PUBLIC_URL says http, but the URL at Twilio says https"), "{text}");
}

/// The configured URL, the signed URL and the headers; then the kind and a part of the text of the diagnosis.
type UrlCase<'a> = (&'a str, String, &'a [(&'a str, &'a str)], NearMissKind, &'a str);

#[test]
fn each_different_url_is_reported_by_its_differences() {
    use NearMissKind::*;
    let prefixed = format!("{BASE}/twilio");
    let host = [("host", "bridge.internal:8081")];
    let cases: [UrlCase<'_>; 20] = [
        (BASE, format!("{BASE}:8443{ROUTE}"), &[], Port, "says no port, but the URL at Twilio says port 8443"),
        (BASE, format!("{BASE}:9443{ROUTE}"), &[("x-forwarded-port", "9443")], Port, "says port 9443"),
        (BASE, format!("{BASE}:8081{ROUTE}"), &host, Port, "says port 8081"),
        (BASE, format!("{BASE}:65000{ROUTE}"), &[("x-forwarded-port", "65000")], Port, "says port 65000"),
        (
            "https://a.example:9000",
            format!("https://a.example:8443{ROUTE}"),
            &[],
            Port,
            "says port 9000, but the URL at Twilio",
        ),
        ("https://a.example:9000", format!("http://a.example:9000{ROUTE}"), &[], Scheme, "says http; set"),
        (BASE, format!("http://hooks.example.com:80{ROUTE}"), &[], Scheme, "says http; set"),
        ("http://a.example", format!("https://a.example:443{ROUTE}"), &[], Scheme, "says https; set"),
        ("https://[2001:db8::1]", format!("https://[2001:db8::1]:8443{ROUTE}"), &[], Port, "says no port"),
        (BASE, format!("{BASE}{ROUTE}/"), &[], TrailingSlash, ": the URL at Twilio has a slash at its end; correct"),
        (
            &prefixed,
            format!("{BASE}{ROUTE}"),
            &[],
            Prefix,
            "has the prefix /twilio, but the URL at Twilio has no prefix",
        ),
        (&prefixed, format!("{prefixed}/twilio{ROUTE}"), &[], Prefix, "has the prefix /twilio/twilio"),
        (BASE, format!("{prefixed}{ROUTE}"), &[("x-forwarded-prefix", "/twilio/")], Prefix, "has the prefix /twilio;"),
        (
            BASE,
            format!("{prefixed}{ROUTE}"),
            &[("x-original-uri", "/twilio/callbacks/customer-profiles?a")],
            Prefix,
            "",
        ),
        (BASE, format!("https://bridge.internal:8081{ROUTE}"), &host, Host, "says bridge.internal:8081"),
        (BASE, format!("https://bridge.internal{ROUTE}"), &host, Host, "says bridge.internal"),
        (BASE, format!("https://b.example{ROUTE}"), &[("x-forwarded-host", "b.example, c")], Host, "says b.example"),
        ("https://Hooks.example.com", format!("{BASE}{ROUTE}"), &[], Host, "spells it hooks.example.com"),
        (BASE, format!("http://bridge.internal:8081{ROUTE}"), &host, Scheme, "says http and PUBLIC_URL says the host"),
        (&prefixed, format!("http://bridge.internal{ROUTE}"), &host, Scheme, "set PUBLIC_URL=http://bridge.internal,"),
    ];
    for (configured, signed_url, headers, kind, words) in cases {
        let (found, text) = url_diagnosis(configured, &signed_url, headers);
        assert_eq!(found, kind, "{text}");
        assert!(text.contains(words) && text.starts_with(&format!("signature would match {signed_url}: ")), "{text}");
    }
}

#[test]
fn other_spelling_of_the_path_is_reported_with_the_one_that_was_signed() {
    for (prefix, route) in [
        ("", "//callbacks/customer-profiles"),
        ("", "/callbacks/customer-profiles/"),
        ("/twilio", "/callbacks//customer-profiles//"),
        ("/twilio", "/Callbacks/Customer-Profiles"),
    ] {
        let base = format!("{BASE}{prefix}");
        let mut raw = signed(form(FORM), &format!("{base}{ROUTE}"), &decoded(FORM));
        (raw.route, raw.target) = (route, format!("{prefix}{route}"));
        // A proxy may say what it received, which is the path that was signed.
        raw.headers.push("x-original-uri", format!("{prefix}{ROUTE}").as_bytes());
        let (kind, text) = diagnosis(&base, &raw);
        assert_eq!(kind, NearMissKind::PathSpelling, "{text}");
        let expected = format!(
            "signature would match {base}{ROUTE}: the request has the path {route}, but another spelling of the path was \
             signed, {ROUTE}; configure the proxy in front of this service to forward the path unchanged"
        );
        assert_eq!(text, expected);
    }
}

#[test]
fn header_that_cannot_be_part_of_a_url_is_ignored() {
    let long = format!("{}.example", "h".repeat(MAX_HINT_BYTES));
    for (signed_url, name, value) in [
        ("https://hooks.example.com:abc", "x-forwarded-port", "abc"),
        ("https://hooks.example.com:123456", "x-forwarded-port", "123456"),
        ("https://a.example/b", "host", "a.example/b"),
        ("https://b\u{fc}cher.example", "host", "b\u{fc}cher.example"),
        (&format!("https://{long}"), "host", &long),
    ] {
        let mut raw = signed(form(FORM), &format!("{signed_url}{ROUTE}"), &decoded(FORM));
        raw.headers.push(name, value.as_bytes());
        assert_eq!(verifier(BASE).diagnose(&raw.as_request()), None, "{signed_url}");
    }
}

#[test]
fn path_with_other_slashes_or_case_is_corrected_at_twilio() {
    use NearMissKind::*;
    for (path, kind) in [
        ("//callbacks/customer-profiles", Slashes),
        ("/callbacks//customer-profiles", Slashes),
        ("//callbacks//customer-profiles", Slashes),
        ("/callbacks/customer-profiles//", Slashes),
        ("/Callbacks/customer-profiles", LetterCase),
        ("/Callbacks/Customer-profiles", LetterCase),
        ("/Callbacks/Customer-Profiles", LetterCase),
        ("/CALLBACKS/CUSTOMER-PROFILES", LetterCase),
    ] {
        let (found, text) = url_diagnosis(BASE, &format!("{BASE}{path}"), &[]);
        assert_eq!(found, kind, "{path}: {text}");
        assert!(text.ends_with("; correct the callback URL at Twilio"), "{text}");
    }
    for path in ["/callbacks//customer-profiles", "/CALLBACKS/CUSTOMER-PROFILES"] {
        let raw = signed(form(FORM), &format!("http://hooks.example.com{path}"), &decoded(FORM));
        assert_eq!(verifier(BASE).diagnose(&raw.as_request()), None, "{path} is not tried with another scheme");
    }
    let hinted = [("x-original-uri", "/callbacks/Customer-profiles/")];
    let (kind, text) = url_diagnosis(BASE, &format!("{BASE}/callbacks/Customer-profiles/"), &hinted);
    assert!(kind == Slashes && text.ends_with("; correct the callback URL at Twilio"), "{kind}: {text}");
}

/// The header of a client that was given a URL with these credentials.
fn basic(credentials: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!("Basic {}", STANDARD.encode(credentials))
}

#[test]
fn credentials_in_the_signed_url_are_reported_and_not_shown() {
    let header = basic("user:s3cr:t");
    for signed_url in ["https://user:s3cr:t@hooks.example.com", "https://user:s3cr%3At@hooks.example.com"] {
        let (kind, text) = url_diagnosis(BASE, &format!("{signed_url}{ROUTE}"), &[("authorization", header.as_str())]);
        assert_eq!(kind, NearMissKind::Credentials, "{text}");
        assert!(text.contains("PUBLIC_URL has none; write the user name and the password into PUBLIC_URL"), "{text}");
        assert!(text.starts_with("signature would match https://[redacted]@hooks.example.com/callbacks"), "{text}");
        assert!(!text.contains("s3cr"), "{text}");
    }
    let raw = signed(form(FORM), &format!("https://user:s3cr@hooks.example.com{ROUTE}"), &decoded(FORM));
    assert_eq!(verifier(BASE).diagnose(&raw.as_request()), None, "no header says which credentials");
}

#[test]
fn configured_credentials_are_tried_with_and_without_and_are_not_shown() {
    const CONFIGURED: &str = "https://user:s3cr@hooks.example.com";
    let url = PublicUrl::parse_with_credentials(CONFIGURED).unwrap();
    let verifier = Verifier::new(vec![url], Keyring::new(None, &[TOKEN.into()]).unwrap());
    let signed_for = |url: &str, fields: &str| signed(form(FORM), &format!("{url}{ROUTE}"), &decoded(fields));
    for base in [CONFIGURED, BASE, "https://user:s3cr@hooks.example.com:443"] {
        assert!(verifier.verify(&signed_for(base, FORM).as_request()).is_ok(), "{base}");
    }
    for (base, fields, kind) in [
        ("http://user:s3cr@hooks.example.com", FORM, NearMissKind::Scheme),
        (CONFIGURED, "Status=draft", NearMissKind::Body),
        (CONFIGURED, "Status=draft&FailureReason=&Note=a+b&x=1", NearMissKind::Body),
    ] {
        let raw = signed_for(base, fields);
        assert!(verifier.verify(&raw.as_request()).is_err());
        let Some(near_miss) = verifier.diagnose(&raw.as_request()) else { continue };
        assert_eq!(near_miss.kind(), kind, "{near_miss}");
        assert!(!format!("{near_miss} {near_miss:?}").contains("s3cr"), "{near_miss:?}");
    }
    let mut other = signed_for("https://user:0ther@hooks.example.com", FORM);
    other.headers.push("authorization", basic("user:0ther").as_bytes());
    let near_miss = verifier.diagnose(&other.as_request()).unwrap();
    assert!(near_miss.to_string().contains("another user name or password than PUBLIC_URL"), "{near_miss}");
    assert!(!format!("{near_miss} {near_miss:?} {verifier:?}").contains("0ther"));
    assert!(!format!("{verifier:?}").contains("s3cr"));
}
