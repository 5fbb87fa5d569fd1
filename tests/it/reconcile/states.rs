//! Runs that begin with the states of profiles instead of reading the whole topic.

use trusthub_events::{ProfileSid, Status, state::ProfileState};

use test_support::{
    ACCOUNT, Request,
    kafka::{broker, unique_topic},
    reconcile::{Fixture, Run},
};

use super::{found, value};
use crate::profiles::{last_states, wait_for_states};

/// An account that is configured as well, but owns no profile.
const OTHER_ACCOUNT: &str = "ACdddddddddddddddddddddddddddddddd";
const OTHER_TOKEN: &str = "token-of-the-other-account";

/// The state of a profile once the states take every event into account.
pub(super) fn state_of(fixture: &Fixture, sid: &str) -> Option<ProfileState> {
    let states = last_states(&wait_for_states(&fixture.bridge));
    states.get(&ProfileSid::parse(sid).unwrap()).cloned()
}

/// A profile that was approved, with the callbacks of its changes.
pub(super) fn create_announced(fixture: &Fixture) -> String {
    create_approved(fixture, "")
}

fn create_approved(fixture: &Fixture, end: &str) -> String {
    let sid = fixture.simulator.create(&fixture.url);
    fixture.simulator.submit(&sid);
    fixture.simulator.control(&sid, "approve", end);
    fixture.simulator.settle();
    sid
}

/// Rejects a profile without a callback.
fn reject_unannounced(fixture: &Fixture, sid: &str) {
    fixture.simulator.set("drop=100");
    fixture.simulator.control(sid, "reject", "code=18602");
    fixture.simulator.settle();
    fixture.simulator.set("drop=0");
}

/// The same dry run with the states in this topic, and without states.
fn compared_twice(fixture: &Fixture, topic: &str) -> [Run; 2] {
    [topic, ""].map(|topic| {
        Run::of(fixture.bridge.command_with(&["reconcile", "--dry-run"], &[("KAFKA_PROFILES_TOPIC", topic)]))
    })
}

#[test]
fn run_with_states_reads_only_later_events_and_finds_the_same() {
    let mut fixture = Fixture::with_states();
    let profiles: Vec<_> = (0..4).map(|_| create_announced(&fixture)).collect();
    let topic = fixture.bridge.profiles_topic.clone();
    wait_for_states(&fixture.bridge);
    // From now on, no instance updates the states.
    fixture.bridge.signal("TERM");
    assert!(fixture.bridge.wait().success());
    fixture.bridge.restart(&[("KAFKA_PROFILES_TOPIC", "")]);
    fixture.bridge.wait_until_publishing();
    fixture.simulator.control(&profiles[0], "reject", "code=18602");
    fixture.simulator.settle();
    reject_unannounced(&fixture, &profiles[1]);
    let missed = fixture.create_missed();
    fixture.advance_clock();
    let [with_states, without] = compared_twice(&fixture, &topic);
    assert_eq!(with_states.code, Some(0), "{with_states:?}");
    assert!(with_states.told.contains(" states and 1 events"), "{with_states:?}");
    assert!(!without.told.contains("states"), "{without:?}");
    let mut rows = [with_states.rows.clone(), without.rows];
    rows.iter_mut().for_each(|rows| rows.sort());
    assert_eq!(rows[0], rows[1]);
    let is_missed = |sid: &String| rows[0].iter().any(|row| row.starts_with(sid) && row.contains(" missed "));
    assert!(is_missed(&profiles[1]) && is_missed(&missed), "{rows:?}");
    assert_eq!(rows[0].len(), 2, "{rows:?}");
}

#[test]
fn profile_with_a_state_needs_no_event_in_the_topic() {
    let fixture = Fixture::with_states();
    let [unchanged, changed] = [(); 2].map(|()| create_announced(&fixture));
    wait_for_states(&fixture.bridge);
    broker().delete_records(&fixture.bridge.topic);
    reject_unannounced(&fixture, &changed);
    fixture.advance_clock();
    let [_, without] = compared_twice(&fixture, &fixture.bridge.profiles_topic);
    assert!(without.rows.iter().any(|row| row.starts_with(&unchanged)), "{without:?}");
    let run = fixture.reconcile(&[]);
    assert_eq!((run.published(), run.rows.len()), (1, 1), "{run:?}");
    assert!(run.rows[0].starts_with(&changed), "{run:?}");
}

#[test]
fn details_of_a_profile_are_published_when_they_change() {
    let fixture = Fixture::with_states();
    let sid = create_approved(&fixture, "valid_for_secs=864000");
    let announced = state_of(&fixture, &sid).unwrap();
    assert_eq!((announced.profile, announced.valid_until), (None, None));
    fixture.advance_clock();
    let dry = fixture.reconcile(&["--dry-run"]);
    assert!(dry.told.contains("2 have details that their states lacked: would be published"), "{dry:?}");
    let run = fixture.reconcile(&[]);
    assert_eq!((run.published(), run.rows.len()), (0, 0), "{run:?}");
    assert!(run.told.contains("2 have details that their states lacked: published"), "{run:?}");
    let described = state_of(&fixture, &sid).unwrap();
    assert_eq!((described.status, described.since), (Status::TwilioApproved, announced.since));
    assert_eq!(described.profile.as_ref().unwrap().friendly_name.as_deref(), Some("Shop"));
    assert!(described.expires_at().is_some(), "callbacks have no valid_until: {described:?}");
    assert!(!fixture.reconcile(&[]).told.contains("details"), "they are known now");

    fixture.simulator.post(&format!("/v1/CustomerProfiles/{sid}"), "FriendlyName=Store");
    let renamed = fixture.reconcile(&[]);
    assert!(renamed.told.contains("1 have details that their states lacked: published"), "{renamed:?}");
    let state = state_of(&fixture, &sid).unwrap();
    assert_eq!(state.profile.unwrap().friendly_name.as_deref(), Some("Store"));
    assert_eq!((state.status, state.changes), (described.status, described.changes));
    let records = fixture.bridge.events(1);
    let last = records.iter().find(|record| value(record)["profile"]["friendly_name"] == "Store").unwrap();
    assert_eq!(last.header("ce_type"), Some("io.trusthub-bridge.profile.described.v1"));
    assert_eq!(last.header("ce_dataschema"), Some("urn:trusthub-bridge:profile-described:v1"));
    assert_eq!((last.key.as_deref(), last.header("ce_subject")), (Some(sid.as_bytes()), Some(sid.as_str())));
}

#[test]
fn account_that_trust_hub_names_replaces_the_first_one_in_the_state() {
    let accounts = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("accounts"));
    std::fs::write(
        &accounts,
        format!(r#"{{"{OTHER_ACCOUNT}": ["{OTHER_TOKEN}"], "{ACCOUNT}": ["{}"]}}"#, test_support::TOKEN),
    )
    .unwrap();
    let variables = [
        ("KAFKA_PROFILES_TOPIC", unique_topic("states")),
        ("TWILIO_ACCOUNTS_FILE", accounts.to_str().unwrap().to_owned()),
        ("TWILIO_ACCOUNT_SID", String::new()),
        ("TWILIO_AUTH_TOKEN", String::new()),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let fixture = Fixture::with(&[], &variables);
    fixture.begin_history();
    let sid = fixture.simulator.create(&fixture.url);
    let stolen = format!("AccountSid={OTHER_ACCOUNT}&BundleSid={sid}&Status=twilio-rejected");
    let request = Request::form("/callbacks/customer-profiles", &stolen);
    let base = fixture.url.split("/callbacks").next().unwrap();
    assert_eq!(fixture.bridge.send(&request.signed_with(OTHER_TOKEN, base)).status, 204);
    fixture.simulator.submit(&sid);
    fixture.simulator.control(&sid, "approve", "");
    fixture.simulator.settle();
    assert_eq!(state_of(&fixture, &sid).unwrap().account_sid.as_str(), OTHER_ACCOUNT);
    fixture.advance_clock();
    let [with_states, without] = compared_twice(&fixture, &fixture.bridge.profiles_topic);
    assert_eq!((&with_states.rows, with_states.rows.len()), (&without.rows, 0), "{with_states:?} {without:?}");
    fixture.reconcile(&[]);
    let state = state_of(&fixture, &sid).unwrap();
    std::fs::remove_file(accounts).unwrap();
    assert_eq!((state.account_sid.as_str(), state.status), (ACCOUNT, Status::TwilioApproved));
    assert!(state.profile.is_some() && state.history.len() == 1, "{state:?}");
    let events = found(&fixture.bridge.events(1));
    assert!(events.iter().all(|event| event["account_sid"] == ACCOUNT), "{events:?}");
}

#[test]
fn topic_whose_states_expire_is_not_used_and_the_run_says_so() {
    let fixture = Fixture::with_states();
    let sid = create_announced(&fixture);
    wait_for_states(&fixture.bridge);
    broker().alter_topic(&fixture.bridge.profiles_topic, &[("cleanup.policy", "delete")]);
    broker().delete_records(&fixture.bridge.profiles_topic);
    reject_unannounced(&fixture, &sid);
    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    assert_eq!((run.published(), run.rows.len()), (1, 1), "{run:?}");
    assert!(run.told.contains("reading the whole event topic, without the states of profiles"), "{run:?}");
    assert!(run.told.contains("cleanup.policy=delete") && !run.told.contains("details"), "{run:?}");
}

#[test]
fn states_of_fewer_partitions_are_not_used() {
    let fixture = Fixture::with_states();
    create_announced(&fixture);
    wait_for_states(&fixture.bridge);
    let other = unique_topic("states");
    broker().create_topic_with(&other, 1, &[("cleanup.policy", "compact")]);
    let [with_states, _] = compared_twice(&fixture, &other);
    assert!(with_states.told.contains("a different number of partitions"), "{with_states:?}");
    assert!(with_states.told.contains("profiles of 1 account compared with "), "{with_states:?}");
    assert!(!with_states.told.contains(" states and "), "{with_states:?}");
}
