//! End users, supporting documents, addresses, and the definitions that they follow.

use reqwest::Method;
use serde_json::{Value, json};

use super::hub::{ACCOUNT, Hub, OTHER_ACCOUNT, POLICY, STARTER, names, values};

#[tokio::test]
async fn policies_name_types_that_exist_with_their_fields() {
    let hub = Hub::start();
    let policies = hub.list("/v1/Policies?PageSize=5", "results").await;
    assert!(policies.len() > 10);
    let starter = hub.get(&format!("/v1/Policies/{}", STARTER.replace('e', "E"))).await;
    assert!(policies.contains(&starter));
    assert_eq!(names(&starter), ["friendly_name", "requirements", "sid", "url"]);
    let requirements = &starter["requirements"];
    assert_eq!(requirements["end_user"][0]["type"], "starter_customer_profile_information");
    let accepted = &requirements["supporting_document"][0][0]["accepted_documents"][0];
    assert_eq!(accepted["type"], "customer_profile_address");
    assert_eq!(requirements["supporting_customer_profiles"][0]["requirement_name"], "primary_customer_profile");
    for reference in [&requirements["end_user"][0], accepted] {
        let found = hub.get(&format!("/v1{}", reference["url"].as_str().unwrap())).await;
        assert_eq!(names(&found), ["fields", "friendly_name", "machine_name", "sid", "url"]);
        let fields = found["fields"].as_array().unwrap();
        assert_eq!(json!(values(fields, "machine_name")), reference["fields"]);
    }
    let wrong = hub.problem(Method::GET, &format!("/v1/Policies/{POLICY}"), &[]).await;
    assert_eq!(wrong, (404, json!(20404)));
}

#[tokio::test]
async fn types_are_listed_under_keys_of_their_own_and_fetched_by_sid() {
    let hub = Hub::start();
    for (collection, key) in
        [("EndUserTypes", "end_user_types"), ("SupportingDocumentTypes", "supporting_document_types")]
    {
        let page = hub.get(&format!("/v1/{collection}")).await;
        assert_eq!(page["meta"]["key"], key);
        for one in page[key].as_array().unwrap() {
            assert_eq!(hub.get(&format!("/v1/{collection}/{}", one["sid"].as_str().unwrap())).await, *one);
        }
    }
}

#[tokio::test]
async fn end_users_and_documents_are_created_listed_changed_and_deleted() {
    let hub = Hub::start();
    for (collection, prefix) in [("EndUsers", "IT"), ("SupportingDocuments", "RD")] {
        let path = format!("/v1/{collection}");
        let form = [("FriendlyName", "Ada"), ("Type", "t"), ("Attributes", r#"{"first_name": "Ada", "n": 1}"#)];
        let created = hub.post(&path, &form).await;
        let sid = created["sid"].as_str().unwrap().to_owned();
        assert!(sid.starts_with(prefix));
        assert_eq!(created["attributes"], json!({ "first_name": "Ada", "n": 1 }));
        assert_eq!(created["account_sid"], ACCOUNT);
        let own = format!("{path}/{sid}");
        assert_eq!(hub.get(&format!("{path}/{prefix}{}", sid[2..].to_uppercase())).await, created);
        let changed = hub.post(&own, &[("FriendlyName", "Eve")]).await;
        assert_eq!((&changed["friendly_name"], &changed["attributes"]), (&json!("Eve"), &created["attributes"]));
        let changed = hub.post(&own, &[("Attributes", "{}")]).await;
        assert_eq!((&changed["friendly_name"], &changed["attributes"]), (&json!("Eve"), &json!({})));
        for wrong in ["", "{", "[]", "1", "first_name"] {
            let problem = hub.problem(Method::POST, &own, &[("Attributes", wrong)]).await;
            assert_eq!(problem, (400, json!(22207)), "{wrong}");
        }
        for missing in [&form[1..], &form[..1]] {
            assert_eq!(hub.problem(Method::POST, &path, missing).await, (400, json!(20001)));
        }
        let (status, _) = hub.ask_as(OTHER_ACCOUNT, Method::GET, &own, &[]).await;
        assert_eq!(status, 404, "of another account");
        assert_eq!(hub.delete(&own).await, (204, Value::Null));
        assert_eq!(hub.delete(&own).await, (404, json!(20404)));
    }
}

#[tokio::test]
async fn document_has_the_fields_of_one_that_was_not_submitted() {
    let hub = Hub::start();
    let sid = hub.address_document().await;
    let document = hub.get(&format!("/v1/SupportingDocuments/{sid}")).await;
    let fields = "account_sid,attributes,date_created,date_updated,friendly_name,mime_type,sid,status,type,url";
    assert_eq!(names(&document).join(","), fields);
    assert_eq!((&document["status"], &document["mime_type"]), (&json!("DRAFT"), &Value::Null));
}

#[tokio::test]
async fn lists_have_every_object_newest_first_on_pages_of_any_size() {
    let hub = Hub::start();
    let mut created = Vec::new();
    for _ in 0..7 {
        created.push(hub.end_user("t", json!({})).await);
    }
    created.reverse();
    for size in [1, 3, 7, 50] {
        let listed = hub.list(&format!("/v1/EndUsers?PageSize={size}"), "results").await;
        assert_eq!(values(&listed, "sid"), created);
    }
    let mut addresses = Vec::new();
    for _ in 0..5 {
        addresses.push(hub.address().await);
    }
    addresses.reverse();
    let listed = hub.list(&format!("/2010-04-01/Accounts/{ACCOUNT}/Addresses.json?PageSize=2"), "addresses").await;
    assert_eq!(values(&listed, "sid"), addresses);
}

#[tokio::test]
async fn address_has_the_form_of_the_older_api() {
    let hub = Hub::start();
    let sid = hub.address().await;
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Addresses/{sid}.json");
    let address = hub.get(&path).await;
    assert_eq!(address["uri"], path);
    assert!(address["date_created"].as_str().unwrap().ends_with(" +0000"), "{address}");
    assert_eq!((&address["street_secondary"], &address["emergency_enabled"]), (&Value::Null, &json!(false)));
    let changed = hub.post(&path, &[("Street", "2 Main Street"), ("EmergencyEnabled", "true")]).await;
    assert_eq!((&changed["street"], &changed["city"]), (&json!("2 Main Street"), &json!("Springfield")));
    assert_eq!(changed["emergency_enabled"], true);
    assert_eq!(hub.problem(Method::POST, &path, &[("City", " ")]).await, (400, json!(20001)));
    let list = format!("/2010-04-01/Accounts/{ACCOUNT}/Addresses.json");
    assert_eq!(hub.problem(Method::POST, &list, &[("Street", "x")]).await, (400, json!(20001)));
    let foreign = path.replace(ACCOUNT, OTHER_ACCOUNT);
    assert_eq!(hub.problem(Method::GET, &foreign, &[]).await, (404, json!(20404)));
    assert_eq!(hub.delete(&path).await, (204, Value::Null));
    assert_eq!(hub.problem(Method::GET, &path, &[]).await, (404, json!(20404)));
}

#[tokio::test]
async fn document_is_uploaded_with_its_file_as_at_the_upload_host() {
    let hub = Hub::start();
    let part = |head: &str, value: &str| format!("--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n");
    let fields = part("name=\"FriendlyName\"", "Register") + &part("name=\"Type\"", "business_registration");
    let attributes = part("name=\"Attributes\"", r#"{"business_name": "Shop"}"#);
    let file = part("name=\"File\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf", &"%PDF".repeat(100_000));
    let upload = |body: String| hub.upload("/v1/SupportingDocuments", "multipart/form-data; boundary=x", body);
    let (status, document) = upload(format!("{fields}{attributes}{file}--x--\r\n")).await;
    assert_eq!((status, &document["mime_type"]), (201, &json!("application/pdf")));
    assert_eq!(document["attributes"], json!({ "business_name": "Shop" }));
    let (status, problem) = upload(format!("{fields}{file}")).await;
    assert_eq!((status, &problem["code"]), (400, &json!(20001)), "cut off");
    let long = part("name=\"FriendlyName\"", &"x".repeat(3000)) + &part("name=\"Type\"", "t");
    let (status, problem) = upload(format!("{long}--x--\r\n")).await;
    assert_eq!((status, &problem["code"]), (400, &json!(20001)), "too long a name");
    let (status, _) = upload("x".repeat(7 << 20)).await;
    assert_eq!(status, 413);
}
