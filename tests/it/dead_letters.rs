//! `trusthub-bridge dead-letters`: what a newer version understands, or what verifies now, becomes an event.

mod owners;

use std::{
    collections::BTreeSet,
    process::{Child, Output, Stdio},
    thread,
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::Value;

use test_support::{
    Bridge, PROFILE, Request, TIMEOUT, TOKEN,
    kafka::{Broker, Record, broker, unique_topic},
    program,
    proxy::Fault,
    wait_for,
};

use crate::faults::one_broker;

/// Not the token with which the callbacks are signed.
const WRONG_TOKEN: &str = "fedcba9876543210fedcba9876543210";
/// As many as report-only mode keeps at once.
const BURST: usize = 50;
/// Enough for a replay to be killed in the middle.
const FEW: usize = 10;
const PROFILES: usize = 5;

/// A service in its first days, with a token that is not the right one.
fn report_only() -> Bridge {
    Bridge::start_with(&[("SIGNATURE_MODE", "report-only"), ("TWILIO_AUTH_TOKEN", WRONG_TOKEN)])
}

/// Runs a command on dead letters with the right token.
fn dead_letters(bridge: &Bridge, arguments: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&["dead-letters"], arguments].concat();
    let Output { status, stdout, stderr } = bridge.command_with(&arguments, &[("TWILIO_AUTH_TOKEN", TOKEN)]);
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn succeeded((code, stdout, stderr): (Option<i32>, String, String)) -> (String, String) {
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    (stdout, stderr)
}

/// Fills the dead-letter topic with callbacks that verify with the right token.
fn keep_unverified(bridge: &Bridge, kafka: &Broker, count: usize) -> Vec<Record> {
    for number in 0..count {
        let profile = format!("BU{:032}", number % PROFILES);
        let status = ["in-review", "twilio-approved", "twilio-rejected"][number / PROFILES % 3];
        assert_eq!(bridge.send(&Request::change_of(&profile, status)).status, 204, "{number}");
    }
    kafka.wait_for_records(&bridge.dead_letter_topic, count, TIMEOUT)
}

/// The letter as an older version would have kept it, which did not understand it.
fn as_not_understood(bridge: &Bridge, letter: &Record, id: &str, value: &Value) {
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", broker().bootstrap()).create().unwrap();
    let headers = [
        ("reason", "missing_status"),
        ("ce_id", id),
        ("ce_time", letter.header("ce_time").unwrap()),
        ("construction", "form"),
    ];
    let headers = headers
        .iter()
        .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value.as_bytes()) }));
    let value = value.to_string();
    let record = BaseRecord::to(&bridge.dead_letter_topic).key(PROFILE).payload(&value).headers(headers);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}

fn value(record: &Record) -> Value {
    serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap()
}

fn position(record: &Record) -> String {
    format!("{}/{}", record.partition, record.offset)
}

/// The only line with this text.
fn line_with<'o>(output: &'o str, text: &str) -> &'o str {
    let mut lines = output.lines().filter(|line| line.contains(text));
    let line = lines.next().unwrap_or_else(|| panic!("no line has {text}:\n{output}"));
    assert_eq!(lines.next(), None, "{output}");
    line
}

#[test]
fn letters_become_events_with_their_id_and_time_once_they_can() {
    const UNDERSTOOD: &str = "00000000000000000000000000000001";
    const CUT: &str = "00000000000000000000000000000002";
    let bridge = report_only();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    let unverified = bridge.dead_letters(1).remove(0);
    let form = "AccountSid=AC00000000000000000000000000000001&BundleSid=BU00000000000000000000000000000002";
    let without_status = Request::form("/callbacks/customer-profiles", form);
    assert_eq!(bridge.send(&without_status.signed_with(WRONG_TOKEN, test_support::PUBLIC_URL)).status, 204);
    let mut request = value(&unverified);
    as_not_understood(&bridge, &unverified, UNDERSTOOD, &request);
    request["cut_from_bytes"] = 4_000_000.into();
    as_not_understood(&bridge, &unverified, CUT, &request);
    let letters = bridge.dead_letters(4);
    let of = |id: &str| position(letters.iter().find(|letter| letter.header("ce_id") == Some(id)).unwrap());

    let (dry_run, said) = succeeded(dead_letters(&bridge, &["replay", "--dry-run"]));
    assert!(
        said.contains("4 dead letters: 2 would become events, 1 was cut, so it stays, 1 stays (1 missing_status)"),
        "{said}"
    );
    assert_eq!(dry_run.matches("would become an event").count(), 2, "{dry_run}");
    assert!(line_with(&dry_run, &of(CUT)).ends_with("cut: its request is incomplete"), "{dry_run}");
    assert!(line_with(&dry_run, "stays").ends_with("stays: missing_status"), "{dry_run}");
    assert_eq!(bridge.events(0).len(), 0, "a dry run publishes nothing");

    let (replayed, said) = succeeded(dead_letters(&bridge, &["replay"]));
    assert!(said.contains("2 became events"), "{said}");
    let events = bridge.events(2);
    assert_eq!(events.len(), 2);
    for id in [unverified.header("ce_id").unwrap(), UNDERSTOOD] {
        let event = events.iter().find(|event| event.header("ce_id") == Some(id)).unwrap();
        assert_eq!(event.header("ce_time"), unverified.header("ce_time"));
        assert_eq!(event.header("ce_type"), Some("io.trusthub-bridge.profile.status-changed.v1"));
        assert_eq!(event.key.as_deref(), Some(PROFILE.as_bytes()));
        let data = value(event);
        assert_eq!((&data["status"], &data["origin"]), (&"in-review".into(), &"callback".into()));
        assert_eq!(data["received_at"].as_str(), event.header("ce_time"));
        let result = format!("published as {}", position(event));
        assert!(line_with(&replayed, &format!("{:8} ", of(id))).ends_with(&result), "{replayed}");
    }

    let (again, said) = succeeded(dead_letters(&bridge, &["replay"]));
    assert!(said.contains("2 are events already"), "{said}");
    assert_eq!(again.matches("is an event already").count(), 2, "{again}");
    assert_eq!(bridge.events(2).len(), 2);
    let (listed, _) = succeeded(dead_letters(&bridge, &["ls"]));
    assert_eq!(listed.lines().filter(|line| line.ends_with(" done")).count(), 2, "{listed}");
    assert!(listed.lines().all(|line| line.chars().count() <= 80), "{listed}");
}

#[test]
fn show_has_the_request_without_its_signature_and_the_diagnosis() {
    let bridge = report_only();
    let elsewhere = Request::change("in-review").signed_with(WRONG_TOKEN, "https://other.example.com");
    let elsewhere = Request { headers: elsewhere.headers[..1].to_vec(), ..elsewhere }
        .signed_with(TOKEN, "https://other.example.com");
    let elsewhere = elsewhere.with("X-Forwarded-Host", "other.example.com").with("X-Odd", "\u{9b}31m");
    assert_eq!(bridge.send(&elsewhere).status, 204);
    let letter = bridge.dead_letters(1).remove(0);
    for name in [position(&letter), letter.header("ce_id").unwrap().to_owned()] {
        let (shown, _) = succeeded(dead_letters(&bridge, &["show", &name]));
        let headers = value(&letter)["headers"].to_string();
        let signature = headers.split('"').skip_while(|text| *text != "x-twilio-signature").nth(2).unwrap();
        assert!(!shown.contains(signature) && shown.contains("x-twilio-signature: [redacted]"), "{shown}");
        assert!(shown.contains("POST /callbacks/customer-profiles") && shown.contains("Status=in-review"), "{shown}");
        assert!(line_with(&shown, "  replay ").contains("stays: its signature does not match"), "{shown}");
        assert!(line_with(&shown, "  diagnosis ").contains("other.example.com"), "{shown}");
        assert!(!shown.contains('\u{9b}'), "text from outside is escaped: {shown}");
    }
    assert_eq!(dead_letters(&bridge, &["show", "0/4711"]).0, Some(1));
}

#[test]
fn filters_select_letters_by_reason_time_and_profile() {
    let bridge = report_only();
    let letters = keep_unverified(&bridge, broker(), 2 * PROFILES);
    let count = |filters: &[&str]| {
        let (listed, _) = succeeded(dead_letters(&bridge, &[&["ls", "--json"], filters].concat()));
        let lines: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(
            lines.iter().all(|line| line["replay"] == "event" && line["resource"] == "customer-profile"),
            "{listed}"
        );
        lines.len()
    };
    assert_eq!(count(&[]), letters.len());
    assert_eq!(count(&["--reason", "signature_failed", "--since", "1h"]), letters.len());
    assert_eq!(count(&["--reason", "missing_status"]), 0);
    assert_eq!(count(&["--since", "2999-01-01T00:00:00Z"]), 0);
    assert_eq!(count(&["--profile", &format!("BU{:032}", 3)]), 2);
    succeeded(dead_letters(&bridge, &["replay", &position(&letters[4])]));
    let events = bridge.events(1);
    assert_eq!((events.len(), events[0].header("ce_id")), (1, letters[4].header("ce_id")));
    let (code, _, said) = dead_letters(&bridge, &["replay", &position(&letters[4]), "0/4711"]);
    assert!(code == Some(1) && said.contains("there is no dead letter at 0/4711 that"), "{said}");
    let (code, _, said) = dead_letters(&bridge, &["ls", "--reason", "odd"]);
    assert!(code == Some(2) && said.contains("signature_failed"), "{said}");
}

/// A callback that Twilio repeats has one token and one event, even if it was kept twice.
#[test]
fn repeated_letters_of_one_callback_become_one_event() {
    let bridge = report_only();
    let callback = Request::change("in-review").with("I-Twilio-Idempotency-Token", "one");
    for _ in 0..2 {
        assert_eq!(bridge.send(&callback).status, 204);
    }
    let letters = bridge.dead_letters(2);
    let latest = letters.iter().max_by_key(|letter| letter.header("ce_time")).unwrap();
    succeeded(dead_letters(&bridge, &["replay", &position(latest)]));
    let (_, said) = succeeded(dead_letters(&bridge, &["replay"]));
    assert!(said.contains("2 are events already"), "{said}");
    assert_eq!(bridge.events(1).len(), 1);
}

/// Starts a replay whose output can be read.
fn start_replay(bridge: &Bridge) -> Child {
    bridge.spawn_with(&["dead-letters", "replay"], &[("TWILIO_AUTH_TOKEN", TOKEN)])
}

/// Each letter is exactly one event, in the order of receipt within its profile, and `ls` names its position.
fn assert_each_letter_is_one_event(bridge: &Bridge, kafka: &Broker, letters: &[Record]) {
    let ids = |records: &[Record]| -> Vec<String> {
        let mut ids: Vec<_> = records.iter().map(|record| record.header("ce_id").unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    let events = kafka.read_to_end(&bridge.topic);
    assert_eq!(ids(&events), ids(letters));
    for profile in events.iter().map(|event| &event.key).collect::<BTreeSet<_>>() {
        let times: Vec<_> =
            events.iter().filter(|event| event.key == *profile).map(|event| event.header("ce_time")).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
    let (listed, _) = succeeded(dead_letters(bridge, &["ls", "--json"]));
    for line in listed.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let event = events.iter().find(|event| event.header("ce_id") == line["ce_id"].as_str()).unwrap();
        let named = (line["event"]["partition"].as_i64(), line["event"]["offset"].as_i64());
        assert_eq!(named, (Some(event.partition.into()), Some(event.offset)));
    }
}

#[test]
fn replay_that_is_killed_at_any_moment_makes_one_event_of_each_letter() {
    let moments = [
        ("before Kafka has an event", Fault::HoldProduce(1), 0),
        ("before the second event is acknowledged", Fault::HoldAcknowledgement(2), 2),
        ("after the third event is acknowledged", Fault::HoldProduce(4), 3),
    ];
    thread::scope(|scope| {
        for (moment, fault, written) in moments {
            scope.spawn(move || assert_replay_survives_a_kill(moment, fault, written));
        }
    });
}

/// Kills a replay when this fault holds what it sends or awaits, and Kafka has this many events.
fn assert_replay_survives_a_kill(moment: &str, fault: Fault, written: usize) {
    let (kafka, network) = (one_broker().direct(), one_broker().take_fault_proxy());
    let direct = ("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap());
    let bridge = Bridge::start_with(&[("SIGNATURE_MODE", "report-only"), ("TWILIO_AUTH_TOKEN", WRONG_TOKEN), direct]);
    let letters = keep_unverified(&bridge, kafka, FEW);
    network.set(fault);
    let (Fault::HoldProduce(requests) | Fault::HoldAcknowledgement(requests)) = fault else { unreachable!() };
    let proxied = network.bootstrap();
    let variables = [("TWILIO_AUTH_TOKEN", TOKEN), ("KAFKA_BOOTSTRAP_SERVERS", proxied.as_str())];
    let mut replay = bridge.spawn_with(&["dead-letters", "replay"], &variables);
    wait_for(moment, || (network.produce_count() >= requests).then_some(()));
    assert_eq!(kafka.wait_for_records(&bridge.topic, written, TIMEOUT).len(), written, "{moment}");
    replay.kill().unwrap();
    replay.wait().unwrap();
    network.set(Fault::None);
    let output = wait_for("Kafka gives up the killed replay", || {
        Some(dead_letters(&bridge, &["replay"]))
            .filter(|(_, _, stderr)| !stderr.contains("another process is replaying dead letters"))
    });
    let (_, said) = succeeded(output);
    assert!(said.contains("became events"), "{moment}: {said}");
    assert_each_letter_is_one_event(&bridge, kafka, &letters);
}

#[test]
fn two_replays_at_once_make_one_event_of_each_letter() {
    let bridge = report_only();
    let letters = keep_unverified(&bridge, broker(), BURST);
    let outputs = [(); 2].map(|()| start_replay(&bridge)).map(|replay| replay.wait_with_output().unwrap());
    let done = outputs.iter().filter(|output| output.status.success()).count();
    assert!(done >= 1, "{outputs:?}");
    for output in outputs.iter().filter(|output| !output.status.success()) {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("another process is replaying dead letters"), "{said}");
    }
    assert_each_letter_is_one_event(&bridge, broker(), &letters);
}

#[test]
fn event_that_its_topic_rejected_is_published_once_the_topic_accepts_it() {
    let topic = unique_topic("narrow");
    broker().create_narrow_topic(&topic, 2_048);
    let bridge = Bridge::start_with(&[("KAFKA_TOPIC", &topic)]);
    let long = "x".repeat(4_000);
    let form = format!("AccountSid=AC00000000000000000000000000000001&BundleSid={PROFILE}&Status=draft&Odd={long}");
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", &form).signed()).status, 204);
    let letter = bridge.dead_letters(1).remove(0);
    assert_eq!(letter.header("reason"), Some("refused_by_topic"));
    let (rejected, _) = succeeded(dead_letters(&bridge, &["replay"]));
    assert!(rejected.contains("stays: refused_by_topic"), "{rejected}");
    broker().alter_topic(&topic, &[("max.message.bytes", "1048576")]);
    succeeded(dead_letters(&bridge, &["replay"]));
    let event = broker().wait_for_records(&topic, 1, TIMEOUT).remove(0);
    assert_eq!(event.header("ce_id"), letter.header("ce_id"));
    assert_eq!(value(&event)["extra"]["Odd"][0], long);
}

#[test]
fn missing_topic_and_missing_variables_are_named() {
    let missing = unique_topic("missing");
    let bridge = report_only();
    let arguments = ["dead-letters", "ls"];
    let output = bridge.command_with(&arguments, &[("KAFKA_DEAD_LETTER_TOPIC", &missing)]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains(&format!("topic {missing} does not exist")), "{said}");
    let output = program().args(arguments).stdout(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for variable in ["KAFKA_BOOTSTRAP_SERVERS: ", "PUBLIC_URL: ", "TWILIO_AUTH_TOKEN: "] {
        assert!(said.contains(variable), "{said}");
    }
}
