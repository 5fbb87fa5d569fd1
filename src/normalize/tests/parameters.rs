//! Tests the query parameters of a `POST`.

use twilio_signature::MAX_FIELDS;

use super::*;
use crate::domain::RejectReason;

/// A form with these query parameters besides the hash, all covered by the signature.
fn form_with_query(query: &str, body: &str) -> Result<VerifiedCallback, RejectReason> {
    let key = SigningKey::from_auth_token(&"token".into()).unwrap();
    let url = url_with_body_hash(&format!("{BASE}{ROUTE}?{query}"), body.as_bytes());
    let signature = sign(&key, &url, &[]).to_string();
    let query = url.split_once('?').unwrap().1.to_owned();
    let raw = request(Encoding::Form, Some(query), body, &[(SIGNATURE_HEADER, &signature)]);
    let keyring = Keyring::new(None, &["token".into()]).unwrap();
    VerifiedCallback::verify(&Verifier::new(vec![PublicUrl::parse(BASE).unwrap()], keyring), raw)
}

#[test]
fn query_of_a_post_is_kept_after_the_fields_and_sets_none() {
    let query = format!(
        "Note=c+d%21&tenant=42&tenant=43&Status=twilio-approved&BundleSid={OTHER}&AccountSid=AC1&FailureReason=z&flag\
         &TrusthubBridgeTest=true&bodysha256=1"
    );
    let event = at_receipt(&form_with_query(&query, &with("Status=draft&Note=a+b")).unwrap()).unwrap();
    let change = event.data;
    assert_eq!((change.profile_sid.as_str(), change.account_sid.as_str()), (PROFILE, ACCOUNT));
    assert_eq!((change.status, change.failure_reason, event.is_test), (Status::Draft, None, false));
    let expected = serde_json::json!({
        "Note": ["a b", "c d!"], "tenant": ["42", "43"], "Status": ["twilio-approved"], "BundleSid": [OTHER],
        "AccountSid": ["AC1"], "FailureReason": ["z"], "flag": [""], "TrusthubBridgeTest": ["true"], "bodysha256": ["1"],
    });
    assert_eq!(serde_json::to_value(&change.extra).unwrap(), expected);
}

#[test]
fn query_of_a_post_gives_no_profile() {
    let verified = form_with_query(&format!("a={PROFILE}"), &format!("AccountSid={ACCOUNT}&Status=draft"));
    assert_eq!(at_receipt(&verified.unwrap()).unwrap_err().reason, DeadLetterReason::MissingProfileSid);
}

#[test]
fn first_parameters_of_a_long_query_are_kept_and_it_is_not_rejected() {
    let query = format!("b=1&&{}", "a&".repeat(MAX_FIELDS));
    let change = at_receipt(&form_with_query(&query, &with("Status=draft")).unwrap()).unwrap().data;
    assert_eq!((change.extra["b"].len(), change.extra["a"].len()), (1, MAX_FIELDS - 1));
}
