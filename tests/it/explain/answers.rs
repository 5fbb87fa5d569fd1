//! The answers of the service to random requests, compared with those of `explain`.

use test_support::{Bridge, PUBLIC_URL, Request, TOKEN, random::Random};

use super::{FORM, ROUTE, explain};

const PATHS: [&str; 8] = [
    "/callbacks/customer-profiles",
    "/callbacks/trust-products",
    "/callbacks/regulatory-bundles/",
    "//callbacks/customer-profiles",
    "/CALLBACKS/customer-profiles",
    "/in/callbacks/customer-profiles",
    "/callbacks/customer%2Dprofiles",
    "/healthz",
];
const TYPES: [&str; 6] = [
    "application/x-www-form-urlencoded; charset=utf-8",
    "APPLICATION/JSON",
    "application/json;",
    "text/plain",
    "application/x-www-form-urlencoded,application/json",
    "",
];
const BODIES: [&str; 6] = ["", "{}", "a=%", "AccountSid=&Status=draft", "\u{feff}", "[1"];
const QUERIES: [&str; 6] = ["", "?", "?a=b", "?bodySHA256=00", "?a=%27'&&=", "?AccountSid=AC1"];
const METHODS: [&str; 6] = ["GET", "POST", "HEAD", "PUT", "get", "OPTIONS"];

/// A request that differs from a genuine one in some parts, signed before or after they were changed.
fn random_request(random: &mut Random) -> Request {
    let mut request = Request::form(ROUTE, FORM);
    let is_signed_last = random.one_in(2);
    if !is_signed_last {
        request = request.signed();
    }
    if random.one_in(3) {
        request.target = random.pick(&PATHS).to_owned();
    }
    if random.one_in(3) {
        request.target += random.pick(&QUERIES);
    }
    if random.one_in(4) {
        request.body = random.pick(&BODIES).as_bytes().to_vec();
    }
    if random.one_in(4) {
        request.headers[0].1 = random.pick(&TYPES).to_owned();
    }
    if random.one_in(4) {
        request.method = random.pick(&METHODS).to_owned();
    }
    if random.one_in(8) {
        request = request.with("Content-Encoding", random.pick(&["identity", "gzip", ""]));
    }
    if random.one_in(8) {
        request = request.with("Upgrade", random.pick(&["websocket", "h2c"]));
    }
    if is_signed_last { request.signed() } else { request }
}

#[test]
fn answer_to_random_requests_is_that_of_the_service() {
    let bridge = Bridge::start();
    let mut random = Random::from(7);
    let variables = [("PUBLIC_URL", PUBLIC_URL), ("TWILIO_AUTH_TOKEN", TOKEN)];
    let mut accepted = 0;
    for _ in 0..300 {
        let request = random_request(&mut random);
        // The answer to HEAD has no body, which its length describes nevertheless.
        let real = match request.method.as_str() {
            "HEAD" if request.target == "/healthz" => continue,
            "HEAD" => continue,
            _ => bridge.send(&request).status,
        };
        let explained = explain(&[], &variables, &request.bytes());
        assert_eq!(explained.status(), real, "{request:?}\n{}", explained.stdout);
        accepted += usize::from(real == 204);
    }
    assert!((20..250).contains(&accepted), "{accepted} accepted");
}
