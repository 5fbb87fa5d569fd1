//! Reviews and faults on demand, and the state that survives a restart.

use std::{fs, path::Path};

use serde_json::{Value, json};

use test_support::{
    ACCOUNT, Bridge, Request, TOKEN,
    kafka::{free_port, unique_topic},
    nginx::Nginx,
    program,
    simulator::{POLICY, Simulator},
    wait_for,
};

/// A bridge that receives the callbacks of a simulator, and the URL for them.
fn bridge() -> (Bridge, String) {
    let base = format!("http://127.0.0.1:{}", free_port());
    let bridge = Bridge::start_with(&[("HTTP_BIND", base.trim_start_matches("http://")), ("PUBLIC_URL", &base)]);
    (bridge, format!("{base}/callbacks/customer-profiles"))
}

/// The announced statuses with their answers, once there are at least this many.
fn announced(simulator: &Simulator, sid: &str, count: usize) -> Vec<(String, Value)> {
    let attempts = wait_for("attempts", || Some(simulator.attempts(sid)).filter(|attempts| attempts.len() >= count));
    let status = |attempt: &Value| attempt["status"].as_str().unwrap().to_owned();
    attempts.iter().map(|attempt| (status(attempt), attempt["answer"].clone())).collect()
}

/// The values of the events in Kafka, once there are at least this many.
fn events(bridge: &Bridge, count: usize) -> Vec<Value> {
    let records = bridge.events(count);
    records.iter().map(|record| serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap()).collect()
}

#[test]
fn every_change_of_a_profile_is_announced_in_order_and_becomes_an_event() {
    let (bridge, url) = bridge();
    let simulator = Simulator::start();
    let sid = simulator.create(&url);
    simulator.submit(&sid);
    simulator.control(&sid, "reject", "code=18602&code=18603&reason=Unknown+address");
    simulator.submit(&sid);
    simulator.control(&sid, "approve", "");
    simulator.control(&sid, "expire", "");
    let statuses = [
        "pending-review",
        "in-review",
        "twilio-rejected",
        "pending-review",
        "in-review",
        "twilio-approved",
        "twilio-rejected",
    ];
    assert_eq!(announced(&simulator, &sid, statuses.len()), statuses.map(|status| (status.to_owned(), json!(204))));
    let events = events(&bridge, statuses.len());
    assert_eq!(events.iter().map(|event| event["status"].as_str().unwrap()).collect::<Vec<_>>(), statuses);
    assert_eq!(events[2]["failure_reason"], "Unknown address (18602, 18603)");
    let codes = [&events[2]["errors"][0]["code"], &events[2]["errors"][1]["code"]];
    assert_eq!(codes, [18602, 18603]);
}

#[test]
fn provisional_approval_of_a_bundle_is_announced_and_becomes_an_event() {
    let (bridge, url) = bridge();
    let url = url.replace("customer-profiles", "regulatory-bundles");
    let simulator = Simulator::start();
    let bundles = "/v2/RegulatoryCompliance/Bundles";
    let form = format!("FriendlyName=Numbers&Email=a&RegulationSid={POLICY}&StatusCallback={url}");
    let bundle = simulator.post(bundles, &form)["sid"].as_str().unwrap().to_owned();
    simulator.post(&format!("{bundles}/{bundle}"), "Status=pending-review");
    simulator.control(&bundle, "approve-provisionally", "valid_for_secs=3600");
    simulator.control(&bundle, "approve", "");
    let statuses = ["pending-review", "in-review", "provisionally-approved", "twilio-approved"];
    assert_eq!(announced(&simulator, &bundle, 4), statuses.map(|status| (status.to_owned(), json!(204))));
    let events = events(&bridge, statuses.len());
    assert_eq!(events.iter().map(|event| event["status"].as_str().unwrap()).collect::<Vec<_>>(), statuses);
    assert!(events.iter().all(|event| event["resource"] == "regulatory-bundle"));
}

#[test]
fn callbacks_use_tls_if_the_system_trusts_the_certificate() {
    let port = free_port();
    let base = format!("https://127.0.0.1:{port}/twilio");
    let bridge = Bridge::start_with(&[("PUBLIC_URL", &base)]);
    let ingress = Nginx::on_port(port, &bridge);
    let certificate = ingress.certificate();
    let trusted = [("SSL_CERT_FILE", certificate.to_str().unwrap())];
    for (variables, kind, value) in [(&trusted[..], "answer", json!(204)), (&[], "failure", json!("tls"))] {
        let simulator = Simulator::start_with(&[], variables);
        let sid = simulator.create(&format!("{base}/callbacks/customer-profiles"));
        simulator.submit(&sid);
        let attempts = wait_for("attempts", || Some(simulator.attempts(&sid)).filter(|attempts| attempts.len() >= 2));
        assert!(attempts.iter().all(|attempt| attempt[kind] == value), "{attempts:?}");
    }
}

#[test]
fn each_account_has_its_own_profiles_and_logs_in_with_a_token_or_api_key() {
    let sid = |kind: &str| format!("{kind}{}", "2".repeat(32));
    let (account, key) = (sid("AC"), sid("SK"));
    let accounts = json!({ &account: { "tokens": ["new", "old"], "api_key": &key, "api_secret": "secret" } });
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("accounts"));
    fs::write(&file, accounts.to_string()).unwrap();
    let simulator = Simulator::start_with(&["--profiles", "1"], &[("TWILIO_ACCOUNTS_FILE", file.to_str().unwrap())]);
    fs::remove_file(file).unwrap();
    let of_the_first = simulator.get("/v1/CustomerProfiles")["results"].as_array().unwrap().len();
    simulator.create("");
    let owners = |user: &str, password: &str| {
        let answer = simulator.ask_as(user, password, &Request::get("/v1/CustomerProfiles"));
        let list = serde_json::from_str::<Value>(&answer.body).unwrap();
        let owner = |profile: &Value| profile["account_sid"].as_str().unwrap().to_owned();
        (answer.status == 200).then(|| list["results"].as_array().unwrap().iter().map(owner).collect::<Vec<_>>())
    };
    assert_eq!(of_the_first, 0, "seeded profiles belong to the first account of the file");
    assert_eq!(owners(ACCOUNT, TOKEN), Some(vec![ACCOUNT.to_owned()]));
    for (user, password) in [(&account, "new"), (&account, "old"), (&key, "secret")] {
        assert_eq!(owners(user, password), Some(vec![account.clone()]), "{user} {password}");
    }
    for (user, password) in [(&account, TOKEN), (&account, "secret"), (&key, "new"), (&sid("AC"), "")] {
        assert_eq!(owners(user, password), None, "{user} {password}");
    }
}

#[test]
fn rejection_without_a_reason_is_announced_with_its_codes() {
    let (bridge, url) = bridge();
    let simulator = Simulator::start();
    let sid = simulator.create(&url);
    simulator.submit(&sid);
    let rejected = simulator.control(&sid, "reject", "code=18602");
    assert_eq!(rejected["errors"], json!([{ "code": 18602 }]));
    let events = events(&bridge, 3);
    assert_eq!(events[2]["errors"][0]["code"], 18602);
}

#[test]
fn each_callback_fault_reaches_the_bridge() {
    let (bridge, url) = bridge();
    let simulator = Simulator::start();
    let answers = |setting: &str, count| {
        simulator.set(&format!("{setting}=100"));
        let sid = simulator.create(&url);
        simulator.submit(&sid);
        simulator.set(&format!("{setting}=0"));
        announced(&simulator, &sid, count).into_iter().map(|(_, answer)| answer).collect::<Vec<_>>()
    };
    assert_eq!(answers("drop", 2), [Value::Null, Value::Null]);
    assert_eq!(answers("wrong_signature", 2), [403, 403]);
    assert_eq!(answers("old_token", 2), [403, 403]);
    assert_eq!(answers("get_with_doubled_hash", 2), [204, 204]);
    assert_eq!(answers("duplicate", 4), [204, 204, 204, 204]);
    assert_eq!(bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="duplicate"}"#), 2.0);
    assert_eq!(events(&bridge, 4).len(), 4);
}

#[test]
fn each_construction_is_accepted_by_the_bridge() {
    let (bridge, url) = bridge();
    let simulator = Simulator::start();
    for construction in ["form", "body_hash", "form_without_hash", "query", "query_without_hash"] {
        simulator.set(&format!("construction={construction}"));
        let sid = simulator.create(&url);
        simulator.submit(&sid);
        let answers: Vec<_> = announced(&simulator, &sid, 2).into_iter().map(|(_, answer)| answer).collect();
        assert_eq!(answers, [204, 204], "{construction}");
        let series = format!(
            r#"trusthub_signatures_verified_total{{algorithm="hmac_sha1",construction="{construction}",key="current"}}"#
        );
        assert_eq!(bridge.metric(&series), 2.0);
    }
}

#[test]
fn reviews_end_automatically_and_time_runs_faster_if_configured() {
    let simulator = Simulator::start_with(&["--set", "auto_review_secs=3600", "--set", "speed=36000"], &[]);
    for (percent, status) in [(0, "twilio-approved"), (100, "twilio-rejected")] {
        simulator.set(&format!("auto_reject={percent}"));
        let sid = simulator.create("");
        assert_eq!(simulator.submit(&sid)["status"], "in-review");
        let path = format!("/v1/CustomerProfiles/{sid}");
        wait_for(status, || (simulator.get(&path)["status"] == status).then_some(()));
    }
}

#[test]
fn approval_expires_at_its_time() {
    let simulator = Simulator::start();
    let sid = simulator.create("");
    simulator.submit(&sid);
    let approved = simulator.control(&sid, "approve", "valid_for_secs=86400");
    assert!(approved["valid_until"].is_string());
    simulator.set("speed=864000");
    let path = format!("/v1/CustomerProfiles/{sid}");
    let expired =
        wait_for("the expiry", || Some(simulator.get(&path)).filter(|one| one["status"] == "twilio-rejected"));
    assert_eq!((&expired["valid_until"], &expired["errors"]), (&Value::Null, &json!([{ "code": 22601 }])));
}

#[test]
fn api_fails_like_that_of_twilio_if_configured() {
    let simulator = Simulator::start();
    simulator.set("too_many_requests=100&retry_after_secs=7");
    let answer = simulator.ask(&Request::get("/v1/CustomerProfiles"));
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("7")));
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap()["code"], 20429);
    simulator.set("too_many_requests=0&server_errors=100");
    assert_eq!(simulator.ask(&Request::get("/v1/CustomerProfiles")).status, 500);
    simulator.set("server_errors=0");
    simulator.get("/v1/CustomerProfiles");
}

#[test]
fn invalid_setting_is_reported_and_changes_nothing() {
    let simulator = Simulator::start();
    let before = simulator.get("/simulator/settings");
    for (wrong, named) in [
        ("drop=101", "drop: write a whole number from 0 to 100"),
        ("drop=off", "drop: write a whole number from 0 to 100"),
        ("speed=0", "speed: write a whole number from 1 to "),
        ("auto_review_secs=soon", "auto_review_secs: write a number of seconds, or off"),
        ("delay_ms=5-3", "delay_ms: write two ascending numbers"),
        ("construction=none", "construction: write one of form, "),
        ("drop=30&rain=1", "unknown setting rain; write one of speed, "),
    ] {
        let answer = simulator.ask(&Request::form("/simulator/settings", wrong));
        assert!(answer.status == 400 && answer.body.contains(named), "{wrong}: {answer:?}");
    }
    assert_eq!(simulator.get("/simulator/settings"), before);
    let set = simulator.set("drop=30&delay_ms=100-200&auto_review_secs=5");
    assert_eq!((&set["drop"], &set["delay_ms"], &set["auto_review_secs"]), (&json!(30), &json!("100-200"), &json!(5)));
    assert_eq!(simulator.set("auto_review_secs=off")["auto_review_secs"], Value::Null);
}

#[test]
fn seeded_profiles_exist_and_are_not_announced() {
    let simulator = Simulator::start_with(&["--profiles", "3"], &[]);
    let form =
        format!("count=2&status=twilio-rejected&account_sid={ACCOUNT}&status_callback=http%3A%2F%2F127.0.0.1%3A1");
    assert_eq!(simulator.post("/simulator/profiles", &form), json!({ "created": 2, "profiles": 5 }));
    let list = simulator.get("/v1/CustomerProfiles?Status=twilio-rejected");
    assert_eq!(list["results"].as_array().unwrap().len(), 2);
    assert_eq!(list["results"][0]["policy_sid"], POLICY);
    assert_eq!(simulator.get("/simulator/callbacks")["attempts"], json!([]));
}

#[test]
fn seeded_profiles_are_complete_for_any_policy() {
    let simulator = Simulator::start();
    for status in ["draft", "in-review", "twilio-rejected", "twilio-approved"] {
        let policy = "RNdfbf3fae0e1107f8aded0e7cead80bf5";
        simulator.post("/simulator/profiles", &format!("count=2&status={status}&policy_sid={policy}"));
        let list = simulator.get(&format!("/v1/CustomerProfiles?Status={status}&PolicySid={policy}"));
        assert_eq!(list["results"].as_array().unwrap().len(), 2, "{status}");
    }
}

#[test]
fn mistake_in_a_control_request_is_reported_and_changes_nothing() {
    let simulator = Simulator::start();
    let sid = simulator.create("");
    simulator.submit(&sid);
    let of = |action: &str| format!("/simulator/profiles/{sid}/{action}");
    for (path, form, named) in [
        (of("reject"), "codes=18602", "codes: unknown parameter; write one of code, reason"),
        (of("reject"), "code=018602", "code: write a number of five digits"),
        (of("reject"), "code=18602&code=90210", "code: 90210 is not an error code of a rejection; write one"),
        (of("reject"), "code=60711", "code: 60711 is not an error code of a rejection; write one"),
        (of("approve"), "valid_for=5", "valid_for: unknown parameter; write one of valid_for_secs"),
        ("/simulator/profiles".into(), "count=0", "count: write a number from 1 to "),
        ("/simulator/profiles".into(), "count=1&status=pending-review", "status: write one of draft, "),
        ("/simulator/profiles".into(), "count=1&status_callback=x", "status_callback: write a URL"),
        ("/simulator/profiles".into(), "count=1&account_sid=AC2", "account_sid: write one of the simulator's accounts"),
        (of("reject?codes=18602"), "", "codes: unknown parameter; write one of code, reason"),
        ("/simulator/settings?rain=1".into(), "", "unknown setting rain"),
        (format!("/v1/CustomerProfiles/{sid}"), "Status=twilio-approved", "Status: write draft or pending-review"),
        ("/v1/CustomerProfiles".into(), &format!("FriendlyName={}", "x".repeat(2049)), "FriendlyName: write at most"),
    ] {
        let answer = simulator.ask(&Request::form(&path, form));
        assert!(answer.status == 400 && answer.body.contains(named), "{path} {form}: {answer:?}");
    }
    assert_eq!(simulator.get("/v1/CustomerProfiles")["results"].as_array().unwrap().len(), 1);
    assert_eq!(simulator.get(&format!("/v1/CustomerProfiles/{sid}"))["status"], "in-review");
}

#[test]
fn stop_waits_for_callbacks_in_progress() {
    let (bridge, url) = bridge();
    let simulator = Simulator::start_with(&["--set", "delay=100", "--set", "delay_ms=5000"], &[]);
    let sid = simulator.create(&url);
    simulator.submit(&sid);
    let said = simulator.stop();
    assert!(said.contains("2 callbacks are pending"), "{said}");
    assert_eq!(events(&bridge, 2).len(), 2);
}

#[test]
fn state_in_a_file_survives_a_kill() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("simulator"));
    let variables = [("SIMULATOR_STATE", file.to_str().unwrap())];
    let sid = {
        let simulator = Simulator::start_with(&[], &variables);
        let sid = simulator.create("");
        simulator.submit(&sid);
        sid
    };
    let simulator = Simulator::start_with(&[], &variables);
    assert_eq!(simulator.control(&sid, "approve", "")["status"], "twilio-approved");
    drop(simulator);
    fs::remove_file(&file).unwrap();
    fs::remove_file(format!("{}.lock", file.display())).unwrap();
}

#[test]
fn missing_or_invalid_configuration_is_reported_at_the_start() {
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = program().arg("simulate").args(arguments).envs(variables.iter().copied()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(&[], &[]);
    assert!(code == Some(2) && said.contains("TWILIO_AUTH_TOKEN: "), "{said}");
    let (code, said) = run(&[], &[("TWILIO_AUTH_TOKEN", TOKEN)]);
    assert!(code == Some(2) && said.contains("TWILIO_ACCOUNT_SID"), "{said}");
    let account = [("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_ACCOUNT_SID", ACCOUNT), ("SIMULATOR_BIND", "127.0.0.1:0")];
    for (setting, named) in
        [("rain=1", "unknown setting rain"), ("drop", "write NAME=VALUE"), ("drop=x", "--set: drop: ")]
    {
        let (code, said) = run(&["--set", setting], &account);
        assert!(code == Some(2) && said.contains(named), "{said}");
    }
}
