//! Regulatory bundles, which are in another API than profiles.

use test_support::{ACCOUNT, reconcile::Fixture, simulator::POLICY};

use super::found;

pub(super) const BUNDLES: &str = "/v2/RegulatoryCompliance/Bundles";

/// Creates a bundle without a callback URL and returns its SID.
pub(super) fn create_bundle(fixture: &Fixture) -> String {
    let form = format!("FriendlyName=Office&Email=a%40example.com&RegulationSid={POLICY}");
    fixture.simulator.post(BUNDLES, &form)["sid"].as_str().unwrap().to_owned()
}

#[test]
fn missed_change_of_a_bundle_is_published_once() {
    let fixture = Fixture::new();
    let bundle = create_bundle(&fixture);
    fixture.simulator.post(&format!("{BUNDLES}/{bundle}"), "Status=pending-review");
    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    assert_eq!((run.published(), run.groups.len()), (1, 1), "{run:?}");
    assert_eq!(run.groups, [format!("{ACCOUNT} regulatory-bundle")]);
    assert!(run.rows[0].starts_with(&bundle) && run.rows[0].contains("in-review"), "{run:?}");
    let [event] = &found(&fixture.bridge.events(2))[..] else { panic!("one event") };
    assert_eq!((&event["profile_sid"], &event["status"]), (&bundle.into(), &"in-review".into()));
    assert_eq!((&event["resource"], &event["errors"]), (&"regulatory-bundle".into(), &serde_json::json!([])));
    assert_eq!((&event["profile"]["policy_sid"], &event["profile"]["type"]), (&POLICY.into(), &().into()));
    assert_eq!(fixture.reconcile(&[]).published(), 0);
}

#[test]
fn announced_bundle_is_in_sync_and_its_next_missed_change_is_not() {
    let fixture = Fixture::new();
    let bundle = create_bundle(&fixture);
    let set = fixture.reconcile(&["--set-callback", &fixture.url.replace("customer-profiles", "regulatory-bundles")]);
    assert_eq!((set.code, set.rows.len()), (Some(0), 1), "{set:?}");
    fixture.simulator.post(&format!("{BUNDLES}/{bundle}"), "Status=pending-review");
    fixture.simulator.settle();
    fixture.bridge.events(4);
    fixture.simulator.set("drop=100");
    fixture.simulator.control(&bundle, "reject", "code=22601");
    fixture.simulator.settle();
    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    assert_eq!((run.published(), run.rows.len()), (1, 1), "{run:?}");
    let words: Vec<_> = run.rows[0].split_whitespace().collect();
    assert_eq!(words[..4], [&bundle, "published", "in-review", "twilio-rejected"]);
}
