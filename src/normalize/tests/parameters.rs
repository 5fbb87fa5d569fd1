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
fn query_of_a_post_has_at_most_as_many_parameters_as_a_form_has_fields() {
    let with_parameters = |count: usize| form_with_query(&"a&".repeat(count), &with("Status=draft"));
    // The hash is one of the parameters.
    assert!(with_parameters(MAX_FIELDS - 1).is_ok());
    assert_eq!(with_parameters(MAX_FIELDS).unwrap_err(), RejectReason::Malformed);
}
