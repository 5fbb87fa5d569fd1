//! The pages about dead letters, from the topic of a running service.

use serde_json::Value;

use test_support::{ACCOUNT, Answer, Bridge, PROFILE, Request, TOKEN};

use super::{get, start_with};

/// Not the token with which the callbacks are signed.
const WRONG_TOKEN: &str = "fedcba9876543210fedcba9876543210";

fn page(bridge: &Bridge, target: &str) -> String {
    let Answer { status, body, .. } = get(bridge, target);
    assert_eq!(status, 200, "{target}: {body}");
    assert!(!body.contains("<script>alert"), "{body}");
    body
}

fn api(bridge: &Bridge, target: &str) -> Value {
    serde_json::from_str(&get(bridge, &format!("/api/v1/dead-letters{target}")).body).unwrap()
}

#[test]
fn letter_is_listed_and_shown_without_personal_data() {
    let bridge = start_with(&[]);
    assert!(page(&bridge, "/dead-letters").contains("There are no dead letters."));
    assert_eq!(api(&bridge, "")["letters"].as_array().map(Vec::len), Some(0));
    let body = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Name=a-person&X=%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    let target = "/callbacks/customer-profiles?Name=a-person&Y=%3Cscript%3E";
    let request = Request::form(target, &body).with("User-Agent", "<script>alert(1)</script>").signed();
    assert_eq!(bridge.send(&request).status, 204);
    let letter = bridge.dead_letters(1).remove(0);
    let position = format!("{}/{}", letter.partition, letter.offset);

    let (listed, api_listed) = test_support::wait_for("the letter is listed", || {
        let listed = page(&bridge, "/dead-letters");
        listed.contains("missing_status").then(|| (listed, api(&bridge, "")))
    });
    for part in [&*format!(r#"href="/dead-letters/{position}""#), "It has no status.", PROFILE, "customer-profile"] {
        assert!(listed.contains(part), "{part}\n{listed}");
    }
    let facts = &api_listed["letters"][0];
    assert_eq!((&facts["reason"], &facts["replayable"]), (&"missing_status".into(), &false.into()), "{api_listed}");
    assert_eq!(facts["ce_id"], letter.header("ce_id").unwrap());

    let hidden = page(&bridge, &format!("/dead-letters/{position}"));
    assert!(hidden.contains(&format!("dead-letters replay --dry-run {position}\n")), "{hidden}");
    assert!(!hidden.contains("a-person") && api(&bridge, &format!("/{position}"))["request"].is_null(), "{hidden}");
    let shown = page(&bridge, &format!("/dead-letters/{position}?personal=1"));
    assert!(shown.contains("a-person") && shown.contains("&lt;script&gt;alert(1)"), "{shown}");
    let request = &api(&bridge, &format!("/{position}?personal=1"))["request"];
    assert!(request["body"].as_str().unwrap().contains("Name=a-person"), "{request}");

    for path in ["0/4711", "99/0", "0/-1", "0/x", "0", "../..", "0/%30", "0/0/0", "99999999999/1"] {
        for below in ["/dead-letters", "/api/v1/dead-letters"] {
            let answer = get(&bridge, &format!("{below}/{path}"));
            assert_eq!(answer.status, 404, "{below}/{path}: {answer:?}");
        }
    }
}

/// The signature of a letter is that of a valid callback as soon as the right token is configured.
#[test]
fn unverified_letter_shows_its_diagnosis_and_never_its_signature() {
    let bridge = start_with(&[("SIGNATURE_MODE", "report-only"), ("TWILIO_AUTH_TOKEN", WRONG_TOKEN)]);
    let own = Request::change("in-review").signed_with(WRONG_TOKEN, "https://other.example.com");
    let elsewhere = Request { headers: own.headers[..1].to_vec(), ..own }
        .signed_with(WRONG_TOKEN, "https://other.example.com")
        .with("X-Forwarded-Host", "other.example.com");
    assert_eq!(bridge.send(&elsewhere).status, 204);
    assert_eq!(bridge.send(&Request::change("draft").signed_with(TOKEN, test_support::PUBLIC_URL)).status, 204);
    let mut texts = Vec::new();
    for letter in bridge.dead_letters(2) {
        let value: Value = serde_json::from_slice(letter.payload.as_ref().unwrap()).unwrap();
        let headers = value["headers"].as_array().unwrap();
        let signature = headers.iter().find(|header| header[0] == "x-twilio-signature").unwrap()[1].as_str().unwrap();
        let target = format!("/dead-letters/{}/{}?personal=1", letter.partition, letter.offset);
        let shown = page(&bridge, &target);
        let data = get(&bridge, &format!("/api/v1{target}")).body;
        assert!(shown.contains("[redacted]") && data.contains("[redacted]"), "{shown}{data}");
        assert!(!shown.contains(signature) && !data.contains(signature), "{shown}{data}");
        assert!(shown.contains("its signature does not match"), "{shown}");
        texts.push(shown);
    }
    assert!(texts.iter().any(|text| text.contains("Diagnosis") && text.contains("other.example.com")), "{texts:?}");
}
