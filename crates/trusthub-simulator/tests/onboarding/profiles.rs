//! Assignments, evaluations, endpoints and copies of both kinds of profiles.

use reqwest::Method;
use serde_json::{Value, json};

use super::hub::{Hub, POLICY, STARTER, names, values};

const KINDS: [(&str, &str); 2] = [("CustomerProfiles", "customer_profile_sid"), ("TrustProducts", "trust_product_sid")];

#[tokio::test]
async fn assignments_are_checked_and_filtered_by_the_type_of_the_object() {
    let hub = Hub::start();
    for (collection, field) in KINDS {
        let profile = hub.profile(collection, POLICY).await;
        let path = format!("{profile}/EntityAssignments");
        let end_user = hub.end_user("authorized_representative_1", json!({})).await;
        let assigned = hub.post(&path, &[("ObjectSid", &format!("IT{}", end_user[2..].to_uppercase()))]).await;
        assert_eq!(
            (&assigned[field], &assigned["object_sid"]),
            (&json!(profile[profile.len() - 34..]), &json!(end_user))
        );
        let document = hub.address_document().await;
        hub.create(&path, &[("ObjectSid", &document)]).await;
        let unknown = format!("IT{}", "0".repeat(32));
        for (object, code) in
            [(&end_user, 22205), (&unknown, 22205), (&hub.address().await, 22206), (&"x".to_owned(), 20001)]
        {
            let problem = hub.problem(Method::POST, &path, &[("ObjectSid", object)]).await;
            assert_eq!(problem, (400, json!(code)), "{object}");
        }
        for (filter, objects) in [
            ("", vec![&document, &end_user]),
            ("?ObjectType=authorized_representative_1", vec![&end_user]),
            ("?ObjectType=customer_profile_address", vec![&document]),
            ("?ObjectType=another", vec![]),
        ] {
            let listed = hub.list(&format!("{path}{filter}"), "results").await;
            assert_eq!(values(&listed, "object_sid").iter().collect::<Vec<_>>(), objects, "{filter}");
        }
        let own = format!("{path}/{}", assigned["sid"].as_str().unwrap());
        assert_eq!(hub.get(&own).await, assigned);
        assert_eq!(hub.delete(&format!("/v1/EndUsers/{end_user}")).await, (400, json!(21644)));
        assert_eq!(hub.delete(&format!("/v1/SupportingDocuments/{document}")).await, (400, json!(21645)));
        assert_eq!(hub.delete(&own).await, (204, Value::Null));
        assert_eq!(hub.delete(&format!("/v1/EndUsers/{end_user}")).await, (204, Value::Null));
    }
}

#[tokio::test]
async fn evaluation_says_what_is_missing_in_the_form_of_twilio() {
    let hub = Hub::start();
    for (collection, field) in KINDS {
        let profile = hub.profile(collection, STARTER).await;
        let path = format!("{profile}/Evaluations");
        let evaluation = hub.post(&path, &[("PolicySid", STARTER)]).await;
        let fields = ["account_sid", "date_created", "policy_sid", "results", "sid", "status", "url", field];
        let mut fields = fields.to_vec();
        fields.sort_unstable();
        assert_eq!(names(&evaluation), fields);
        assert_eq!(evaluation["status"], "noncompliant");
        let results = evaluation["results"].as_array().unwrap();
        let fields = "error_code,failure_reason,friendly_name,invalid,object_type,passed,requirement_friendly_name,\
                      requirement_name,valid";
        assert_eq!(names(&results[0]).join(","), fields);
        assert_eq!((&results[0]["error_code"], &results[0]["passed"]), (&json!(22214), &json!(false)));
        let invalid = &results[0]["invalid"][0];
        assert_eq!((&invalid["object_field"], &invalid["error_code"]), (&json!("first_name"), &json!(22215)));
        let sid = evaluation["sid"].as_str().unwrap();
        assert_eq!(hub.get(&format!("{path}/{sid}")).await, evaluation);
        assert_eq!(hub.list(&path, "results").await, std::slice::from_ref(&evaluation));
        assert_eq!(hub.post(&path, &[("PolicySid", POLICY)]).await["status"], "compliant", "no requirements");
        assert_eq!(hub.problem(Method::POST, &path, &[]).await, (400, json!(20001)));
        let unknown = format!("{path}/EL{}", "0".repeat(32));
        assert_eq!(hub.problem(Method::GET, &unknown, &[]).await, (404, json!(20404)));
    }
}

#[tokio::test]
async fn profile_and_its_parts_are_locked_from_submission_to_decision() {
    let hub = Hub::start();
    hub.post("/simulator/primary-profiles", &[("type", "business"), ("status", "twilio-approved")]).await;
    let primary = hub.get("/v1/CustomerProfiles").await["results"][0]["sid"].as_str().unwrap().to_owned();
    let profile = hub.profile("CustomerProfiles", STARTER).await;
    let submit = [("Status", "pending-review")];
    let rejected = hub.post(&profile, &submit).await;
    assert_eq!(rejected["status"], "twilio-rejected");
    assert_eq!(rejected["errors"], json!([{ "code": 22214 }, { "code": 22216 }, { "code": 18036 }]));
    let attributes = json!({ "first_name": "A", "last_name": "L", "email": "a", "phone_number": "+1" });
    let end_user = hub.end_user("starter_customer_profile_information", attributes).await;
    for object in [&end_user, &hub.address_document().await, &primary] {
        hub.create(&format!("{profile}/EntityAssignments"), &[("ObjectSid", object)]).await;
    }
    assert_eq!(hub.post(&profile, &submit).await["status"], "in-review");
    let end_user = format!("/v1/EndUsers/{end_user}");
    let name = [("FriendlyName", "B")];
    assert_eq!(hub.problem(Method::POST, &end_user, &name).await, (400, json!(70002)));
    assert_eq!(hub.problem(Method::POST, &profile, &name).await, (400, json!(60711)));
    let control = profile.replace("v1/CustomerProfiles", "simulator/profiles");
    hub.post(&format!("{control}/approve"), &[]).await;
    hub.post(&end_user, &name).await;
    let (status, problem) = hub.ask_as(super::hub::ACCOUNT, Method::POST, &profile, &submit).await;
    assert_eq!((status, &problem["message"]), (400, &json!("User cannot perform this status update")));
    let expired = hub.post(&format!("{control}/expire"), &[("code", "22600")]).await;
    assert_eq!(expired["errors"], json!([{ "code": 22600 }]));
    assert_eq!(hub.problem(Method::POST, &format!("{control}/expire"), &[("code", "18602")]).await.0, 400);
}

#[tokio::test]
async fn status_is_updated_alone_and_email_has_no_format() {
    let hub = Hub::start();
    let form = [("FriendlyName", "Shop"), ("Email", "string"), ("PolicySid", POLICY)];
    let sid = hub.create("/v1/CustomerProfiles", &form).await;
    let upper = format!("/v1/CustomerProfiles/BU{}", sid[2..].to_uppercase());
    for other in [("FriendlyName", "x"), ("Email", "x"), ("StatusCallback", "")] {
        let problem = hub.problem(Method::POST, &upper, &[("Status", "pending-review"), other]).await;
        assert_eq!(problem, (400, json!(22204)));
    }
    let profile = hub.post(&upper, &[("Email", "email")]).await;
    assert_eq!(
        (&profile["sid"], &profile["status"], &profile["email"]),
        (&json!(sid), &json!("draft"), &json!("email"))
    );
}

#[tokio::test]
async fn endpoints_are_assigned_once_listed_by_sid_and_removed() {
    let hub = Hub::start();
    let numbers = [1, 2].map(|number| format!("PN{number:032x}"));
    for (collection, field) in KINDS {
        let profile = hub.profile(collection, POLICY).await;
        let path = format!("{profile}/ChannelEndpointAssignments");
        let form = |number| [("ChannelEndpointType", "phone-number"), ("ChannelEndpointSid", number)];
        let first = hub.post(&path, &form(&numbers[0])).await;
        hub.create(&path, &form(&numbers[1])).await;
        let mut fields =
            vec![field, "account_sid", "channel_endpoint_sid", "channel_endpoint_type", "date_created", "sid", "url"];
        fields.sort_unstable();
        assert_eq!(names(&first), fields);
        assert!(first["sid"].as_str().unwrap().starts_with("RA"));
        assert_eq!(hub.problem(Method::POST, &path, &form(&numbers[0])).await, (400, json!(22205)));
        assert_eq!(hub.problem(Method::POST, &path, &form("x")).await, (400, json!(20001)));
        let both = numbers.join(",");
        for (query, count) in [
            (String::new(), 2),
            (format!("?ChannelEndpointSid={}", numbers[0]), 1),
            (format!("?ChannelEndpointSids={both}"), 2),
            (format!("?ChannelEndpointSids=PN{}", "f".repeat(32)), 0),
        ] {
            assert_eq!(hub.list(&format!("{path}{query}"), "results").await.len(), count, "{query}");
        }
        let own = format!("{path}/{}", first["sid"].as_str().unwrap());
        assert_eq!(hub.get(&own).await, first);
        assert_eq!(hub.delete(&own).await, (204, Value::Null));
        assert_eq!(hub.delete(&own).await, (404, json!(20404)));
    }
}

#[tokio::test]
async fn only_an_approved_profile_is_copied_and_only_once() {
    let hub = Hub::start();
    for (collection, field) in KINDS {
        let profile = hub.profile(collection, POLICY).await;
        let path = format!("{profile}/ProvisionalCopy");
        assert_eq!(hub.problem(Method::GET, &path, &[]).await, (404, json!(20404)));
        assert_eq!(hub.problem(Method::POST, &path, &[]).await, (400, json!(18607)));
        hub.post(&profile, &[("Status", "pending-review")]).await;
        hub.post(&format!("/simulator/profiles/{}/approve", &profile[profile.len() - 34..]), &[]).await;
        let copy = hub.post(&path, &[]).await;
        assert_eq!((&copy["status"], &copy["friendly_name"]), (&json!("draft"), &json!("Shop")));
        hub.get(&format!("/v1/{collection}/{}", copy[field].as_str().unwrap())).await;
        assert_eq!(hub.get(&path).await, copy);
        assert_eq!(hub.problem(Method::POST, &path, &[]).await, (400, json!(18608)));
    }
}
