//! What the history of the topic contains, and how gaps in it are treated.

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};
use serde_json::{Value, json};
use trusthub_bridge::domain::EVENT_TYPE;

use test_support::{
    ACCOUNT, Bridge, Request, TIMEOUT, TOKEN,
    kafka::{Broker, broker, unique_topic},
    latest_statuses,
    reconcile::Fixture,
    wait_for,
};

use super::found;

#[test]
fn first_run_publishes_no_past_changes_without_baseline() {
    let fixture = Fixture::with(&[], &[]);
    fixture.simulator.post("/simulator/profiles", "count=3&status=twilio-approved");
    fixture.simulator.post("/simulator/profiles", "count=2");
    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    assert_eq!((run.published(), run.rows.len()), (0, 3), "{run:?}");
    assert!(run.rows.iter().all(|row| row.contains("history too short") && row.len() <= 100), "{run:?}");
    assert!(run.told.contains("3 last changed before the topic's history starts"), "{run:?}");

    assert_eq!(fixture.reconcile(&["--baseline"]).published(), 3, "a draft without history is no difference");
    let records = fixture.bridge.events(3);
    assert_eq!(found(&records).len(), 3);
    assert!(latest_statuses(&records).values().all(|status| status == "twilio-approved"));
    assert_eq!(fixture.reconcile(&["--baseline"]).published(), 0);
}

#[test]
fn changes_before_the_first_record_are_not_published_and_later_ones_are() {
    let fixture = Fixture::with(&[], &[]);
    let before = fixture.create_missed();
    // Trust Hub reports whole seconds.
    fixture.begin_history();
    let after = fixture.create_missed();
    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    assert_eq!(run.published(), 1);
    assert!(run.rows.iter().any(|row| row.starts_with(&after) && row.contains("published")), "{run:?}");
    assert!(run.rows.iter().any(|row| row.starts_with(&before) && row.contains("history too short")), "{run:?}");
}

#[test]
fn expired_changes_are_not_published_again_and_recent_ones_are() {
    // Deletes the events, as if they had exceeded the retention time.
    let topic = unique_topic("expiring");
    broker().create_topic_with(&topic, 3, &[("retention.ms", "200000")]);
    let fixture = Fixture::with(&[], &[("KAFKA_TOPIC", &topic)]);
    fixture.begin_history();
    fixture.create_missed();
    broker().delete_records(&topic);
    // More than the age that callbacks may have, and so much less than the retention that the test may take its time.
    fixture.machine.set_clock(130);
    assert_eq!(fixture.reconcile(&["--dry-run"]).told.matches(": 2 missed").count(), 1, "younger than the retention");
    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    assert_eq!((run.published(), run.rows.len()), (0, 2), "{run:?}");
    assert!(run.rows.iter().all(|row| row.contains("history too short") && row.len() <= 100), "{run:?}");
}

#[test]
fn compacted_topic_contains_the_last_status_of_every_profile() {
    let private = Broker::start("compacting", &[("log.cleaner.backoff.ms", "100")]);
    let topic = unique_topic("compacted");
    let compact = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("segment.ms", "100"),
        ("max.compaction.lag.ms", "100"),
    ];
    private.create_topic_with(&topic, 1, &compact);
    let fixture = Fixture::with(&[], &[("KAFKA_BOOTSTRAP_SERVERS", private.bootstrap()), ("KAFKA_TOPIC", &topic)]);
    let unchanged = fixture.simulator.create(&fixture.url);
    fixture.simulator.submit(&unchanged);
    let approved = fixture.simulator.create(&fixture.url);
    fixture.simulator.submit(&approved);
    fixture.simulator.control(&approved, "approve", "");
    fixture.simulator.settle();
    let mut number = 0;
    wait_for("the topic to be compacted", || {
        // Compaction skips the active segment, so new records must follow.
        number += 1;
        let more = format!("{}&FailureReason={number}", callback_of(OTHER));
        let more = Request::form("/callbacks/customer-profiles", &more);
        assert_eq!(fixture.bridge.send(&more.signed_with(TOKEN, base(&fixture))).status, 204);
        let records = private.wait_for_records(&topic, 1, TIMEOUT);
        (records.iter().filter(|record| record.key.as_deref() == Some(approved.as_bytes())).count() == 1).then_some(())
    });
    let missed = fixture.create_missed();
    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    assert_eq!(run.published(), 1);
    assert!(run.rows[0].starts_with(&missed), "{run:?}");
    let mut view = latest_statuses(&private.wait_for_records(&topic, 1, TIMEOUT));
    view.remove(OTHER);
    assert_eq!(view, fixture.state());
}

/// A profile that is not in the simulator.
const OTHER: &str = "BUffffffffffffffffffffffffffffffff";

fn callback_of(profile: &str) -> String {
    format!("AccountSid={ACCOUNT}&BundleSid={profile}&Status=draft")
}

fn base(fixture: &Fixture) -> &str {
    fixture.url.split("/callbacks").next().unwrap()
}

/// An event in the first version of its schema, with only the required fields.
fn first_schema(profile: &str, status: &str) -> Value {
    json!({
        "account_sid": ACCOUNT, "profile_sid": profile, "resource": "customer-profile", "status": status,
        "raw_status": status, "failure_reason": null, "errors": [], "valid_until": null,
        "received_at": "2026-11-20T11:04:00.000Z", "origin": "callback", "idempotency_token": null, "extra": {},
    })
}

/// Writes records that the program did not produce.
fn write(bridge: &Bridge, records: &[(&str, Option<String>)], ce_type: &str) {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", broker().bootstrap());
    let producer: ThreadedProducer<DefaultProducerContext> = client.create().unwrap();
    for (number, (key, value)) in records.iter().enumerate() {
        let id = format!("{number:032x}");
        let headers = [("ce_type", ce_type), ("ce_id", &id), ("ce_time", "2026-11-20T11:04:00.000Z")];
        let headers = headers
            .into_iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }));
        let record: BaseRecord<'_, str, str> = BaseRecord::to(&bridge.topic).key(*key).headers(headers);
        let record = BaseRecord { payload: value.as_deref(), ..record };
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(TIMEOUT).unwrap();
}

#[test]
fn events_of_older_and_newer_schemas_count_and_unreadable_ones_do_not() {
    let fixture = Fixture::with(&[], &[]);
    let [old, other_type, broken, erased] = [(); 4].map(|()| fixture.create_missed());
    let event = |profile: &str, status| (profile.to_owned(), Some(first_schema(profile, status).to_string()));
    let with_more = |profile: &str| {
        let mut value = first_schema(profile, "in-review");
        value["something_new"] = json!({ "deep": [1] });
        (profile.to_owned(), Some(value.to_string()))
    };
    let records = [event(&old, "in-review"), (broken.clone(), Some("{\"status\":".to_owned())), (erased.clone(), None)];
    let records: Vec<_> = records.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    write(&fixture.bridge, &records, EVENT_TYPE);
    let (key, value) = with_more(&other_type);
    write(&fixture.bridge, &[(&key, value)], "io.trusthub-bridge.profile.status-changed.v2");
    fixture.advance_clock();
    let run = fixture.reconcile(&["--dry-run", "--baseline"]);
    let mut missing: Vec<_> = run.rows.iter().map(|row| row.split(' ').next().unwrap().to_owned()).collect();
    missing.sort();
    let mut expected = [other_type, broken, erased];
    expected.sort();
    assert_eq!(missing, expected, "{run:?}");

    let (key, value) = with_more(&expected[0]);
    write(&fixture.bridge, &[(&key, value)], EVENT_TYPE);
    assert_eq!(fixture.reconcile(&["--dry-run", "--baseline"]).rows.len(), 2, "a newer schema is also read");
}

#[test]
fn profiles_with_events_of_registrations_are_not_compared() {
    let fixture = Fixture::new();
    let profile = fixture.create_missed();
    let request = Request::form("/callbacks/compliance-registrations", &callback_of(&profile));
    let answer = fixture.bridge.send(&request.signed_with(TOKEN, base(&fixture)));
    assert_eq!(answer.status, 204);
    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    assert_eq!((run.published(), run.rows.len()), (0, 1));
    assert!(run.rows[0].contains("not compared") && run.told.contains("check their callback URL"), "{run:?}");
}
