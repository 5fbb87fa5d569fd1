//! The control requests about keys: SharedKeys, and what signs the callbacks of an account or of a profile.

use serde_json::{Value, json};

use test_support::{ACCOUNT, Answer, Request, program, simulator::Simulator};

const KEYS: &str = "/simulator/shared_keys";
const SIGNERS: &str = "/simulator/signers";

/// A simulator whose account has the SharedKey `first`, and a profile without a receiver.
fn simulator() -> (Simulator, String) {
    let simulator = Simulator::start();
    simulator.post(KEYS, "key_id=first&secret=hidden");
    let profile = simulator.create("http://127.0.0.1:1/callbacks/customer-profiles");
    (simulator, profile)
}

fn problem(answer: &Answer) -> String {
    assert_eq!(answer.status, 400, "{}", answer.body);
    serde_json::from_str::<Value>(&answer.body).unwrap()["message"].as_str().unwrap().to_owned()
}

#[test]
fn shared_key_has_the_given_or_a_random_id_and_secret() {
    let simulator = Simulator::start();
    let given = simulator.post(KEYS, "key_id=first&secret=hidden&algorithm=HMAC_SHA1");
    let expected = json!({ "account_sid": ACCOUNT, "key_id": "first", "secret": "hidden", "algorithm": "HMAC_SHA1" });
    assert_eq!(given, expected);
    let [one, two] = [(); 2].map(|()| simulator.post(KEYS, ""));
    assert!(one["key_id"].as_str().unwrap().starts_with("webhooks_sharedkey_"), "{one}");
    assert!(one["key_id"] != two["key_id"] && one["secret"] != two["secret"], "{one} {two}");
    assert_eq!(one["algorithm"], Value::Null, "it signs with both");
}

#[test]
fn profile_can_have_other_signers_than_its_account() {
    let (simulator, profile) = simulator();
    let of = |query: &str| simulator.get(&format!("{SIGNERS}{query}"))["signed_by"].clone();
    let of_profile = format!("?profile_sid={profile}");
    assert_eq!([of(""), of(&of_profile)], [json!(["auth_token"]), json!(["auth_token"])]);
    simulator.post(SIGNERS, &format!("account_sid={ACCOUNT}&signed_by=auth_token,first"));
    let own = simulator.post(SIGNERS, &format!("profile_sid={profile}&signed_by=wrong_algorithm:first:HMAC_SHA1"));
    let list = json!(["wrong_algorithm:first:HMAC_SHA1"]);
    assert_eq!(own, json!({ "account_sid": ACCOUNT, "profile_sid": profile, "signed_by": list }));
    assert_eq!([of(""), of(&of_profile)], [json!(["auth_token", "first"]), list]);
    let removed = simulator.post(SIGNERS, &format!("profile_sid={profile}&signed_by="));
    assert_eq!(removed["signed_by"], json!(["auth_token", "first"]));
}

#[test]
fn journal_names_what_signed_a_callback() {
    let (simulator, profile) = simulator();
    simulator.post(SIGNERS, &format!("profile_sid={profile}&signed_by=auth_token,first"));
    simulator.submit(&profile);
    simulator.settle();
    let attempts = simulator.attempts(&profile);
    let of = |status: &str| {
        let mut matching = attempts.iter().filter(|attempt| attempt["status"] == status);
        matching.next().unwrap()["signed_by"].clone()
    };
    assert_eq!([of("pending-review"), of("in-review")], ["auth_token", "first"]);
}

#[test]
fn wrong_signers_and_keys_are_refused_with_what_to_write() {
    let (simulator, profile) = simulator();
    let another_account = "AC99999999999999999999999999999999";
    for (path, form, expected) in [
        (SIGNERS, "signed_by=second".to_owned(), "signed_by: the account has no SharedKey second; write one of"),
        (SIGNERS, "signed_by=".to_owned(), "signed_by: write auth_token, the id of a SharedKey"),
        (SIGNERS, "signed_by=first:HMAC_MD5".to_owned(), "signed_by: write auth_token, the id of a SharedKey"),
        (SIGNERS, String::new(), "signed_by: write auth_token or a list"),
        (SIGNERS, "signed_by=first&account=1".to_owned(), "account: unknown parameter"),
        (SIGNERS, format!("signed_by=first&account_sid={another_account}"), "account_sid: the simulator does not have"),
        (SIGNERS, "signed_by=first&profile_sid=BU1".to_owned(), "profile_sid: write the SID of a profile"),
        (SIGNERS, format!("signed_by=first&account_sid={ACCOUNT}&profile_sid={profile}"), "profile_sid: write either"),
        (KEYS, "key_id=first".to_owned(), "key_id: the account has a SharedKey first already"),
        (KEYS, "key_id=a,b".to_owned(), "key_id: "),
        (KEYS, "secret=".to_owned(), "secret: "),
        (KEYS, "algorithm=HMAC_SHA512".to_owned(), "algorithm: write HMAC_SHA256 or HMAC_SHA1"),
    ] {
        let problem = problem(&simulator.ask(&Request::form(path, &form)));
        assert!(problem.starts_with(expected), "{path} {form}: {problem}");
    }
}

#[test]
fn simulate_has_the_configured_shared_keys_and_signers() {
    let keys = [("TWILIO_SHARED_KEYS", "first=hidden,second:HMAC_SHA1=hidden")];
    let simulator = Simulator::start_with(&["--signed-by", "first,second,auth_token"], &keys);
    assert_eq!(simulator.get(SIGNERS)["signed_by"], json!(["first", "second", "auth_token"]));
    let named = format!("{ACCOUNT}=second");
    let simulator = Simulator::start_with(&["--signed-by", &named], &keys);
    assert_eq!(simulator.get(SIGNERS)["signed_by"], json!(["second"]));
    let simulator = Simulator::start_with(&[], &[keys[0], ("TWILIO_AUTH_TOKEN", "")]);
    assert_eq!(simulator.get(SIGNERS)["signed_by"], json!(["first"]), "there is no token");
    for (signers, expected) in [
        ("third", "the account has no SharedKey third; write one of its SharedKeys"),
        ("AC1=first", "write the SID of an account before the =,"),
        ("AC99999999999999999999999999999999=first", "the simulator does not have this account"),
        ("first:HMAC_SHA512", "write auth_token, the id of a SharedKey"),
    ] {
        let mut simulate = program();
        let variables = [keys[0], ("TWILIO_ACCOUNT_SID", ACCOUNT), ("SIMULATOR_BIND", "127.0.0.1:0")];
        let output = simulate.args(["simulate", "--signed-by", signers]).envs(variables).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.starts_with(&format!("--signed-by: {expected}")), "{signers}: {stderr}");
    }
}
