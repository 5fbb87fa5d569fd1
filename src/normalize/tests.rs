mod names;
mod parameters;

use std::time::{Duration, UNIX_EPOCH};

use twilio_signature::{Keyring, SigningKey, Verifier, sign, url_with_body_hash};

use super::*;
use crate::{
    domain::{Encoding, PublicUrl, RawCallback, SIGNATURE_HEADER},
    verify::VerifiedCallback,
};

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const PROFILE: &str = "BU00000000000000000000000000000002";
const OTHER: &str = "BU00000000000000000000000000000003";
const BASE: &str = "https://hooks.example.com";
const ROUTE: &str = "/callbacks/customer-profiles";
const RECEIVED: Duration = Duration::from_millis(1_795_172_640_123);
const RECEIPT: ReceiptId = ReceiptId { process: [1; 16], number: 7 };

fn request(encoding: Encoding, query: Option<String>, body: &str, headers: &[(&str, &str)]) -> RawCallback {
    RawCallback {
        resource: Resource::CustomerProfile,
        route: ROUTE.into(),
        target: ROUTE.into(),
        query,
        encoding,
        headers: headers.iter().copied().collect(),
        body: body.into(),
    }
}

/// Signs the URL with the hash of the body, which works for every encoding.
fn verified(encoding: Encoding, body: &str, headers: &[(&str, &str)]) -> VerifiedCallback {
    let key = SigningKey::from_auth_token(&"token".into()).unwrap();
    let keyring = Keyring::new(None, &["token".into()]).unwrap();
    let (query, body) = match encoding {
        Encoding::Query => (body.to_owned(), ""),
        Encoding::Form | Encoding::Json => {
            (url_with_body_hash("", body.as_bytes()).trim_start_matches('?').to_owned(), body)
        }
    };
    let signature = sign(&key, &format!("{BASE}{ROUTE}?{query}"), &[]).to_string();
    let headers = [headers, &[(SIGNATURE_HEADER, signature.as_str())]].concat();
    let raw = request(encoding, Some(query), body, &headers);
    let verifier = Verifier::new(vec![PublicUrl::parse(BASE).unwrap()], keyring);
    VerifiedCallback::verify(&verifier, raw).unwrap()
}

fn at_receipt(verified: &VerifiedCallback) -> Result<Event, NormalizeError> {
    let id = CallbackIdentity::of(verified).event_id(&RECEIPT);
    normalize(verified).map(|callback| callback.at(id, (UNIX_EPOCH + RECEIVED).into()))
}

fn form(body: &str) -> Result<Event, NormalizeError> {
    at_receipt(&verified(Encoding::Form, body, &[]))
}

fn change(body: &str) -> ProfileStatusChanged {
    form(body).unwrap().data
}

fn with(rest: &str) -> String {
    format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&{rest}")
}

#[test]
fn documented_form_becomes_an_event() {
    let body = with("Status=twilio-rejected&FailureReason=Number+not+verified+(18602)&HomeRegion=us1");
    let headers = [(IDEMPOTENCY_HEADER, "11111111-2222-3333-4444-555555555555")];
    let event = at_receipt(&verified(Encoding::Form, &body, &headers)).unwrap();
    let json = serde_json::to_value(&event.data).unwrap();
    let expected = serde_json::json!({
        "account_sid": ACCOUNT, "profile_sid": PROFILE, "resource": "customer-profile",
        "status": "twilio-rejected", "raw_status": "twilio-rejected",
        "failure_reason": "Number not verified (18602)",
        "errors": [{
            "code": 18602,
            "meaning": "business_registration_number_not_verified",
            "message": "The registration number of the business could not be verified.",
        }],
        "valid_until": null, "received_at": "2026-11-20T11:04:00.123Z", "origin": "callback",
        "idempotency_token": "11111111-2222-3333-4444-555555555555", "extra": {"HomeRegion": ["us1"]},
    });
    assert_eq!(json, expected);
}

#[test]
fn captured_get_with_a_repeated_hash_becomes_an_event() {
    let query = format!("bodySHA256=0a&bodySHA256=0a&{}", with("Status=pending-review&FailureReason="));
    let change = at_receipt(&verified(Encoding::Query, &query, &[])).unwrap().data;
    assert_eq!((change.status, change.failure_reason, change.extra.len()), (Status::PendingReview, None, 0));
}

#[test]
fn json_body_becomes_the_same_event_as_a_form() {
    let json = format!(
        r#"{{"account_sid": "{ACCOUNT}", "bundle_sid": "{PROFILE}", "status": "twilio-rejected", "valid_until": null,
            "errors": [{{"code": 18601}}], "Attempts": 2, "Tags": ["a", "b"], "Nested": {{"x": 1}}}}"#
    );
    let change = at_receipt(&verified(Encoding::Json, &json, &[])).unwrap().data;
    assert_eq!(change.errors, [RejectionReason::from(18601)]);
    assert_eq!(change.valid_until, None);
    let extra = serde_json::to_value(&change.extra).unwrap();
    assert_eq!(extra, serde_json::json!({"Attempts": ["2"], "Tags": ["a", "b"], "Nested": [r#"{"x":1}"#]}));
}

#[test]
fn field_names_match_regardless_of_case_and_underscores() {
    for profile in ["BundleSid", "BundleSID", "bundle_sid", "CustomerProfileSid", "TRUST_PRODUCT_SID", "Sid"] {
        let change = change(&format!("account_sid={ACCOUNT}&{profile}={PROFILE}&STATUS=draft&rejection_reason=x"));
        assert_eq!(change.profile_sid.as_str(), PROFILE, "{profile}");
        assert_eq!(change.failure_reason.as_deref(), Some("x"));
        assert_eq!(change.extra.len(), 0);
    }
}

#[test]
fn sid_of_another_resource_is_not_a_conflict() {
    let change = change(&with("Status=draft&Sid=EV00000000000000000000000000000009"));
    assert_eq!((change.profile_sid.as_str(), change.extra.len()), (PROFILE, 1));
}

#[test]
fn every_spelling_of_a_status_is_recognized_and_the_raw_text_kept() {
    for (raw, status) in [
        ("draft", Status::Draft),
        ("pending_review", Status::PendingReview),
        ("IN-REVIEW", Status::InReview),
        ("Twilio Rejected", Status::TwilioRejected),
        ("TWILIO_APPROVED", Status::TwilioApproved),
        ("provisionally-approved", Status::ProvisionallyApproved),
        ("on-hold", Status::Unknown),
        ("unknown", Status::Unknown),
    ] {
        let change = change(&with(&format!("Status={raw}")));
        assert_eq!((change.status, change.raw_status.as_str()), (status, raw));
    }
    assert_eq!(change(&with("Status=++draft%0A")).status, Status::Draft);
}

#[test]
fn missing_invalid_or_conflicting_fields_are_reported() {
    use DeadLetterReason::*;
    for (body, reason) in [
        (String::new(), MissingProfileSid),
        (format!("AccountSid={ACCOUNT}&Status=draft"), MissingProfileSid),
        (format!("AccountSid={ACCOUNT}&BundleSid=+&Status=draft"), MissingProfileSid),
        (format!("AccountSid={ACCOUNT}&BundleSid=BU1&Status=draft"), InvalidProfileSid),
        (with(&format!("Status=draft&Sid={OTHER}")), ConflictingProfileSid),
        (format!("BundleSid={PROFILE}&Status=draft"), MissingAccountSid),
        (format!("BundleSid={PROFILE}&Status=draft&AccountSid=AC1"), InvalidAccountSid),
        (with(&format!("Status=draft&account_sid=AC{}", "f".repeat(32))), ConflictingAccountSid),
        (with("Status="), MissingStatus),
        (with("Status=draft&status=in-review"), ConflictingStatus),
    ] {
        assert_eq!(form(&body).unwrap_err().reason, reason, "{body}");
    }
    let json = at_receipt(&verified(Encoding::Json, "[]", &[]));
    assert_eq!(json.unwrap_err().reason, InvalidJson);
}

#[test]
fn error_still_names_the_profile() {
    let profile = |body: &str| form(body).unwrap_err().profile.map(|sid| sid.as_str().to_owned());
    assert_eq!(profile(&with("Status=")).as_deref(), Some(PROFILE));
    assert_eq!(profile("Status=draft"), None);
}

#[test]
fn repeated_fields_with_equal_values_are_not_a_conflict() {
    let change = change(&with(&format!("Status=draft&status=DRAFT&Sid={PROFILE}&BundleSid=&account_sid={ACCOUNT}")));
    assert_eq!(change.status, Status::Draft);
}

#[test]
fn codes_come_from_structures_first_and_then_from_the_text() {
    let body = with(
        "Status=twilio-rejected&Errors=%5B%7B%22code%22:18603%7D%5D&ErrorCode=77777\
                     &FailureReason=18603+and+18601+near+90210",
    );
    let change = change(&body);
    let codes: Vec<u32> = change.errors.iter().map(|error| error.code).collect();
    assert_eq!(codes, [18603, 77777, 18601]);
    assert_eq!(change.errors[1].meaning, None);
    assert_eq!(change.extra.len(), 0);
}

#[test]
fn every_received_field_is_preserved() {
    let body =
        with("Status=draft&Errors=oops&FailureReason=a&RejectionReason=b&Email=x@example.com&Empty=&Twice=1&Twice=2");
    let change = change(&body);
    assert_eq!(change.failure_reason.as_deref(), Some("a"));
    let extra = serde_json::to_value(&change.extra).unwrap();
    let expected = serde_json::json!({
        "Errors": ["oops"], "RejectionReason": ["b"], "Email": ["x@example.com"], "Empty": [""], "Twice": ["1", "2"],
    });
    assert_eq!(extra, expected);
}

#[test]
fn codes_of_error_fields_precede_those_of_the_failure_reason() {
    let reason = "FailureReason=18610+and+18601,+18602";
    let body = with(&format!("Status=twilio-rejected&{reason}&ErrorCodes=90210,18603&ErrorCode=18602"));
    let codes: Vec<_> = change(&body).errors.iter().map(|error| error.code).collect();
    assert_eq!(codes, [90210, 18603, 18602, 18610, 18601]);
}
