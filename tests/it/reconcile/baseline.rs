//! `reconcile --baseline` gives profiles a state.

use trusthub_events::Status;

use test_support::reconcile::Fixture;

use super::{found, states::state_of};
use crate::profiles::wait_for_states;

#[test]
fn baseline_gives_every_profile_a_state() {
    let fixture = Fixture::with_states();
    let draft = fixture.simulator.create("");
    let submitted = fixture.simulator.create("");
    fixture.simulator.submit(&submitted);
    fixture.simulator.settle();
    fixture.advance_clock();
    wait_for_states(&fixture.bridge);
    fixture.reconcile(&[]);
    assert!(state_of(&fixture, &draft).is_none(), "a draft that no callback announced");
    let before = found(&fixture.bridge.events(1)).len();
    let run = fixture.reconcile(&["--baseline"]);
    assert!(run.told.contains("1 have details that their states lacked: published"), "{run:?}");
    let state = state_of(&fixture, &draft).unwrap();
    assert_eq!((state.status, state.profile.is_some()), (Status::Draft, true));
    assert_eq!(state_of(&fixture, &submitted).unwrap().status, Status::InReview);
    assert_eq!(found(&fixture.bridge.events(1)).len(), before + 1);
    fixture.reconcile(&["--baseline"]);
    assert_eq!(found(&fixture.bridge.events(1)).len(), before + 1, "once");
}
