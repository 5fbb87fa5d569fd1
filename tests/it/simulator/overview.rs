//! The list of the profiles of all accounts.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use test_support::{
    ACCOUNT, Request,
    kafka::unique_topic,
    simulator::{POLICY, Simulator},
};

fn other_account() -> String {
    format!("AC{}", "2".repeat(32))
}

/// A simulator of two accounts.
fn simulator() -> Simulator {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("accounts"));
    fs::write(&file, json!({ other_account(): { "tokens": ["other"] } }).to_string()).unwrap();
    let simulator = Simulator::start_with(&[], &[("TWILIO_ACCOUNTS_FILE", file.to_str().unwrap())]);
    fs::remove_file(file).unwrap();
    simulator
}

fn profiles(simulator: &Simulator, query: &str) -> Vec<Value> {
    let mut answer = simulator.get(&format!("/simulator/profiles?{query}"));
    assert_eq!(answer["next_page_url"], Value::Null, "{answer}");
    answer["profiles"].as_array_mut().unwrap().drain(..).collect()
}

fn names(simulator: &Simulator, query: &str) -> Vec<String> {
    profiles(simulator, query).iter().map(|profile| profile["friendly_name"].as_str().unwrap().to_owned()).collect()
}

/// Creates a profile with the parameters that say what it is for.
fn create(simulator: &Simulator, collection: &str, purpose: &str, name: &str) {
    simulator.post(collection, &format!("FriendlyName={name}&Email=a%40example.com&{purpose}"));
}

#[test]
fn profiles_of_all_accounts_and_kinds_are_listed_newest_first() {
    let simulator = simulator();
    simulator.post("/simulator/profiles", &format!("count=1&account_sid={}&status=twilio-rejected", other_account()));
    create(&simulator, "/v1/CustomerProfiles", &format!("PolicySid={POLICY}"), "Shop");
    create(&simulator, "/v1/TrustProducts", &format!("PolicySid={POLICY}"), "Messages");
    let regulation = "IsoCountry=DE&EndUserType=business&NumberType=local";
    create(&simulator, "/v2/RegulatoryCompliance/Bundles", regulation, "Numbers+%26+more");
    assert_eq!(names(&simulator, ""), ["Numbers & more", "Messages", "Shop", "Seeded 1"]);
    for (query, expected) in [
        ("resource=customer-profile", &["Shop", "Seeded 1"][..]),
        ("resource=trust-product", &["Messages"]),
        ("resource=regulatory-bundle", &["Numbers & more"]),
        ("status=twilio-rejected", &["Seeded 1"]),
        ("friendly_name=S", &["Numbers & more", "Messages", "Shop", "Seeded 1"]),
        ("friendly_name=SHOP", &["Shop"]),
        ("friendly_name=%26", &["Numbers & more"]),
        ("friendly_name=S&status=draft&resource=trust-product", &["Messages"]),
        (&format!("account_sid={}", other_account()), &["Seeded 1"]),
        (&format!("account_sid={ACCOUNT}&resource=customer-profile"), &["Shop"]),
        ("status=twilio-approved", &[]),
    ] {
        assert_eq!(names(&simulator, query), expected, "{query}");
    }
    let [rejected] = &profiles(&simulator, "status=twilio-rejected")[..] else { panic!("one profile") };
    let fields = rejected.as_object().unwrap();
    let expected = [
        ("account_sid", json!(other_account())),
        ("resource", json!("customer-profile")),
        ("policy_sid", json!(POLICY)),
        ("error_codes", json!([18602])),
        ("status_callback", Value::Null),
        ("valid_until", Value::Null),
    ];
    for (name, value) in expected {
        assert_eq!(fields[name], value, "{name}");
    }
    assert!(fields["sid"].as_str().unwrap().starts_with("BU") && fields["date_updated"].is_string());
}

#[test]
fn pages_contain_each_profile_once_while_others_are_created() {
    let simulator = simulator();
    let seed = |account: &str| simulator.post("/simulator/profiles", &format!("count=5&account_sid={account}"));
    seed(ACCOUNT);
    seed(&other_account());
    simulator.post("/simulator/profiles", "count=1&status=in-review");
    let (mut sids, mut pages) = (BTreeSet::new(), 0);
    let mut path = "/simulator/profiles?friendly_name=seeded+&status=draft&limit=4".to_owned();
    loop {
        let page = simulator.get(&path);
        let listed = page["profiles"].as_array().unwrap();
        assert!(listed.len() <= 4 && listed.iter().all(|profile| profile["status"] == "draft"), "{page}");
        let is_new = listed.iter().all(|profile| sids.insert(profile["sid"].as_str().unwrap().to_owned()));
        assert!(is_new, "{page}");
        pages += 1;
        seed(ACCOUNT);
        let Some(next) = page["next_page_url"].as_str() else { break };
        path = next.strip_prefix(&simulator.url()).unwrap().to_owned();
    }
    assert_eq!((sids.len(), pages), (10, 3));
}

#[test]
fn mistake_in_a_filter_is_reported() {
    let simulator = Simulator::start();
    for (query, named) in [
        ("Status=draft", "Status: unknown parameter; write one of status, account_sid, "),
        ("status=open", "status: write one of draft, pending-review, "),
        ("resource=unknown", "resource: write one of customer-profile, trust-product, regulatory-bundle"),
        ("account_sid=AC1", "account_sid: write one of the simulator's accounts"),
        ("limit=0", "limit: write a number from 1 to 1000"),
        ("limit=1001", "limit: write a number from 1 to 1000"),
        ("after=PB0000000000000001", "after: use the value of `after` in next_page_url of an earlier response"),
        ("after=", "after: use the value of `after` in next_page_url of an earlier response"),
    ] {
        let answer = simulator.ask(&Request::get(&format!("/simulator/profiles?{query}")));
        assert!(answer.status == 400 && answer.body.contains(named), "{query}: {answer:?}");
    }
}
