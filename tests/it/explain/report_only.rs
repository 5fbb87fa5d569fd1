//! The supported way to capture a request: report-only mode, the dead-letter topic, and `explain`.

use serde_json::{Value, json};

use test_support::{Bridge, PUBLIC_URL, Request, TOKEN, kafka::Record};

use super::{Explanation, FORM, ROUTE, explain};

/// The record as `kcat -J` prints it.
fn kcat_line(record: &Record) -> String {
    let headers = record.headers.iter().flat_map(|(name, value)| [name.clone(), text(value)]);
    json!({
        "topic": record.topic, "partition": record.partition, "offset": record.offset, "tstype": "create",
        "ts": record.timestamp_ms, "broker": 1, "headers": headers.collect::<Vec<_>>(), "key": null,
        "payload": text(record.payload.as_ref().unwrap()),
    })
    .to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn dead_letter_of_an_unverified_callback_is_explained_with_its_cause() {
    let bridge = Bridge::start_with(&[("SIGNATURE_MODE", "report-only")]);
    let http = PUBLIC_URL.replace("https", "http");
    for (base, token) in [(PUBLIC_URL, "another-token"), (http.as_str(), TOKEN)] {
        assert_eq!(bridge.send(&Request::form(ROUTE, FORM).signed_with(token, base)).status, 204);
    }
    let letters = bridge.dead_letters(2);
    let variables = [("PUBLIC_URL", PUBLIC_URL), ("TWILIO_AUTH_TOKEN", TOKEN)];
    let explained: Vec<_> =
        letters.iter().map(|letter| explain(&[], &variables, format!("{}\n", kcat_line(letter)).as_bytes())).collect();
    for explained in &explained {
        explained.ends(1, "does not match").says("would be answered 403: it is rejected as ");
    }
    let is_explained = |reason: &str, cause: &str| {
        explained.iter().any(|Explanation { stdout, .. }| stdout.contains(reason) && stdout.contains(cause))
    };
    assert!(is_explained("rejected as url_mismatch", "near miss (scheme)"));
    assert!(is_explained("rejected as signature_mismatch", "Check that the token is the primary"));
    let same_mode = [&variables[..], &[("SIGNATURE_MODE", "report-only")]].concat();
    let explained = explain(&[], &same_mode, &letters[0].payload.clone().unwrap());
    explained.ends(1, "does not match").says("204: it becomes a dead letter, with the reason signature_failed");
}

#[test]
fn answer_to_an_unverified_callback_of_any_size_is_that_of_the_service() {
    let mode = ("SIGNATURE_MODE", "report-only");
    let bridge = Bridge::start_with(&[mode]);
    for (bytes, status) in [(1000, 204), (20_000, 403)] {
        let form = format!("{FORM}&a={}", "x".repeat(bytes));
        let request = Request::form(ROUTE, &form).signed_with("another-token", PUBLIC_URL);
        assert_eq!(bridge.send(&request).status, status);
        let variables = [("PUBLIC_URL", PUBLIC_URL), ("TWILIO_AUTH_TOKEN", TOKEN), mode];
        let explained = explain(&[], &variables, &request.bytes());
        assert_eq!(explained.status(), status, "{}", explained.stdout);
    }
}

#[test]
fn only_an_unverified_callback_keeps_its_signature_in_its_dead_letter() {
    let bridge = Bridge::start_with(&[("SIGNATURE_MODE", "report-only")]);
    assert_eq!(bridge.send(&Request::form(ROUTE, "Status=draft").signed()).status, 204);
    assert_eq!(bridge.send(&Request::form(ROUTE, "Status=draft").signed_with("other", PUBLIC_URL)).status, 204);
    for letter in bridge.dead_letters(2) {
        let value: Value = serde_json::from_slice(letter.payload.as_ref().unwrap()).unwrap();
        let names: Vec<_> = value["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
        let is_kept = letter.header("reason") == Some("signature_failed");
        assert_eq!(names.contains(&"x-twilio-signature"), is_kept, "{names:?}");
    }
}

#[test]
fn spool_show_hides_the_signature_of_a_dead_letter() {
    let bridge = Bridge::launch(&[
        ("SIGNATURE_MODE", "report-only"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("KAFKA_ACK_TIMEOUT_MS", "100"),
    ]);
    bridge.wait_until_ready();
    let request = Request::form(ROUTE, FORM).signed_with("another-token", PUBLIC_URL);
    let signature = request.headers.last().unwrap().1.clone();
    assert_eq!(bridge.send(&request).status, 204);
    let shown = bridge.command(&["spool", "show", "1"]);
    let shown = text(&shown.stdout);
    assert!(shown.contains("signature_failed") && shown.contains("[redacted]"), "{shown}");
    assert!(!shown.contains(&signature), "{shown}");
}
