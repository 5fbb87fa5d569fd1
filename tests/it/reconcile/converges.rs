//! The consumers' view becomes that of Trust Hub.

use crate::{
    consumer::views,
    support::{kafka::broker, wait_for},
};

use super::{
    found,
    scene::{A_WHILE, QUIET, Scene},
};

const PROFILES: usize = 10_000;

#[test]
fn after_a_run_consumers_believe_of_ten_thousand_profiles_what_trust_hub_says_although_callbacks_were_lost_or_shuffled()
{
    let scene = Scene::with(&["--seed", "7"], &[QUIET]);
    scene.begin();
    scene.simulator.post("/simulator/profiles", &format!("count={PROFILES}&status_callback={}", scene.url));
    scene.simulator.set("drop=30&duplicate=20&reorder=20&auto_review_secs=1&auto_reject=30");
    scene.submit_all();
    // Of the one with which the history begins nobody decides.
    wait_for("every review to end", || (scene.of_status("in-review").len() == 1).then_some(()));
    scene.simulator.settle();
    scene.simulator.set("drop=0&duplicate=0&reorder=0");
    let state = scene.state();

    let before = views(&scene.bridge.events(1));
    let wrong = state.iter().filter(|(sid, status)| before.get(*sid) != Some(status)).count();
    assert!(wrong > PROFILES / 10, "only {wrong} profiles were missed");

    scene.later();
    let run = scene.reconcile(&[]);
    let records = broker().wait_for_records(&scene.bridge.topic, 1, A_WHILE);
    assert_eq!(views(&records), state);
    assert_eq!((run.published(), run.rows.len(), found(&records).len()), (wrong, wrong, wrong));

    let again = scene.reconcile(&[]);
    assert_eq!((again.published(), again.rows.len()), (0, 0), "{again:?}");
    assert_eq!(scene.bridge.events(records.len()).len(), records.len());
}

#[test]
fn what_was_found_is_an_event_with_what_trust_hub_tells_of_the_profile() {
    let scene = Scene::new();
    let sid = scene.unheard();
    scene.simulator.set("drop=100");
    scene.simulator.control(&sid, "reject", "code=18602&code=18603&reason=Nobody+knows+it");
    scene.simulator.settle();
    scene.later();
    assert_eq!(scene.reconcile(&[]).published(), 1);
    let [event] = &found(&scene.bridge.events(1))[..] else { panic!("one event") };
    let told = scene.simulator.get(&format!("/v1/CustomerProfiles/{sid}"));
    assert_eq!((&event["profile_sid"], &event["status"]), (&told["sid"], &"twilio-rejected".into()));
    assert_eq!((&event["account_sid"], &event["resource"]), (&told["account_sid"], &"customer-profile".into()));
    let codes: Vec<_> = event["errors"].as_array().unwrap().iter().map(|error| &error["code"]).collect();
    assert_eq!(codes, [18602, 18603]);
    let profile = &event["profile"];
    assert_eq!((&profile["friendly_name"], &profile["policy_sid"]), (&told["friendly_name"], &told["policy_sid"]));
    let seconds = |value: &serde_json::Value| value.as_str().unwrap().replace(".000Z", "Z");
    assert_eq!(seconds(&profile["date_updated"]), told["date_updated"]);
    assert_eq!(seconds(&profile["date_created"]), told["date_created"]);
    assert_eq!((&event["failure_reason"], &event["idempotency_token"]), (&().into(), &().into()));
}

#[test]
fn a_run_that_was_killed_is_finished_by_the_next_one_and_nothing_is_published_as_another_event() {
    let scene = Scene::with(&[], &[QUIET]);
    scene.begin();
    scene.many_unheard(2_000);
    scene.later();
    let mut killed = scene.bridge.spawn(&["reconcile"]);
    wait_for("the first batch", || (found(&scene.bridge.events(1)).len() > 20).then_some(()));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let by_the_first = found(&scene.bridge.events(1)).len();
    assert!(by_the_first < 2_000, "it was not killed in the middle");

    let by_the_second = scene.reconcile(&[]).published();
    let records = scene.bridge.events(1);
    assert_eq!((by_the_first + by_the_second, found(&records).len()), (2_000, 2_000));
    assert_eq!(views(&records), scene.state());
}
