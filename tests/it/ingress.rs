//! The service behind a real ingress: nginx terminates TLS and strips the path prefix, or keeps it.

use test_support::nginx::{Nginx, Prefix};
use test_support::{ACCOUNT, Bridge, PROFILE, Request, TOKEN};

const ORIGIN: &str = "https://hooks.example.com";
const PUBLIC_URL: &str = "https://hooks.example.com/twilio";
const ROUTE: &str = "/callbacks/customer-profiles";
const BOTH: [Prefix; 2] = [Prefix::Kept, Prefix::Stripped];

fn fields() -> String {
    format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=draft&FailureReason=")
}

/// The request as it reaches nginx, signed as if Twilio had been configured with this base URL.
fn signed_for(base: &str, request: Request) -> Request {
    let signed = request.signed_with(TOKEN, base);
    Request { target: format!("/twilio{}", signed.target), ..signed }
}

fn form() -> Request {
    Request::form(ROUTE, &fields())
}

fn bytes(request: &Request, host: &str) -> Vec<u8> {
    let bytes = String::from_utf8(request.bytes()).unwrap();
    bytes.replacen("Host: internal.example\r\n", &format!("Host: {host}\r\n"), 1).into()
}

/// The same request with a chunked body, in chunks of at most this size.
fn chunked(request: &Request, size: usize) -> Vec<u8> {
    let head = Request { body: Vec::new(), ..request.clone() }.bytes();
    let head = String::from_utf8(head).unwrap().replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let chunks =
        request.body.chunks(size).map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    head.into_bytes().into_iter().chain(chunks.flatten()).chain(*b"0\r\n\r\n").collect()
}

#[test]
fn every_kind_of_callback_is_accepted_with_a_stripped_or_kept_prefix() {
    let bridge = Bridge::start_with(&[("PUBLIC_URL", PUBLIC_URL)]);
    let nginx = Nginx::in_front_of(&bridge);
    let json = format!(r#"{{"AccountSid":"{ACCOUNT}","BundleSid":"{PROFILE}","Status":"draft"}}"#);
    let get = |odd: &str| Request::get(&format!("{ROUTE}?{odd}&{}", fields()));
    let requests = [
        form(),
        Request::form(&format!("{ROUTE}?tenant=a%2fB"), &fields()),
        Request::json(ROUTE, &json),
        get("a=%2f%2F&b=%c3%a9+%C3%A9%20"),
        get("b=2&a=1&a=1&flag&&=&c="),
        get("q=~!$'()*,;:@/?[]|^`{}\\"),
        get("next=https://a.example//b/../c?d=e"),
        get("percent=%&more=%zz"),
    ];
    for prefix in BOTH {
        for (request, tls) in requests.iter().zip(["1_2", "1_3"].into_iter().cycle()) {
            let request = signed_for(PUBLIC_URL, request.clone());
            let answer = nginx.send(prefix, tls, &bytes(&request, "hooks.example.com"));
            assert_eq!(answer, 204, "{prefix:?}: {request:?}");
        }
    }
}

#[test]
fn every_spelling_of_a_path_passes_nginx_as_it_was_signed() {
    let bridge = Bridge::start_with(&[("PUBLIC_URL", PUBLIC_URL)]);
    let nginx = Nginx::in_front_of(&bridge);
    let spellings = [format!("/{ROUTE}"), format!("{ROUTE}/"), ROUTE.to_uppercase()];
    for prefix in BOTH {
        for spelling in &spellings {
            // Each is another callback, not a repeat.
            let body = format!("{}&Note={prefix:?}+{spelling}", fields());
            let signed = signed_for(PUBLIC_URL, Request::form(spelling, &body));
            let answer = nginx.send(prefix, "1_3", &bytes(&signed, "hooks.example.com"));
            assert_eq!(answer, 204, "{prefix:?}: {spelling}");
            let plain = signed_for(PUBLIC_URL, Request::form(ROUTE, &body));
            let changed = Request { target: format!("/twilio{spelling}"), ..plain };
            let answer = nginx.send(prefix, "1_3", &bytes(&changed, "hooks.example.com"));
            assert_eq!(answer, 403, "{prefix:?}: {spelling}, signed in its documented spelling");
        }
    }
    assert_eq!(bridge.events(6).len(), BOTH.len() * spellings.len());
}

#[test]
fn every_spelling_passes_a_route_without_a_prefix() {
    let bridge = Bridge::start_with(&[("PUBLIC_URL", ORIGIN)]);
    let nginx = Nginx::in_front_of(&bridge);
    let spellings = [ROUTE.to_owned(), format!("/{ROUTE}"), format!("{ROUTE}/"), ROUTE.replace("/cust", "//cust")];
    for spelling in &spellings {
        let body = format!("{}&Note={spelling}", fields());
        let signed = Request::form(spelling, &body).signed_with(TOKEN, ORIGIN);
        assert_eq!(nginx.send(Prefix::Absent, "1_3", &bytes(&signed, "hooks.example.com")), 204, "{spelling}");
    }
    assert_eq!(bridge.events(spellings.len()).len(), spellings.len());
}

#[test]
fn port_of_the_public_url_is_optional_in_the_signed_url() {
    let bridge = Bridge::start_with(&[("PUBLIC_URL", "https://hooks.example.com:8443/twilio")]);
    let nginx = Nginx::in_front_of(&bridge);
    for prefix in BOTH {
        for (port, status) in [(":8443", 204), ("", 204), (":443", 204), (":8444", 403)] {
            let request = signed_for(&format!("{ORIGIN}{port}/twilio"), form());
            let answer = nginx.send(prefix, "1_3", &bytes(&request, "hooks.example.com:8443"));
            assert_eq!(answer, status, "{prefix:?}, signed with port {port:?}");
        }
    }
}

#[test]
fn chunked_bodies_of_any_size_are_verified_through_an_ingress() {
    let bridge = Bridge::start_with(&[("PUBLIC_URL", PUBLIC_URL)]);
    let nginx = Nginx::in_front_of(&bridge);
    // The larger one exceeds the buffer of nginx.
    for (length, chunk) in [(10, 7), (50_000, 999)] {
        let genuine = signed_for(PUBLIC_URL, Request::form(ROUTE, &(fields() + &"x".repeat(length))));
        let forged = Request { body: [&genuine.body[..], b"x"].concat(), ..genuine.clone() };
        for prefix in BOTH {
            assert_eq!(nginx.send(prefix, "1_3", &chunked(&genuine, chunk)), 204, "{prefix:?}, {length}");
            assert_eq!(nginx.send(prefix, "1_3", &chunked(&forged, chunk)), 403, "{prefix:?}, {length}");
        }
    }
}

#[test]
fn headers_that_a_client_can_set_do_not_affect_the_decision() {
    // Each with the base URL that a service would use if it trusted the header.
    let hostile = [
        ("X-Forwarded-Proto", "http", "http://hooks.example.com/twilio"),
        ("X-Forwarded-Ssl", "off", "http://hooks.example.com/twilio"),
        ("X-Forwarded-Scheme", "http", "http://hooks.example.com/twilio"),
        ("X-Forwarded-Host", "evil.example", "https://evil.example/twilio"),
        ("X-Forwarded-Server", "evil.example", "https://evil.example/twilio"),
        ("X-Forwarded-Port", "444", "https://hooks.example.com:444/twilio"),
        ("X-Forwarded-Prefix", "/evil", "https://hooks.example.com/evil"),
        ("Forwarded", "for=192.0.2.1;proto=http;host=hooks.example.com", "http://hooks.example.com/twilio"),
        ("Forwarded", "proto=https;host=evil.example", "https://evil.example/twilio"),
        ("X-Original-URI", "/evil/callbacks/customer-profiles", "https://hooks.example.com/evil"),
        ("X-Original-URL", "/evil/callbacks/customer-profiles", "https://hooks.example.com/evil"),
        ("X-Rewrite-URL", "/evil/callbacks/customer-profiles", "https://hooks.example.com/evil"),
        ("Host", "evil.example", "https://evil.example/twilio"),
        ("Host", "hooks.example.com:444", "https://hooks.example.com:444/twilio"),
    ];
    let bridge = Bridge::start_with(&[("PUBLIC_URL", PUBLIC_URL)]);
    let nginx = Nginx::in_front_of(&bridge);
    for (name, value, base) in hostile {
        let with_header = |base: &str| match (name, signed_for(base, form())) {
            ("Host", request) => bytes(&request, value),
            (name, request) => bytes(&request.with(name, value), "hooks.example.com"),
        };
        for prefix in BOTH {
            assert_eq!(nginx.send(prefix, "1_3", &with_header(base)), 403, "{prefix:?}, {name}: {value} is trusted");
            assert_eq!(
                nginx.send(prefix, "1_3", &with_header(PUBLIC_URL)),
                204,
                "{prefix:?}, {name}: {value} has an effect"
            );
        }
    }
}
