//! Embedded onboarding.

use reqwest::Method;
use serde_json::json;

use super::hub::{Hub, POLICY, names};

#[tokio::test]
async fn inquiry_of_a_customer_creates_a_profile_that_can_be_resumed() {
    let hub = Hub::start();
    let base = "/v1/ComplianceInquiries/Customers";
    let inquiry = hub.post(&format!("{base}/Initialize"), &[("NotificationEmail", "a@example.com")]).await;
    assert_eq!(names(&inquiry), ["customer_id", "inquiry_id", "inquiry_session_token", "url"]);
    let customer = inquiry["customer_id"].as_str().unwrap();
    let profile = hub.get(&format!("/v1/CustomerProfiles/{customer}")).await;
    assert_eq!((&profile["status"], &profile["email"]), (&json!("draft"), &json!("a@example.com")));
    let primary = hub.create("/simulator/primary-profiles", &[("type", "business"), ("status", "in-review")]).await;
    let resume = format!("{base}/{customer}/Initialize");
    let form = [("PrimaryProfileSid", primary.as_str())];
    assert_eq!(hub.problem(Method::POST, &resume, &form).await, (400, json!(20003)), "it is in review");
    hub.post(&format!("/simulator/profiles/{primary}/approve"), &[]).await;
    assert_eq!(hub.post(&resume, &form).await["customer_id"], customer);
    let another = hub.profile("CustomerProfiles", POLICY).await;
    hub.post(&another, &[("Status", "pending-review")]).await;
    hub.post(&format!("/simulator/profiles/{}/approve", &another[another.len() - 34..]), &[]).await;
    let wrong = [("PrimaryProfileSid", &another[another.len() - 34..])];
    assert_eq!(hub.problem(Method::POST, &resume, &wrong).await, (400, json!(20003)), "it is not primary");
    let unknown = format!("{base}/BU{}/Initialize", "0".repeat(32));
    assert_eq!(hub.problem(Method::POST, &unknown, &form).await, (404, json!(20404)));
}

#[tokio::test]
async fn inquiries_of_registrations_need_their_parameters_and_can_be_resumed() {
    let hub = Hub::start();
    let registration = "/v1/ComplianceInquiries/Registration";
    let gb = format!("{registration}/RegulatoryCompliance/GB/Initialize");
    for (path, form) in [
        ("/v1/ComplianceInquiries/Tollfree/Initialize", [("TollfreePhoneNumber", "+1800"), ("NotificationEmail", "a")]),
        (&gb, [("EndUserType", "Business"), ("PhoneNumberType", "local")]),
    ] {
        let inquiry = hub.post(path, &form).await;
        assert_eq!(names(&inquiry), ["inquiry_id", "inquiry_session_token", "registration_id", "url"]);
        for missing in [&form[1..], &form[..1]] {
            assert_eq!(hub.problem(Method::POST, path, missing).await, (400, json!(20001)));
        }
    }
    let id =
        hub.post(&gb, &[("EndUserType", "Business"), ("PhoneNumberType", "local")]).await["registration_id"].clone();
    let resume = format!("{registration}/{}/RegulatoryCompliance/GB/Initialize", id.as_str().unwrap());
    assert_eq!(hub.post(&resume, &[]).await["registration_id"], id);
}
