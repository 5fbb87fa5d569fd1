//! `--set-callback`: it sets the callback URL of every profile.

use serde_json::Value;

use test_support::{
    reconcile::{Fixture, Run},
    simulator::POLICY,
};

use super::bundles::{BUNDLES, create_bundle};

const RETRIES: &str = "#rc=5&rp=ct,rt,5xx";

fn callback_of(fixture: &Fixture, sid: &str) -> Value {
    fixture.simulator.get(&format!("/v1/CustomerProfiles/{sid}"))["status_callback"].take()
}

fn set(fixture: &Fixture, url: &str, more: &[&str]) -> Run {
    fixture.reconcile(&[&["--set-callback", url], more].concat())
}

fn base(fixture: &Fixture) -> &str {
    fixture.url.split("/callbacks").next().unwrap()
}

fn has(run: &Run, sid: &str, action: &str) -> bool {
    run.rows.iter().any(|row| row.starts_with(sid) && row.contains(action))
}

#[test]
fn set_callback_sets_empty_urls_and_replaces_others_only_on_request() {
    let fixture = Fixture::with(&[], &[]);
    let [empty, foreign, locked] = ["", "https://elsewhere.example/", ""].map(|url| fixture.simulator.create(url));
    fixture.simulator.submit(&locked);
    let ours = format!("{}{RETRIES}", fixture.url);

    let dry_run = set(&fixture, &fixture.url, &["--dry-run"]);
    assert!(
        has(&dry_run, &empty, "would be set") && has(&dry_run, &foreign, "https://elsewhere.example/"),
        "{dry_run:?}"
    );
    assert_eq!(callback_of(&fixture, &empty), Value::Null);

    let careful = set(&fixture, &fixture.url, &[]);
    assert_eq!((careful.code, careful.rows.len()), (Some(0), 3), "{careful:?}");
    assert!(has(&careful, &empty, "set") && has(&careful, &foreign, "has another"), "{careful:?}");
    assert!(has(&careful, &locked, "in review") && careful.told.contains("(60711)"), "{careful:?}");
    assert_eq!(callback_of(&fixture, &empty), ours);
    assert_eq!(callback_of(&fixture, &foreign), "https://elsewhere.example/");

    let replacing = set(&fixture, &fixture.url, &["--replace"]);
    assert!(has(&replacing, &foreign, "replaced"), "{replacing:?}");
    assert!(replacing.told.contains("3 profiles: 1 changed, 1 already had this URL"), "{replacing:?}");
    assert_eq!(callback_of(&fixture, &foreign), ours);
}

#[test]
fn public_url_sets_the_path_of_each_resource_with_or_without_retries() {
    let fixture = Fixture::with(&[], &[]);
    let profile = fixture.simulator.create("");
    let form = format!("FriendlyName=Shop&Email=a%40example.com&PolicySid={POLICY}");
    let product = fixture.simulator.post("/v1/TrustProducts", &form)["sid"].as_str().unwrap().to_owned();
    let bundle = create_bundle(&fixture);
    assert_eq!(set(&fixture, base(&fixture), &["--no-retries"]).code, Some(0));
    assert_eq!(callback_of(&fixture, &profile), fixture.url);
    let product = fixture.simulator.get(&format!("/v1/TrustProducts/{product}"));
    assert_eq!(product["status_callback"], format!("{}/callbacks/trust-products", base(&fixture)));
    let bundle = fixture.simulator.get(&format!("{BUNDLES}/{bundle}"));
    assert_eq!(bundle["status_callback"], format!("{}/callbacks/regulatory-bundles", base(&fixture)));
}

#[test]
fn callbacks_arrive_at_the_url_that_was_set() {
    let fixture = Fixture::with(&[], &[]);
    let profile = fixture.simulator.create("");
    set(&fixture, &fixture.url, &[]);
    fixture.simulator.submit(&profile);
    fixture.simulator.settle();
    assert_eq!(fixture.bridge.events(2).len(), 2);
}

#[test]
fn invalid_url_is_reported_and_changes_nothing() {
    let fixture = Fixture::with(&[], &[]);
    let profile = fixture.simulator.create("");
    for wrong in ["hooks.example.com", "https://a.example/callbacks/customer-profile", "https://a.example/?x"] {
        let run = set(&fixture, wrong, &[]);
        assert!(run.code == Some(2) && run.told.starts_with("--set-callback: "), "{run:?}");
    }
    assert_eq!(callback_of(&fixture, &profile), Value::Null);
}
