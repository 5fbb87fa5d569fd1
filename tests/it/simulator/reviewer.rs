//! The rules of the automatic reviewer, and the seed of its decisions.

use serde_json::{Value, json};

use test_support::{ACCOUNT, Request, TOKEN, program, simulator::Simulator, wait_for};

const RULES: &str = "/simulator/rules";

/// The profile once its review has ended.
fn reviewed(simulator: &Simulator, sid: &str) -> Value {
    let path = format!("/v1/CustomerProfiles/{sid}");
    wait_for("the review ends", || Some(simulator.get(&path)).filter(|profile| profile["status"] != "in-review"))
}

/// Creates and submits a profile with this name, and returns it after its review.
fn review(simulator: &Simulator, name: &str) -> Value {
    let sid = simulator.create("");
    simulator.post(&format!("/v1/CustomerProfiles/{sid}"), &format!("FriendlyName={name}"));
    simulator.submit(&sid);
    reviewed(simulator, &sid)
}

#[test]
fn rules_of_the_command_line_and_of_requests_decide_in_their_order() {
    let simulator = Simulator::start_with(
        &[
            "--set",
            "auto_review_secs=0",
            "--rule",
            "friendly_name=*pass* => approve",
            "--rule",
            "friendly_name=*FAIL* => reject 18602, 18604: Not in the register",
        ],
        &[],
    );
    let added = simulator.post(RULES, "field=friendly_name&matches=*&decision=reject&code=18603");
    let expected = json!({
        "id": 3, "field": "friendly_name", "matches": "*", "decision": "reject", "codes": [18603], "reason": "",
    });
    assert_eq!(added, expected);
    simulator.set("auto_reject=0");
    let ids =
        |rules: &Value| rules["rules"].as_array().unwrap().iter().map(|rule| rule["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&simulator.get(RULES)), [1, 2, 3], "a change of the settings keeps them");
    for (name, status, errors) in [
        ("pass-or-fail", "twilio-approved", Value::Null),
        ("Will+fail", "twilio-rejected", json!([{ "code": 18602 }, { "code": 18604 }])),
        ("Another", "twilio-rejected", json!([{ "code": 18603 }])),
    ] {
        let profile = review(&simulator, name);
        assert_eq!((&profile["status"], &profile["errors"]), (&json!(status), &errors), "{name}");
    }
    let delete = |query: &str| simulator.ask(&Request::new("DELETE", &format!("{RULES}{query}"), &[], "")).status;
    assert_eq!([delete("?id=3"), delete("?id=3"), delete("?id=x")], [204, 404, 400]);
    assert_eq!(review(&simulator, "Another")["status"], "twilio-approved");
    let in_body = |form: &str| {
        let form_type = [("Content-Type", "application/x-www-form-urlencoded")];
        simulator.ask(&Request::new("DELETE", RULES, &form_type, form)).status
    };
    assert_eq!([in_body("id=1"), in_body("rule=2")], [204, 400]);
    assert_eq!(ids(&simulator.get(RULES)), [2]);
    assert_eq!(delete(""), 204);
    assert_eq!(simulator.get(RULES), json!({ "rules": [] }));
}

#[test]
fn mistake_in_a_rule_is_reported_and_adds_nothing() {
    let simulator = Simulator::start();
    for (form, expected) in [
        ("", "field: write friendly_name or the name of an attribute"),
        ("field=a&decision=approve", "matches: write a text of 1 to 200 characters"),
        ("field=a&matches=b", "decision: write approve or reject"),
        ("field=a&matches=b&decision=reject&code=1", "code: 1 is not an error code of a rejection"),
        ("field=a&matches=b&decision=approve&reason=c", "decision: approve has neither code nor reason"),
        ("field=a&matches=b&decision=reject&codes=18602", "codes: unknown parameter; write one of field, matches,"),
    ] {
        let answer = simulator.ask(&Request::form(RULES, form));
        assert!(answer.status == 400 && answer.body.contains(expected), "{form}: {answer:?}");
    }
    assert_eq!(simulator.get(RULES), json!({ "rules": [] }));
}

#[test]
fn mistake_in_a_rule_or_server_of_the_command_line_is_a_wrong_usage() {
    let account = [("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_ACCOUNT_SID", ACCOUNT), ("SIMULATOR_BIND", "127.0.0.1:0")];
    let one_too_many = ["--rule", "a=b => approve"].repeat(101);
    for (arguments, expected) in [
        (&["--rule", "friendly_name"][..], "write a field, a text and a decision"),
        (&["--rule", "a=b => reject 60711"], "code: 60711 is not an error code of a rejection"),
        (&one_too_many, "--rule: there are 100 rules already"),
        (&["--smtp", "192.0.2.1:25"], "write a loopback address and a port, such as 127.0.0.1:1025"),
    ] {
        let output = program().arg("simulate").args(arguments).envs(account).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn rules_without_automatic_reviews_are_pointed_out() {
    let rule = ["--rule", "friendly_name=* => approve"];
    let hint = "The rules have no effect until the setting auto_review_secs is a number.";
    assert!(Simulator::start_with(&rule, &[]).stop().contains(hint));
    let with_reviews = [&rule[..], &["--set", "auto_review_secs=1"]].concat();
    assert!(!Simulator::start_with(&with_reviews, &[]).stop().contains(hint));
}

#[test]
fn two_runs_with_one_seed_decide_alike() {
    let decisions = |seed: &str| {
        let settings = ["--seed", seed, "--set", "auto_review_secs=0", "--set", "auto_reject=50"];
        let simulator = Simulator::start_with(&settings, &[]);
        // All are in review at the same time, so the order of the decisions is a matter of milliseconds.
        let sids: Vec<_> = (0..20).map(|_| simulator.create("")).collect();
        sids.iter().for_each(|sid| drop(simulator.submit(sid)));
        let decided = sids.iter().map(|sid| reviewed(&simulator, sid));
        decided.map(|profile| (profile["status"].clone(), profile["errors"].clone())).collect::<Vec<_>>()
    };
    let first = decisions("7");
    assert_eq!(first, decisions("7"));
    assert_ne!(first, decisions("8"));
}
