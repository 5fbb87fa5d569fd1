//! The move from an auth token to a SharedKey and on to the next one, while the simulator sends callbacks all the time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use test_support::{
    ACCOUNT, Bridge, TOKEN,
    kafka::{Record, free_port, unique_topic},
    simulator::Simulator,
    wait_for,
};

const FIRST: &str = "webhooks_sharedkey_1";
const SECOND: &str = "webhooks_sharedkey_2";

/// The profiles whose status changes all the time.
const PROFILES: usize = 4;
/// The pause of each profile between two changes. It keeps the journal of the simulator complete.
const PACE: Duration = Duration::from_millis(25);
/// The number of callbacks that the journal keeps.
const JOURNAL: usize = 10_000;

/// An accounts file that is replaced at each step.
struct Keys(PathBuf);

impl Keys {
    fn new() -> Self {
        let keys = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("shared-keys")));
        keys.replace(&[TOKEN], &[]);
        keys
    }

    /// Lists these keys and no others. The secret of a SharedKey follows from its id.
    fn replace(&self, tokens: &[&str], shared_keys: &[&str]) {
        let secret = |name: &&str| ((*name).to_owned(), json!(secret(name.split(':').next().unwrap())));
        let shared_keys: serde_json::Map<_, _> = shared_keys.iter().map(secret).collect();
        let mut account = json!({});
        if !tokens.is_empty() {
            account["tokens"] = json!(tokens);
        }
        if !shared_keys.is_empty() {
            account["shared_keys"] = json!(shared_keys);
        }
        let new = self.0.with_extension("new");
        fs::write(&new, json!({ ACCOUNT: account }).to_string()).unwrap();
        fs::rename(new, &self.0).unwrap();
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn secret(id: &str) -> String {
    format!("secret-of-{id}")
}

/// The service, and the simulator that calls it.
struct Move {
    keys: Keys,
    bridge: Bridge,
    simulator: Simulator,
    /// The callback URL of the profiles.
    url: String,
    profiles: Vec<String>,
}

impl Move {
    fn start() -> Self {
        let keys = Keys::new();
        let address = format!("127.0.0.1:{}", free_port());
        let base = format!("http://{address}");
        let bridge = Bridge::start_with(&[
            ("HTTP_BIND", &address),
            ("PUBLIC_URL", &base),
            ("TWILIO_AUTH_TOKEN", ""),
            ("TWILIO_ACCOUNTS_FILE", keys.0.to_str().unwrap()),
        ]);
        let simulator = Simulator::start();
        for id in [FIRST, SECOND] {
            simulator.post("/simulator/shared_keys", &format!("key_id={id}&secret={}", secret(id)));
        }
        let url = format!("{base}/callbacks/customer-profiles");
        let profiles = (0..PROFILES).map(|_| simulator.create(&url)).collect();
        Self { keys, bridge, simulator, url, profiles }
    }

    /// Changes the status of each profile until `stop`, each from a thread of its own.
    fn change_profiles<'scope>(&'scope self, scope: &'scope thread::Scope<'scope, '_>, stop: &'scope AtomicBool) {
        for sid in &self.profiles {
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    self.simulator.submit(sid);
                    thread::sleep(PACE);
                    self.simulator.control(sid, "reject", "code=18602");
                    thread::sleep(PACE);
                }
            });
        }
    }

    /// Lets the service use these keys and no others.
    fn configure(&self, reload: usize, tokens: &[&str], shared_keys: &[&str]) {
        self.keys.replace(tokens, shared_keys);
        wait_for("the keys are reloaded", || (self.bridge.lines("reloaded the keys").len() == reload).then_some(()));
    }

    /// Lets these keys sign, and waits until each profile has callbacks that each of them has signed, and none that another
    /// key will sign. The callbacks of a profile are sent in their order.
    fn sign_with(&self, signers: &[&str]) {
        let form = format!("signed_by={}", signers.join(","));
        self.simulator.post("/simulator/signers", &form);
        let expected: BTreeSet<_> = signers.iter().map(|signer| (*signer).to_owned()).collect();
        for sid in &self.profiles {
            wait_for("callbacks of each signer", || {
                let latest = self.simulator.get(&format!("/simulator/callbacks?profile_sid={sid}&limit=8"));
                let signers = latest["attempts"].as_array().unwrap().iter().map(signer).collect::<BTreeSet<_>>();
                (signers == expected).then_some(())
            });
        }
    }

    /// Everything that was sent, with the answers.
    fn attempts(&self) -> Vec<Value> {
        let mut journal = self.simulator.get(&format!("/simulator/callbacks?limit={JOURNAL}"));
        let Value::Array(attempts) = journal["attempts"].take() else { panic!("{journal}") };
        assert_eq!(attempts[0]["id"], attempts.len(), "the journal is complete");
        attempts
    }

    /// The answer to a callback of a new profile that these keys sign.
    fn answer_to(&self, signer: &str) -> Value {
        let sid = self.simulator.create(&self.url);
        self.simulator.post("/simulator/signers", &format!("profile_sid={sid}&signed_by={signer}"));
        self.simulator.submit(&sid);
        self.simulator.settle();
        self.simulator.attempts(&sid)[0]["answer"].clone()
    }

    /// The number of accepted signatures by key and algorithm.
    fn verified(&self) -> BTreeMap<(String, String), usize> {
        let label = |series: &str, name: &str| {
            let (_, rest) = series.split_once(&format!("{name}=\"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let mut counts = BTreeMap::new();
        for (series, count) in self.bridge.series("trusthub_signatures_verified_total") {
            if count > 0.0 {
                *counts.entry((label(&series, "key"), label(&series, "algorithm"))).or_default() += count as usize;
            }
        }
        counts
    }
}

/// Ends the load also when a check fails, because the scope waits for its threads.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn signer(attempt: &Value) -> String {
    attempt["signed_by"].as_str().unwrap().to_owned()
}

#[test]
fn moving_to_a_shared_key_and_to_the_next_one_refuses_no_callback() {
    let moving = Move::start();
    let (first_sha1, second_sha1) = (format!("{FIRST}:HMAC_SHA1"), format!("{SECOND}:HMAC_SHA1"));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = StopOnDrop(&stop);
        moving.change_profiles(scope, &stop);
        moving.sign_with(&["auth_token"]);
        moving.configure(1, &[TOKEN], &[FIRST]);
        moving.sign_with(&["auth_token", FIRST]);
        moving.sign_with(&[FIRST, &first_sha1]);
        moving.configure(2, &[], &[FIRST]);
        moving.sign_with(&[FIRST]);
        moving.configure(3, &[], &[SECOND, FIRST]);
        moving.sign_with(&[FIRST, &second_sha1]);
        moving.sign_with(&[&second_sha1]);
        moving.configure(4, &[], &[&second_sha1]);
        moving.sign_with(&[&second_sha1]);
    });
    moving.simulator.settle();
    let attempts = moving.attempts();
    let refused: Vec<_> = attempts.iter().filter(|attempt| attempt["answer"] != 204).collect();
    assert!(refused.is_empty(), "{} of {}: {refused:#?}", refused.len(), attempts.len());

    let sent: BTreeSet<_> = attempts.iter().map(token).collect();
    // A record that Kafka acknowledges too late is published again from the spool, with the same id.
    let events = wait_for("an event of each callback", || {
        let events: BTreeMap<_, _> = moving.bridge.events(sent.len()).iter().map(id_and_token).collect();
        (events.len() >= sent.len()).then_some(events)
    });
    assert_eq!((events.len(), events.into_values().collect()), (sent.len(), sent), "every callback is one event");

    let mut expected = BTreeMap::new();
    for attempt in &attempts {
        let (key, algorithm) = match signer(attempt).as_str() {
            "auth_token" => ("current", "hmac_sha1"),
            FIRST => ("shared", "hmac_sha256"),
            _ => ("shared", "hmac_sha1"),
        };
        *expected.entry((key.to_owned(), algorithm.to_owned())).or_default() += 1;
    }
    assert_eq!(moving.verified(), expected);
    assert_eq!(expected.len(), 3, "the auth token, and SharedKeys with both algorithms");

    for (signer, answer) in [("auth_token", 403), (FIRST, 403), (SECOND, 403), (&second_sha1, 204)] {
        assert_eq!(moving.answer_to(signer), answer, "{signer} at the end");
    }
    assert_eq!(moving.answer_to(&format!("wrong_algorithm:{second_sha1}")), 403);
    let log = moving.bridge.log().join("\n");
    assert!(![TOKEN, &secret(FIRST), &secret(SECOND)].iter().any(|secret| log.contains(secret)), "a secret in\n{log}");
}

fn token(callback: &Value) -> String {
    callback["idempotency_token"].as_str().unwrap().to_owned()
}

fn id_and_token(event: &Record) -> (String, String) {
    let data = serde_json::from_slice(event.payload.as_ref().unwrap()).unwrap();
    (event.header("ce_id").unwrap().to_owned(), token(&data))
}
