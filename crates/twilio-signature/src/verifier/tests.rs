mod shared_keys;

use super::*;
use crate::{EmptyKey, Encoding, sign, test_request::OwnedRequest, url_with_body_hash};

const BASE: &str = "https://hooks.example.com";
const ROUTE: &str = "/callbacks/customer-profiles";
const TOKEN: &str = "current-token";
const OLD_TOKEN: &str = "previous-token";

fn account(digit: char) -> String {
    format!("AC{}", digit.to_string().repeat(32))
}

/// A request before it is signed.
#[derive(Clone)]
struct UnsignedRequest {
    encoding: Encoding,
    query: Option<String>,
    body: String,
}

impl UnsignedRequest {
    fn form(body: &str) -> Self {
        Self { encoding: Encoding::Form, query: None, body: body.to_owned() }
    }

    fn json(body: &str) -> Self {
        Self { encoding: Encoding::Json, ..Self::form(body) }.hashed()
    }

    fn get(query: &str) -> Self {
        Self { encoding: Encoding::Query, query: Some(query.to_owned()), body: String::new() }
    }

    fn hashed(self) -> Self {
        let url = url_with_body_hash("", self.body.as_bytes());
        Self { query: url.strip_prefix('?').map(str::to_owned), ..self }
    }

    fn signed(&self, token: &str, url: &str, form: &str) -> OwnedRequest {
        let key = SigningKey::from_auth_token(&token.into()).unwrap();
        let raw = self.raw(vec![]);
        let form = OwnedRequest { encoding: Encoding::Form, body: form.into(), ..raw.clone() };
        let Payload::Pairs(form) = form.as_request().decode_unverified().unwrap() else { unreachable!() };
        self.raw(vec![sign(&key, url, &form).to_string()])
    }

    /// Signs as Twilio normally does: the configured URL with the query as sent, then the fields of a form.
    fn properly_signed(&self) -> OwnedRequest {
        let form = if self.encoding == Encoding::Form { self.body.as_str() } else { "" };
        self.signed(TOKEN, &self.url(BASE), form)
    }

    fn url(&self, base: &str) -> String {
        self.query.as_ref().map_or(format!("{base}{ROUTE}"), |query| format!("{base}{ROUTE}?{query}"))
    }

    fn raw(&self, signatures: Vec<String>) -> OwnedRequest {
        OwnedRequest {
            route: ROUTE,
            target: self.url(""),
            query: self.query.clone(),
            encoding: self.encoding,
            headers: signatures.into_iter().map(|signature| (SIGNATURE_HEADER, signature)).collect(),
            body: self.body.clone().into(),
        }
    }
}

fn verifier(url: &str, bound: Option<&str>) -> Verifier {
    let keyring = Keyring::new(bound, &[TOKEN.into(), OLD_TOKEN.into()]).unwrap();
    Verifier::new(vec![PublicUrl::parse(url).unwrap()], keyring)
}

fn verify(raw: OwnedRequest) -> Result<(Construction, KeyKind), VerifyError> {
    verifier(BASE, None)
        .verify(&raw.as_request())
        .map(|verified| (verified.matched().construction, verified.matched().key))
}

#[test]
fn each_construction_is_accepted_and_reported() {
    use Construction::*;
    let form = UnsignedRequest::form("Status=draft&AccountSid=AC1");
    let hashed = form.clone().hashed();
    let get = UnsignedRequest::get("bodySHA256=00&bodySHA256=00&Status=draft&FailureReason=");
    let cases = [
        (form.properly_signed(), Form),
        (hashed.properly_signed(), Form),
        (hashed.signed(TOKEN, &hashed.url(BASE), ""), BodyHash),
        (hashed.signed(TOKEN, &form.url(BASE), &form.body), FormWithoutHash),
        (UnsignedRequest::json(r#"{"Status":"draft"}"#).properly_signed(), BodyHash),
        (get.properly_signed(), Query),
        (get.signed(TOKEN, &UnsignedRequest::get("Status=draft&FailureReason=").url(BASE), ""), QueryWithoutHash),
    ];
    for (raw, construction) in cases {
        assert_eq!(verify(raw), Ok((construction, KeyKind::Current)));
    }
}

#[test]
fn port_may_be_signed_as_configured_absent_or_default() {
    let form = UnsignedRequest::form("Status=draft");
    let accepts = |configured: &str, signed: &str| {
        verifier(configured, None).verify(&form.signed(TOKEN, &form.url(signed), &form.body).as_request()).is_ok()
    };
    for signed in [BASE, "https://hooks.example.com:443"] {
        assert!(accepts(BASE, signed), "{signed}");
        assert!(accepts("https://hooks.example.com:8443", signed), "{signed}");
    }
    assert!(accepts("https://hooks.example.com:8443", "https://hooks.example.com:8443"));
    assert!(!accepts(BASE, "https://hooks.example.com:8443"));
    assert!(!accepts(BASE, "https://hooks.example.com:80"));
}

#[test]
fn different_scheme_host_path_or_trailing_slash_is_rejected() {
    let form = UnsignedRequest::form("Status=draft");
    for url in [
        format!("http://hooks.example.com{ROUTE}"),
        format!("https://evil.example.com{ROUTE}"),
        format!("https://HOOKS.example.com{ROUTE}"),
        format!("{BASE}{ROUTE}/"),
        format!("{BASE}{ROUTE}?"),
        format!("{BASE}/prefix{ROUTE}"),
        format!("{BASE}/callbacks/trust-products"),
    ] {
        assert_eq!(verify(form.signed(TOKEN, &url, &form.body)), Err(VerifyError::SignatureMismatch), "{url}");
    }
}

#[test]
fn changed_field_or_query_is_rejected() {
    let form = UnsignedRequest::form("Status=draft&AccountSid=AC1");
    for body in ["Status=draft&AccountSid=AC2", "Status=draft", "Status=draft&AccountSid=AC1&x=1", ""] {
        let raw = OwnedRequest { body: body.into(), ..form.properly_signed() };
        assert_eq!(verify(raw), Err(VerifyError::SignatureMismatch), "{body}");
    }
    let get = UnsignedRequest::get("a=%20&b=1");
    for query in ["a=+&b=1", "b=1&a=%20", "a=%20&b=1&", "a=%20"] {
        let raw = OwnedRequest { query: Some(query.into()), ..get.properly_signed() };
        assert_eq!(verify(raw), Err(VerifyError::SignatureMismatch), "{query}");
    }
}

#[test]
fn body_that_the_signature_does_not_cover_is_rejected() {
    let unhashed = UnsignedRequest { query: None, ..UnsignedRequest::json(r#"{"Status":"draft"}"#) };
    assert_eq!(verify(unhashed.properly_signed()), Err(VerifyError::SignatureMismatch));
    for request in [UnsignedRequest::json(r#"{"Status":"draft"}"#), UnsignedRequest::form("Status=draft").hashed()] {
        let raw = OwnedRequest { body: b"{}".to_vec(), ..request.signed(TOKEN, &request.url(BASE), "") };
        assert_eq!(verify(raw), Err(VerifyError::BodyHashMismatch));
    }
}

#[test]
fn previous_token_is_accepted_and_reported() {
    let form = UnsignedRequest::form("Status=draft");
    let signed_with = |token| verify(form.signed(token, &form.url(BASE), &form.body));
    assert_eq!(signed_with(OLD_TOKEN), Ok((Construction::Form, KeyKind::Previous)));
    assert_eq!(signed_with("some-other-token"), Err(VerifyError::SignatureMismatch));
}

#[test]
fn exactly_one_well_formed_signature_is_required() {
    let form = UnsignedRequest::form("Status=draft");
    let valid = form.properly_signed();
    let signature = String::from_utf8(valid.headers.values(SIGNATURE_HEADER).next().unwrap().to_vec()).unwrap();
    assert_eq!(verify(form.raw(vec![])), Err(VerifyError::MissingSignature));
    assert_eq!(verify(form.raw(vec!["x".into()])), Err(VerifyError::MalformedSignature));
    assert!(verify(form.raw(vec![signature.clone(), signature.clone()])).is_ok());
    assert_eq!(verify(form.raw(vec![signature, "x".into()])), Err(VerifyError::MalformedSignature));
}

#[test]
fn token_bound_to_an_account_rejects_requests_of_other_accounts() {
    let verify_bound = |body: &str| {
        verifier(BASE, Some(&account('1'))).verify(&UnsignedRequest::form(body).properly_signed().as_request())
    };
    let verified = verify_bound(&format!("AccountSid={}", account('1'))).unwrap();
    assert_eq!(verified.account(), &ClaimedAccount::Account(account('1')));
    let reason = verify_bound(&format!("AccountSid={}", account('2'))).unwrap_err();
    assert_eq!(reason, VerifyError::UnknownAccount);
}

#[test]
fn keyring_without_a_key_is_rejected() {
    assert_eq!(Keyring::new(None, &[]).unwrap_err(), EmptyKey);
    assert_eq!(Keyring::new(None, &[TOKEN.into(), "".into()]).unwrap_err(), EmptyKey);
}

mod properties {
    use base64::Engine as _;
    use proptest::prelude::*;

    use super::*;

    fn field() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        (prop::collection::vec(any::<u8>(), 0..8), prop::collection::vec(any::<u8>(), 0..12))
    }

    fn encode(fields: &[(Vec<u8>, Vec<u8>)]) -> String {
        let one =
            |bytes: &Vec<u8>| percent_encoding::percent_encode(bytes, percent_encoding::NON_ALPHANUMERIC).to_string();
        fields.iter().map(|(name, value)| format!("{}={}", one(name), one(value))).collect::<Vec<_>>().join("&")
    }

    /// The signed text of a form. It has no delimiters, so different forms can have the same text.
    fn signed_text(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let distinct: std::collections::BTreeSet<_> = fields.iter().collect();
        distinct.into_iter().flat_map(|(name, value)| [name.as_slice(), value.as_slice()].concat()).collect()
    }

    proptest! {
        #[test]
        fn signed_fields_are_accepted_in_any_order(fields in prop::collection::vec(field(), 0..12)) {
            let mut reversed = fields.clone();
            reversed.reverse();
            let signed = UnsignedRequest::form(&encode(&fields)).properly_signed();
            let raw = OwnedRequest { body: encode(&reversed).into(), ..signed };
            prop_assert!(verify(raw).is_ok());
        }

        #[test]
        fn changed_byte_is_rejected_unless_the_signed_text_is_unchanged(
            fields in prop::collection::vec(field(), 1..6),
            query in "[a-z=&%+]{1,20}",
            part in 0..4,
            index in any::<prop::sample::Index>(),
            flip in 1..=u8::MAX,
        ) {
            let signed = UnsignedRequest { query: Some(query.clone()), ..UnsignedRequest::form(&encode(&fields)) }.properly_signed();
            let (mut query, mut changed) = (query.into_bytes(), fields.clone());
            let signature = signed.headers.values(SIGNATURE_HEADER).next().unwrap();
            let mut signature = Signature::parse(signature).unwrap().as_bytes().to_vec();
            let bytes: &mut [u8] = match part {
                0 => &mut query,
                1 => &mut changed[0].0,
                2 => &mut changed[0].1,
                _ => &mut signature,
            };
            prop_assume!(!bytes.is_empty());
            let byte = &mut bytes[index.index(bytes.len())];
            // The query stays text: replace the byte with another letter.
            *byte = if part == 0 { b'a' + (*byte ^ flip) % 26 } else { *byte ^ flip };
            let query = String::from_utf8(query).unwrap();
            let same = part != 3
                && Some(&query) == signed.query.as_ref()
                && signed_text(&fields) == signed_text(&changed);
            let headers = [(SIGNATURE_HEADER, base64::engine::general_purpose::STANDARD.encode(&signature))].into_iter().collect();
            let raw = OwnedRequest { query: Some(query), body: encode(&changed).into(), headers, ..signed };
            prop_assert_eq!(verify(raw).is_ok(), same);
        }

        #[test]
        fn changed_byte_of_a_hashed_body_is_rejected(
            body in "[a-z][a-z=%+]{0,40}",
            index in any::<prop::sample::Index>(),
            flip in 1..26_u8,
        ) {
            let request = UnsignedRequest::form(&body).hashed();
            let signed = request.signed(TOKEN, &request.url(BASE), "");
            prop_assert_eq!(verify(signed.clone()), Ok((Construction::BodyHash, KeyKind::Current)));
            let mut body = body.into_bytes();
            let byte = &mut body[index.index(signed.body.len())];
            *byte = b'a' + (*byte % 26 + flip) % 26;
            prop_assume!(body != signed.body);
            prop_assert_eq!(verify(OwnedRequest { body, ..signed }), Err(VerifyError::BodyHashMismatch));
        }

        #[test]
        fn verification_does_not_panic_on_any_bytes(
            body in prop::collection::vec(any::<u8>(), 0..256),
            query in prop::option::of("[ -~]{0,64}"),
            signature in prop::collection::vec(any::<u8>(), 0..40),
            encoding in prop::sample::select(vec![Encoding::Form, Encoding::Json, Encoding::Query]),
        ) {
            let request = UnsignedRequest { encoding, query, body: String::new() };
            let headers = [(SIGNATURE_HEADER, signature)].into_iter().collect();
            let raw = OwnedRequest { headers, body, ..request.raw(vec![]) };
            prop_assert!(verify(raw).is_err());
        }
    }
}

fn content(raw: &OwnedRequest) -> SignedContent {
    verifier("https://hooks.example.com:8443/in", None).verify(&raw.as_request()).unwrap().signed_content()
}

fn content_signed_for(base: &str, request: &UnsignedRequest, form: &str) -> SignedContent {
    content(&request.signed(TOKEN, &request.url(base), form))
}

#[test]
fn signed_content_is_the_digest_of_the_message_from_the_route_on() {
    use sha2::{Digest as _, Sha256};
    let request = UnsignedRequest { query: Some("a=%20".to_owned()), ..UnsignedRequest::form("B=2&A=1&B=2&B=1") };
    let expected: [u8; 32] = Sha256::digest(b"/callbacks/customer-profiles?a=%20A1B1B2").into();
    for base in
        ["https://hooks.example.com:8443/in", "https://hooks.example.com/in", "https://hooks.example.com:443/in"]
    {
        assert_eq!(content_signed_for(base, &request, &request.body).as_bytes(), &expected, "{base}");
    }
}

#[test]
fn every_spelling_that_one_signature_covers_has_the_same_content() {
    let base = "https://hooks.example.com/in";
    let signed = UnsignedRequest::form("A=1 2&B=x");
    let expected = content_signed_for(base, &signed, &signed.body);
    for spelling in ["B=x&A=1+2", "A=1%202&B=%78", "A=1+2&&B=x&B=x&", "A=1+2B&x=", "A1=+2&B=x", "A1+2Bx", "A1+2B=x"] {
        let request = UnsignedRequest { body: spelling.to_owned(), ..signed.clone() };
        assert_eq!(content_signed_for(base, &request, &signed.body), expected, "{spelling}");
    }
    let hashed = signed.clone().hashed();
    let without_hash = content(&hashed.signed(TOKEN, &signed.url(base), &signed.body));
    assert_eq!(without_hash, expected, "a hash that was added to the query is not part of what was signed");
}

#[test]
fn other_signed_bytes_have_another_content() {
    let base = "https://hooks.example.com/in";
    let form = UnsignedRequest::form("A=1");
    let with_query = UnsignedRequest { query: Some("A=1".to_owned()), ..form.clone() };
    let requests = [
        form.clone(),
        UnsignedRequest::form("A=2"),
        UnsignedRequest::form("A=1&B="),
        with_query.clone(),
        UnsignedRequest { query: Some(String::new()), ..form.clone() },
        form.hashed(),
        UnsignedRequest::get("A=1"),
        UnsignedRequest::get("A=%31"),
        UnsignedRequest::json("{}"),
        UnsignedRequest::json("{ }"),
    ];
    let contents = requests.map(|request| {
        let form = if request.encoding == Encoding::Form { request.body.clone() } else { String::new() };
        content_signed_for(base, &request, &form)
    });
    let distinct: std::collections::HashSet<_> = contents.iter().collect();
    assert_eq!(distinct.len(), contents.len());
}
