//! The automatic reviewer: rules, and the seeded share of rejections.

use std::collections::BTreeSet;

use serde_json::{Map, json};

use super::*;

fn reviewing(seed: u64, percent: u8) -> TrustHubModel {
    let mut model = TrustHubModel::new(None, NonZeroU32::MIN, seed);
    let reject = percent.try_into().unwrap();
    model.set_auto_review(AutoReview { after: Some(Duration::ZERO), reject });
    model
}

/// A profile in review, which its automatic reviewer has not decided.
fn submitted(model: &mut TrustHubModel, name: &str) -> ProfileSid {
    let new = NewProfile { friendly_name: name.to_owned(), ..new_profile(SECONDARY_BUSINESS_POLICY) };
    let sid = model.create(new).unwrap().sid;
    model.assign_required(&sid).unwrap();
    assert_eq!(model.edit(&sid, submit()).unwrap().profile.status, Status::InReview);
    sid
}

/// The status, the codes and the announced reason after the review.
fn decided(model: &mut TrustHubModel) -> (Status, Vec<u32>, String) {
    let ProfileUpdate { profile, mut changes } = model.run_next_due().unwrap().expect("a review is due");
    (profile.status, profile.errors, changes.remove(0).reason)
}

fn add(model: &mut TrustHubModel, rule: &str) -> u64 {
    model.add_rule(rule.parse().unwrap()).unwrap().id
}

#[test]
fn first_rule_that_matches_decides_and_others_are_not_tried() {
    let mut model = reviewing(7, 0);
    add(&mut model, "friendly_name=*PASS* => approve");
    add(&mut model, "friendly_name=*fail* => reject 18602, 18604: Not in the register");
    add(&mut model, "business_name=corner* => reject 18603");
    for (name, status, codes, reason) in [
        ("It may fail but pass", Status::TwilioApproved, vec![], ""),
        ("It FAILS", Status::TwilioRejected, vec![18602, 18604], "Not in the register (18602, 18604)"),
        ("Another", Status::TwilioRejected, vec![18603], "The address of the business could not be verified (18603)."),
    ] {
        submitted(&mut model, name);
        assert_eq!(decided(&mut model), (status, codes, reason.to_owned()), "{name}");
    }
}

#[test]
fn rule_refers_to_any_attribute_of_the_profile_and_of_no_other() {
    let mut model = reviewing(7, 0);
    let sid = submitted(&mut model, "Shop");
    let others = [("nested", json!({ "inner": ["one", "Two"] })), ("count", json!(12)), ("empty", json!(null))];
    let attributes: Map<_, _> = others.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let document = model.create_object(NewObject {
        kind: ObjectKind::SupportingDocument,
        account: account(),
        friendly_name: "Document".to_owned(),
        object_type: "other".to_owned(),
        attributes,
        mime_type: None,
    });
    let document = document.unwrap().sid;
    model.decide(&sid, reject()).unwrap();
    let review = |model: &mut TrustHubModel, rule: &str| {
        model.clear_rules();
        add(model, &format!("{rule} => reject 18050"));
        model.edit(&sid, submit()).unwrap();
        let is_rejected = decided(model).0 == Status::TwilioRejected;
        if !is_rejected {
            model.decide(&sid, reject()).unwrap();
        }
        is_rejected
    };
    assert!(review(&mut model, "first_name=ada") && review(&mut model, "address_sids=ad*"));
    assert!(!review(&mut model, "count=12"), "the document is not assigned");
    model.assign(&sid, document).unwrap();
    for rule in ["count=12", "inner=two", "inner=ONE"] {
        assert!(review(&mut model, rule), "{rule}");
    }
    for rule in ["nested=*", "empty=*", "friendly_name=Document", "unknown=*"] {
        assert!(!review(&mut model, rule), "{rule}");
    }
}

#[test]
fn removed_rules_decide_nothing_and_their_numbers_do_not_return() {
    let mut model = reviewing(7, 0);
    let first = add(&mut model, "friendly_name=* => reject 18602");
    let second = add(&mut model, "friendly_name=* => reject 18603");
    model.remove_rule(first).unwrap();
    assert!(matches!(model.remove_rule(first), Err(ModelError::NotFound)));
    submitted(&mut model, "Shop");
    assert_eq!(decided(&mut model).1, [18603]);
    model.clear_rules();
    submitted(&mut model, "Shop");
    assert_eq!(decided(&mut model).0, Status::TwilioApproved);
    assert_eq!((first, second, add(&mut model, "a=b => approve")), (1, 2, 3));
}

#[test]
fn rules_are_limited_and_stay_when_the_settings_change() {
    let mut model = reviewing(7, 0);
    for number in 1..=100 {
        assert_eq!(add(&mut model, "friendly_name=* => reject 18602"), number);
    }
    let surplus = model.add_rule("friendly_name=* => approve".parse().unwrap()).unwrap_err();
    assert_eq!(surplus.to_string(), "there are 100 rules already; remove some");
    model.set_auto_review(AutoReview { after: Some(Duration::ZERO), reject: Percent::default() });
    submitted(&mut model, "Shop");
    assert_eq!(decided(&mut model).1, [18602]);
}

#[test]
fn rule_without_codes_and_reason_draws_codes_that_fit() {
    let mut model = reviewing(7, 0);
    add(&mut model, "friendly_name=* => reject");
    let mut drawn = BTreeSet::new();
    for _ in 0..50 {
        submitted(&mut model, "Shop");
        drawn.insert(decided(&mut model).1);
    }
    assert!(drawn.len() > 5 && drawn.iter().flatten().all(|code| (18601..=18609).contains(code)), "{drawn:?}");
    model.clear_rules();
    add(&mut model, "friendly_name=* => reject: Illegible");
    submitted(&mut model, "Shop");
    assert_eq!(decided(&mut model), (Status::TwilioRejected, vec![], "Illegible".to_owned()));
}

/// The decisions about 100 profiles, each reviewed up to three times.
fn decisions(seed: u64, is_disturbed: impl Fn(usize) -> bool) -> Vec<(Status, Vec<u32>, String)> {
    let mut model = reviewing(seed, 30);
    let mut decisions = Vec::new();
    for number in 0..100 {
        let sid = submitted(&mut model, "Shop");
        let mut result = decided(&mut model);
        for _ in 0..2 {
            if result.0 == Status::TwilioApproved {
                break;
            }
            if is_disturbed(number) {
                // Another choice at random, between the reviews.
                model.evaluate(&sid, SIMPLE.to_owned()).unwrap();
            }
            decisions.push(result);
            model.edit(&sid, submit()).unwrap();
            result = decided(&mut model);
        }
        decisions.push(result);
    }
    decisions
}

#[test]
fn same_seed_gives_the_same_decisions_whatever_else_happens() {
    let first = decisions(7, |_| false);
    assert_eq!(first, decisions(7, |number| number % 3 == 0));
    assert_ne!(first, decisions(8, |_| false));
    let rejected: Vec<_> = first.iter().filter(|(status, ..)| *status == Status::TwilioRejected).collect();
    let (of, share) = (first.len(), rejected.len());
    assert!((15..=50).contains(&(100 * share / of)), "{share} of {of} are rejected");
    assert!(rejected.iter().map(|(_, codes, _)| codes).collect::<BTreeSet<_>>().len() > 5, "{rejected:?}");
    for (_, codes, reason) in rejected {
        assert!(codes.iter().all(|code| reason.contains(&format!(" ({code})."))), "{codes:?} {reason}");
    }
}

#[test]
fn rejected_profile_is_not_rejected_forever() {
    let mut model = reviewing(7, 50);
    let sid = submitted(&mut model, "Shop");
    let mut reviews = 1;
    while decided(&mut model).0 == Status::TwilioRejected {
        model.edit(&sid, submit()).unwrap();
        reviews += 1;
        assert!(reviews < 60, "each review draws again");
    }
    assert_eq!(model.get(&sid).unwrap().reviews, reviews);
}

#[test]
fn mistake_in_a_rule_is_reported_with_what_to_write() {
    let long = |count| "x".repeat(count);
    for (rule, expected) in [
        (String::new(), "write a field, a text and a decision"),
        ("a=b".to_owned(), "write a field, a text and a decision"),
        ("a => approve".to_owned(), "write a field, a text and a decision"),
        ("=b => approve".to_owned(), "field: write friendly_name or the name"),
        ("business name=b => approve".to_owned(), "field: write friendly_name or the name"),
        (format!("{}=b => approve", long(65)), "field: write friendly_name or the name"),
        ("a= => approve".to_owned(), "matches: write a text of 1 to 200 characters"),
        (format!("a={} => approve", long(201)), "matches: write a text of 1 to 200 characters"),
        ("a=b => accept".to_owned(), "decision: write approve or reject"),
        ("a=b => c => approved".to_owned(), "decision: write approve or reject"),
        ("a=b => reject 018602".to_owned(), "code: write a number of five digits"),
        ("a=b => reject 90210".to_owned(), "code: 90210 is not an error code of a rejection"),
        (format!("a=b => reject {}", ["18602"; 11].join(",")), "code: write at most 10 codes"),
        (format!("a=b => reject 18602: {}", long(501)), "reason: write at most 500 characters"),
        ("a=b => approve 18602".to_owned(), "decision: approve has neither code nor reason"),
        ("a=b => approve: fine".to_owned(), "decision: approve has neither code nor reason"),
    ] {
        let error = rule.parse::<ReviewRule>().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{rule}: {error}");
    }
    let longest = format!("{}={} => reject {}: {}", long(64), long(200), ["18602"; 10].join(","), long(500));
    longest.parse::<ReviewRule>().unwrap();
}

#[test]
fn text_and_reason_of_a_rule_can_have_arrows() {
    let mut model = reviewing(7, 0);
    add(&mut model, "friendly_name=A => B => approve");
    add(&mut model, "friendly_name=* => reject: See x => y");
    submitted(&mut model, "a => b");
    assert_eq!(decided(&mut model).0, Status::TwilioApproved);
    submitted(&mut model, "a");
    assert_eq!(decided(&mut model), (Status::TwilioRejected, vec![], "See x => y".to_owned()));
}

#[test]
fn spaces_around_the_parts_of_a_rule_do_not_count() {
    let parts = RuleParts {
        field: " business_name ",
        matches: " *Fail* ",
        decision: " reject ",
        codes: vec![" 18602 "],
        reason: " No ",
    };
    assert_eq!(parts.check(), "business_name=*Fail* => reject 18602: No".parse());
}

#[test]
fn rule_is_serialized_with_all_its_parts() {
    let mut model = model();
    add(&mut model, "business_name = *Fail* => reject 18602,18603 : No: not this");
    let expected = json!([{
        "id": 1, "field": "business_name", "matches": "*Fail*", "decision": "reject", "codes": [18602, 18603],
        "reason": "No: not this",
    }]);
    assert_eq!(serde_json::to_value(model.rules()).unwrap(), expected);
}
