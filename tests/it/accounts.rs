//! Keys of many accounts, and their rotation under load.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::json;

use test_support::{ACCOUNT, Bridge, Connection, PROFILE, PUBLIC_URL, Request, kafka::unique_topic, wait_for};

const PATH: &str = "/callbacks/customer-profiles";
const FAILED: &str = "trusthub_accounts_reload_failed";
const RELOADED: &str = "reloaded the keys";
const NOT_RELOADED: &str = "keys are not reloaded; the previous ones stay in use";

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("keys"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file in place, as an editor may.
    fn write(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Replaces a file.
    fn replace(&self, name: &str, content: &str) {
        fs::rename(self.write("new", content), self.path(name)).unwrap();
    }

    /// Changes a file as Kubernetes updates a mounted Secret: `name` is a link through `..data` to the folder of a
    /// version, and `..data` is swapped.
    fn mount(&self, version: &str, name: &str, content: &str) -> String {
        fs::create_dir(self.path(version)).unwrap();
        self.write(&format!("{version}/{name}"), content);
        symlink(version, self.path("..data_tmp")).unwrap();
        fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
        let path = self.path(name);
        if !Path::new(&path).is_symlink() {
            symlink(format!("..data/{name}"), &path).unwrap();
        }
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A publishing program with these accounts and no other key.
fn with_accounts(file: &str) -> Bridge {
    Bridge::start_with(&[("TWILIO_AUTH_TOKEN", ""), ("TWILIO_ACCOUNTS_FILE", file)])
}

fn sid(number: usize) -> String {
    format!("AC{number:032x}")
}

fn token(number: usize) -> String {
    format!("token-of-account-{number}")
}

/// A status change with these fields about its account.
fn callback(account_fields: &str, token: &str) -> Request {
    let body = format!("{account_fields}&BundleSid={PROFILE}&Status=draft");
    Request::form(PATH, &body).signed_with(token, PUBLIC_URL)
}

fn callback_of(account: &str, token: &str) -> Request {
    callback(&format!("AccountSid={account}"), token)
}

fn status(bridge: &Bridge, token: &str) -> u16 {
    bridge.send(&callback_of(ACCOUNT, token)).status
}

fn wait_for_status(bridge: &Bridge, token: &str, expected: u16) {
    wait_for(&format!("{token} is answered {expected}"), || (status(bridge, token) == expected).then_some(()));
}

fn rejected(bridge: &Bridge, reason: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_callbacks_rejected_total{{reason="{reason}"}}"#))
}

#[test]
fn each_of_25_000_accounts_is_verified_only_with_its_own_token() {
    const ACCOUNTS: usize = 25_000;
    let accounts: serde_json::Map<_, _> = (0..ACCOUNTS).map(|number| (sid(number), json!([token(number)]))).collect();
    let folder = Folder::new();
    let bridge = with_accounts(&folder.write("accounts", &json!(accounts).to_string()));
    for number in [0, 1, 12_345, ACCOUNTS - 1] {
        assert_eq!(bridge.send(&callback_of(&sid(number), &token(number))).status, 204, "account {number}");
    }
    for number in [1, 12_345, ACCOUNTS - 1] {
        assert_eq!(bridge.send(&callback_of(&sid(number), &token(number - 1))).status, 403, "account {number}");
    }
    // A diagnosed callback is counted after its response.
    wait_for("all are counted", || (rejected(&bridge, "signature_mismatch") == 3.0).then_some(()));
    let unlisted = format!("AccountSid={}", sid(ACCOUNTS));
    let contradicting = format!("AccountSid={}&account_sid={}", sid(0), sid(1));
    for account_fields in [&unlisted, &contradicting, "AccountSid=AC0", "AccountSid=", "Missing="] {
        assert_eq!(bridge.send(&callback(account_fields, &token(0))).status, 403, "{account_fields}");
    }
    assert_eq!(rejected(&bridge, "unknown_account"), 5.0);
}

#[test]
fn bound_token_beside_the_file_adds_an_account_and_an_unbound_one_none() {
    let folder = Folder::new();
    let file = folder.write("accounts", &json!({ sid(2): { "tokens": [token(2)] } }).to_string());
    let variables = [("TWILIO_AUTH_TOKEN", "own"), ("TWILIO_ACCOUNTS_FILE", file.as_str())];
    let bound = Bridge::start_with(&[variables[0], variables[1], ("TWILIO_ACCOUNT_SID", ACCOUNT)]);
    assert_eq!(bound.send(&callback_of(ACCOUNT, "own")).status, 204);
    assert_eq!(bound.send(&callback_of(&sid(2), &token(2))).status, 204);
    assert_eq!(bound.send(&callback_of(&sid(2), "own")).status, 403);
    let unbound = Bridge::start_with(&variables);
    unbound.wait_for_log("TWILIO_AUTH_TOKEN is not used with TWILIO_ACCOUNTS_FILE");
    assert_eq!(unbound.send(&callback_of(ACCOUNT, "own")).status, 403);
    assert_eq!(rejected(&unbound, "unknown_account"), 1.0);
}

#[test]
fn mounted_secret_is_swapped_under_load_without_a_rejection() {
    let folder = Folder::new();
    let accounts = |tokens: [&str; 2]| json!({ ACCOUNT: tokens }).to_string();
    let bridge = with_accounts(&folder.mount("..first", "accounts", &accounts(["steady", "removed"])));
    assert_eq!(status(&bridge, "removed"), 204);
    let (answered, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let wait_for_load = || {
        let so_far = answered.load(Ordering::Relaxed);
        wait_for("load", || (answered.load(Ordering::Relaxed) > so_far + 50).then_some(()));
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|caller| {
                let (answered, stop, public) = (&answered, &stop, bridge.public);
                scope.spawn(move || {
                    let mut connection = Connection::to(public);
                    for call in 0.. {
                        let fields = format!("AccountSid={ACCOUNT}&Call={caller}-{call}");
                        connection.write(callback(&fields, "steady").bytes());
                        assert_eq!(connection.read().unwrap().status, 204);
                        answered.fetch_add(1, Ordering::Relaxed);
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                })
            })
            .collect();
        wait_for_load();
        folder.mount("..second", "accounts", &accounts(["added", "steady"]));
        wait_for_status(&bridge, "added", 204);
        assert_eq!(status(&bridge, "removed"), 403);
        wait_for_load();
        stop.store(true, Ordering::Relaxed);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    });
    assert_eq!(bridge.metric(FAILED), 0.0);
    assert_eq!(bridge.wait_for_lines(RELOADED, 1)[0]["accounts"], 1);
}

#[test]
fn half_written_accounts_file_keeps_the_previous_keys() {
    let folder = Folder::new();
    let file = folder.write("accounts", &json!({ ACCOUNT: ["before"] }).to_string());
    let bridge = with_accounts(&file);
    assert_eq!(bridge.metric(FAILED), 0.0);
    let whole = json!({ ACCOUNT: ["after", "before"], sid(2): ["another"] }).to_string();
    folder.replace("accounts", &whole[..whole.len() - 3]);
    wait_for("the failure is reported", || (bridge.metric(FAILED) == 1.0).then_some(()));
    assert_eq!([status(&bridge, "before"), status(&bridge, "after")], [204, 403]);
    folder.replace("accounts", &whole);
    wait_for("the failure is over", || (bridge.metric(FAILED) == 0.0).then_some(()));
    assert_eq!([status(&bridge, "before"), status(&bridge, "after")], [204, 204]);
    let failures = bridge.wait_for_lines(NOT_RELOADED, 1);
    assert_eq!(failures.len(), 1, "reported once, although the file was polled more often");
    assert_eq!(failures[0]["level"], "ERROR");
    assert!(failures[0]["error"].as_str().unwrap().contains("TWILIO_ACCOUNTS_FILE: "), "{failures:?}");
    assert_eq!(bridge.wait_for_lines(RELOADED, 1).len(), 1);
    let log = bridge.log().join("\n");
    assert!(["\"before", "\"after", "\"another"].iter().all(|token| !log.contains(token)), "a token in\n{log}");
}

#[test]
fn missing_or_invalid_accounts_file_keeps_the_previous_keys() {
    let folder = Folder::new();
    let good = json!({ ACCOUNT: ["before"] }).to_string();
    let bridge = with_accounts(&folder.write("accounts", &good));
    for wrong in [None, Some("{}"), Some(r#"{"AC1": ["hidden"]}"#)] {
        match wrong {
            None => fs::remove_file(folder.path("accounts")).unwrap(),
            Some(content) => folder.replace("accounts", content),
        }
        wait_for("the failure is reported", || (bridge.metric(FAILED) == 1.0).then_some(()));
        assert_eq!(status(&bridge, "before"), 204);
        folder.replace("accounts", &good);
        wait_for("the failure is over", || (bridge.metric(FAILED) == 0.0).then_some(()));
    }
    assert_eq!(bridge.wait_for_lines(NOT_RELOADED, 3).len(), 3);
    assert!(!bridge.log().join("\n").contains("hidden"));
}

#[test]
fn token_is_rotated_in_its_file_and_the_metric_shows_uses_of_the_old_one() {
    let folder = Folder::new();
    let file = folder.write("token", "old\n");
    let bridge = Bridge::start_with(&[("TWILIO_AUTH_TOKEN", ""), ("TWILIO_AUTH_TOKEN_FILE", &file)]);
    let verified = |key: &str| {
        bridge.metric(&format!(
            r#"trusthub_signatures_verified_total{{algorithm="hmac_sha1",construction="form",key="{key}"}}"#
        ))
    };
    assert_eq!([status(&bridge, "old"), status(&bridge, "new")], [204, 403]);
    assert_eq!([verified("current"), verified("previous")], [1.0, 0.0]);
    folder.replace("token", "new, old\n");
    wait_for_status(&bridge, "new", 204);
    assert_eq!(status(&bridge, "old"), 204);
    assert_eq!([verified("current"), verified("previous")], [2.0, 1.0]);
    folder.replace("token", "new\n");
    wait_for_status(&bridge, "old", 403);
    assert_eq!(status(&bridge, "new"), 204);
}
