//! Reconciliation makes the consumers' view equal to Trust Hub's.

use std::time::Duration;

use test_support::{
    kafka::broker,
    reconcile::{Fixture, QUIET},
    wait_for,
};

use super::found;
use crate::consumer::views;

/// More than a run of the command takes.
const RUN_TIMEOUT: Duration = Duration::from_secs(120);

const PROFILES: usize = 10_000;

#[test]
fn one_run_corrects_10_000_profiles_after_lost_and_shuffled_callbacks() {
    let fixture = Fixture::with(&["--seed", "7"], &[QUIET]);
    fixture.begin_history();
    fixture.simulator.post("/simulator/profiles", &format!("count={PROFILES}&status_callback={}", fixture.url));
    fixture.simulator.set("drop=30&duplicate=20&reorder=20&auto_review_secs=1&auto_reject=30");
    fixture.submit_all();
    // The profile with which the history begins stays in review.
    wait_for("every review to end", || (fixture.of_status("in-review").len() == 1).then_some(()));
    fixture.simulator.settle();
    fixture.simulator.set("drop=0&duplicate=0&reorder=0");
    fixture.bridge.wait_until_drained();
    let state = fixture.state();

    let before = views(&fixture.bridge.events(1));
    let wrong = state.iter().filter(|(sid, status)| before.get(*sid) != Some(status)).count();
    assert!(wrong > PROFILES / 10, "only {wrong} profiles were missed");

    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    let records = broker().wait_for_records(&fixture.bridge.topic, 1, RUN_TIMEOUT);
    assert_eq!(views(&records), state);
    assert_eq!((run.published(), run.rows.len(), found(&records).len()), (wrong, wrong, wrong));

    let again = fixture.reconcile(&[]);
    assert_eq!((again.published(), again.rows.len()), (0, 0), "{again:?}");
    assert_eq!(fixture.bridge.events(records.len()).len(), records.len());
}

#[test]
fn missed_change_is_an_event_with_the_details_of_the_profile() {
    let fixture = Fixture::new();
    let sid = fixture.create_missed();
    fixture.simulator.set("drop=100");
    fixture.simulator.control(&sid, "reject", "code=18602&code=18603&reason=Unknown+address");
    fixture.simulator.settle();
    fixture.advance_clock();
    assert_eq!(fixture.reconcile(&[]).published(), 1);
    let [event] = &found(&fixture.bridge.events(1))[..] else { panic!("one event") };
    let fetched = fixture.simulator.get(&format!("/v1/CustomerProfiles/{sid}"));
    assert_eq!((&event["profile_sid"], &event["status"]), (&fetched["sid"], &"twilio-rejected".into()));
    assert_eq!((&event["account_sid"], &event["resource"]), (&fetched["account_sid"], &"customer-profile".into()));
    let codes: Vec<_> = event["errors"].as_array().unwrap().iter().map(|error| &error["code"]).collect();
    assert_eq!(codes, [18602, 18603]);
    let profile = &event["profile"];
    assert_eq!(
        (&profile["friendly_name"], &profile["policy_sid"]),
        (&fetched["friendly_name"], &fetched["policy_sid"])
    );
    let seconds = |value: &serde_json::Value| value.as_str().unwrap().replace(".000Z", "Z");
    assert_eq!(seconds(&profile["date_updated"]), fetched["date_updated"]);
    assert_eq!(seconds(&profile["date_created"]), fetched["date_created"]);
    assert_eq!((&event["failure_reason"], &event["idempotency_token"]), (&().into(), &().into()));
}

#[test]
fn killed_run_is_completed_by_the_next_one_without_repeats() {
    let fixture = Fixture::with(&[], &[QUIET]);
    fixture.begin_history();
    fixture.create_many_missed(2_000);
    fixture.advance_clock();
    let known = fixture.records();
    let mut killed = fixture.bridge.spawn(&["reconcile"]);
    wait_for("the first batch", || (fixture.records() > known + 20).then_some(()));
    killed.kill().unwrap();
    killed.wait().unwrap();

    // Kafka may still append a request of the killed run, so only the next run and the topic at the end are counted.
    let by_the_next = wait_for("Kafka gives up the killed run", || {
        Some(fixture.reconcile(&[])).filter(|run| !run.told.contains("another process is reconciling this topic"))
    });
    let by_the_next = by_the_next.published();
    assert!((1..2_000).contains(&by_the_next), "{by_the_next} events by the next run");
    let records = fixture.bridge.events(1);
    assert_eq!(found(&records).len(), 2_000);
    assert_eq!(views(&records), fixture.state());
}
