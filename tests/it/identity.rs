//! What a repeat is, and whose profile an event is about: signed bytes and Trust Hub decide, not spellings, unsigned headers
//! or the order of arrival.

use std::{fs, path::Path};

use serde_json::{Value, json};

use test_support::{
    ACCOUNT, Bridge, PROFILE, Request, TIMEOUT, TOKEN,
    kafka::{Record, broker, unique_topic},
    reconcile::Fixture,
    wait_for,
};

use crate::consumer::views;

const PATH: &str = "/callbacks/customer-profiles";
const TOKEN_HEADER: &str = "I-Twilio-Idempotency-Token";
const RESIGNED: &str = "trusthub_callbacks_resigned_total";
const CONFLICTS: &str = "trusthub_account_conflicts_total";

fn outcome(bridge: &Bridge, outcome: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_callbacks_outcome_total{{outcome="{outcome}"}}"#))
}

fn values(records: &[Record]) -> Vec<Value> {
    records.iter().map(|record| serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap()).collect()
}

/// A request with another body, under the signature of a captured one.
fn respelled(captured: &Request, body: &str) -> Request {
    Request { body: body.into(), ..captured.clone() }
}

fn captured() -> Request {
    let body = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&FailureReason=not+verified&Status=twilio-rejected");
    Request::form(PATH, &body).signed()
}

/// Bodies that one signature covers: the same fields in other spellings, and other fields with the same signed text.
fn spellings() -> [String; 10] {
    let sids = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}");
    [
        format!("{sids}&FailureReason=not%20verified&Status=twilio-rejected"),
        format!("{sids}&FailureReason=not+verified&Status=twilio%2drejected"),
        format!("Status=twilio-rejected&FailureReason=not+verified&{sids}"),
        format!("{sids}&FailureReason=not+verified&Status=twilio-rejected&Status=twilio-rejected"),
        format!("&&{sids}&&FailureReason=not+verified&Status=twilio-rejected&"),
        format!("{sids}&%46ailureReason=not+verified&Status=twilio-rejected"),
        format!("{sids}&FailureReason=not+verified&Status=twilio-&rejected="),
        format!("{sids}&FailureReason=not+verified&Status=twilio-&rejected"),
        format!("{sids}&FailureReasonnot=+verified&Status=twilio-rejected"),
        format!("{sids}&FailureReason=not+verifiedStatustwilio-rejected"),
    ]
}

#[test]
fn spellings_of_one_captured_callback_are_one_event() {
    let bridge = Bridge::start();
    let captured = captured().with(TOKEN_HEADER, "one");
    assert_eq!(bridge.send(&captured).status, 204);
    for body in spellings() {
        assert_eq!(bridge.send(&respelled(&captured, &body)).status, 204, "{body}");
    }
    assert_eq!((outcome(&bridge, "published"), outcome(&bridge, "duplicate")), (1.0, 10.0));
    assert_eq!((bridge.events(1).len(), bridge.dead_letters(0).len(), bridge.metric(RESIGNED)), (1, 0, 0.0));
}

#[test]
fn spellings_share_the_id_of_their_event_on_every_replica() {
    let captured = captured().with(TOKEN_HEADER, "one");
    let mut ids = Vec::new();
    for body in spellings() {
        // No replica remembers anything.
        let bridge = Bridge::start_with(&[("DEDUP_WINDOW_SECS", "0")]);
        assert_eq!(bridge.send(&respelled(&captured, &body)).status, 204, "{body}");
        let (events, dead_letters) = wait_for("a record", || {
            let found = (bridge.events(0), bridge.dead_letters(0));
            (found.0.len() + found.1.len() > 0).then_some(found)
        });
        assert!(values(&events).iter().all(|event| event["status"] == "twilio-rejected"), "{events:?}");
        ids.extend(events.iter().chain(&dead_letters).map(|record| record.header("ce_id").unwrap().to_owned()));
    }
    assert_eq!(ids.len(), 10);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn replay_under_a_fresh_token_is_published_and_counted() {
    let bridge = Bridge::start();
    for token in ["one", "two", "two", "three"] {
        assert_eq!(bridge.send(&captured().with(TOKEN_HEADER, token)).status, 204);
    }
    assert_eq!((outcome(&bridge, "published"), outcome(&bridge, "duplicate")), (3.0, 1.0));
    assert_eq!(bridge.metric(RESIGNED), 2.0);
}

#[test]
fn cut_into_another_status_is_a_dead_letter_and_hides_no_event() {
    let bridge = Bridge::start();
    let cut = respelled(&captured().with(TOKEN_HEADER, "one"), &spellings()[6]);
    for _ in 0..2 {
        assert_eq!(bridge.send(&cut).status, 204);
    }
    let letter = &bridge.dead_letters(1)[0];
    let header = |name: &str| letter.header(name).map(str::to_owned);
    assert_eq!(header("reason").as_deref(), Some("ambiguous_form"));
    assert_eq!(header("construction").as_deref(), Some("form"));
    assert_eq!(header("ce_time").unwrap(), values(std::slice::from_ref(letter))[0]["received_at"].as_str().unwrap());
    assert_eq!((outcome(&bridge, "dead_lettered"), outcome(&bridge, "duplicate")), (1.0, 1.0));
    assert_eq!((bridge.events(0).len(), bridge.dead_letters(1).len()), (0, 1));
    assert_eq!(bridge.send(&captured().with(TOKEN_HEADER, "one")).status, 204);
    let events = bridge.events(1);
    assert_eq!(events[0].header("ce_id"), letter.header("ce_id"), "it hides no event, and has its id");
}

/// Two replicas with one topic, and what both consumers make of it.
struct Replicas {
    topic: String,
    replicas: [Bridge; 2],
}

impl Replicas {
    fn start() -> Self {
        let topic = unique_topic("replicas");
        broker().create_topic(&topic, 1);
        let replicas = [(); 2].map(|()| Bridge::start_with(&[("KAFKA_TOPIC", &topic)]));
        Self { topic, replicas }
    }

    /// Sends a callback without a token to one of them.
    fn send(&self, replica: usize, status: &str) {
        assert_eq!(self.replicas[replica].send(&Request::change(status)).status, 204);
    }

    fn restart(&mut self, replica: usize) {
        let bridge = &mut self.replicas[replica];
        bridge.signal("TERM");
        assert!(bridge.wait().success());
        bridge.restart(&[]);
        bridge.wait_until_publishing();
    }

    /// The status that both consumers have after this many records.
    fn status_after(&self, records: usize) -> String {
        let read = broker().wait_for_records(&self.topic, records, TIMEOUT);
        assert_eq!(read.len(), records);
        views(&read)[PROFILE].clone()
    }
}

#[test]
fn return_to_a_status_is_published_by_a_restarted_replica() {
    let mut replicas = Replicas::start();
    replicas.send(0, "in-review");
    replicas.send(1, "draft");
    replicas.restart(0);
    replicas.send(0, "in-review");
    assert_eq!(replicas.status_after(3), "in-review");
}

#[test]
fn return_to_a_status_is_published_by_another_replica() {
    let replicas = Replicas::start();
    replicas.send(0, "in-review");
    replicas.send(1, "draft");
    replicas.send(1, "in-review");
    assert_eq!(replicas.status_after(3), "in-review");
}

#[test]
fn return_to_a_status_is_published_by_one_replica() {
    let replicas = Replicas::start();
    for status in ["in-review", "draft", "in-review", "in-review"] {
        replicas.send(0, status);
    }
    assert_eq!(replicas.status_after(3), "in-review");
    assert_eq!(outcome(&replicas.replicas[0], "duplicate"), 1.0);
}

/// The limit of the rule without tokens, as docs/events.md states it: a replica does not know what another one accepted.
#[test]
fn return_is_a_repeat_for_a_replica_that_saw_nothing_in_between() {
    let replicas = Replicas::start();
    replicas.send(0, "in-review");
    replicas.send(1, "draft");
    replicas.send(0, "in-review");
    assert_eq!(replicas.status_after(2), "draft");
    assert_eq!(outcome(&replicas.replicas[0], "duplicate"), 1.0);
}

const THIEF: &str = "AC00000000000000000000000000000bad";
const TOKEN_OF_THIEF: &str = "fedcba9876543210fedcba9876543210";

/// Sends a status change that an account signed, which must be answered with 204.
fn send_by((account, token): (&str, &str), fixture: &Fixture, profile: &str, status: &str) {
    let body = format!("AccountSid={account}&BundleSid={profile}&Status={status}");
    let change = Request::form(PATH, &body).signed_with(token, fixture.url.trim_end_matches(PATH));
    assert_eq!(fixture.bridge.send(&change).status, 204);
}

#[test]
fn event_of_another_account_than_the_confirmed_owner_is_a_dead_letter() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("owners"));
    fs::write(&file, json!({ ACCOUNT: [TOKEN], THIEF: [TOKEN_OF_THIEF] }).to_string()).unwrap();
    let fixture = Fixture::with(
        &[],
        &[
            ("RECONCILE_INTERVAL_SECS", "1"),
            ("TWILIO_ACCOUNTS_FILE", file.to_str().unwrap()),
            ("TWILIO_ACCOUNT_SID", ""),
            ("TWILIO_AUTH_TOKEN", ""),
        ],
    );
    let bridge = &fixture.bridge;
    // Trust Hub does not know this profile, so both are published, in any order.
    send_by((THIEF, TOKEN_OF_THIEF), &fixture, PROFILE, "twilio-approved");
    send_by((ACCOUNT, TOKEN), &fixture, PROFILE, "in-review");
    assert_eq!((bridge.events(2).len(), bridge.metric(CONFLICTS)), (2, 1.0));

    let owned = fixture.simulator.create("");
    // The first of two runs may have begun before the profile was created, and the line of the run before it may be late. The
    // simulator does not know the thief, so no run lists its profiles.
    let before = bridge.lines("reconciliation completed").len();
    bridge.wait_for_lines("reconciliation completed", before + 3);
    send_by((THIEF, TOKEN_OF_THIEF), &fixture, &owned, "twilio-approved");
    send_by((ACCOUNT, TOKEN), &fixture, &owned, "pending-review");
    let letter = &bridge.dead_letters(1)[0];
    assert_eq!(letter.header("reason"), Some("account_conflict"));
    assert_eq!(letter.key.as_deref(), Some(owned.as_bytes()));
    let about: Vec<_> = values(&bridge.events(3)).into_iter().filter(|event| event["profile_sid"] == owned).collect();
    assert_eq!((about.len(), &about[0]["account_sid"]), (1, &ACCOUNT.into()));
    assert_eq!(bridge.metric(CONFLICTS), 2.0);
    fs::remove_file(file).unwrap();
}
