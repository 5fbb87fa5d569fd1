use twilio_signature::{Keyring, SigningKey, decode_form, sign};

use super::*;
use crate::{
    domain::{Construction, DeadLetterAttributes, Encoding, Headers, RecordPosition, RejectReason, SIGNATURE_HEADER},
    kafka::Record,
};

const BASE: &str = "https://hooks.example.com";
const ROUTE: &str = "/callbacks/customer-profiles";
const FORM: &str = "AccountSid=AC00000000000000000000000000000001&BundleSid=BU00000000000000000000000000000002\
                    &Status=twilio-rejected&FailureReason=Address+%2818603%29&HomeRegion=us1";
const ID: &str = "0123456789abcdef0123456789abcdef";

fn verifier(token: &str) -> Verifier {
    Verifier::new(vec![PublicUrl::parse(BASE).unwrap()], Keyring::new(None, &[token.into()]).unwrap())
}

fn classifier(token: &str) -> LetterClassifier {
    LetterClassifier::new(&[PublicUrl::parse(BASE).unwrap()], verifier(token), true)
}

/// A signed form with the headers of a callback.
fn form(body: &str) -> RawCallback {
    let key = SigningKey::from_auth_token(&"token".into()).unwrap();
    let target = format!("{ROUTE}?tenant=42");
    let signature = sign(&key, &format!("{BASE}{target}"), &decode_form(body.as_bytes()).unwrap()).to_string();
    let headers: Headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("i-twilio-idempotency-token", "one"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        (SIGNATURE_HEADER, &signature),
    ]
    .into_iter()
    .collect();
    RawCallback {
        resource: Resource::CustomerProfile,
        route: ROUTE.into(),
        target,
        query: Some("tenant=42".to_owned()),
        encoding: Encoding::Form,
        headers,
        body: body.into(),
    }
}

/// The record of the dead letter of this callback.
fn record(raw: &RawCallback, reason: DeadLetterReason) -> Record {
    let construction = (reason != DeadLetterReason::SignatureFailed).then_some(Construction::Form);
    let received_at = "2026-11-20T11:04:00.123Z".parse().unwrap();
    let (event_id, trace) = (ID.to_owned(), None);
    let attributes = DeadLetterAttributes { reason, profile: None, event_id, received_at, construction, trace };
    Record::dead_letter(raw, &attributes).unwrap()
}

fn read(record: &Record) -> DeadLetterRecord {
    DeadLetterRecord::of(record, RecordPosition { partition: 0, offset: 7 }).unwrap()
}

fn kept(letter: &DeadLetterRecord) -> KeepReason {
    classifier("token").classify(letter).unwrap_err()
}

#[test]
fn event_of_a_letter_is_the_one_that_the_service_would_have_made() {
    let raw = form(FORM);
    let verified = VerifiedCallback::verify(&verifier("token"), raw.clone()).unwrap();
    let event = normalize(&verified).unwrap().at(ID.to_owned(), "2026-11-20T11:04:00.123Z".parse().unwrap());
    let expected = Event { trace: TraceContext::of(&raw), ..event };
    assert!(expected.trace.is_some() && expected.data.idempotency_token.is_some());
    for reason in [DeadLetterReason::MissingStatus, DeadLetterReason::SignatureFailed, DeadLetterReason::RefusedByTopic]
    {
        let replayable = classifier("token").classify(&read(&record(&raw, reason))).unwrap();
        assert_eq!(*replayable.event, expected, "{reason}");
        let ignoring = LetterClassifier::new(&[PublicUrl::parse(BASE).unwrap()], verifier("token"), false);
        assert_eq!(ignoring.classify(&read(&record(&raw, reason))).unwrap().event.trace, None, "{reason}");
    }
}

#[test]
fn unverified_letter_becomes_an_event_only_if_its_signature_matches_now() {
    let letter = read(&record(&form(FORM), DeadLetterReason::SignatureFailed));
    let replayable = classifier("token").classify(&letter).unwrap();
    let verified = VerifiedCallback::verify(&verifier("token"), form(FORM)).unwrap();
    assert_eq!(replayable.shared_id, CallbackIdentity::of(&verified).shared_event_id());
    let other = classifier("another-token").classify(&letter).unwrap_err();
    assert_eq!(other, KeepReason::SignatureInvalid(RejectReason::SignatureMismatch));
    let unsigned = RawCallback {
        headers: [("content-type", "application/x-www-form-urlencoded")].into_iter().collect(),
        ..form(FORM)
    };
    let unsigned = read(&record(&unsigned, DeadLetterReason::SignatureFailed));
    assert_eq!(kept(&unsigned), KeepReason::SignatureInvalid(RejectReason::MissingSignature));
}

#[test]
fn verified_letter_needs_no_key() {
    let letter = read(&record(&form(FORM), DeadLetterReason::MissingStatus));
    assert!(classifier("another-token").classify(&letter).is_ok());
}

#[test]
fn letter_that_is_not_understood_stays_with_its_reason_of_today() {
    let without_status =
        form("AccountSid=AC00000000000000000000000000000001&BundleSid=BU00000000000000000000000000000002");
    let letter = read(&record(&without_status, DeadLetterReason::InvalidProfileSid));
    assert_eq!(kept(&letter), KeepReason::Unreadable(DeadLetterReason::MissingStatus));
    let unread = LetterClassifier::new(&[PublicUrl::parse(BASE).unwrap()], verifier("token"), true);
    assert_eq!(unread.resource(&letter), Some(Resource::CustomerProfile));
}

#[test]
fn letter_that_proves_too_little_stays() {
    let raw = form(FORM);
    let cut = record(&raw, DeadLetterReason::RefusedByTopic).cut().unwrap();
    assert!(matches!(kept(&read(&cut)), KeepReason::Cut(_)));
    assert_eq!(kept(&read(&record(&raw, DeadLetterReason::AccountConflict))), KeepReason::AccountConflict);
    let elsewhere = RawCallback { target: "/other".to_owned(), ..raw.clone() };
    assert_eq!(kept(&read(&record(&elsewhere, DeadLetterReason::MissingStatus))), KeepReason::NotACallback);
    let with = |change: fn(&mut DeadLetterRecord)| {
        let mut letter = read(&record(&raw, DeadLetterReason::MissingStatus));
        change(&mut letter);
        kept(&letter)
    };
    assert_eq!(with(|letter| letter.reason = "of_another_version".to_owned()), KeepReason::UnknownReason);
    assert_eq!(with(|letter| letter.construction = None), KeepReason::NoConstruction);
}

#[test]
fn header_that_the_letter_has_not_completely_does_not_count() {
    let mut raw = form(FORM);
    let headers = raw.headers.iter().filter(|(name, _)| *name != "i-twilio-idempotency-token");
    let token: &[u8] = &[0xff, b'1'];
    raw.headers =
        headers.chain([("i-twilio-idempotency-token", token)]).map(|(name, value)| (name, value.to_vec())).collect();
    let letter = read(&record(&raw, DeadLetterReason::MissingStatus));
    assert_eq!(classifier("token").classify(&letter).unwrap().event.data.idempotency_token, None);
}

#[test]
fn letter_of_another_account_than_the_confirmed_owner_stays() {
    let letter = read(&record(&form(FORM), DeadLetterReason::MissingStatus));
    let account = |number: u32| AccountSid::parse(&format!("AC{number:032x}")).unwrap();
    for (owner, expected) in
        [(None, None), (Some(account(1)), None), (Some(account(3)), Some(KeepReason::AccountConflict))]
    {
        let outlook = classifier("token").outlook(&letter, |profile| {
            assert_eq!(profile.as_str(), "BU00000000000000000000000000000002");
            owner
        });
        assert_eq!(outlook.keep_reason, expected, "{owner:?}");
    }
}
