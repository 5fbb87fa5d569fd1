//! Regulatory bundles: what their regulations require, provisional approvals, and copies.

use serde_json::{Value, json};

use super::*;

const GERMAN: &str = "RNfd11dde5d4b7252abf96139766f68034";
const DUTCH: &str = "RN094a796ec7631e296e7900a5a8b02031";

fn create_bundle(model: &mut TrustHubModel, regulation: &str, is_test: bool) -> ProfileSid {
    let new = NewProfile { kind: ProfileKind::RegulatoryBundles, ..new_profile(regulation) };
    let numbers = Regulation::find(regulation).map(NumberKind::of);
    model.create_bundle(new, BundleDetails::new(numbers, is_test)).unwrap().sid
}

fn add(
    model: &mut TrustHubModel,
    bundle: &ProfileSid,
    kind: ObjectKind,
    object_type: &str,
    attributes: Value,
) -> String {
    let new = NewObject {
        kind,
        account: account(),
        friendly_name: "Part".to_owned(),
        object_type: object_type.to_owned(),
        attributes: attributes.as_object().cloned().unwrap(),
        mime_type: None,
    };
    let sid = model.create_object(new).unwrap().sid;
    if kind != ObjectKind::Address {
        model.assign(bundle, sid.clone()).unwrap();
    }
    sid
}

fn person(model: &mut TrustHubModel, bundle: &ProfileSid) -> String {
    add(model, bundle, ObjectKind::EndUser, "individual", json!({ "first_name": "Ada", "last_name": "L" }))
}

/// A bundle for Dutch numbers, which require only an end user, in review.
fn submitted(model: &mut TrustHubModel) -> ProfileSid {
    let sid = create_bundle(model, DUTCH, false);
    person(model, &sid);
    assert_eq!(model.edit(&sid, submit()).unwrap().profile.status, Status::InReview);
    sid
}

fn approved(model: &mut TrustHubModel, valid_until: Option<SimTime>) -> ProfileSid {
    let sid = submitted(model);
    model.decide(&sid, ReviewDecision::Approve { valid_until }).unwrap();
    sid
}

fn objects(bundle: &SimulatedProfile) -> Vec<String> {
    bundle.assignments.iter().map(|assignment| assignment.object.clone()).collect()
}

/// The requirements that a submission finds unmet, with the codes.
fn unmet(model: &mut TrustHubModel, sid: &ProfileSid) -> Vec<(String, Vec<u32>)> {
    let evaluation = model.evaluate(sid, model.get(sid).unwrap().policy.clone()).unwrap();
    let results = evaluation.results.iter().filter(|result| !result.has_passed());
    let codes = |result: &RequirementResult| {
        let fields = result.invalid.iter().filter_map(|field| field.failure.as_ref());
        let mut codes: Vec<_> = fields.chain(&result.failure).map(|failure| failure.code).collect();
        codes.dedup();
        codes
    };
    results.map(|result| (result.requirement_name.clone(), codes(result))).collect()
}

#[test]
fn bundle_is_compared_with_the_requirements_of_its_regulation() {
    let mut model = model();
    let sid = create_bundle(&mut model, GERMAN, false);
    let documents = ["proof_of_registration_info", "business_name_info", "proof_of_address_info"];
    let missing = |code: u32, names: &[&str]| {
        names.iter().map(|name| ((*name).to_owned(), vec![code + 1, code])).collect::<Vec<_>>()
    };
    let expected: Vec<_> = [missing(22214, &["business_info"]), missing(22216, &documents)].concat();
    assert_eq!(unmet(&mut model, &sid), expected);
    let business = json!({
        "business_name": "Shop",
        "business_registration_number": "HRB 1",
        "business_website": "https://shop.example.com",
        "first_name": "Ada",
        "last_name": "L",
        "email": "",
    });
    add(&mut model, &sid, ObjectKind::EndUser, "business", business);
    let excerpt = "commercial_registrar_excerpt";
    let register = json!({ "business_registration_number": "HRB 1" });
    add(&mut model, &sid, ObjectKind::SupportingDocument, excerpt, register);
    let differing = json!({ "business_name": "Another shop", "address_sids": "AD00000000000000000000000000000009" });
    add(&mut model, &sid, ObjectKind::SupportingDocument, "trade_license", differing);
    let found = [("business_info", 22215), ("business_name_info", 22218), ("proof_of_address_info", 22219)];
    assert_eq!(unmet(&mut model, &sid), found.map(|(name, code)| (name.to_owned(), vec![code])));
    let rejected = model.edit(&sid, submit()).unwrap().profile;
    assert_eq!((rejected.status, rejected.errors), (Status::TwilioRejected, vec![22215, 22218, 22219]));
}

#[test]
fn document_with_the_required_fields_counts_before_newer_ones() {
    let mut model = model();
    let sid = create_bundle(&mut model, GERMAN, false);
    let address = add(&mut model, &sid, ObjectKind::Address, "", json!({ "street": "1 Main Street" }));
    for attributes in [
        json!({ "business_registration_number": "HRB 1" }),
        json!({ "business_name": "Shop" }),
        json!({ "address_sids": address }),
    ] {
        add(&mut model, &sid, ObjectKind::SupportingDocument, "commercial_registrar_excerpt", attributes);
    }
    let names: Vec<_> = unmet(&mut model, &sid).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["business_info"], "each document meets one requirement");
}

#[test]
fn bundle_of_an_unknown_regulation_requires_nothing() {
    let mut model = model();
    // A policy of Trust Hub is no regulation.
    for unknown in [SIMPLE, SECONDARY_BUSINESS_POLICY, ""] {
        let sid = create_bundle(&mut model, unknown, false);
        assert_eq!(model.edit(&sid, submit()).unwrap().profile.status, Status::InReview, "{unknown}");
    }
}

#[test]
fn regulations_refer_to_types_and_are_found_by_sid_and_numbers() {
    for regulation in REGULATIONS {
        assert_eq!(Regulation::find(&regulation.sid.to_uppercase()), Some(regulation));
        assert_eq!(NumberKind::of(regulation).regulation(), Some(regulation));
        let accepted = |required: &RegulatoryRequirement, types| {
            required.accepted.iter().all(|name| required.object_type(types, name).is_some())
        };
        assert!(accepted(&regulation.end_user, REGULATORY_END_USER_TYPES), "{}", regulation.friendly_name);
        for document in regulation.documents {
            assert!(accepted(document, REGULATORY_DOCUMENT_TYPES), "{}: {}", regulation.friendly_name, document.name);
        }
    }
    let numbers = |number_type: &str| NumberKind {
        iso_country: "id".to_owned(),
        number_type: number_type.to_owned(),
        end_user_type: "Business".to_owned(),
    };
    assert!(numbers("tollfree").regulation().is_some(), "Twilio has two spellings");
    assert!(numbers("local").regulation().is_none());
}

#[test]
fn test_bundle_is_rejected_although_it_is_complete() {
    let mut model = model();
    let sid = create_bundle(&mut model, DUTCH, true);
    let incomplete = model.edit(&sid, submit()).unwrap().profile;
    assert_eq!(incomplete.errors, [22214], "what is missing is reported first");
    let sid = create_bundle(&mut model, DUTCH, true);
    person(&mut model, &sid);
    let rejected = model.edit(&sid, submit()).unwrap();
    assert_eq!(rejected.profile.errors, [18099]);
    assert_eq!(rejected.changes[0].reason, "It is a test bundle (18099).");
}

#[test]
fn provisional_approval_is_announced_and_ends_in_a_decision() {
    let mut model = model();
    let provisional = ReviewDecision::ApproveProvisionally { valid_until: None };
    for decision in [approve(), reject()] {
        let sid = submitted(&mut model);
        let update = model.decide(&sid, provisional.clone()).unwrap();
        assert_eq!(statuses(&update), [Status::ProvisionallyApproved]);
        assert!(model.decide(&sid, provisional.clone()).is_err(), "it is already");
        let expected = if matches!(decision, ReviewDecision::Approve { .. }) {
            Status::TwilioApproved
        } else {
            Status::TwilioRejected
        };
        assert_eq!(statuses(&model.decide(&sid, decision).unwrap()), [expected]);
    }
    let profile = model.create(new_profile(SIMPLE)).unwrap().sid;
    model.edit(&profile, submit()).unwrap();
    assert!(matches!(model.decide(&profile, provisional), Err(ModelError::NotABundle)));
}

#[test]
fn provisional_approval_expires_at_its_end_date() {
    let mut model = model();
    let sid = submitted(&mut model);
    let end = model.now().after(Duration::from_secs(86_400));
    model.decide(&sid, ReviewDecision::ApproveProvisionally { valid_until: Some(end) }).unwrap();
    assert!(model.run_next_due().unwrap().is_none());
    model.clock.catch_up_with(end);
    let expired = model.run_next_due().unwrap().unwrap();
    assert_eq!((statuses(&expired), expired.profile.errors), (vec![Status::TwilioRejected], vec![OUTDATED]));
}

#[test]
fn copy_of_a_bundle_has_copies_of_its_items_that_can_be_changed() {
    let mut model = model();
    let sid = submitted(&mut model);
    let copy = model.copy_bundle(&sid, Some("Copy".to_owned())).unwrap();
    assert_eq!((copy.status, copy.friendly_name.as_str(), copy.policy.as_str()), (Status::Draft, "Copy", DUTCH));
    let original = model.get(&sid).unwrap().clone();
    assert_eq!(model.copies_of(&original).iter().map(|one| &one.sid).collect::<Vec<_>>(), [&copy.sid]);
    let ([old], [new]) = (&objects(&original)[..], &objects(&copy)[..]) else { panic!("one item each") };
    let change = |model: &mut TrustHubModel, sid: &str| {
        model.edit_object(&account(), ObjectKind::EndUser, sid, ObjectEdit::default()).map(|object| object.attributes())
    };
    assert!(matches!(change(&mut model, old), Err(ModelError::PartOf(_))), "the original is in review");
    assert_eq!(change(&mut model, new).unwrap()["first_name"], "Ada");
    model.delete(&copy.sid).unwrap();
    assert!(model.copies_of(&original).is_empty());
    for _ in 0..50 {
        model.copy_bundle(&sid, None).unwrap();
    }
    assert!(matches!(model.copy_bundle(&sid, None), Err(ModelError::Full(_))));
    assert_eq!(model.copies_of(&model.get(&sid).unwrap().clone()).len(), 50);
}

#[test]
fn items_of_an_approved_bundle_are_replaced_with_its_end_date() {
    let mut model = model();
    let end = model.now().after(Duration::from_secs(86_400));
    let (old, new) = (approved(&mut model, Some(end)), approved(&mut model, None));
    let of_new = objects(model.get(&new).unwrap());
    let replaced = model.replace_items(&old, &new).unwrap();
    assert_eq!((objects(&replaced), replaced.valid_until), (of_new.clone(), None));
    assert_eq!(replaced.status, Status::TwilioApproved);
    assert_ne!(replaced.assignments[0].sid, model.get(&new).unwrap().assignments[0].sid);
    model.delete(&new).unwrap();
    let delete = model.delete_object(&account(), ObjectKind::EndUser, &of_new[0]);
    assert!(matches!(delete, Err(ModelError::Assigned(_))), "the bundle still has it");
    model.clock.catch_up_with(end);
    assert!(model.run_next_due().unwrap().is_none(), "it has no end date any more");
}

#[test]
fn items_are_replaced_only_between_approved_bundles_of_an_account() {
    let mut model = model();
    let (sid, pending) = (approved(&mut model, None), submitted(&mut model));
    for (to, from) in [(&sid, &pending), (&pending, &sid)] {
        assert!(matches!(model.replace_items(to, from), Err(ModelError::Forbidden(_))));
    }
    let other = AccountSid::parse("AC00000000000000000000000000000002").unwrap();
    let profile = model.create(new_profile(SIMPLE)).unwrap().sid;
    let new = NewProfile { kind: ProfileKind::RegulatoryBundles, account: other, ..new_profile("") };
    let foreign = model.create_bundle(new, BundleDetails::default()).unwrap().sid;
    for from in [&sid, &profile, &foreign] {
        assert!(matches!(model.replace_items(&sid, from), Err(ModelError::UnknownObject)));
    }
}

#[test]
fn state_file_keeps_what_only_bundles_have() {
    let file = TemporaryFile::new("bundles");
    let (sid, copy) = {
        let mut model = file.open().unwrap();
        let sid = create_bundle(&mut model, DUTCH, true);
        let copy = model.copy_bundle(&sid, None).unwrap().sid;
        (sid, copy)
    };
    let model = file.open().unwrap();
    let kept = model.get(&sid).unwrap();
    assert_eq!(model.copies_of(kept)[0].sid, copy);
    let details = kept.bundle.as_ref().unwrap();
    assert_eq!((details.is_test, details.numbers.as_ref().unwrap().iso_country.as_str()), (true, "NL"));
}
