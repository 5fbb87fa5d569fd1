//! What profiles consist of, and what submissions and evaluations make of it.

use serde_json::{Map, Value, json};

use super::*;

const STARTER: &str = "RN806dd6cd175f314e1f96a9727ee271f4";
const A2P: &str = "RNb0d4771c2c98518d916a3d4cd70a8f8b";
const STARTER_TYPE: &str = "starter_customer_profile_information";

fn create(model: &mut TrustHubModel, kind: ObjectKind, object_type: &str, attributes: Value) -> String {
    let Value::Object(attributes) = attributes else { panic!("{attributes} is not an object") };
    let new = NewObject {
        kind,
        account: account(),
        friendly_name: "Part".into(),
        object_type: object_type.into(),
        attributes,
        mime_type: None,
    };
    model.create_object(new).unwrap().sid
}

fn starter(model: &mut TrustHubModel) -> String {
    let attributes = json!({ "first_name": "Ada", "last_name": "L", "email": "a@b.c", "phone_number": "+1" });
    create(model, ObjectKind::EndUser, STARTER_TYPE, attributes)
}

fn document(model: &mut TrustHubModel, address: &str) -> String {
    create(model, ObjectKind::SupportingDocument, "customer_profile_address", json!({ "address_sids": address }))
}

fn address(model: &mut TrustHubModel) -> String {
    create(model, ObjectKind::Address, "", json!({ "street": "1 Main Street" }))
}

/// A primary profile of a business that is approved.
fn primary(model: &mut TrustHubModel) -> ProfileSid {
    let sid = model.create(new_profile(PRIMARY_BUSINESS_POLICY)).unwrap().sid;
    model.assign_required(&sid).unwrap();
    model.edit(&sid, submit()).unwrap();
    model.decide(&sid, approve()).unwrap();
    sid
}

/// The codes that a submission is rejected with.
fn submitted(model: &mut TrustHubModel, sid: &ProfileSid) -> Vec<u32> {
    let update = model.edit(sid, submit()).unwrap();
    for code in &update.profile.errors {
        assert!(update.changes[0].reason.contains(&format!("({code})")), "{}", update.changes[0].reason);
    }
    let expected = if update.profile.errors.is_empty() { Status::InReview } else { Status::TwilioRejected };
    assert_eq!(update.profile.status, expected);
    update.profile.errors
}

#[test]
fn submission_is_rejected_with_a_code_for_each_thing_that_is_missing() {
    let mut model = model();
    let sid = model.create(new_profile(STARTER)).unwrap().sid;
    assert_eq!(submitted(&mut model, &sid), [22214, 22216, 18036]);
    let end_user = create(&mut model, ObjectKind::EndUser, STARTER_TYPE, json!({ "first_name": "Ada", "email": " " }));
    let document = document(&mut model, "AD00000000000000000000000000000009");
    let pending = model.create(new_profile(PRIMARY_BUSINESS_POLICY)).unwrap().sid;
    for object in [&end_user, &document, pending.as_str()] {
        model.assign(&sid, object.to_owned()).unwrap();
    }
    assert_eq!(submitted(&mut model, &sid), [22215, 22219, 18036], "parts exist, but with wrong content");

    let attributes = json!({ "first_name": "Ada", "last_name": "L", "email": "a@b.c", "phone_number": "+1" });
    let edit = |attributes: Value| ObjectEdit { attributes: attributes.as_object().cloned(), ..ObjectEdit::default() };
    model.edit_object(&account(), ObjectKind::EndUser, &end_user, edit(attributes)).unwrap();
    model.edit_object(&account(), ObjectKind::SupportingDocument, &document, edit(json!({}))).unwrap();
    let approved = primary(&mut model);
    model.assign(&sid, approved.as_str().to_owned()).unwrap();
    assert_eq!(submitted(&mut model, &sid), [22217]);

    let address = address(&mut model);
    let sids = json!({ "address_sids": [address] });
    model.edit_object(&account(), ObjectKind::SupportingDocument, &document, edit(sids)).unwrap();
    assert_eq!(submitted(&mut model, &sid), [0_u32; 0], "everything is there");
}

#[test]
fn deleted_address_is_missing_and_one_of_another_account_too() {
    let mut model = model();
    let sid = model.create(new_profile(STARTER)).unwrap().sid;
    model.assign_required(&sid).unwrap();
    let addresses = model.list_objects(&account(), ObjectKind::Address, PageStart::Newest { skip: 0 }, 9).entries;
    for address in addresses {
        model.delete_object(&account(), ObjectKind::Address, &address.sid).unwrap();
    }
    assert_eq!(submitted(&mut model, &sid), [22219]);
    let foreign = NewObject {
        kind: ObjectKind::Address,
        account: AccountSid::parse("AC00000000000000000000000000000002").unwrap(),
        friendly_name: String::new(),
        object_type: String::new(),
        attributes: Map::new(),
        mime_type: None,
    };
    let foreign = model.create_object(foreign).unwrap().sid;
    let document = document(&mut model, &foreign);
    model.assign(&sid, document).unwrap();
    assert_eq!(submitted(&mut model, &sid), [22219]);
}

#[test]
fn document_that_contradicts_the_end_user_is_reported() {
    let policy = Policy {
        documents: &[DocumentRequirement {
            name: "registration",
            friendly_name: "Registration",
            accepted: &["government_issued_document", "business_registration"],
        }],
        end_users: &["customer_profile_business_information"],
        ..*Policy::find(A2P).unwrap()
    };
    let assigned = |object_type: &str, name: &str| evaluation::AssignedObject {
        object_type: object_type.to_owned(),
        attributes: json!({ "business_name": name }).as_object().cloned().unwrap(),
    };
    for (name, codes) in [("Shop", vec![]), ("Another shop", vec![22218])] {
        let contents = evaluation::ProfileContents {
            end_users: vec![assigned("customer_profile_business_information", "Shop")],
            documents: vec![assigned("business_registration", name)],
            ..Default::default()
        };
        let results = contents.evaluate(&policy);
        let of_document = &results.iter().find(|result| result.requirement_name == "registration").unwrap().invalid;
        let found: Vec<_> = of_document.iter().filter_map(|field| Some(field.failure.as_ref()?.code)).collect();
        assert_eq!(found, codes, "{name}");
    }
}

#[test]
fn stock_ticker_is_required_of_public_companies_only() {
    let mut model = model();
    for (company, codes) in [("private", vec![18036]), ("public", vec![22215, 18036])] {
        let sid = model.create(new_profile(A2P)).unwrap().sid;
        let attributes = json!({ "company_type": company, "stock_exchange": "NYSE" });
        let end_user = create(&mut model, ObjectKind::EndUser, "us_a2p_messaging_profile_information", attributes);
        model.assign(&sid, end_user).unwrap();
        assert_eq!(submitted(&mut model, &sid), codes, "{company}");
    }
}

#[test]
fn evaluation_shows_each_field_and_is_kept_until_ten_later_ones() {
    let mut model = model();
    let sid = model.create(new_profile(STARTER)).unwrap().sid;
    let partly_empty = json!({ "first_name": "Ada", "last_name": " ", "email": null, "phone_number": [] });
    let end_user = create(&mut model, ObjectKind::EndUser, STARTER_TYPE, partly_empty);
    model.assign(&sid, end_user).unwrap();
    let first = model.evaluate(&sid, STARTER.to_owned()).unwrap();
    assert!(!first.is_compliant());
    let names = |fields: &[FieldResult]| fields.iter().map(|field| field.object_field.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first.results[0].valid), ["first_name"]);
    assert_eq!(names(&first.results[0].invalid), ["last_name", "email", "phone_number"]);
    model.assign_required(&sid).unwrap();
    for number in 1..=10 {
        assert_eq!(model.get(&sid).unwrap().evaluations[0], first, "{number}");
        assert!(model.evaluate(&sid, STARTER.to_owned()).unwrap().is_compliant());
    }
    let kept = &model.get(&sid).unwrap().evaluations;
    assert!(kept.len() == 10 && kept[0] != first);
}

#[test]
fn parts_of_a_profile_in_review_are_locked_and_assigned_ones_stay() {
    let mut model = model();
    let sid = model.create(new_profile(SIMPLE)).unwrap().sid;
    let end_user = starter(&mut model);
    let edit = |model: &mut TrustHubModel| {
        model.edit_object(&account(), ObjectKind::EndUser, &end_user, ObjectEdit::default())
    };
    let delete = |model: &mut TrustHubModel| model.delete_object(&account(), ObjectKind::EndUser, &end_user);
    let assignment = model.assign(&sid, end_user.clone()).unwrap();
    edit(&mut model).unwrap();
    assert!(matches!(delete(&mut model), Err(ModelError::Assigned(ObjectKind::EndUser))));
    model.edit(&sid, submit()).unwrap();
    let locked = ForbiddenInStatus { status: Status::InReview };
    assert!(matches!(edit(&mut model), Err(ModelError::PartOf(status)) if status == locked));
    model.decide(&sid, reject()).unwrap();
    edit(&mut model).unwrap();
    model.unassign(&sid, &assignment.sid).unwrap();
    assert!(matches!(model.unassign(&sid, &assignment.sid), Err(ModelError::NotFound)));
    delete(&mut model).unwrap();
    assert!(matches!(edit(&mut model), Err(ModelError::NotFound)));
}

#[test]
fn only_own_objects_are_assigned_and_each_once() {
    let mut model = model();
    let sid = model.create(new_profile(SIMPLE)).unwrap().sid;
    let end_user = starter(&mut model);
    model.assign(&sid, end_user.clone()).unwrap();
    assert!(matches!(model.assign(&sid, end_user.clone()), Err(ModelError::AssignedBefore)));
    let other = AccountSid::parse("AC00000000000000000000000000000002").unwrap();
    let foreign = model.create(NewProfile { account: other, ..new_profile(SIMPLE) }).unwrap().sid;
    assert!(matches!(model.assign(&foreign, end_user), Err(ModelError::UnknownObject)), "of another account");
    for unknown in [END_USER, sid.as_str(), foreign.as_str()] {
        assert!(matches!(model.assign(&sid, unknown.to_owned()), Err(ModelError::UnknownObject)), "{unknown}");
    }
}

#[test]
fn samples_meet_the_requirements_of_every_policy() {
    let mut model = model();
    for policy in POLICIES {
        let sid = model.create(new_profile(policy.sid)).unwrap().sid;
        model.assign_required(&sid).unwrap();
        assert_eq!(submitted(&mut model, &sid), [0_u32; 0], "{}", policy.friendly_name);
    }
    let before = model.len();
    let sid = model.create(new_profile(SECONDARY_BUSINESS_POLICY)).unwrap().sid;
    model.assign_required(&sid).unwrap();
    assert_eq!(model.len(), before + 1, "the primary profile is made once");
}

#[test]
fn primary_profile_without_a_photo_id_or_selfie_is_rejected() {
    let mut model = model();
    for (has_photo_id, has_selfie, codes) in
        [(false, true, vec![18059]), (true, false, vec![18059]), (true, true, vec![])]
    {
        let sid = model.create(new_profile(PRIMARY_INDIVIDUAL_POLICY)).unwrap().sid;
        model.prove_identity(&sid, IdentityProof { has_photo_id, has_selfie }).unwrap();
        model.assign_required(&sid).unwrap();
        assert_eq!(submitted(&mut model, &sid), codes);
    }
}

#[test]
fn approved_profile_is_copied_once_with_its_parts() {
    let mut model = model();
    let sid = primary(&mut model);
    let copy = model.copy(&sid).unwrap();
    let objects = |profile: &SimulatedProfile| {
        profile.assignments.iter().map(|assignment| assignment.object.clone()).collect::<Vec<_>>()
    };
    let original = model.get(&sid).unwrap().clone();
    assert_eq!((copy.status, objects(&copy)), (Status::Draft, objects(&original)));
    assert_eq!(model.copy_of(&original).unwrap().sid, copy.sid);
    assert!(matches!(model.copy(&sid), Err(ModelError::CopiedBefore)));
    assert!(matches!(model.copy(&copy.sid), Err(ModelError::NotCopyable(_))));
    model.delete(&copy.sid).unwrap();
    assert!(model.copy(&sid).is_ok(), "the first copy is gone");
}

#[test]
fn state_file_keeps_objects_evaluations_and_endpoints() {
    let file = TemporaryFile::new("objects");
    let (sid, end_user, gone) = {
        let mut model = file.open().unwrap();
        let sid = model.create(new_profile(STARTER)).unwrap().sid;
        let (end_user, gone) = (starter(&mut model), starter(&mut model));
        model.assign(&sid, end_user.clone()).unwrap();
        model.assign_endpoint(&sid, "phone-number".into(), "PN00000000000000000000000000000001".into()).unwrap();
        model.evaluate(&sid, STARTER.to_owned()).unwrap();
        model.delete_object(&account(), ObjectKind::EndUser, &gone).unwrap();
        (sid, end_user, gone)
    };
    for _ in 0..2 {
        let mut model = file.open().unwrap();
        let profile = model.get(&sid).unwrap();
        assert_eq!((profile.evaluations.len(), profile.endpoints.len(), profile.assignments.len()), (1, 1, 1));
        let kept = model.object(&account(), ObjectKind::EndUser, &end_user).unwrap();
        assert_eq!(kept.attributes()["first_name"], "Ada");
        assert!(model.object(&account(), ObjectKind::EndUser, &gone).is_err());
        let delete = model.delete_object(&account(), ObjectKind::EndUser, &end_user);
        assert!(matches!(delete, Err(ModelError::Assigned(_))), "it is still assigned");
    }
}
