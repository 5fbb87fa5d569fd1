//! Profiles that Trust Hub does not have any more.

use test_support::{ACCOUNT, reconcile::Fixture};

use super::{
    found,
    states::{create_announced, state_of},
    value,
};

#[test]
fn state_of_a_deleted_profile_is_deleted_once() {
    let fixture = Fixture::with_states();
    let [gone, kept] = [(); 2].map(|()| create_announced(&fixture));
    assert!(state_of(&fixture, &gone).is_some());
    fixture.simulator.delete(&gone);
    fixture.advance_clock();
    let dry = fixture.reconcile(&["--dry-run"]);
    assert_eq!(dry.rows.len(), 1, "{dry:?}");
    let words: Vec<_> = dry.rows[0].split_whitespace().collect();
    assert_eq!(words, [&gone, "deleted", "twilio-approved", "-", "-"]);
    assert_eq!(dry.groups, [format!("{ACCOUNT} customer-profile")]);
    assert!(dry.told.contains("1 do not exist any more: their deletion would be published"), "{dry:?}");
    assert!(state_of(&fixture, &gone).is_some());

    let run = fixture.reconcile(&[]);
    assert!(run.told.contains("1 do not exist any more: their deletion published"), "{run:?}");
    assert!(state_of(&fixture, &gone).is_none() && state_of(&fixture, &kept).is_some());
    let records = fixture.bridge.events(1);
    let deletion = records.iter().find(|record| record.header("ce_type").unwrap().contains("deleted")).unwrap();
    assert_eq!((&value(deletion)["profile_sid"], &value(deletion)["account_sid"]), (&gone.into(), &ACCOUNT.into()));
    assert_eq!(value(deletion)["resource"], "customer-profile");

    let events = found(&records).len();
    let again = fixture.reconcile(&[]);
    assert_eq!((again.code, again.rows.len()), (Some(0), 0), "{again:?}");
    assert_eq!(found(&fixture.bridge.events(1)).len(), events);
}

#[test]
fn most_profiles_of_an_account_are_deleted_only_on_request() {
    let fixture = Fixture::with_states();
    let profiles: Vec<_> = (0..12).map(|_| create_announced(&fixture)).collect();
    profiles.iter().for_each(|sid| fixture.simulator.delete(sid));
    assert!(state_of(&fixture, &profiles[0]).is_some());
    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    assert_eq!((run.code, run.rows.len()), (Some(0), 0), "{run:?}");
    assert!(run.told.contains("does not list 12 profiles any more") && run.told.contains("--delete-many"), "{run:?}");
    assert!(state_of(&fixture, &profiles[0]).is_some());
    let run = fixture.reconcile(&["--delete-many"]);
    assert_eq!((run.code, run.rows.len()), (Some(0), 12), "{run:?}");
    assert!(profiles.iter().all(|sid| state_of(&fixture, sid).is_none()));
}

#[test]
fn failed_list_deletes_nothing() {
    let fixture = Fixture::with_states();
    let gone = create_announced(&fixture);
    assert!(state_of(&fixture, &gone).is_some());
    fixture.simulator.delete(&gone);
    fixture.simulator.set("server_errors=100");
    fixture.advance_clock();
    let run = fixture.reconcile(&[]);
    assert_eq!((run.code, run.rows.len()), (Some(1), 0), "{run:?}");
    assert!(state_of(&fixture, &gone).is_some());
}
