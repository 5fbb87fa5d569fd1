//! Spellings of a callback path, and what its query carries.

use serde_json::{Value, json};

use test_support::{ACCOUNT, Bridge, PROFILE, PUBLIC_URL, Request, TOKEN, kafka::Record, wait_for};

const PATH: &str = "/callbacks/customer-profiles";
const SPELLINGS: [&str; 4] = [
    "/callbacks/customer-profiles/",
    "//callbacks/customer-profiles",
    "/callbacks//customer-profiles",
    "/Callbacks/Customer-Profiles",
];
const WARNING: &str =
    "accepted a callback whose path is spelled differently; correct the StatusCallback URL of the profile at Twilio";

fn fields(status: &str) -> String {
    format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status={status}")
}

/// Sent to one path, and signed for another.
fn sent_to(path: &str, signed_path: &str) -> Request {
    Request { target: path.to_owned(), ..Request::form(signed_path, &fields("draft")).signed() }
}

fn rejected(bridge: &Bridge, reason: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_callbacks_rejected_total{{reason="{reason}"}}"#))
}

fn received(bridge: &Bridge) -> f64 {
    bridge.metric(r#"trusthub_callbacks_received_total{resource="customer-profile"}"#)
}

fn value(record: Record) -> Value {
    serde_json::from_slice(&record.payload.unwrap()).unwrap()
}

#[test]
fn path_signed_as_requested_becomes_an_event_and_a_warning() {
    for spelling in SPELLINGS {
        let bridge = Bridge::start();
        assert_eq!(bridge.send(&sent_to(spelling, spelling)).status, 204, "{spelling}");
        let [event] = <[Record; 1]>::try_from(bridge.events(1)).unwrap();
        assert_eq!(value(event)["resource"], "customer-profile", "{spelling}");
        let warnings = bridge.wait_for_lines(WARNING, 1);
        let [warning] = &warnings[..] else { panic!("{spelling}: {warnings:?}") };
        let told = ["level", "path", "expected"].map(|field| warning[field].as_str().unwrap());
        assert_eq!(told, ["WARN", spelling, PATH]);
        assert_eq!((received(&bridge), bridge.wait_for_lines("callback", 1).len()), (1.0, 1));
    }
}

#[test]
fn documented_path_causes_no_warning() {
    let bridge = Bridge::start_with(&[("PUBLIC_URL", "https://hooks.example.com/twilio")]);
    let request = Request::form(PATH, &fields("draft")).signed_with(TOKEN, "https://hooks.example.com/twilio");
    assert_eq!(bridge.send(&Request { target: format!("/twilio{PATH}"), ..request }).status, 204);
    bridge.events(1);
    assert_eq!(bridge.lines(WARNING), Vec::<Value>::new());
}

#[test]
fn path_is_spelled_freely_below_the_exact_prefix_of_the_public_url() {
    let base = "https://hooks.example.com/twilio";
    let bridge = Bridge::start_with(&[("PUBLIC_URL", base)]);
    let signed = |route: &str| Request::form(route, &fields("draft")).signed_with(TOKEN, base);
    for spelling in SPELLINGS {
        let sent =
            |prefix: &str| bridge.send(&Request { target: format!("{prefix}{spelling}"), ..signed(spelling) }).status;
        assert_eq!((sent(""), sent("/twilio")), (204, 204), "{spelling}");
        assert_eq!((sent("/Twilio"), sent("/twilio/twilio"), sent("/other")), (404, 404, 404), "{spelling}");
    }
}

#[test]
fn path_signed_in_another_spelling_is_rejected_counted_and_diagnosed() {
    for spelling in SPELLINGS {
        let bridge = Bridge::start();
        assert_eq!(bridge.send(&sent_to(spelling, PATH)).status, 403, "{spelling}");
        let line: Value = serde_json::from_str(&bridge.wait_for_log("signature would match")).unwrap();
        assert_eq!((&line["reason"], &line["resource"]), (&json!("url_mismatch"), &json!("customer-profile")));
        let diagnosis = line["diagnosis"].as_str().unwrap();
        let expected =
            format!("signature would match {PUBLIC_URL}{PATH}: the request has the path {spelling}, but another");
        assert!(diagnosis.starts_with(&expected), "{diagnosis}");
        assert_eq!((received(&bridge), rejected(&bridge, "url_mismatch")), (1.0, 1.0), "{spelling}");
        assert_eq!(bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="rejected"}"#), 1.0);
        assert_eq!((bridge.events(0).len(), bridge.lines(WARNING).len()), (0, 0));
    }
}

#[test]
fn forged_callback_to_another_spelling_is_rejected_and_counted() {
    let bridge = Bridge::start();
    for (number, spelling) in (1_u8..).zip(SPELLINGS) {
        let forged = Request::form(spelling, &fields("draft")).signed_with("another-token", PUBLIC_URL);
        assert_eq!(bridge.send(&forged).status, 403, "{spelling}");
        wait_for("it is counted", || (rejected(&bridge, "signature_mismatch") == f64::from(number)).then_some(()));
    }
    let unsigned = Request::form(SPELLINGS[0], &fields("draft"));
    assert_eq!((bridge.send(&unsigned).status, rejected(&bridge, "missing_signature")), (403, 1.0));
    assert_eq!(received(&bridge), 5.0);
    assert_eq!((bridge.events(0).len(), bridge.lines(WARNING).len()), (0, 0));
}

#[test]
fn paths_of_a_scanner_are_not_found_and_count_nowhere() {
    let bridge = Bridge::start();
    let counts = || {
        let page = bridge.ask_admin("/metrics").body;
        page.lines().filter(|line| line.starts_with("trusthub_callback")).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = counts();
    let slashes = "/".repeat(5_000);
    for path in [
        "/callbacks/customer-profiles/x",
        "/callbacks/customer-profiles/../customer-profiles",
        "/callbacks/customer%2Dprofiles",
        "/callbacks/%63ustomer-profiles",
        "/callbacks/customer-profiles%2F",
        "/callbacks/customer-profiles;a=b",
        "/callbacks/customer_profiles",
        "/x/callbacks/customer-profiles",
        "/callbacks/",
        "/CALLBACKS",
        &format!("{slashes}callbacks/customer-profiles"),
        &format!("/callbacks/customer-profiles{slashes}"),
        &format!("/callbacks{slashes}"),
    ] {
        assert_eq!(bridge.send(&sent_to(path, path)).status, 404, "{path}");
    }
    assert_eq!(counts(), before);
    let lines = bridge.lines_of_requests();
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn query_of_a_post_arrives_in_the_event_and_sets_no_field() {
    let bridge = Bridge::start();
    let target = format!("{PATH}?tenant=42&tenant=a%20b+c&Status=twilio-approved&Note=query");
    let form = Request::form(&target, &(fields("draft") + "&Note=body"));
    let json = json!({"AccountSid": ACCOUNT, "BundleSid": PROFILE, "Status": "draft", "Note": "body"}).to_string();
    for request in [form, Request::json(&target, &json)] {
        assert_eq!(bridge.send(&request.signed()).status, 204);
    }
    let extra = json!({"tenant": ["42", "a b c"], "Status": ["twilio-approved"], "Note": ["body", "query"]});
    for event in bridge.events(2).into_iter().map(value) {
        assert_eq!((&event["status"], &event["extra"]), (&json!("draft"), &extra));
    }
}

#[test]
fn registration_is_published_with_its_own_resource() {
    let bridge = Bridge::start();
    let body = json!({"accountSid": ACCOUNT, "id": PROFILE, "status": "IN_REVIEW", "friendlyName": "Ada"}).to_string();
    assert_eq!(bridge.send(&Request::json("/callbacks/compliance-registrations", &body).signed()).status, 204);
    let [event] = <[Record; 1]>::try_from(bridge.events(1)).unwrap();
    let event = value(event);
    assert_eq!((&event["resource"], &event["status"]), (&json!("compliance-registration"), &json!("in-review")));
    assert_eq!((&event["profile_sid"], &event["extra"]), (&json!(PROFILE), &json!({"friendlyName": ["Ada"]})));
}
