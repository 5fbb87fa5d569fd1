use super::*;
use crate::verify::diagnose::urls::MAX_HINT_BYTES;

/// The diagnosis of a form that was signed for another URL.
fn url_diagnosis(configured: &str, given: &str, headers: &[(&str, &str)]) -> (NearMissKind, String) {
    let mut raw = signed(form(FORM), given, &decoded(FORM));
    raw.headers.extend(headers.iter().copied());
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
    let cases: [OtherUrlCase<'_>; 20] = [
        (BASE, format!("{BASE}:8443{ROUTE}"), &[], Port, "says no port, Twilio was given port 8443"),
        (BASE, format!("{BASE}:9443{ROUTE}"), &[("x-forwarded-port", "9443")], Port, "given port 9443"),
        (BASE, format!("{BASE}:8081{ROUTE}"), &host, Port, "given port 8081"),
        (BASE, format!("{BASE}:65000{ROUTE}"), &[("x-forwarded-port", "65000")], Port, "given port 65000"),
        ("https://a.example:9000", format!("https://a.example:8443{ROUTE}"), &[], Port, "says port 9000, Twilio was"),
        ("https://a.example:9000", format!("http://a.example:9000{ROUTE}"), &[], Scheme, "the http URL; set"),
        (BASE, format!("http://hooks.example.com:80{ROUTE}"), &[], Scheme, "the http URL; set"),
        ("http://a.example", format!("https://a.example:443{ROUTE}"), &[], Scheme, "the https URL; set"),
        ("https://[2001:db8::1]", format!("https://[2001:db8::1]:8443{ROUTE}"), &[], Port, "says no port"),
        (
            BASE,
            format!("{BASE}{ROUTE}/"),
            &[],
            TrailingSlash,
            ": Twilio was given the URL with a slash at its end; correct",
        ),
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
fn a_header_that_can_be_no_part_of_a_url_is_no_hint() {
    let long = format!("{}.example", "h".repeat(MAX_HINT_BYTES));
    for (given, name, value) in [
        ("https://hooks.example.com:abc", "x-forwarded-port", "abc"),
        ("https://hooks.example.com:123456", "x-forwarded-port", "123456"),
        ("https://a.example/b", "host", "a.example/b"),
        ("https://b\u{fc}cher.example", "host", "b\u{fc}cher.example"),
        (&format!("https://{long}"), "host", &long),
    ] {
        let mut raw = signed(form(FORM), &format!("{given}{ROUTE}"), &decoded(FORM));
        raw.headers.push(name, value.as_bytes());
        assert_eq!(verifier(BASE).diagnose(&raw), None, "{given}");
    }
}
