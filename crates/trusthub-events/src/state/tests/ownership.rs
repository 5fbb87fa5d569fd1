//! Who owns a profile, and when it is gone.

use super::*;
use crate::Status;

#[test]
fn event_of_another_account_than_the_first_changes_nothing() {
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "in-review")]);
    let foreign = SentRecord::change("2", NOON + HOUR, "twilio-approved").by_account(2);
    assert_eq!(topic.append(foreign), StateOutcome::OtherAccount);
    assert_eq!(topic.append(SentRecord::change("3", NOON + MINUTE, "draft")), StateOutcome::Applied);
}

#[test]
fn account_that_trust_hub_confirms_replaces_the_first_one() {
    for confirmation in [
        SentRecord::reconciled("2", NOON - HOUR, "draft", NOON - HOUR),
        SentRecord::described("2", NOON - HOUR, "draft", details(NOON - HOUR, "Acme")),
    ] {
        let mut topic = Topic::after(&[SentRecord::change("1", NOON, "in-review").by_account(2)]);
        assert_eq!(topic.append(confirmation), StateOutcome::Applied, "its time does not matter");
        let state = topic.state();
        assert_eq!((state.account_sid.as_str(), state.status), (account(1).as_str(), Status::Draft));
        assert_eq!((state.changes, state.history.len(), state.recent_ids.len()), (1, 1, 1), "nothing of the other one");
        let foreign = SentRecord::change("3", NOON, "in-review").by_account(2);
        assert_eq!(topic.append(foreign), StateOutcome::OtherAccount);
    }
}

#[test]
fn later_one_of_two_confirmed_owners_counts() {
    let mut topic = Topic::after(&[SentRecord::reconciled("1", NOON, "draft", NOON)]);
    let other = |ce_id: &str, millis| SentRecord::reconciled(ce_id, millis, "in-review", NOON).by_account(2);
    assert_eq!(topic.append(other("2", NOON - 1)), StateOutcome::OtherAccount);
    assert_eq!(topic.append(other("3", NOON)), StateOutcome::Applied);
    assert_eq!(topic.state().account_sid.as_str(), account(2));
}

#[test]
fn details_of_a_callback_confirm_no_owner() {
    let claimed = SentRecord::change("2", NOON, "draft").with("profile", details(NOON, "Acme")).by_account(2);
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "draft"), claimed.clone()]);
    assert_eq!(topic.state().account_sid.as_str(), account(1));
    topic.state = None;
    topic.append(claimed);
    assert_eq!(topic.state().profile, None);
}

#[test]
fn deletion_removes_the_state() {
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "draft")]);
    assert_eq!(topic.append(SentRecord::deleted("2", NOON)), StateOutcome::Deleted);
    assert_eq!(topic.append(SentRecord::deleted("3", NOON)), StateOutcome::Repeat, "there is nothing to delete");
    assert_eq!(topic.append(SentRecord::change("4", NOON + MINUTE, "draft")), StateOutcome::Applied);
    assert_eq!(topic.state().changes, 1, "nothing of the deleted state is left");
}

#[test]
fn deletion_that_is_older_or_of_another_account_removes_nothing() {
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "draft")]);
    assert_eq!(topic.append(SentRecord::deleted("2", NOON - 1)), StateOutcome::Older);
    assert_eq!(topic.append(SentRecord::deleted("3", NOON + HOUR).by_account(2)), StateOutcome::OtherAccount);
    assert_eq!(topic.state().status, Status::Draft);
}
