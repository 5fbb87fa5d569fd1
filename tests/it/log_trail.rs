//! From a log line to its record: what the line of a callback says about it, and where the record is.

use serde_json::{Value, json};

use test_support::{
    ACCOUNT, Bridge, PROFILE, Request, TIMEOUT,
    kafka::{Broker, Record},
    wait_for,
};

const PATH: &str = "/callbacks/customer-profiles";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const DRAINED: &str = "published a record of the spool";

/// A signed rejection with two codes, and with a name in its words.
fn rejection() -> Request {
    let reason = "FailureReason=Jane+Doe&Errors=%5B%7B%22code%22%3A18602%7D%2C%7B%22code%22%3A18038%7D%5D";
    let body = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=twilio-rejected&{reason}");
    Request::form(PATH, &body).signed().with("traceparent", TRACE).with("I-Twilio-Idempotency-Token", "t-1")
}

/// Checks that the line has the position of the record.
fn assert_leads_to(line: &Value, record: &Record) {
    assert_eq!(
        [&line["topic"], &line["partition"], &line["offset"]],
        [&json!(record.topic), &json!(record.partition), &json!(record.offset)],
        "{line}"
    );
}

#[test]
fn line_of_a_rejection_has_its_codes_and_leads_to_the_record() {
    let bridge = Bridge::start();
    assert_eq!(bridge.send(&rejection()).status, 204);
    assert_eq!(bridge.send(&rejection()).status, 204);
    let records = bridge.events(1);
    let lines = wait_for("both lines", || Some(bridge.lines("callback")).filter(|lines| lines.len() >= 2));
    let outcomes = lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect::<Vec<_>>();
    let outcome_of = |outcome: &str| &lines[outcomes.iter().position(|known| *known == outcome).unwrap()];
    let line = outcome_of("published");
    assert_eq!(line["codes"], "18602,18038");
    assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(line["ce_id"].as_str(), records[0].header("ce_id"));
    assert_eq!((&line["status"], &line["profile_sid"]), (&json!("twilio-rejected"), &json!(PROFILE)));
    assert_leads_to(line, &records[0]);
    for name in ["duration_ms", "delivery_ms"] {
        let text = line[name].to_string();
        assert_eq!(text.rsplit_once('.').map(|(_, decimals)| decimals.len()), Some(1), "{name}: {text}");
    }
    assert!(!bridge.log().join("\n").contains("Jane"), "personal data in the log");
    let repeat = outcome_of("duplicate");
    assert!(repeat["ce_id"] == line["ce_id"] && repeat["offset"].is_null(), "{repeat}");
}

#[test]
fn line_of_a_dead_letter_leads_to_the_dead_letter() {
    let bridge = Bridge::start();
    assert_eq!(bridge.send(&Request::form(PATH, "a=b").signed()).status, 204);
    let records = bridge.dead_letters(1);
    let lines = wait_for("the line", || Some(bridge.lines("callback")).filter(|lines| !lines.is_empty()));
    assert_eq!(lines[0]["reason"].as_str(), records[0].header("reason"));
    assert_leads_to(&lines[0], &records[0]);
}

#[test]
fn line_of_an_outage_has_the_reason_and_a_later_one_the_position() {
    let mut kafka = Broker::not_started("log-trail");
    let bootstrap = kafka.bootstrap().to_owned();
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", &bootstrap), ("KAFKA_ACK_TIMEOUT_MS", "300")]);
    assert_eq!(bridge.send(&rejection()).status, 204);
    assert_eq!(bridge.send(&Request::form(PATH, "a=b").signed()).status, 204);
    let lines = wait_for("both lines", || Some(bridge.lines("callback")).filter(|lines| lines.len() == 2));
    let fields = |line: &Value| ["level", "outcome", "reason"].map(|name| line[name].as_str().map(str::to_owned));
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(fields(&lines[0]), [text("INFO"), text("spooled"), None]);
    assert_eq!(fields(&lines[1]), [text("WARN"), text("spooled"), text("missing_profile_sid")]);
    assert!(lines.iter().all(|line| line["offset"].is_null()), "{lines:?}");

    kafka.start_again();
    let drained = bridge.wait_for_lines(DRAINED, 2);
    let of_topic = |topic: &str| drained.iter().find(|line| line["topic"] == topic).unwrap();
    let (event, dead_letter) = (of_topic(&bridge.topic), of_topic(&bridge.dead_letter_topic));
    assert_eq!((&event["ce_id"], &event["profile_sid"]), (&lines[0]["ce_id"], &json!(PROFILE)));
    // A record that is acknowledged late is there twice; the line names the one that was acknowledged.
    let record_of = |line: &Value, topic: &str| {
        let records = kafka.wait_for_records(topic, 1, TIMEOUT);
        let is_named = |record: &Record| line["partition"] == record.partition && line["offset"] == record.offset;
        let found = records.into_iter().find(is_named);
        found.unwrap_or_else(|| panic!("no record for {line}"))
    };
    assert_eq!(event["topic"], bridge.topic.as_str());
    assert_eq!(event["ce_id"].as_str(), record_of(event, &bridge.topic).header("ce_id"));
    assert_eq!(dead_letter["reason"], "missing_profile_sid");
    assert_eq!(record_of(dead_letter, &bridge.dead_letter_topic).header("reason"), Some("missing_profile_sid"));
}
