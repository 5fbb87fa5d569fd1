//! Primary profiles, which only the Console creates and submits.

use reqwest::Method;
use serde_json::json;

use super::hub::{ACCOUNT, Hub};

const BUSINESS: &str = "RN6433641899984f951173ef1738c3bdd0";
const CONSOLE: &str = "/simulator/primary-profiles";

#[tokio::test]
async fn api_refuses_primary_profiles_with_the_text_of_twilio() {
    let hub = Hub::start();
    let sid = hub.create(CONSOLE, &[("type", "business")]).await;
    let path = format!("/v1/CustomerProfiles/{sid}");
    let create = [("FriendlyName", "Shop"), ("Email", "a"), ("PolicySid", BUSINESS)];
    for (path, form) in [
        ("/v1/CustomerProfiles", &create[..]),
        (&path, &[("Status", "pending-review")]),
        (&path, &[("Status", "draft")]),
    ] {
        let (status, problem) = hub.ask_as(ACCOUNT, Method::POST, path, form).await;
        let text = "This operation is restricted via API for Primary Customer Profiles. Use Twilio Console instead.";
        assert_eq!((status, &problem["message"]), (400, &json!(text)));
    }
    hub.post(&path, &[("FriendlyName", "Other")]).await;
}

#[tokio::test]
async fn console_creates_both_types_in_every_status() {
    let hub = Hub::start();
    for (primary_type, parts) in [("business", 4), ("individual", 1)] {
        for status in ["draft", "in-review", "twilio-rejected", "twilio-approved"] {
            let created =
                hub.post(CONSOLE, &[("type", primary_type), ("status", status), ("friendly_name", "A")]).await;
            assert_eq!((&created["status"], &created["friendly_name"]), (&json!(status), &json!("A")));
            let url = format!("/v1/CustomerProfiles/{}/EntityAssignments", created["sid"].as_str().unwrap());
            assert_eq!(hub.list(&url, "results").await.len(), parts);
        }
    }
}

#[tokio::test]
async fn missing_photo_id_is_a_rejection_that_a_valid_one_corrects() {
    let hub = Hub::start();
    for proof in ["photo_id", "selfie"] {
        let sid = hub.create(CONSOLE, &[("type", "individual"), (proof, "missing")]).await;
        let submit = format!("/simulator/profiles/{sid}/submit");
        let rejected = hub.post(&submit, &[]).await;
        assert_eq!(rejected["errors"], json!([{ "code": 18059 }]));
        let accepted = hub.post(&submit, &[("photo_id", "valid"), ("selfie", "valid")]).await;
        assert_eq!(accepted["status"], "in-review");
    }
    for (form, named) in [
        (&[("type", "bank")][..], "type: write one of business, individual"),
        (&[], "type: write one of business, individual"),
        (&[("type", "business"), ("selfie", "good")], "selfie: write one of valid, missing"),
        (&[("type", "business"), ("kind", "x")], "kind: unknown parameter"),
    ] {
        let (status, problem) = hub.ask_as(ACCOUNT, Method::POST, CONSOLE, form).await;
        assert!(status == 400 && problem["message"].as_str().unwrap().contains(named), "{problem}");
    }
}
