//! The answers of the service to random requests, compared with those of `explain`.

use test_support::{ACCOUNT, Bridge, PUBLIC_URL, Request, TOKEN, random::Random};

use super::{FORM, OTHER_ACCOUNT, ROUTE, explain};

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
/// Without `HEAD`: its answer has no body, but the length of one, and the client of these tests would wait for it.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "get", "OPTIONS"];

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
        let real = bridge.send(&request).status;
        let explained = explain(&[], &variables, &request.bytes());
        assert_eq!(explained.status(), real, "{request:?}\n{}", explained.stdout);
        accepted += usize::from(real == 204);
    }
    assert!((20..250).contains(&accepted), "{accepted} accepted");
}

#[test]
fn part_of_a_path_that_public_url_cannot_have_is_not_advised() {
    let variables = [("PUBLIC_URL", "https://hooks.example.com/twilio"), ("TWILIO_AUTH_TOKEN", TOKEN)];
    for (before, advice) in [
        ("//twilio", "and PUBLIC_URL cannot have the part of //twilio/callbacks/customer-profiles before the route."),
        ("/a//b", "Correct the callback URL at Twilio, or the proxy."),
        ("/a/../b", "Correct the callback URL at Twilio, or the proxy."),
        ("/other", "write the part before the route in PUBLIC_URL."),
        ("/other/", "write the part before the route in PUBLIC_URL."),
    ] {
        let request = Request::form(&format!("{before}{ROUTE}"), FORM).signed_with("another-token", PUBLIC_URL);
        explain(&[], &variables, &request.bytes()).says("would be answered 404").says(advice);
    }
}

#[test]
fn account_that_is_not_configured_is_rejected_with_both_causes() {
    let file = format!("{}/accounts-of-explain-answers.json", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, format!(r#"{{"{ACCOUNT}": ["{TOKEN}"]}}"#)).unwrap();
    let unnamed = FORM.replace(ACCOUNT, "");
    let other = [("TWILIO_ACCOUNT_SID", OTHER_ACCOUNT), ("TWILIO_AUTH_TOKEN", TOKEN)];
    for (form, variables) in [(unnamed.as_str(), &[("TWILIO_ACCOUNTS_FILE", file.as_str())][..]), (FORM, &other)] {
        let variables = [&[("PUBLIC_URL", PUBLIC_URL)], variables].concat();
        let explained = explain(&[], &variables, &Request::form(ROUTE, form).signed().bytes());
        explained.says(
            "403: it is rejected as unknown_account\nThe request names no account, or one that is not configured",
        );
    }
}

#[test]
fn url_mismatch_is_the_reason_only_if_an_own_token_signed_another_url() {
    let file = format!("{}/accounts-of-explain-urls.json", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, format!(r#"{{"{ACCOUNT}": ["{TOKEN}"], "{OTHER_ACCOUNT}": ["another-token"]}}"#)).unwrap();
    let variables = [("PUBLIC_URL", PUBLIC_URL), ("TWILIO_ACCOUNTS_FILE", &file)];
    let http = PUBLIC_URL.replace("https", "http");
    let form = Request::form(ROUTE, FORM);
    for (request, reason) in [
        (form.clone().signed_with(TOKEN, &http), "url_mismatch"),
        (form.clone().signed_with("another-token", &http), "signature_mismatch"),
        (form.clone().signed_with("another-token", PUBLIC_URL), "signature_mismatch"),
        (Request { body: format!("{FORM}\n").into_bytes(), ..form.signed() }, "signature_mismatch"),
    ] {
        let explained = explain(&[], &variables, &request.bytes());
        explained.ends(1, "does not match").says(&format!("would be answered 403: it is rejected as {reason}\n"));
    }
}
