mod automatic_review;
mod bundles;
mod content;
mod restart;

use std::{env, fs, iter, path::PathBuf, process};

use proptest::{collection::vec, prelude::*};

use super::*;

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const SIMPLE: &str = "RN00000000000000000000000000000000";
const END_USER: &str = "IT00000000000000000000000000000000";

fn account() -> AccountSid {
    AccountSid::parse(ACCOUNT).unwrap()
}

fn new_profile(policy: &str) -> NewProfile {
    NewProfile {
        kind: ProfileKind::CustomerProfiles,
        account: account(),
        policy: policy.to_owned(),
        friendly_name: "Name".to_owned(),
        email: "a@example.com".to_owned(),
        status_callback: Some("https://hooks.example.com/".to_owned()),
    }
}

fn model() -> TrustHubModel {
    TrustHubModel::new(None, NonZeroU32::MIN, 7)
}

fn submit() -> ProfileEdit {
    ProfileEdit { status: Some(Status::PendingReview), ..ProfileEdit::default() }
}

fn approve() -> ReviewDecision {
    ReviewDecision::Approve { valid_until: None }
}

fn reject() -> ReviewDecision {
    ReviewDecision::Reject { codes: vec![18602, 18603], reason: String::new() }
}

fn statuses(update: &ProfileUpdate) -> Vec<Status> {
    update.changes.iter().map(|change| change.status).collect()
}

#[test]
fn a_complete_profile_goes_into_review_and_is_locked() {
    let mut model = model();
    let sid = model.create(new_profile(SIMPLE)).unwrap().sid;
    let submitted = model.edit(&sid, submit()).unwrap();
    assert_eq!(statuses(&submitted), [Status::PendingReview, Status::InReview]);
    let locked = ForbiddenInStatus { status: Status::InReview };
    for result in [
        model.edit(&sid, ProfileEdit::default()).map(drop),
        model.edit(&sid, submit()).map(drop),
        model.assign(&sid, END_USER.to_owned()).map(drop),
        model.delete(&sid),
    ] {
        assert!(matches!(result, Err(ModelError::Forbidden(status)) if status == locked), "{result:?}");
    }
}

#[test]
fn a_rejected_profile_can_be_edited_resubmitted_and_approved() {
    let mut model = model();
    let sid = model.create(new_profile(SIMPLE)).unwrap().sid;
    model.edit(&sid, submit()).unwrap();
    let rejected = model.decide(&sid, reject()).unwrap();
    assert_eq!(rejected.profile.errors, [18602, 18603]);
    assert_eq!(
        rejected.changes[0].reason,
        "The registration number of the business could not be verified (18602). The address of the business could not be \
         verified (18603)."
    );
    let name = ProfileEdit { friendly_name: Some("Better".to_owned()), ..ProfileEdit::default() };
    assert_eq!(statuses(&model.edit(&sid, name).unwrap()), [], "editing alone is not announced");
    let resubmitted = model.edit(&sid, submit()).unwrap();
    assert!(resubmitted.profile.errors.is_empty(), "the old errors are gone");
    let approved = model.decide(&sid, approve()).unwrap().profile;
    assert_eq!((approved.status, approved.friendly_name.as_str()), (Status::TwilioApproved, "Better"));
}

#[test]
fn decisions_need_a_review_and_expiry_needs_an_approval() {
    let mut model = model();
    let sid = model.create(new_profile(SIMPLE)).unwrap().sid;
    assert!(model.decide(&sid, approve()).is_err());
    assert!(model.decide(&sid, reject()).is_err());
    assert!(model.expire(&sid, OUTDATED).is_err());
    model.edit(&sid, submit()).unwrap();
    assert!(model.expire(&sid, OUTDATED).is_err());
    model.decide(&sid, approve()).unwrap();
    assert!(model.edit(&sid, submit()).is_err(), "there is nothing to submit");
    let expired = model.expire(&sid, REGULATION_CHANGED).unwrap();
    assert_eq!((statuses(&expired), &expired.profile.errors[..]), (vec![Status::TwilioRejected], &[22600][..]));
}

#[test]
fn an_approval_expires_at_its_end_date() {
    let mut model = model();
    let sid = model.create(new_profile(SIMPLE)).unwrap().sid;
    model.edit(&sid, submit()).unwrap();
    let end = model.now().after(Duration::from_secs(86_400));
    model.decide(&sid, ReviewDecision::Approve { valid_until: Some(end) }).unwrap();
    assert!(model.run_next_due().unwrap().is_none());
    model.clock.catch_up_with(end);
    let expired = model.run_next_due().unwrap().unwrap().profile;
    assert_eq!((expired.status, &expired.errors[..]), (Status::TwilioRejected, &[22601][..]));
    assert!(model.run_next_due().unwrap().is_none(), "once");
}

#[test]
fn an_automatic_review_decides_after_its_time() {
    for (percent, status) in [(0, Status::TwilioApproved), (100, Status::TwilioRejected)] {
        let mut model = model();
        model.set_auto_review(AutoReview {
            after: Some(Duration::from_secs(3600)),
            reject: percent.try_into().unwrap(),
        });
        let sid = model.create(new_profile(SIMPLE)).unwrap().sid;
        model.edit(&sid, submit()).unwrap();
        assert!(model.run_next_due().unwrap().is_none());
        model.clock.catch_up_with(model.now().after(Duration::from_secs(3600)));
        assert_eq!(model.run_next_due().unwrap().unwrap().profile.status, status);
    }
}

/// Follows the links of one direction and returns the serial numbers on each page.
fn walk(
    model: &TrustHubModel,
    filter: &ProfileFilter,
    size: usize,
    start: PageStart,
    on: fn(&ProfilePage) -> &Option<String>,
) -> Vec<Vec<u64>> {
    let mut start = Some(start);
    let pages = iter::from_fn(|| {
        let page = model.list(&account(), ProfileKind::CustomerProfiles, filter, start?, size);
        start = on(&page).as_ref().map(|token| PageStart::parse(token).unwrap());
        Some(page.entries.iter().map(|profile| profile.serial).collect())
    });
    pages.collect()
}

proptest! {
    #[test]
    fn pages_cover_the_list_newest_first_in_both_directions(
        drafts in vec(any::<bool>(), 0..40), size in 1_usize..12, filtered in any::<bool>(),
    ) {
        let mut model = model();
        for is_submitted in &drafts {
            let sid = model.create(new_profile(SIMPLE)).unwrap().sid;
            if *is_submitted {
                model.edit(&sid, submit()).unwrap();
            }
        }
        let filter = ProfileFilter { status: filtered.then_some(Status::Draft), ..ProfileFilter::default() };
        let expected = (1..).zip(&drafts).filter(|(_, is_submitted)| !filtered || !**is_submitted);
        let mut expected: Vec<u64> = expected.map(|(serial, _)| serial).collect();
        expected.reverse();
        let forward = walk(&model, &filter, size, PageStart::Newest { skip: 0 }, |page| &page.next);
        prop_assert_eq!(forward.concat(), expected.clone());
        prop_assert!(forward.iter().rev().skip(1).all(|page| page.len() == size));
        if let Some(last) = forward.last().and_then(|page| page.first()) {
            let mut backward = walk(&model, &filter, size, PageStart::Before(*last), |page| &page.previous);
            backward.reverse();
            prop_assert_eq!(backward.concat(), forward[..forward.len() - 1].concat());
        }
    }
}

#[test]
fn pages_do_not_shift_when_profiles_are_created_or_deleted() {
    let mut model = model();
    let sids: Vec<_> = (0..6).map(|_| model.create(new_profile(SIMPLE)).unwrap().sid).collect();
    let list = |model: &TrustHubModel, start| {
        model.list(&account(), ProfileKind::CustomerProfiles, &ProfileFilter::default(), start, 2)
    };
    let first = list(&model, PageStart::Newest { skip: 0 });
    model.create(new_profile(SIMPLE)).unwrap();
    model.delete(&sids[4]).unwrap();
    let second = list(&model, PageStart::parse(&first.next.unwrap()).unwrap());
    let listed: Vec<_> = second.entries.iter().map(|profile| &profile.sid).collect();
    assert_eq!(listed, [&sids[3], &sids[2]]);
}

#[test]
fn lists_are_separate_per_account_and_kind() {
    let mut model = model();
    model.create(new_profile(SIMPLE)).unwrap();
    let list = |account: &AccountSid, kind| {
        model.list(account, kind, &ProfileFilter::default(), PageStart::Newest { skip: 0 }, 9)
    };
    assert_eq!(list(&account(), ProfileKind::CustomerProfiles).entries.len(), 1);
    assert_eq!(list(&account(), ProfileKind::TrustProducts).entries.len(), 0);
    let other = AccountSid::parse("AC00000000000000000000000000000002").unwrap();
    assert_eq!(list(&other, ProfileKind::CustomerProfiles).entries.len(), 0);
}

/// The path of a file that only this test uses. Dropping it removes the file.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str) -> Self {
        Self(env::temp_dir().join(format!("trusthub-simulator-{name}-{}", process::id())))
    }

    fn open(&self) -> Result<TrustHubModel, StateFileError> {
        StateFile::open(&self.0).map(|state| TrustHubModel::new(Some(state), NonZeroU32::MIN, 7))
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_file(format!("{}.lock", self.0.display()));
    }
}

#[test]
fn a_state_file_survives_a_restart_and_a_truncated_last_line() {
    let file = TemporaryFile::new("survives");
    let (sid, gone) = {
        let mut model = file.open().unwrap();
        let sid = model.create(new_profile(SIMPLE)).unwrap().sid;
        model.edit(&sid, submit()).unwrap();
        let gone = model.create(new_profile(SIMPLE)).unwrap().sid;
        model.delete(&gone).unwrap();
        (sid, gone)
    };
    let mut text = fs::read(&file.0).unwrap();
    text.extend(br#"{"Profile":{"sid":"BU"#);
    fs::write(&file.0, text).unwrap();
    let mut model = file.open().unwrap();
    assert_eq!(model.get(&sid).unwrap().status, Status::InReview);
    assert!(matches!(model.get(&gone), Err(ModelError::NotFound)));
    let newer = model.create(new_profile(SIMPLE)).unwrap();
    assert!(newer.serial > model.get(&sid).unwrap().serial);
    drop(model);
    assert_eq!(file.open().unwrap().len(), 2);
}

#[test]
fn another_file_is_named_and_not_changed() {
    let file = TemporaryFile::new("strange");
    for text in ["a letter\n", "{}", r#"{"AC1": ["token"]}"#, "a\nb\nc"] {
        fs::write(&file.0, text).unwrap();
        let error = file.open().unwrap_err().to_string();
        assert!(error.contains("line 1 does not belong in a state file") && error.contains("strange"), "{error}");
        assert_eq!(fs::read_to_string(&file.0).unwrap(), text);
    }
}

#[test]
fn an_unreadable_line_is_named_and_the_file_not_changed() {
    let file = TemporaryFile::new("spoilt");
    drop(file.open().unwrap());
    let text = fs::read_to_string(&file.0).unwrap() + "a letter\n";
    fs::write(&file.0, &text).unwrap();
    let error = file.open().unwrap_err().to_string();
    assert!(error.contains("line 2 does not belong in a state file"), "{error}");
    assert_eq!(fs::read_to_string(&file.0).unwrap(), text);
}

#[test]
fn two_simulators_cannot_share_a_state_file() {
    let file = TemporaryFile::new("shared");
    let _model = file.open().unwrap();
    assert!(matches!(file.open(), Err(StateFileError::Used(_))));
}
