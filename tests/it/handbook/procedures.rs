//! Rotating, moving, scaling down and restoring, as docs/operations.md tells it, and what becomes of the events.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
};

use serde_json::{Value, json};

use super::{
    callers::{Caller, change},
    stage::{NOWHERE, Stage},
};
use crate::support::{
    ACCOUNT, Request, TIMEOUT, TOKEN,
    kafka::{Record, broker},
    simulator::Simulator,
    wait_for,
};

const LIFE: [&str; 3] = ["draft", "in-review", "twilio-rejected"];

#[test]
fn a_token_is_rotated_without_a_refusal() {
    const NEW: &str = "fedcba9876543210fedcba9876543210";
    let mut stage = with_keys("token", "TWILIO_AUTH_TOKEN_FILE", &format!("{TOKEN}\n"));
    stage.run("Start", 0);
    stage.set("NEW_TOKEN", NEW);
    let caller = Caller::to(stage.public, TOKEN);
    caller.call_on();
    stage.run("Rotate a token", 0);
    caller.call_on();
    caller.sign_with(NEW);
    caller.call_on();
    let counted = stage.run("Rotate a token", 1);
    assert!(counted.lines().any(|line| !line.ends_with(" 0")), "the old one was in use: {counted}");
    caller.call_on();
    assert_eq!(stage.run("Rotate a token", 1), counted, "it is not any more");
    stage.run("Rotate a token", 2);
    wait_for("the old token is refused", || (change(TOKEN).send(stage.public).status == 403).then_some(()));
    caller.call_on();
    let sent = caller.end();
    let said = stage.run("Read the metrics", 0);
    assert!(said.contains("trusthub_spool_events 0") && said.contains(r#"{outcome="published"}"#), "{said}");
    stage.run("Stop", 0);
    let published = events(&stage, sent.len()).iter().filter_map(idempotency_token).collect::<BTreeSet<_>>();
    assert!(published.is_superset(&sent), "{:?} are lost", sent.difference(&published));
}

#[test]
fn an_account_is_added_without_a_restart() {
    const ANOTHER: &str = "AC00000000000000000000000000000009";
    let accounts = json!({ ACCOUNT: [TOKEN] }).to_string();
    let mut stage = with_keys("accounts", "TWILIO_ACCOUNTS_FILE", &accounts);
    stage.run("Start", 0);
    stage.set("NEW_ACCOUNT", ANOTHER);
    stage.set("NEW_TOKEN", "another");
    let body = format!("AccountSid={ANOTHER}&BundleSid=BU00000000000000000000000000000007&Status=draft");
    let callback = Request::form("/callbacks/trust-products", &body);
    let callback = callback.signed_with("another", crate::support::PUBLIC_URL);
    assert_eq!(callback.send(stage.public).status, 403);
    stage.run("Add an account", 0);
    wait_for("it is accepted", || (callback.send(stage.public).status == 204).then_some(()));
    assert_eq!(change(TOKEN).send(stage.public).status, 204);
    stage.run("Stop", 0);
}

#[test]
fn the_public_url_moves_and_every_callback_finds_the_service() {
    let hub = Simulator::start();
    let trusthub = hub.url();
    let mut stage = Stage::new(&[("TWILIO_ACCOUNT_SID", ACCOUNT), ("TRUSTHUB_BASE_URL", &trusthub)]);
    let old = format!("http://{}", stage.public);
    let new = format!("{old}/moved");
    stage.change_environment("PUBLIC_URL", &old);
    stage.set("OLD_URL", &old);
    stage.set("NEW_URL", &new);
    stage.run("Start", 0);
    let told = stage.run("Install", 0);
    assert!(told.contains("refused: 403") && told.contains("published as"), "{told}");
    let [reviewed, edited] = [(); 2].map(|()| hub.create(&format!("{old}/callbacks/customer-profiles")));
    hub.submit(&reviewed);
    hub.settle();

    stage.run("Move the public URL", 0);
    restart(&mut stage);
    let told = stage.run("Move the public URL", 1);
    assert!(told.contains("1 are in review"), "{told}");
    hub.control(&reviewed, "approve", "");
    hub.submit(&edited);
    hub.settle();
    hub.control(&edited, "reject", "code=18602");
    hub.settle();
    let told = stage.run("Move the public URL", 1);
    assert!(told.contains("0 would be changed, 2 already had this URL"), "{told}");

    stage.run("Move the public URL", 2);
    restart(&mut stage);
    hub.control(&reviewed, "reject", "code=18603");
    hub.submit(&edited);
    hub.settle();
    let attempts = [&reviewed, &edited].map(|sid| hub.attempts(sid));
    let attempts: Vec<_> = attempts.iter().flatten().collect();
    assert!(attempts.iter().all(|attempt| attempt["answer"] == 204), "{attempts:#?}");
    for url in [&old, &new] {
        let called = attempts.iter().filter(|attempt| attempt["url"] == format!("{url}/callbacks/customer-profiles"));
        assert!(called.count() > 1, "{url}: {attempts:#?}");
    }
    let late = Request::form("/callbacks/customer-profiles", "Status=draft").signed_with(TOKEN, &old);
    assert_eq!(late.send(stage.public).status, 403, "the old URL is taken out");
    stage.run("Stop", 0);
    assert_eq!(events(&stage, attempts.len() + 1).len(), attempts.len() + 1, "with the one of the probe");
}

#[test]
fn a_process_is_scaled_away_and_its_spool_is_published() {
    let mut stage = stopped_with_a_full_spool();
    stage.kafka_is_back();
    let told = stage.run("Scale", 0);
    assert!(told.contains("3 records queued for Kafka") && told.contains("published 3 records"), "{told}");
    assert!(!stage.path("spool").exists());
    assert_eq!(statuses(&events(&stage, LIFE.len())), LIFE);
}

#[test]
fn a_spool_from_another_disk_is_published() {
    let mut stage = stopped_with_a_full_spool();
    let (saved, restored) = (stage.path("spool"), stage.path("restored"));
    stage.set("SAVED", saved.to_str().unwrap());
    stage.set("SPOOL_DIR", restored.to_str().unwrap());
    stage.kafka_is_back();
    let told = stage.run("A spool from another disk", 0);
    assert!(told.contains("published 3 records; the spool is empty"), "{told}");
    assert_eq!(statuses(&events(&stage, LIFE.len())), LIFE);
}

#[test]
fn damaged_spool_is_published_as_it_would_have_been() {
    let mut stage = stopped_with_a_full_spool();
    let undamaged = exported(&stage);
    damage(&stage);
    stage.run("Start", 0);
    assert!(stage.log().contains("the spool was damaged and set aside"), "{}", stage.log());
    assert_eq!(Request::change("twilio-approved").send(stage.public).status, 204);
    stage.run("Stop", 0);
    stage.kafka_is_back();
    stage.run("Start", 0);
    let all = events(&stage, LIFE.len() + 1);
    assert_eq!(as_exported(&all[..LIFE.len()]), undamaged);
    assert_eq!(statuses(&all[LIFE.len()..]), ["twilio-approved"]);
    let told = stage.run("A spool that was set aside", 0);
    assert!(told.contains("0 records queued for Kafka\ndamaged store, salvaged: "), "{told}");
    stage.run("Stop", 0);
}

/// With a file of keys in place of the token.
fn with_keys(name: &str, variable: &str, content: &str) -> Stage {
    let stage = Stage::new(&[("TWILIO_AUTH_TOKEN", "")]);
    let file = stage.path(name);
    fs::write(&file, content).unwrap();
    stage.change_environment(variable, file.to_str().unwrap());
    stage
}

/// It took callbacks while Kafka was away, and does not run any more.
fn stopped_with_a_full_spool() -> Stage {
    let mut stage = Stage::new(&[("KAFKA_BOOTSTRAP_SERVERS", NOWHERE)]);
    stage.run("Start", 0);
    for status in LIFE {
        assert_eq!(Request::change(status).send(stage.public).status, 204);
    }
    stage.run("Stop", 0);
    stage
}

fn restart(stage: &mut Stage) {
    stage.run("Stop", 0);
    stage.run("Start", 0);
}

fn events(stage: &Stage, at_least: usize) -> Vec<Record> {
    broker().wait_for_records(&stage.topic, at_least, TIMEOUT)
}

fn value(record: &Record) -> Value {
    serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap()
}

fn idempotency_token(record: &Record) -> Option<String> {
    value(record)["idempotency_token"].as_str().map(str::to_owned)
}

fn statuses(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| value(record)["status"].as_str().unwrap().to_owned()).collect()
}

/// Overwrites the header of the store.
fn damage(stage: &Stage) {
    let files = fs::read_dir(stage.path("spool")).unwrap().map(|file| file.unwrap().path());
    let store: PathBuf = files.max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    OpenOptions::new().write(true).open(store).unwrap().write_all(&[0xa5; 4096]).unwrap();
}

/// Key, headers and value of each record in the spool.
fn exported(stage: &Stage) -> Vec<Value> {
    let mut export = crate::support::program();
    let output = export.args(["spool", "export"]).env("SPOOL_DIR", stage.path("spool")).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["record"].take());
    records.map(|record| json!([record["key"], record["headers"], record["payload"]])).collect()
}

/// The same of records in Kafka.
fn as_exported(records: &[Record]) -> Vec<Value> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let fields = |record: &Record| {
        let headers: Vec<_> = record.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        json!([text(record.key.as_ref().unwrap()), headers, value(record)])
    };
    records.iter().map(fields).collect()
}
