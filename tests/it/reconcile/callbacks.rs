//! `--set-callback`: changes of every profile are announced here.

use serde_json::Value;

use crate::support::simulator::POLICY;

use super::scene::{Run, Scene};

const RETRIES: &str = "#rc=5&rp=ct,rt,5xx";

fn callback_of(scene: &Scene, sid: &str) -> Value {
    scene.simulator.get(&format!("/v1/CustomerProfiles/{sid}"))["status_callback"].take()
}

fn set(scene: &Scene, url: &str, more: &[&str]) -> Run {
    scene.reconcile(&[&["--set-callback", url], more].concat())
}

fn base(scene: &Scene) -> &str {
    scene.url.split("/callbacks").next().unwrap()
}

fn has(run: &Run, sid: &str, verdict: &str) -> bool {
    run.rows.iter().any(|row| row.starts_with(sid) && row.contains(verdict))
}

#[test]
fn only_an_empty_one_is_set_foreign_ones_are_listed_and_replaced_on_demand_and_locked_ones_are_told_of() {
    let scene = Scene::with(&[], &[]);
    let [empty, foreign, locked] = ["", "https://elsewhere.example/", ""].map(|url| scene.simulator.create(url));
    scene.simulator.submit(&locked);
    let ours = format!("{}{RETRIES}", scene.url);

    let dry = set(&scene, &scene.url, &["--dry-run"]);
    assert!(has(&dry, &empty, "would be set") && has(&dry, &foreign, "https://elsewhere.example/"), "{dry:?}");
    assert_eq!(callback_of(&scene, &empty), Value::Null);

    let careful = set(&scene, &scene.url, &[]);
    assert_eq!((careful.code, careful.rows.len()), (Some(0), 3), "{careful:?}");
    assert!(has(&careful, &empty, "set") && has(&careful, &foreign, "has another"), "{careful:?}");
    assert!(has(&careful, &locked, "in review") && careful.told.contains("(60711)"), "{careful:?}");
    assert_eq!(callback_of(&scene, &empty), ours);
    assert_eq!(callback_of(&scene, &foreign), "https://elsewhere.example/");

    let replacing = set(&scene, &scene.url, &["--replace"]);
    assert!(has(&replacing, &foreign, "replaced"), "{replacing:?}");
    assert!(replacing.told.contains("3 profiles: 1 changed, 1 had it already"), "{replacing:?}");
    assert_eq!(callback_of(&scene, &foreign), ours);
}

#[test]
fn a_public_url_gives_each_kind_of_profiles_its_own_path_and_retries_can_be_left_out() {
    let scene = Scene::with(&[], &[]);
    let profile = scene.simulator.create("");
    let form = format!("FriendlyName=Shop&Email=a%40example.com&PolicySid={POLICY}");
    let product = scene.simulator.post("/v1/TrustProducts", &form)["sid"].as_str().unwrap().to_owned();
    assert_eq!(set(&scene, base(&scene), &["--no-retries"]).code, Some(0));
    assert_eq!(callback_of(&scene, &profile), scene.url);
    let product = scene.simulator.get(&format!("/v1/TrustProducts/{product}"));
    assert_eq!(product["status_callback"], format!("{}/callbacks/trust-products", base(&scene)));
}

#[test]
fn what_is_set_is_where_changes_arrive() {
    let scene = Scene::with(&[], &[]);
    let profile = scene.simulator.create("");
    set(&scene, &scene.url, &[]);
    scene.simulator.submit(&profile);
    scene.simulator.settle();
    assert_eq!(scene.bridge.events(2).len(), 2);
}

#[test]
fn a_wrong_url_says_what_to_write_and_changes_nothing() {
    let scene = Scene::with(&[], &[]);
    let profile = scene.simulator.create("");
    for wrong in ["hooks.example.com", "https://a.example/callbacks/customer-profile", "https://a.example/?x"] {
        let run = set(&scene, wrong, &[]);
        assert!(run.code == Some(2) && run.told.starts_with("--set-callback: "), "{run:?}");
    }
    assert_eq!(callback_of(&scene, &profile), Value::Null);
}
