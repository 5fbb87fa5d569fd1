//! The rules by which events change a view.

mod states;

use super::{
    super::fixtures::{account, at, profile, published, published_notice, sid},
    *,
};
use crate::normalize::{description, profile_details};

fn believed(events: &[(&str, u64, Status)]) -> (Status, i64) {
    let mut view = View::default();
    for (offset, (id, time, status)) in (0..).zip(events) {
        view.apply(&published(1, offset, id, at(*time), *status));
    }
    let seen = view.of(&account(), &sid(1)).unwrap();
    assert!(view.of(&account(), &sid(2)).is_none());
    (seen.belief.status, seen.last.offset)
}

#[test]
fn last_event_counts_even_with_the_time_of_the_one_before() {
    let events = [("1", 10, Status::Draft), ("2", 20, Status::InReview), ("3", 20, Status::TwilioApproved)];
    assert_eq!(believed(&events), (Status::TwilioApproved, 2));
}

#[test]
fn events_of_another_account_change_nothing_about_a_profile() {
    let foreign = AccountSid::parse(&format!("AC{}", "f".repeat(32))).unwrap();
    let mut view = View::default();
    view.apply(&published(1, 0, "1", at(10), Status::InReview));
    view.mark();
    let stolen = published(1, 1, "2", at(20), Status::TwilioApproved);
    view.apply(&PublishedEvent { account: foreign, ..stolen });
    let seen = view.of(&account(), &sid(1)).unwrap();
    assert_eq!((seen.belief.status, seen.last.offset), (Status::InReview, 0));
    assert_eq!(view.of(&foreign, &sid(1)).unwrap().belief.status, Status::TwilioApproved);
    assert!(!view.has_another_since_mark(&account(), &sid(1), "ours"));
}

#[test]
fn older_event_is_skipped_but_is_still_the_last_record() {
    assert_eq!(believed(&[("1", 20, Status::InReview), ("2", 19, Status::Draft)]), (Status::InReview, 1));
}

#[test]
fn repeat_is_skipped_even_if_it_is_newer() {
    let events = [("1", 10, Status::Draft), ("2", 20, Status::InReview), ("1", 30, Status::Draft)];
    assert_eq!(believed(&events), (Status::InReview, 2));
}

#[test]
fn ids_are_kept_for_an_hour_before_the_last_event() {
    let mut view = View::default();
    for (offset, time) in [(0, 0), (1, 60), (2, 3_660), (3, 3_661)] {
        view.apply(&published(1, offset, &time.to_string(), at(time), Status::Draft));
    }
    let times: Vec<_> = view.of(&account(), &sid(1)).unwrap().recent.iter().map(|(time, _)| time / 1_000).collect();
    assert_eq!((times, view.records()), (vec![3_660, 3_661], 4));
}

#[test]
fn end_of_an_approval_is_known_until_the_status_changes() {
    let end = Some("2027-07-30T22:29:24Z");
    let approved = Profile { valid_until: end.map(str::to_owned), ..profile(Status::TwilioApproved, at(5)) };
    let is_known = |view: &View| {
        let details = profile_details(&approved);
        let known = view.of(&account(), &sid(1)).unwrap();
        (known.has_details(&details, end), known.has_details(&details, None))
    };
    let mut view = View::default();
    view.apply(&published(1, 0, "1", at(10), Status::TwilioApproved));
    assert_eq!(is_known(&view), (false, false));
    let described = published_notice(&description(&approved, at(20), None));
    view.apply(&PublishedEvent { position: RecordPosition { partition: 0, offset: 1 }, ..described });
    assert_eq!(is_known(&view), (true, true), "one description is enough");
    view.apply(&published(1, 2, "2", at(30), Status::TwilioApproved));
    assert_eq!(is_known(&view), (true, true), "an equal status changes nothing");
    view.apply(&published(1, 3, "3", at(40), Status::TwilioRejected));
    view.apply(&published(1, 4, "4", at(50), Status::TwilioApproved));
    assert_eq!(is_known(&view), (false, true), "another approval may have another end");
}

#[test]
fn events_of_other_writers_since_a_mark_are_detected() {
    let mut view = View::default();
    let others = |view: &View| view.has_another_since_mark(&account(), &sid(1), "ours");
    view.apply(&published(1, 0, "theirs", at(1), Status::Draft));
    assert!(!others(&view), "before any mark");
    view.mark();
    view.apply(&published(1, 1, "ours", at(2), Status::Draft));
    view.apply(&published(2, 2, "theirs", at(3), Status::Draft));
    assert!(!others(&view));
    view.apply(&published(1, 3, "theirs", at(1), Status::Draft));
    assert!(others(&view), "even one that is skipped");
    view.mark();
    assert!(!others(&view));
}
