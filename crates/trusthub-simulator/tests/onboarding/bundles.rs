//! Regulatory bundles of the API for numbers.

use reqwest::Method;
use serde_json::{Value, json};

use super::hub::{Hub, names, values};

const BUNDLES: &str = "/v2/RegulatoryCompliance/Bundles";
const REGULATION: &str = "RN00000000000000000000000000000007";

#[tokio::test]
async fn bundle_is_created_for_a_regulation_or_for_a_kind_of_number() {
    let hub = Hub::start();
    let common = [("FriendlyName", "Numbers"), ("Email", "a")];
    let kind = [("IsoCountry", "FR"), ("EndUserType", "business"), ("NumberType", "local")];
    let with_regulation = hub.post(BUNDLES, &[&common[..], &[("RegulationSid", REGULATION)]].concat()).await;
    let fields = "account_sid,date_created,date_updated,email,friendly_name,links,regulation_sid,sid,status,\
                  status_callback,url,valid_until";
    assert_eq!(names(&with_regulation).join(","), fields);
    assert_eq!(with_regulation["regulation_sid"], REGULATION);
    let without = hub.post(BUNDLES, &[&common[..], &kind].concat()).await;
    assert_eq!(without["regulation_sid"], Value::Null);
    assert_eq!(hub.problem(Method::POST, BUNDLES, &[&common[..], &kind[1..]].concat()).await, (400, json!(20001)));
    let listed = hub.list(&format!("{BUNDLES}?RegulationSid={REGULATION}"), "results").await;
    assert_eq!(listed, std::slice::from_ref(&with_regulation));
    assert_eq!(hub.list(BUNDLES, "results").await, [without, with_regulation.clone()]);
    assert_eq!(hub.list("/v1/CustomerProfiles", "results").await, [Value::Null; 0]);
    let other = format!("/v1/CustomerProfiles/{}", with_regulation["sid"].as_str().unwrap());
    assert_eq!(hub.problem(Method::GET, &other, &[]).await, (404, json!(20404)));
}

#[tokio::test]
async fn bundle_is_filled_evaluated_reviewed_and_locked_like_a_profile() {
    let hub = Hub::start();
    let form = [("FriendlyName", "Numbers"), ("Email", "a"), ("RegulationSid", REGULATION)];
    let sid = hub.create(BUNDLES, &form).await;
    let bundle = format!("{BUNDLES}/{sid}");
    let end_users = "/v2/RegulatoryCompliance/EndUsers";
    let form = [("FriendlyName", "Ada"), ("Type", "individual"), ("Attributes", r#"{"first_name":"Ada"}"#)];
    let end_user = hub.create(end_users, &form).await;
    let items = format!("{bundle}/ItemAssignments");
    let item = hub.post(&items, &[("ObjectSid", &end_user)]).await;
    assert_eq!(names(&item).join(","), "account_sid,bundle_sid,date_created,object_sid,sid,url");
    let own = format!("{items}/{}", item["sid"].as_str().unwrap());
    assert!(item["url"].as_str().unwrap().ends_with(&own));
    assert_eq!(hub.get(&own).await, item);
    assert_eq!(values(&hub.list(&items, "results").await, "object_sid"), [end_user.as_str()]);
    let evaluation = hub.post(&format!("{bundle}/Evaluations"), &[]).await;
    assert_eq!((&evaluation["status"], &evaluation["regulation_sid"]), (&json!("compliant"), &json!(REGULATION)));
    assert_eq!(hub.list(&format!("{bundle}/Evaluations"), "results").await, [evaluation]);
    assert_eq!(hub.post(&bundle, &[("Status", "pending-review")]).await["status"], "in-review");
    let end_user = format!("{end_users}/{end_user}");
    assert!(hub.get(&end_user).await["url"].as_str().unwrap().ends_with(&end_user));
    assert_eq!(hub.problem(Method::POST, &end_user, &[("FriendlyName", "x")]).await, (400, json!(70002)));
    hub.post(&format!("/simulator/profiles/{sid}/reject"), &[("code", "18099")]).await;
    assert_eq!(hub.delete(&own).await, (204, Value::Null));
    assert_eq!(hub.delete(&bundle).await, (204, Value::Null));
}
