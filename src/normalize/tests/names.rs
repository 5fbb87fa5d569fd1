//! Tests which names and values give the profile, the status and the reason.

use super::*;

#[test]
fn digits_of_a_profile_have_no_case() {
    let (lower, upper) = (format!("BU{}", "0a".repeat(16)), format!("BU{}", "0A".repeat(16)));
    let body = format!("AccountSid={ACCOUNT}&Status=draft&BundleSid={upper}&Sid={lower}");
    assert_eq!(change(&body).profile_sid.as_str(), lower);
}

#[test]
fn order_of_names_does_not_change_what_is_read() {
    let invalid = PROFILE.replace("BU", "bu");
    for names in [["BundleSid", "CustomerProfileSid"], ["CustomerProfileSid", "BundleSid"]] {
        let body = format!("AccountSid={ACCOUNT}&Status=draft&{}={PROFILE}&{}={invalid}", names[0], names[1]);
        assert_eq!(form(&body).unwrap_err().reason, DeadLetterReason::InvalidProfileSid, "{body}");
    }
    let pairs = [
        ("AccountSid", ACCOUNT),
        ("BundleSid", PROFILE),
        ("Status", "draft"),
        ("status", "DRAFT"),
        ("FailureReason", "a"),
        ("RejectionReason", "b"),
    ]
    .map(|(name, value)| test_form::pair(name, value));
    let read = |body: &str| at_receipt(&test_form::verify_form(&pairs, body, &[]).unwrap()).unwrap().data;
    let forward = read(&test_form::form_of(&pairs, |_| true));
    let backward = read(&test_form::form_of(pairs.iter().rev(), |_| true));
    assert_eq!(forward, backward);
    assert_eq!((forward.raw_status.as_str(), forward.failure_reason.as_deref()), ("draft", Some("a")));
}

#[test]
fn rare_names_count_when_no_known_name_gives_the_value() {
    for (profile, status, reason) in [
        ("ResourceSid", "BundleStatus", "RejectReason"),
        ("object_sid", "customer_profile_status", "ErrorMessage"),
        ("registrationId", "BundleStatus", "error_message"),
        ("id", "BundleStatus", "RejectReason"),
    ] {
        let body = format!(
            "AccountSid={ACCOUNT}&{profile}={PROFILE}&{status}=twilio-rejected&{reason}=18601&BundleSid=&Status=&FailureReason="
        );
        let change = change(&body);
        assert_eq!((change.profile_sid.as_str(), change.status), (PROFILE, Status::TwilioRejected), "{body}");
        assert_eq!(change.failure_reason.as_deref(), Some("18601"), "{body}");
        assert_eq!(change.errors, [RejectionReason::from(18601)]);
        assert_eq!(change.extra.len(), 0, "{:?}", change.extra);
    }
}

#[test]
fn rare_names_beside_known_ones_are_extra_fields_and_no_conflict() {
    let rest = format!(
        "RejectReason=x&Status=draft&FailureReason=y&ErrorMessage=&BundleStatus=in-review&ResourceSid={OTHER}&id={OTHER}"
    );
    let change = change(&with(&rest));
    assert_eq!((change.profile_sid.as_str(), change.status), (PROFILE, Status::Draft));
    assert_eq!(change.failure_reason.as_deref(), Some("y"));
    let expected = serde_json::json!({
        "RejectReason": ["x"], "ErrorMessage": [""], "BundleStatus": ["in-review"], "ResourceSid": [OTHER], "id": [OTHER],
    });
    assert_eq!(serde_json::to_value(&change.extra).unwrap(), expected);
}

#[test]
fn rare_names_of_one_rank_must_agree() {
    let of = |rest: &str| form(&format!("AccountSid={ACCOUNT}&Status=draft&{rest}"));
    let conflict = of(&format!("ResourceSid={PROFILE}&ObjectSid={OTHER}")).unwrap_err().reason;
    assert_eq!(conflict, DeadLetterReason::ConflictingProfileSid);
    let ranked = of(&format!("id={OTHER}&ResourceSid={PROFILE}&ObjectSid=IT{}", "0".repeat(32))).unwrap().data;
    assert_eq!(ranked.profile_sid.as_str(), PROFILE);
    assert_eq!(ranked.extra.keys().collect::<Vec<_>>(), ["ObjectSid", "id"]);
}

#[test]
fn only_profile_in_the_payload_is_the_profile_and_stays_an_extra_field() {
    let change = change(&format!("AccountSid={ACCOUNT}&Status=draft&Thing={PROFILE}&Again=+{PROFILE}&Note=of+{OTHER}"));
    assert_eq!(change.profile_sid.as_str(), PROFILE);
    assert_eq!(change.extra["Thing"], [PROFILE]);
    let json =
        format!(r#"{{"AccountSid": "{ACCOUNT}", "Status": "draft", "data": {{"x": [1, {{"sid": "{PROFILE}"}}]}}}}"#);
    let nested = at_receipt(&verified(Encoding::Json, &json, &[])).unwrap().data;
    assert_eq!(nested.profile_sid.as_str(), PROFILE);
    let two = form(&format!("AccountSid={ACCOUNT}&Status=draft&Thing={PROFILE}&Other={OTHER}"));
    assert_eq!(two.unwrap_err().reason, DeadLetterReason::MissingProfileSid);
}

#[test]
fn registration_in_json_is_read_by_its_id_only_if_that_is_a_profile() {
    let of = |id: &str| {
        let json = format!(r#"{{"AccountSid": "{ACCOUNT}", "id": "{id}", "status": "TWILIO_APPROVED"}}"#);
        at_receipt(&verified(Encoding::Json, &json, &[]))
    };
    let change = of(PROFILE).unwrap().data;
    assert_eq!((change.profile_sid.as_str(), change.status, change.extra.len()), (PROFILE, Status::TwilioApproved, 0));
    assert_eq!(of("registration-7").unwrap_err().reason, DeadLetterReason::MissingProfileSid);
}
