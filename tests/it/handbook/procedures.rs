//! Runs the procedures of docs/operations.md (rotate, move, scale down, restore) and checks what becomes of the events.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
};

use serde_json::{Value, json};
use twilio_signature::SharedKey;

use test_support::{
    ACCOUNT, PROFILE, Request, TIMEOUT, TOKEN,
    kafka::{Record, broker},
    simulator::Simulator,
    wait_for,
};

use super::{
    caller::{CallbackKey, Caller},
    operator::{OperatorMachine, UNREACHABLE},
};

const STATUSES: [&str; 3] = ["draft", "in-review", "twilio-rejected"];

#[test]
fn token_rotation_rejects_no_callback() {
    const NEW: &str = "fedcba9876543210fedcba9876543210";
    let mut machine = with_keys("token", "TWILIO_AUTH_TOKEN_FILE", &format!("{TOKEN}\n"));
    machine.run("Start", 0);
    machine.set("NEW_TOKEN", NEW);
    let (old, new) = (CallbackKey::AuthToken(TOKEN), CallbackKey::AuthToken(NEW));
    let caller = Caller::to(machine.public, &[&old]);
    caller.wait_for_more_answers();
    machine.run("Rotate a token", 0);
    caller.wait_for_more_answers();
    caller.sign_with(&[&new]);
    caller.wait_for_more_answers();
    let counted = machine.run("Rotate a token", 1);
    assert!(counted.lines().any(|line| !line.ends_with(" 0")), "the old one was in use: {counted}");
    caller.wait_for_more_answers();
    assert_eq!(machine.run("Rotate a token", 1), counted, "the old token is not in use any more");
    machine.run("Rotate a token", 2);
    wait_for("the old token is rejected", || (old.change().send(machine.public).status == 403).then_some(()));
    caller.wait_for_more_answers();
    let sent = caller.end();
    machine.wait_until_published();
    let output = machine.run("Read the metrics", 0);
    assert!(output.contains("trusthub_spool_events 0") && output.contains(r#"{outcome="published"}"#), "{output}");
    machine.run("Stop", 0);
    let published = events(&machine, sent.len()).iter().filter_map(idempotency_token).collect::<BTreeSet<_>>();
    assert!(published.is_superset(&sent), "{:?} are lost", sent.difference(&published));
}

#[test]
fn moving_to_a_shared_key_and_to_the_next_one_rejects_no_callback() {
    const MOVE: &str = "Move to a SharedKey";
    let ids = ["webhooks_sharedkey_1", "webhooks_sharedkey_2"];
    let token = CallbackKey::AuthToken(TOKEN);
    let shared_key =
        |id: &str| CallbackKey::SharedKey(Box::new(SharedKey::parse(&format!("{id}=secret-of-{id}")).unwrap()));
    let [first, second] = ids.map(shared_key);
    let mut machine = OperatorMachine::new(&[]);
    machine.run("Start", 0);
    for (prefix, id) in ["", "NEW_"].iter().zip(ids) {
        machine.set(&format!("{prefix}KEY_ID"), id);
        machine.set(&format!("{prefix}KEY_SECRET"), &format!("secret-of-{id}"));
    }
    machine.run(MOVE, 0);
    restart(&mut machine);
    machine.run(MOVE, 1);
    let caller = Caller::to(machine.public, &[&token]);
    for keys in [&[&token, &first][..], &[&first]] {
        caller.wait_for_more_answers();
        caller.sign_with(keys);
    }
    caller.wait_for_more_answers();
    let counted = |output: &str, key: &str| {
        let lines = output.lines().filter(|line| line.contains(&format!("key=\"{key}\"")));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>()
    };
    let before = machine.run(MOVE, 2);
    assert!(counted(&before, "current") > 0.0 && counted(&before, "shared") > 0.0, "{before}");
    caller.wait_for_more_answers();
    let after = machine.run(MOVE, 2);
    assert_eq!(counted(&before, "current"), counted(&after, "current"), "the token is not in use any more");
    let mut sent = caller.end();

    machine.run(MOVE, 3);
    restart(&mut machine);
    assert_eq!(token.change().send(machine.public).status, 403, "the token is removed");
    let caller = Caller::to(machine.public, &[&first]);
    caller.wait_for_more_answers();
    machine.run(MOVE, 4);
    for keys in [&[&first, &second][..], &[&second]] {
        caller.sign_with(keys);
        caller.wait_for_more_answers();
    }
    machine.run(MOVE, 5);
    wait_for("the first key is rejected", || (first.change().send(machine.public).status == 403).then_some(()));
    caller.wait_for_more_answers();
    sent.extend(caller.end());
    machine.wait_until_published();
    machine.run("Stop", 0);
    let published = events(&machine, sent.len()).iter().filter_map(idempotency_token).collect::<BTreeSet<_>>();
    assert!(published.is_superset(&sent), "{:?} are lost", sent.difference(&published));
}

#[test]
fn account_is_added_without_a_restart() {
    const ANOTHER: &str = "AC00000000000000000000000000000009";
    let accounts = json!({ ACCOUNT: [TOKEN] }).to_string();
    let mut machine = with_keys("accounts", "TWILIO_ACCOUNTS_FILE", &accounts);
    machine.run("Start", 0);
    machine.set("NEW_ACCOUNT", ANOTHER);
    machine.set("NEW_TOKEN", "another");
    let body = format!("AccountSid={ANOTHER}&BundleSid=BU00000000000000000000000000000007&Status=draft");
    let callback = Request::form("/callbacks/trust-products", &body);
    let callback = callback.signed_with("another", test_support::PUBLIC_URL);
    assert_eq!(callback.send(machine.public).status, 403);
    machine.run("Add an account", 0);
    wait_for("the new account is accepted", || (callback.send(machine.public).status == 204).then_some(()));
    assert_eq!(CallbackKey::AuthToken(TOKEN).change().send(machine.public).status, 204);
    machine.run("Stop", 0);
}

#[test]
fn moving_the_public_url_loses_no_callback() {
    let hub = Simulator::start();
    let trusthub = hub.url();
    let mut machine = OperatorMachine::new(&[("TWILIO_ACCOUNT_SID", ACCOUNT), ("TRUSTHUB_BASE_URL", &trusthub)]);
    let old = format!("http://{}", machine.public);
    let new = format!("{old}/moved");
    machine.change_environment("PUBLIC_URL", &old);
    machine.set("OLD_URL", &old);
    machine.set("NEW_URL", &new);
    machine.run("Start", 0);
    machine.wait_until_published();
    let output = machine.run("Install", 0);
    assert!(
        output.contains("rejected a forged callback: 403") && output.contains("accepted a signed callback as"),
        "{output}"
    );
    let [reviewed, edited] = [(); 2].map(|()| hub.create(&format!("{old}/callbacks/customer-profiles")));
    hub.submit(&reviewed);
    hub.settle();

    machine.run("Move the public URL", 0);
    restart(&mut machine);
    let output = machine.run("Move the public URL", 1);
    assert!(output.contains("1 are under review"), "{output}");
    hub.control(&reviewed, "approve", "");
    hub.submit(&edited);
    hub.settle();
    hub.control(&edited, "reject", "code=18602");
    hub.settle();
    let output = machine.run("Move the public URL", 1);
    assert!(output.contains("0 would be changed, 2 already had this URL"), "{output}");

    machine.run("Move the public URL", 2);
    restart(&mut machine);
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
    assert_eq!(late.send(machine.public).status, 403, "the old URL is removed");
    machine.wait_until_published();
    machine.run("Stop", 0);
    assert_eq!(events(&machine, attempts.len() + 1).len(), attempts.len() + 1, "including the callback of the probe");
}

#[test]
fn log_line_of_a_profile_leads_to_its_record() {
    let mut machine = OperatorMachine::new(&[]);
    machine.run("Start", 0);
    for status in STATUSES {
        assert_eq!(Request::change(status).send(machine.public).status, 204);
    }
    machine.set("PROFILE_SID", PROFILE);
    wait_for("the lines", || (machine.log().matches(r#""offset""#).count() >= STATUSES.len()).then_some(()));
    let output = machine.run("From a log line to the record", 0);
    let record = output.lines().find(|line| line.contains("ce_specversion")).unwrap_or_else(|| panic!("{output}"));
    let last = events(&machine, STATUSES.len()).into_iter().next_back().unwrap();
    assert!(record.contains(&format!("ce_id:{}", last.header("ce_id").unwrap())), "{output}");
    assert!(record.contains(r#""status":"twilio-rejected""#), "{output}");
    machine.run("Stop", 0);
}

#[test]
fn scaling_down_publishes_the_spool() {
    let mut machine = stopped_with_a_full_spool();
    machine.make_kafka_reachable();
    let output = machine.run("Scale", 0);
    assert!(output.contains("3 records queued for Kafka") && output.contains("published 3 records"), "{output}");
    assert!(!machine.path("spool").exists());
    assert_eq!(statuses(&events(&machine, STATUSES.len())), STATUSES);
}

#[test]
fn restored_spool_from_another_disk_is_published() {
    let mut machine = stopped_with_a_full_spool();
    let (saved, restored) = (machine.path("spool"), machine.path("restored"));
    machine.set("SAVED", saved.to_str().unwrap());
    machine.set("SPOOL_DIR", restored.to_str().unwrap());
    machine.make_kafka_reachable();
    let output = machine.run("A spool from another disk", 0);
    assert!(output.contains("published 3 records; the spool is empty"), "{output}");
    assert_eq!(statuses(&events(&machine, STATUSES.len())), STATUSES);
}

#[test]
fn damaged_spool_is_published_unchanged() {
    let mut machine = stopped_with_a_full_spool();
    let undamaged = exported(&machine);
    damage(&machine);
    machine.run("Start", 0);
    wait_for("the line about the damage", || {
        machine.log().contains("quarantined the damaged spool store").then_some(())
    });
    assert_eq!(Request::change("twilio-approved").send(machine.public).status, 204);
    machine.run("Stop", 0);
    machine.make_kafka_reachable();
    machine.run("Start", 0);
    let all = events(&machine, STATUSES.len() + 1);
    assert_eq!(as_exported(&all[..STATUSES.len()]), undamaged);
    assert_eq!(statuses(&all[STATUSES.len()..]), ["twilio-approved"]);
    machine.wait_until_published();
    let output = machine.run("A quarantined spool store", 0);
    assert!(output.contains("0 records queued for Kafka\ndamaged store, salvaged: "), "{output}");
    machine.run("Stop", 0);
}

/// A machine with a file of keys instead of the token.
fn with_keys(name: &str, variable: &str, content: &str) -> OperatorMachine {
    let machine = OperatorMachine::new(&[("TWILIO_AUTH_TOKEN", "")]);
    let file = machine.path(name);
    fs::write(&file, content).unwrap();
    machine.change_environment(variable, file.to_str().unwrap());
    machine
}

/// A machine whose service received callbacks while Kafka was unreachable, and was stopped.
fn stopped_with_a_full_spool() -> OperatorMachine {
    let mut machine =
        OperatorMachine::new(&[("KAFKA_BOOTSTRAP_SERVERS", UNREACHABLE), ("KAFKA_ACK_TIMEOUT_MS", "1000")]);
    machine.run("Start", 0);
    for status in STATUSES {
        assert_eq!(Request::change(status).send(machine.public).status, 204);
    }
    machine.run("Stop", 0);
    machine
}

fn restart(machine: &mut OperatorMachine) {
    machine.run("Stop", 0);
    machine.run("Start", 0);
}

fn events(machine: &OperatorMachine, at_least: usize) -> Vec<Record> {
    broker().wait_for_records(&machine.topic, at_least, TIMEOUT)
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
fn damage(machine: &OperatorMachine) {
    let files = fs::read_dir(machine.path("spool")).unwrap().map(|file| file.unwrap().path());
    let store: PathBuf = files.max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    OpenOptions::new().write(true).open(store).unwrap().write_all(&[0xa5; 4096]).unwrap();
}

/// The key, headers and value of each record in the spool.
fn exported(machine: &OperatorMachine) -> Vec<Value> {
    let mut export = test_support::program();
    let output = export.args(["spool", "export"]).env("SPOOL_DIR", machine.path("spool")).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["record"].take());
    records.map(|record| json!([record["key"], record["headers"], record["payload"]])).collect()
}

/// The same form of records in Kafka.
fn as_exported(records: &[Record]) -> Vec<Value> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let fields = |record: &Record| {
        let headers: Vec<_> = record.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        json!([text(record.key.as_ref().unwrap()), headers, value(record)])
    };
    records.iter().map(fields).collect()
}
