//! Regulations of phone numbers, and lists of bundles.

use reqwest::Method;
use serde_json::{Value, json};

use super::hub::{Hub, names, values};

const NUMBERS: &str = "/v2/RegulatoryCompliance";
const BUNDLES: &str = "/v2/RegulatoryCompliance/Bundles";
const GERMAN: &str = "RNfd11dde5d4b7252abf96139766f68034";
const OF_GERMAN_NUMBERS: [(&str, &str); 3] =
    [("IsoCountry", "de"), ("NumberType", "local"), ("EndUserType", "Business")];

/// Creates a bundle without requirements, and submits it.
async fn submitted(hub: &Hub, name: &str) -> String {
    let form = [("FriendlyName", name), ("Email", "a"), ("RegulationSid", "RN00000000000000000000000000000007")];
    let sid = hub.create(BUNDLES, &form).await;
    hub.post(&format!("{BUNDLES}/{sid}"), &[("Status", "pending-review")]).await;
    sid
}

#[tokio::test]
async fn regulations_are_listed_by_their_numbers_and_fetched() {
    let hub = Hub::start();
    let list = format!("{NUMBERS}/Regulations");
    let all = hub.list(&format!("{list}?PageSize=2"), "results").await;
    assert_eq!(all.len(), 6, "over three pages");
    let filtered = format!("{list}?IsoCountry=DE&NumberType=local&EndUserType=business");
    let [german] = &hub.list(&filtered, "results").await[..] else { panic!("one regulation") };
    assert_eq!(names(german).join(","), "end_user_type,friendly_name,iso_country,number_type,requirements,sid,url");
    assert_eq!(german["friendly_name"], "Germany: Local - Business");
    let own = format!("{list}/{GERMAN}");
    assert!(german["url"].as_str().unwrap().ends_with(&own));
    assert_eq!(&hub.get(&own).await, german);
    let business = &german["requirements"]["end_user"][0];
    assert_eq!((&business["type"], &business["requirement_name"]), (&json!("business"), &json!("business_info")));
    assert_eq!(business["fields"].as_array().unwrap().len(), 6, "comments are optional");
    assert_eq!(business["detailed_fields"].as_array().unwrap().len(), 7);
    let document = &german["requirements"]["supporting_document"][0][0]["accepted_documents"][0];
    assert_eq!(document["fields"], json!(["business_registration_number"]));
    let type_path = document["url"].as_str().unwrap().split_once("/v2").unwrap().1;
    assert_eq!(hub.get(&format!("/v2{type_path}")).await["machine_name"], "commercial_registrar_excerpt");
    assert_eq!(hub.list(&format!("{list}?EndUserType=individual"), "results").await.len(), 4);
    assert_eq!(hub.problem(Method::GET, &format!("{list}?EndUserType=x"), &[]).await, (400, json!(20001)));
    assert_eq!(hub.problem(Method::GET, &format!("{list}/RN{:032}", 7), &[]).await, (404, json!(20404)));
}

#[tokio::test]
async fn constraints_are_included_only_on_request() {
    let hub = Hub::start();
    let of = |query: &'static str| {
        let path = format!("{NUMBERS}/Regulations/{GERMAN}{query}");
        let hub = &hub;
        async move { hub.get(&path).await["requirements"]["end_user"][0]["detailed_fields"][0]["constraint"].clone() }
    };
    assert_eq!(of("?IncludeConstraints=true").await, "String");
    assert_eq!(of("?IncludeConstraints=false").await, Value::Null);
    assert_eq!(of("").await, Value::Null);
}

#[tokio::test]
async fn types_of_the_api_for_numbers_are_its_own() {
    let hub = Hub::start();
    for (path, key, own) in [
        ("EndUserTypes", "end_user_types", "individual"),
        ("SupportingDocumentTypes", "supporting_document_types", "passport"),
    ] {
        let of_numbers = hub.list(&format!("{NUMBERS}/{path}"), key).await;
        let of_trust_hub = hub.list(&format!("/v1/{path}"), key).await;
        assert!(values(&of_numbers, "machine_name").iter().any(|name| name == own));
        assert!(values(&of_trust_hub, "machine_name").iter().all(|name| name != own));
        let sids = values(&of_trust_hub, "sid");
        assert!(values(&of_numbers, "sid").iter().all(|sid| !sids.contains(sid)));
        for one in of_numbers {
            assert_eq!(hub.get(&format!("{NUMBERS}/{path}/{}", one["sid"].as_str().unwrap())).await, one);
        }
    }
    let form = [("FriendlyName", "Passport"), ("Type", "passport")];
    let document = hub.post(&format!("{NUMBERS}/SupportingDocuments"), &form).await;
    assert_eq!((&document["status"], document.get("errors")), (&json!("draft"), Some(&Value::Null)));
}

#[tokio::test]
async fn bundle_for_numbers_has_their_regulation() {
    let hub = Hub::start();
    let common = [("FriendlyName", "Numbers"), ("Email", "a")];
    let bundle = hub.post(BUNDLES, &[&common[..], &OF_GERMAN_NUMBERS].concat()).await;
    assert_eq!(bundle["regulation_sid"], GERMAN);
    let path = format!("{BUNDLES}/{}", bundle["sid"].as_str().unwrap());
    let evaluation = hub.post(&format!("{path}/Evaluations"), &[]).await;
    assert_eq!((&evaluation["status"], &evaluation["regulation_sid"]), (&json!("noncompliant"), &json!(GERMAN)));
    assert_eq!(evaluation["results"].as_array().unwrap().len(), 4);
    let rejected = hub.post(&path, &[("Status", "pending-review")]).await;
    assert_eq!(rejected["status"], "twilio-rejected");
    hub.post(BUNDLES, &[&common[..], &[("RegulationSid", "RN00000000000000000000000000000007")]].concat()).await;
    for numbers in ["IsoCountry=DE", "NumberType=local", "EndUserType=business"] {
        assert_eq!(values(&hub.list(&format!("{BUNDLES}?{numbers}"), "results").await, "friendly_name"), ["Numbers"]);
    }
    assert!(hub.list(&format!("{BUNDLES}?IsoCountry=AU"), "results").await.is_empty());
}

#[tokio::test]
async fn bundles_are_filtered_and_sorted_by_their_end_date() {
    let hub = Hub::start();
    let mut sids = Vec::new();
    for (name, valid_for) in [("soon", Some("3600")), ("never", None), ("later", Some("7200"))] {
        let sid = submitted(&hub, name).await;
        let form: Vec<_> = valid_for.iter().map(|seconds| ("valid_for_secs", *seconds)).collect();
        hub.post(&format!("/simulator/profiles/{sid}/approve-provisionally"), &form).await;
        sids.push(sid);
    }
    let list = async |query: &str| values(&hub.list(&format!("{BUNDLES}?{query}"), "results").await, "friendly_name");
    assert_eq!(list("SortBy=valid-until&SortDirection=ASC").await, ["soon", "later", "never"]);
    assert_eq!(list("SortBy=valid-until&PageSize=1").await, ["later", "soon", "never"], "one on each page");
    assert_eq!(list("SortBy=date-updated").await, ["later", "never", "soon"]);
    assert_eq!(list("SortDirection=ASC&PageSize=2").await, ["soon", "never", "later"]);
    assert_eq!(list("HasValidUntilDate=true&SortDirection=ASC").await, ["soon", "later"]);
    assert_eq!(list("HasValidUntilDate=false").await, ["never"]);
    assert_eq!(list(&format!("BundleSids={},{}", sids[0], sids[1])).await, ["never", "soon"]);
    assert_eq!(list("Status=provisionally-approved").await.len(), 3);
    let end = hub.get(&format!("{BUNDLES}/{}", sids[0])).await["valid_until"].as_str().unwrap().to_owned();
    assert_eq!(list(&format!("ValidUntilDate%3C={end}")).await, ["soon"]);
    assert_eq!(list(&format!("ValidUntilDate={end}")).await, ["soon"]);
    assert_eq!(list(&format!("ValidUntilDate%3E={end}")).await, ["later", "soon"]);
    assert_eq!(list("ValidUntilDate%3E=9999-01-01").await, [""; 0]);
    let many = vec![sids[0].as_str(); 21].join(",");
    for query in
        [&format!("BundleSids={many}"), "BundleSids=x", "SortBy=name", "HasValidUntilDate=1", "ValidUntilDate=x"]
    {
        assert_eq!(hub.problem(Method::GET, &format!("{BUNDLES}?{query}"), &[]).await, (400, json!(20001)), "{query}");
    }
}

#[tokio::test]
async fn approved_bundle_gets_the_items_of_its_changed_copy() {
    let hub = Hub::start();
    let sid = submitted(&hub, "Numbers").await;
    let (bundle, control) = (format!("{BUNDLES}/{sid}"), format!("/simulator/profiles/{sid}"));
    let copies = format!("{bundle}/Copies");
    hub.post(&format!("{control}/approve"), &[("valid_for_secs", "3600")]).await;
    let copy = hub.post(&copies, &[]).await;
    let fields = "account_sid,date_created,date_updated,email,friendly_name,regulation_sid,sid,status,status_callback,\
                  valid_until";
    assert_eq!(names(&copy).join(","), fields);
    assert_eq!((&copy["status"], &copy["friendly_name"]), (&json!("draft"), &json!("Numbers")));
    let named = hub.post(&copies, &[("FriendlyName", "Second")]).await;
    assert_eq!(hub.list(&copies, "results").await, [named, copy.clone()]);
    let copy_sid = copy["sid"].as_str().unwrap();
    let copy = format!("{BUNDLES}/{copy_sid}");
    let form = [("FriendlyName", "Ada"), ("Type", "individual")];
    let end_user = hub.create(&format!("{NUMBERS}/EndUsers"), &form).await;
    hub.post(&format!("{copy}/ItemAssignments"), &[("ObjectSid", &end_user)]).await;
    let from = [("FromBundleSid", copy_sid)];
    let replace = format!("{bundle}/ReplaceItems");
    assert_eq!(hub.problem(Method::POST, &replace, &from).await, (400, json!(60711)), "the copy is a draft");
    hub.post(&copy, &[("Status", "pending-review")]).await;
    hub.post(&format!("/simulator/profiles/{copy_sid}/approve"), &[]).await;
    let replaced = hub.post(&replace, &from).await;
    assert_eq!((&replaced["sid"], &replaced["valid_until"]), (&json!(sid), &Value::Null));
    let items = hub.list(&format!("{bundle}/ItemAssignments"), "results").await;
    assert_eq!(values(&items, "object_sid"), [end_user.as_str()]);
    let unknown = [("FromBundleSid", "BU00000000000000000000000000000009")];
    assert_eq!(hub.problem(Method::POST, &replace, &unknown).await, (400, json!(22205)));
    assert_eq!(hub.problem(Method::POST, &replace, &[("FromBundleSid", &end_user)]).await, (400, json!(20001)));
}
