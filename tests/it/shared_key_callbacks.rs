//! Callbacks that a SharedKey signed: which are accepted, how they are counted, and what the operator is told.

use std::{fs, path::Path};

use serde_json::Value;
use twilio_signature::{Algorithm, SharedKey};

use test_support::{Bridge, Request, TOKEN, kafka::unique_topic, program, wait_for};

const SETTINGS: &str = "X-Twilio-Webhooks-Signature-Settings";
const FIRST: &str = "webhooks_sharedkey_1=first-secret";
const SECOND: &str = "webhooks_sharedkey_2:HMAC_SHA256=second-secret";

fn key(setting: &str) -> SharedKey {
    SharedKey::parse(setting).unwrap()
}

/// A genuine change without a signature.
fn change() -> Request {
    let genuine = Request::change("draft");
    Request { headers: genuine.headers[..1].to_vec(), ..genuine }
}

fn signed(setting: &str, algorithm: Algorithm) -> Request {
    change().signed_with_shared_key(&key(setting), algorithm)
}

fn verified(bridge: &Bridge, key: &str, algorithm: &str) -> f64 {
    bridge.metric(&format!(
        r#"trusthub_signatures_verified_total{{algorithm="{algorithm}",construction="form",key="{key}"}}"#
    ))
}

fn rejected(bridge: &Bridge, reason: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_callbacks_rejected_total{{reason="{reason}"}}"#))
}

/// The header with the settings replaced.
fn with_settings(request: Request, settings: Option<&str>) -> Request {
    let headers = request.headers.into_iter().filter(|(name, _)| name != SETTINGS).collect();
    let request = Request { headers, ..request };
    match settings {
        Some(settings) => request.with(SETTINGS, settings),
        None => request,
    }
}

#[test]
fn shared_keys_and_tokens_are_accepted_and_counted_by_kind() {
    let bridge = Bridge::start_with(&[("TWILIO_SHARED_KEYS", &format!("{FIRST},{SECOND}"))]);
    for (request, key, algorithm) in [
        (signed(FIRST, Algorithm::HmacSha1), "shared", "hmac_sha1"),
        (signed(FIRST, Algorithm::HmacSha256), "shared", "hmac_sha256"),
        (Request::change("draft"), "current", "hmac_sha1"),
    ] {
        let before = verified(&bridge, key, algorithm);
        assert_eq!(bridge.send(&request).status, 204, "{request:?}");
        assert_eq!(verified(&bridge, key, algorithm), before + 1.0);
    }
    assert_eq!(bridge.send(&signed(SECOND, Algorithm::HmacSha256)).status, 204);
    for (request, reason) in [
        (signed(SECOND, Algorithm::HmacSha1), "algorithm_not_allowed"),
        (signed("webhooks_sharedkey_3=x", Algorithm::HmacSha1), "unknown_shared_key"),
        (
            with_settings(signed(FIRST, Algorithm::HmacSha1), Some("key=webhooks_sharedkey_1,algorithm=x")),
            "unknown_algorithm",
        ),
        (
            with_settings(signed(FIRST, Algorithm::HmacSha1), Some("algorithm=HMAC_SHA1")),
            "malformed_signature_settings",
        ),
        (with_settings(signed(FIRST, Algorithm::HmacSha256), None), "malformed_signature"),
    ] {
        assert_eq!(bridge.send(&request).status, 403, "{reason}");
        wait_for(reason, || (rejected(&bridge, reason) == 1.0).then_some(()));
    }
}

#[test]
fn lost_settings_header_is_diagnosed_without_the_secret() {
    let bridge = Bridge::start_with(&[("TWILIO_AUTH_TOKEN", ""), ("TWILIO_SHARED_KEYS", FIRST)]);
    assert_eq!(bridge.send(&with_settings(signed(FIRST, Algorithm::HmacSha256), None)).status, 403);
    let line: Value = serde_json::from_str(&bridge.wait_for_log("signature would match")).unwrap();
    assert_eq!(line["reason"], "malformed_signature");
    let diagnosis = line["diagnosis"].as_str().unwrap();
    let expected = "the SharedKey webhooks_sharedkey_1 signed it with HMAC_SHA256, but the header \
                    X-Twilio-Webhooks-Signature-Settings is missing; configure the proxy";
    assert!(diagnosis.contains(expected), "{diagnosis}");
    assert!(!bridge.log().join("\n").contains("first-secret"));
}

#[test]
fn file_of_shared_keys_is_read_again_when_it_changes() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("shared-keys"));
    fs::write(&file, FIRST).unwrap();
    let bridge = Bridge::start_with(&[("TWILIO_AUTH_TOKEN", ""), ("TWILIO_SHARED_KEYS_FILE", file.to_str().unwrap())]);
    let status = |setting| bridge.send(&signed(setting, Algorithm::HmacSha256)).status;
    assert_eq!([status(FIRST), status(SECOND)], [204, 403]);
    for (content, [first, second]) in [(format!("{FIRST},{SECOND}"), [204, 204]), (SECOND.to_owned(), [403, 204])] {
        fs::write(&file, content).unwrap();
        wait_for("the file is used", || ([status(FIRST), status(SECOND)] == [first, second]).then_some(()));
    }
    fs::remove_file(&file).unwrap();
}

#[test]
fn headers_printed_by_sign_are_explained_with_the_key_that_they_name() {
    let url = "https://hooks.example.com/callbacks/customer-profiles";
    let body = String::from_utf8(change().body).unwrap();
    let output = program().args(["sign", "--url", url, "--body", &body, "--shared-key", FIRST]).output().unwrap();
    let headers = String::from_utf8(output.stdout).unwrap();
    let headers: Vec<_> = headers.lines().collect();
    assert_eq!(headers[1], "X-Twilio-Webhooks-Signature-Settings: key=webhooks_sharedkey_1,algorithm=HMAC_SHA256");
    let explain = |headers: &[&str], keys: &str| {
        let headers = headers.iter().flat_map(|header| ["-H", header]);
        let mut command = program();
        command.args(["explain", "--url", url, "--body", &body]).args(headers).env("TWILIO_SHARED_KEYS", keys);
        let output = command.env("TWILIO_AUTH_TOKEN", TOKEN).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!text.contains("secret"), "{text}");
        text
    };
    let matching =
        "matches: construction form, shared key (webhooks_sharedkey_1 of TWILIO_SHARED_KEYS with HMAC_SHA256)";
    assert!(explain(&headers, FIRST).contains(matching));
    let bound = explain(&headers, "webhooks_sharedkey_1:HMAC_SHA1=first-secret");
    assert!(bound.contains("rejected as algorithm_not_allowed") && bound.contains("so that only this one is tried"));
    let unknown = explain(&headers, "webhooks_sharedkey_9=first-secret");
    assert!(unknown.contains("rejected as unknown_shared_key"), "{unknown}");
    assert!(unknown.contains("another key: signed with webhooks_sharedkey_9 of TWILIO_SHARED_KEYS"), "{unknown}");
    let lost = explain(&headers[..1], FIRST);
    assert!(lost.contains("has no X-Twilio-Webhooks-Signature-Settings header, so that only auth tokens"), "{lost}");
    let foreign = explain(&headers, "webhooks_sharedkey_1=other");
    assert!(foreign.contains("rejected as signature_mismatch") && foreign.contains("near miss: none"), "{foreign}");
}
