use std::{env, fs, iter, path::PathBuf, process};

use proptest::{collection::vec, prelude::*};

use super::*;

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const BUSINESS: &str = "RNdfbf3fae0e1107f8aded0e7cead80bf5";
const INDIVIDUAL: &str = "RN806dd6cd175f314e1f96a9727ee271f4";
const SIMPLE: &str = "RN00000000000000000000000000000000";
const END_USER: &str = "IT00000000000000000000000000000000";
const DOCUMENT: &str = "RD00000000000000000000000000000000";

fn account() -> AccountSid {
    AccountSid::parse(ACCOUNT).unwrap()
}

fn draft(policy: &str) -> Draft {
    Draft {
        kind: Kind::CustomerProfiles,
        account: account(),
        policy: policy.to_owned(),
        friendly_name: "Name".to_owned(),
        email: "a@example.com".to_owned(),
        status_callback: Some("https://hooks.example.com/".to_owned()),
    }
}

fn hub() -> Hub {
    Hub::new(None, NonZeroU32::MIN, 7)
}

fn submit() -> Edit {
    Edit { status: Some(Status::PendingReview), ..Edit::default() }
}

fn approve() -> Verdict {
    Verdict::Approve { valid_until: None }
}

fn reject() -> Verdict {
    Verdict::Reject { codes: vec![18602, 18603], reason: String::new() }
}

fn statuses(happened: &Happened) -> Vec<Status> {
    happened.changes.iter().map(|change| change.status).collect()
}

#[test]
fn what_is_complete_goes_to_the_reviewers_and_is_locked() {
    let mut hub = hub();
    let sid = hub.create(draft(SIMPLE)).unwrap().sid;
    let submitted = hub.edit(&sid, submit()).unwrap();
    assert_eq!(statuses(&submitted), [Status::PendingReview, Status::InReview]);
    let locked = Forbidden { status: Status::InReview };
    for refused in [
        hub.edit(&sid, Edit::default()).map(drop),
        hub.edit(&sid, submit()).map(drop),
        hub.assign(&sid, END_USER.to_owned()).map(drop),
        hub.delete(&sid),
    ] {
        assert!(matches!(refused, Err(Trouble::Forbidden(status)) if status == locked), "{refused:?}");
    }
}

#[test]
fn what_is_incomplete_is_rejected_at_once_and_each_policy_says_what_that_is() {
    let mut hub = hub();
    for (policy, missing, objects) in
        [(BUSINESS, &[22214, 22216][..], &[END_USER, DOCUMENT][..]), (INDIVIDUAL, &[22214], &[END_USER])]
    {
        let sid = hub.create(draft(policy)).unwrap().sid;
        let rejected = hub.edit(&sid, submit()).unwrap();
        assert_eq!(statuses(&rejected), [Status::TwilioRejected]);
        assert_eq!(rejected.profile.errors, missing);
        assert!(missing.iter().all(|code| rejected.changes[0].reason.contains(&code.to_string())));
        for object in objects {
            hub.assign(&sid, (*object).to_owned()).unwrap();
        }
        assert_eq!(hub.edit(&sid, submit()).unwrap().profile.status, Status::InReview);
    }
}

#[test]
fn a_removed_assignment_is_missing_again() {
    let mut hub = hub();
    let sid = hub.create(draft(INDIVIDUAL)).unwrap().sid;
    let assignment = hub.assign(&sid, END_USER.to_owned()).unwrap();
    hub.unassign(&sid, &assignment.sid).unwrap();
    assert!(matches!(hub.unassign(&sid, &assignment.sid), Err(Trouble::NotFound)));
    assert_eq!(hub.edit(&sid, submit()).unwrap().profile.status, Status::TwilioRejected);
}

#[test]
fn what_is_rejected_can_be_edited_submitted_again_and_approved() {
    let mut hub = hub();
    let sid = hub.create(draft(SIMPLE)).unwrap().sid;
    hub.edit(&sid, submit()).unwrap();
    let rejected = hub.decide(&sid, reject()).unwrap();
    assert_eq!(rejected.profile.errors, [18602, 18603]);
    assert_eq!(
        rejected.changes[0].reason,
        "business registration number not verified (18602), address not verified (18603)"
    );
    let name = Edit { friendly_name: Some("Better".to_owned()), ..Edit::default() };
    assert_eq!(statuses(&hub.edit(&sid, name).unwrap()), [], "editing alone is not announced");
    let resubmitted = hub.edit(&sid, submit()).unwrap();
    assert!(resubmitted.profile.errors.is_empty(), "the old ones are gone");
    let approved = hub.decide(&sid, approve()).unwrap().profile;
    assert_eq!((approved.status, approved.friendly_name.as_str()), (Status::TwilioApproved, "Better"));
}

#[test]
fn only_a_review_ends_in_a_decision_and_only_an_approval_expires() {
    let mut hub = hub();
    let sid = hub.create(draft(SIMPLE)).unwrap().sid;
    assert!(hub.decide(&sid, approve()).is_err());
    assert!(hub.decide(&sid, reject()).is_err());
    assert!(hub.expire(&sid).is_err());
    hub.edit(&sid, submit()).unwrap();
    assert!(hub.expire(&sid).is_err());
    hub.decide(&sid, approve()).unwrap();
    assert!(hub.edit(&sid, submit()).is_err(), "there is nothing to submit");
    assert_eq!(statuses(&hub.expire(&sid).unwrap()), [Status::TwilioRejected]);
}

#[test]
fn an_approval_expires_by_itself_when_its_time_has_come() {
    let mut hub = hub();
    let sid = hub.create(draft(SIMPLE)).unwrap().sid;
    hub.edit(&sid, submit()).unwrap();
    let end = hub.now().after(Duration::from_secs(86_400));
    hub.decide(&sid, Verdict::Approve { valid_until: Some(end) }).unwrap();
    assert!(hub.pass().unwrap().is_none());
    hub.clock.catch_up_with(end);
    assert_eq!(hub.pass().unwrap().unwrap().profile.status, Status::TwilioRejected);
    assert!(hub.pass().unwrap().is_none(), "once");
}

#[test]
fn reviews_without_a_reviewer_end_after_their_time() {
    for (percent, status) in [(0, Status::TwilioApproved), (100, Status::TwilioRejected)] {
        let mut hub = hub();
        hub.set_auto_review(AutoReview { after: Some(Duration::from_secs(3600)), reject: percent.try_into().unwrap() });
        let sid = hub.create(draft(SIMPLE)).unwrap().sid;
        hub.edit(&sid, submit()).unwrap();
        assert!(hub.pass().unwrap().is_none());
        hub.clock.catch_up_with(hub.now().after(Duration::from_secs(3600)));
        assert_eq!(hub.pass().unwrap().unwrap().profile.status, status);
    }
}

/// Follows one direction to its end.
fn walk(hub: &Hub, filter: &Filter, size: usize, start: Start, on: fn(&Page) -> &Option<String>) -> Vec<Vec<u64>> {
    let mut start = Some(start);
    let pages = iter::from_fn(|| {
        let page = hub.list(&account(), Kind::CustomerProfiles, filter, start?, size);
        start = on(&page).as_ref().map(|token| Start::parse(token).unwrap());
        Some(page.profiles.iter().map(|profile| profile.serial).collect())
    });
    pages.collect()
}

proptest! {
    #[test]
    fn pages_together_are_the_list_newest_first_and_lead_back_the_same_way(
        drafts in vec(any::<bool>(), 0..40), size in 1_usize..12, filtered in any::<bool>(),
    ) {
        let mut hub = hub();
        for is_submitted in &drafts {
            let sid = hub.create(draft(SIMPLE)).unwrap().sid;
            if *is_submitted {
                hub.edit(&sid, submit()).unwrap();
            }
        }
        let filter = Filter { status: filtered.then_some(Status::Draft), ..Filter::default() };
        let expected = (1..).zip(&drafts).filter(|(_, is_submitted)| !filtered || !**is_submitted);
        let mut expected: Vec<u64> = expected.map(|(serial, _)| serial).collect();
        expected.reverse();
        let forth = walk(&hub, &filter, size, Start::Newest { skip: 0 }, |page| &page.next);
        prop_assert_eq!(forth.concat(), expected.clone());
        prop_assert!(forth.iter().rev().skip(1).all(|page| page.len() == size));
        if let Some(last) = forth.last().and_then(|page| page.first()) {
            let mut back = walk(&hub, &filter, size, Start::Before(*last), |page| &page.previous);
            back.reverse();
            prop_assert_eq!(back.concat(), forth[..forth.len() - 1].concat());
        }
    }
}

#[test]
fn a_page_is_not_shifted_by_what_comes_and_goes() {
    let mut hub = hub();
    let sids: Vec<_> = (0..6).map(|_| hub.create(draft(SIMPLE)).unwrap().sid).collect();
    let list = |hub: &Hub, start| hub.list(&account(), Kind::CustomerProfiles, &Filter::default(), start, 2);
    let first = list(&hub, Start::Newest { skip: 0 });
    hub.create(draft(SIMPLE)).unwrap();
    hub.delete(&sids[4]).unwrap();
    let second = list(&hub, Start::parse(&first.next.unwrap()).unwrap());
    let listed: Vec<_> = second.profiles.iter().map(|profile| &profile.sid).collect();
    assert_eq!(listed, [&sids[3], &sids[2]]);
}

#[test]
fn accounts_and_kinds_do_not_see_each_other() {
    let mut hub = hub();
    hub.create(draft(SIMPLE)).unwrap();
    let list = |account: &AccountSid, kind| hub.list(account, kind, &Filter::default(), Start::Newest { skip: 0 }, 9);
    assert_eq!(list(&account(), Kind::CustomerProfiles).profiles.len(), 1);
    assert_eq!(list(&account(), Kind::TrustProducts).profiles.len(), 0);
    let other = AccountSid::parse("AC00000000000000000000000000000002").unwrap();
    assert_eq!(list(&other, Kind::CustomerProfiles).profiles.len(), 0);
}

/// A file that nobody else has, removed with this value.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("trusthub-simulator-{name}-{}", process::id())))
    }

    fn open(&self) -> Result<Hub, BadState> {
        Store::open(&self.0).map(|store| Hub::new(Some(store), NonZeroU32::MIN, 7))
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_file(format!("{}.lock", self.0.display()));
    }
}

#[test]
fn a_state_survives_the_end_and_half_a_line_at_it() {
    let file = TemporaryFile::new("survives");
    let (sid, gone) = {
        let mut hub = file.open().unwrap();
        let sid = hub.create(draft(SIMPLE)).unwrap().sid;
        hub.edit(&sid, submit()).unwrap();
        let gone = hub.create(draft(SIMPLE)).unwrap().sid;
        hub.delete(&gone).unwrap();
        (sid, gone)
    };
    let mut text = fs::read(&file.0).unwrap();
    text.extend(br#"{"Profile":{"sid":"BU"#);
    fs::write(&file.0, text).unwrap();
    let mut hub = file.open().unwrap();
    assert_eq!(hub.get(&sid).unwrap().status, Status::InReview);
    assert!(matches!(hub.get(&gone), Err(Trouble::NotFound)));
    let newer = hub.create(draft(SIMPLE)).unwrap();
    assert!(newer.serial > hub.get(&sid).unwrap().serial);
    drop(hub);
    assert_eq!(file.open().unwrap().len(), 2);
}

#[test]
fn a_file_that_is_no_state_is_left_alone_and_named() {
    let file = TemporaryFile::new("strange");
    for text in ["a letter\n", "{}", r#"{"AC1": ["token"]}"#, "a\nb\nc"] {
        fs::write(&file.0, text).unwrap();
        let error = file.open().unwrap_err().to_string();
        assert!(error.contains("line 1 is not that of a state") && error.contains("strange"), "{error}");
        assert_eq!(fs::read_to_string(&file.0).unwrap(), text);
    }
}

#[test]
fn a_strange_line_in_a_state_is_named_and_the_file_left_alone() {
    let file = TemporaryFile::new("spoilt");
    drop(file.open().unwrap());
    let text = fs::read_to_string(&file.0).unwrap() + "a letter\n";
    fs::write(&file.0, &text).unwrap();
    let error = file.open().unwrap_err().to_string();
    assert!(error.contains("line 2 is not that of a state"), "{error}");
    assert_eq!(fs::read_to_string(&file.0).unwrap(), text);
}

#[test]
fn two_simulators_do_not_share_a_state() {
    let file = TemporaryFile::new("shared");
    let _hub = file.open().unwrap();
    assert!(matches!(file.open(), Err(BadState::Used(_))));
}
