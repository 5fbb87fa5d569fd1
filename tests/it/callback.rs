//! The path of a callback, from the request to the record that a consumer reads from a real Kafka.

use std::{collections::BTreeSet, fs, time::SystemTime};

use serde_json::{Value, json};
use trusthub_bridge::domain::Timestamp;

use test_support::{ACCOUNT, Bridge, PROFILE, Request, kafka::Record, project_root, wait_for};

use crate::snapshots::assert_snapshot;

/// The folder with the requests, and with the snapshots of their records.
const FIXTURES: &str = "tests/fixtures/callbacks";

fn fixtures() -> Vec<(String, Value)> {
    let folder = project_root().join(FIXTURES);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|extension| extension == "json"))
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            (file.file_stem().unwrap().to_str().unwrap().to_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect()
}

/// The signed request of a fixture. `body_hash_in_query` adds the hash to the URL, as Twilio does for JSON.
fn request(fixture: &Value) -> Request {
    let text = |name: &str| fixture[name].as_str().unwrap();
    let request = match fixture["body_hash_in_query"].as_bool() {
        Some(true) => Request { headers: vec![], ..Request::json(text("target"), text("body")) },
        _ => Request::new(text("method"), text("target"), &[], text("body")),
    };
    let headers = fixture["headers"].as_array().unwrap();
    let request = headers
        .iter()
        .fold(request, |request, header| request.with(header[0].as_str().unwrap(), header[1].as_str().unwrap()));
    let is_form = headers.iter().any(|header| header[1].as_str().unwrap().contains("form"));
    if is_form { sign_as_form(request) } else { request.signed() }
}

fn sign_as_form(request: Request) -> Request {
    let body = String::from_utf8(request.body.clone()).unwrap();
    let signed = Request::form(&request.target, &body).signed();
    let signature = signed.headers.last().unwrap();
    request.with(&signature.0, &signature.1)
}

/// A record in the form of a snapshot. Values that differ between runs are checked and replaced by a fixed text.
fn golden(record: &Record, role: &str, began: Timestamp) -> Value {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut value: Value = serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap();
    let received: Timestamp = serde_json::from_value(value["received_at"].take()).unwrap();
    assert!(began <= received && received <= SystemTime::now().into(), "{received}");
    assert_eq!(record.timestamp_ms, received.unix_millis(), "the record's timestamp is the time of receipt");
    value["received_at"] = "RECEIVED".into();
    if let Some(headers) = value.get_mut("headers").and_then(Value::as_array_mut) {
        headers.sort_by_key(Value::to_string);
    }
    let headers = record.headers.iter().map(|(name, value)| match (name.as_str(), text(value)) {
        ("ce_time", time) if time == received.to_string() => json!([name, "RECEIVED"]),
        ("ce_id", id) if id.len() == 32 => json!([name, "ID"]),
        (_, value) => json!([name, value]),
    });
    json!({
        "topic": role, "key": record.key.as_deref().map(text), "headers": headers.collect::<Vec<_>>(), "value": value,
    })
}

/// `make records` updates the snapshots.
#[test]
fn each_request_becomes_its_golden_record() {
    for (name, fixture) in fixtures() {
        let bridge = Bridge::start();
        let began = SystemTime::now().into();
        let answer = bridge.send(&request(&fixture));
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{name}");
        let (events, dead_letters) = wait_for("a record", || {
            let (events, dead_letters) = (bridge.events(0), bridge.dead_letters(0));
            (events.len() + dead_letters.len() > 0).then_some((events, dead_letters))
        });
        let (role, record) = match (&events[..], &dead_letters[..]) {
            ([event], []) => ("events", event),
            ([], [dead_letter]) => ("dead_letters", dead_letter),
            other => panic!("{name}: {other:?}"),
        };
        assert_snapshot(FIXTURES, &name, &format!("{:#}", golden(record, role, began)));
    }
}

#[test]
fn every_method_and_encoding_is_accepted_on_every_path() {
    let bridge = Bridge::start();
    let mut expected = BTreeSet::new();
    for (path, resource) in [
        ("/callbacks/customer-profiles", "customer-profile"),
        ("/callbacks/trust-products", "trust-product"),
        ("/callbacks/regulatory-bundles", "regulatory-bundle"),
        ("/callbacks/compliance-registrations", "compliance-registration"),
    ] {
        let fields = |status: &str| format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status={status}");
        let json = json!({"AccountSid": ACCOUNT, "BundleSid": PROFILE, "Status": "in-review"}).to_string();
        for request in [
            Request::form(path, &fields("draft")),
            Request::json(path, &json),
            Request::get(&format!("{path}?{}", fields("twilio-approved"))),
        ] {
            assert_eq!(bridge.send(&request.signed()).status, 204, "{path}");
        }
        expected
            .extend(["draft", "in-review", "twilio-approved"].map(|status| (resource.to_owned(), status.to_owned())));
    }
    let values = bridge.events(12).into_iter().map(|record| {
        let value: Value = serde_json::from_slice(&record.payload.unwrap()).unwrap();
        (value["resource"].as_str().unwrap().to_owned(), value["status"].as_str().unwrap().to_owned())
    });
    assert_eq!(values.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn prefix_of_the_public_url_may_be_stripped_or_kept() {
    let base = "https://hooks.example.com/twilio/in";
    let bridge = Bridge::start_with(&[("PUBLIC_URL", base)]);
    let kept = Request { target: "/twilio/in/callbacks/customer-profiles".into(), ..Request::change("draft") };
    let signed = |status: &str| {
        let unsigned = Request { headers: vec![], ..Request::change(status) };
        unsigned.with("Content-Type", "application/x-www-form-urlencoded").signed_with(test_support::TOKEN, base)
    };
    let stripped = signed("draft");
    assert_eq!(bridge.send(&stripped).status, 204);
    assert_eq!(bridge.send(&Request { target: kept.target.clone(), ..signed("in-review") }).status, 204);
    assert_eq!(bridge.send(&kept).status, 403, "a signature for the URL without the prefix is for another URL");
    assert_eq!(bridge.events(2).len(), 2);
}

#[test]
fn old_and_new_public_urls_and_tokens_are_accepted_at_the_same_time() {
    let (old, new) = ("https://old.example.com", "https://new.example.com/in");
    let bridge =
        Bridge::start_with(&[("PUBLIC_URL", &format!("{new},{old}")), ("TWILIO_AUTH_TOKEN", "new-token,old-token")]);
    let unsigned = Request { headers: vec![], ..Request::change("draft") };
    let unsigned = unsigned.with("Content-Type", "application/x-www-form-urlencoded");
    for (base, token, key) in
        [(old, "old-token", "previous"), (new, "new-token", "current"), (new, "old-token", "previous")]
    {
        let series =
            format!(r#"trusthub_signatures_verified_total{{algorithm="hmac_sha1",construction="form",key="{key}"}}"#);
        let before = bridge.metric(&series);
        assert_eq!(bridge.send(&unsigned.clone().signed_with(token, base)).status, 204, "{base} {token}");
        assert_eq!(bridge.metric(&series), before + 1.0);
    }
}

#[test]
fn rejected_callbacks_leave_no_record() {
    let bridge = Bridge::start_with(&[("TWILIO_ACCOUNT_SID", ACCOUNT)]);
    let change = Request::change("draft");
    let unsigned = Request { headers: change.headers[..1].to_vec(), ..change.clone() };
    let foreign = format!("AccountSid=AC{}&BundleSid={PROFILE}&Status=draft", "9".repeat(32));
    for rejected in [
        unsigned.clone(),
        unsigned.clone().signed_with("another-token", test_support::PUBLIC_URL),
        unsigned.with("X-Twilio-Signature", "x"),
        Request { body: b"Status=draft".to_vec(), ..change.clone() },
        Request::form("/callbacks/customer-profiles", &foreign).signed(),
    ] {
        let answer = bridge.send(&rejected);
        assert_eq!((answer.status, answer.body.as_str()), (403, "Forbidden"), "{rejected:?}");
    }
    assert_eq!(bridge.send(&change).status, 204);
    assert_eq!(bridge.events(1).len(), 1);
    assert_eq!(bridge.dead_letters(0).len(), 0);
}

#[test]
fn events_of_one_profile_are_in_one_partition_in_the_order_of_receipt() {
    let bridge = Bridge::start();
    let statuses = ["draft", "pending-review", "in-review", "twilio-rejected", "pending-review", "twilio-approved"];
    for (number, status) in statuses.into_iter().enumerate() {
        let change = Request::change(status).with("I-Twilio-Idempotency-Token", &number.to_string());
        assert_eq!(bridge.send(&change).status, 204);
    }
    let records = bridge.events(statuses.len());
    assert!(records.iter().all(|record| record.partition == records[0].partition));
    let read = records.iter().map(|record| {
        let value: Value = serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap();
        value["status"].as_str().unwrap().to_owned()
    });
    assert_eq!(read.collect::<Vec<_>>(), statuses);
}

#[test]
fn keys_are_partitioned_as_by_java_clients() {
    let bridge = Bridge::start_with(&[("KAFKA_TOPIC_PARTITIONS", "16")]);
    // The partitions, of 16, that org.apache.kafka.common.utils.Utils.murmur2 yields for these keys.
    let chosen = [(1, 1), (2, 14), (3, 6), (4, 8)];
    for (digit, partition) in chosen {
        let profile = format!("BU{}", digit.to_string().repeat(32));
        assert_eq!(bridge.send(&Request::change_of(&profile, "draft")).status, 204);
        let records = bridge.events(digit);
        let record = records.iter().find(|record| record.key.as_deref() == Some(profile.as_bytes())).unwrap();
        assert_eq!(record.partition, partition, "{profile}");
    }
}
