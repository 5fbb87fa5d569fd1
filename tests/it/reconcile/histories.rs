//! What the topic remembers, and what follows from what it does not.

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};
use serde_json::{Value, json};
use trusthub_bridge::domain::EVENT_TYPE;

use crate::support::{
    ACCOUNT, Bridge, PATIENCE, Request, TOKEN, believed,
    kafka::{Broker, broker, unique_topic},
    wait_for,
};

use super::{found, scene::Scene};

#[test]
fn on_the_first_day_nothing_of_the_past_is_published_unless_it_is_asked_for() {
    let scene = Scene::with(&[], &[]);
    scene.simulator.post("/simulator/profiles", "count=3&status=twilio-approved");
    scene.simulator.post("/simulator/profiles", "count=2");
    scene.later();
    let run = scene.reconcile(&[]);
    assert_eq!((run.published(), run.rows.len()), (0, 3), "{run:?}");
    assert!(run.rows.iter().all(|row| row.contains("history too short")), "{run:?}");
    assert!(run.told.contains("3 last changed before the topic's history begins"), "{run:?}");

    assert_eq!(scene.reconcile(&["--baseline"]).published(), 3, "a draft without history is no difference");
    let records = scene.bridge.events(3);
    assert_eq!(found(&records).len(), 3);
    assert!(believed(&records).values().all(|status| status == "twilio-approved"));
    assert_eq!(scene.reconcile(&["--baseline"]).published(), 0);
}

#[test]
fn what_changed_before_the_first_record_is_not_published_and_what_changed_after_it_is() {
    let scene = Scene::with(&[], &[]);
    let before = scene.unheard();
    // Trust Hub tells whole seconds.
    scene.begin();
    let after = scene.unheard();
    scene.later();
    let run = scene.reconcile(&[]);
    assert_eq!(run.published(), 1);
    assert!(run.rows.iter().any(|row| row.starts_with(&after) && row.contains("published")), "{run:?}");
    assert!(run.rows.iter().any(|row| row.starts_with(&before) && row.contains("history too short")), "{run:?}");
}

#[test]
fn what_has_expired_is_not_published_again_and_what_could_not_have_expired_is() {
    // The events are gone, as if they were older than the retention.
    let topic = unique_topic("expiring");
    broker().create_topic_with(&topic, 3, &[("retention.ms", "200000")]);
    let scene = Scene::with(&[], &[("KAFKA_TOPIC", &topic)]);
    scene.begin();
    scene.unheard();
    broker().delete_records(&topic);
    scene.machine.set_clock(190);
    assert_eq!(scene.reconcile(&["--dry-run"]).told.matches(": 2 missed").count(), 1, "younger than the retention");
    scene.later();
    let run = scene.reconcile(&[]);
    assert_eq!((run.published(), run.rows.len()), (0, 2), "{run:?}");
    assert!(run.rows.iter().all(|row| row.contains("history too short")), "{run:?}");
}

#[test]
fn a_compacted_topic_tells_the_last_status_of_every_profile() {
    let private = Broker::start("compacting", &[("log.cleaner.backoff.ms", "100")]);
    let topic = unique_topic("compacted");
    let compact = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("segment.ms", "100"),
        ("max.compaction.lag.ms", "100"),
    ];
    private.create_topic_with(&topic, 1, &compact);
    let scene = Scene::with(&[], &[("KAFKA_BOOTSTRAP_SERVERS", private.bootstrap()), ("KAFKA_TOPIC", &topic)]);
    let unchanged = scene.simulator.create(&scene.url);
    scene.simulator.submit(&unchanged);
    let approved = scene.simulator.create(&scene.url);
    scene.simulator.submit(&approved);
    scene.simulator.control(&approved, "approve", "");
    scene.simulator.settle();
    let mut number = 0;
    wait_for("the topic to be compacted", || {
        // Only what is behind the last segment is cleaned.
        number += 1;
        let more = format!("{}&FailureReason={number}", callback_of(OTHER));
        let more = Request::form("/callbacks/customer-profiles", &more);
        assert_eq!(scene.bridge.send(&more.signed_with(TOKEN, base(&scene))).status, 204);
        let records = private.wait_for_records(&topic, 1, PATIENCE);
        (records.iter().filter(|record| record.key.as_deref() == Some(approved.as_bytes())).count() == 1).then_some(())
    });
    let missed = scene.unheard();
    scene.later();
    let run = scene.reconcile(&[]);
    assert_eq!(run.published(), 1);
    assert!(run.rows[0].starts_with(&missed), "{run:?}");
    let mut view = believed(&private.wait_for_records(&topic, 1, PATIENCE));
    view.remove(OTHER);
    assert_eq!(view, scene.state());
}

/// A profile that is not in the simulator.
const OTHER: &str = "BUffffffffffffffffffffffffffffffff";

fn callback_of(profile: &str) -> String {
    format!("AccountSid={ACCOUNT}&BundleSid={profile}&Status=draft")
}

fn base(scene: &Scene) -> &str {
    scene.url.split("/callbacks").next().unwrap()
}

/// An event as the first version of its schema has it, with only what that version requires.
fn first_schema(profile: &str, status: &str) -> Value {
    json!({
        "account_sid": ACCOUNT, "profile_sid": profile, "resource": "customer-profile", "status": status,
        "raw_status": status, "failure_reason": null, "errors": [], "valid_until": null,
        "received_at": "2026-11-20T11:04:00.000Z", "origin": "callback", "idempotency_token": null, "extra": {},
    })
}

/// Writes records that the program did not write.
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
    producer.flush(PATIENCE).unwrap();
}

#[test]
fn events_of_an_older_schema_count_and_what_consumers_cannot_read_does_not() {
    let scene = Scene::with(&[], &[]);
    let [old, stranger, broken, erased] = [(); 4].map(|()| scene.unheard());
    let event = |profile: &str, status| (profile.to_owned(), Some(first_schema(profile, status).to_string()));
    let with_more = |profile: &str| {
        let mut value = first_schema(profile, "in-review");
        value["something_new"] = json!({ "deep": [1] });
        (profile.to_owned(), Some(value.to_string()))
    };
    let records = [event(&old, "in-review"), (broken.clone(), Some("{\"status\":".to_owned())), (erased.clone(), None)];
    let records: Vec<_> = records.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    write(&scene.bridge, &records, EVENT_TYPE);
    let (key, value) = with_more(&stranger);
    write(&scene.bridge, &[(&key, value)], "io.trusthub-bridge.profile.status-changed.v2");
    scene.later();
    let run = scene.reconcile(&["--dry-run", "--baseline"]);
    let mut told: Vec<_> = run.rows.iter().map(|row| row.split(' ').next().unwrap().to_owned()).collect();
    told.sort();
    let mut expected = [stranger, broken, erased];
    expected.sort();
    assert_eq!(told, expected, "{run:?}");

    let (key, value) = with_more(&expected[0]);
    write(&scene.bridge, &[(&key, value)], EVENT_TYPE);
    assert_eq!(scene.reconcile(&["--dry-run", "--baseline"]).rows.len(), 2, "a newer schema is read, too");
}

#[test]
fn profiles_whose_events_are_those_of_bundles_are_not_compared() {
    let scene = Scene::new();
    let profile = scene.unheard();
    let request = Request::form("/callbacks/regulatory-bundles", &callback_of(&profile));
    let answer = scene.bridge.send(&request.signed_with(TOKEN, base(&scene)));
    assert_eq!(answer.status, 204);
    scene.later();
    let run = scene.reconcile(&[]);
    assert_eq!((run.published(), run.rows.len()), (0, 1));
    assert!(run.rows[0].contains("not compared") && run.told.contains("is their callback URL right?"), "{run:?}");
}
