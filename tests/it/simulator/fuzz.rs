//! The simulator answers every request as its `/openapi.json` describes, and keeps running. Schemathesis generates
//! requests from that description: at the limits of each parameter, at random, and with SIDs from earlier responses.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use test_support::{
    ACCOUNT, Request, TOKEN,
    kafka::unique_topic,
    oracle::{harness, libraries},
    simulator::Simulator,
};

/// The seed of the requests; a failure prints it.
const SEED: &str = "20240";

/// Random requests for each operation, few enough for less than a minute.
const EXAMPLES: &str = "5";

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[test]
fn every_answer_to_generated_requests_is_as_described() {
    // Callbacks are dropped, because their URLs are generated, too.
    let simulator = Simulator::start_with(&["--profiles", "3", "--set", "drop=100"], &[]);
    // Some settings break the responses to other requests on purpose.
    fuzz(simulator, &["--exclude-operation-id", "set"]);
}

#[test]
fn every_answer_to_generated_settings_is_as_described() {
    // No value of a response is needed in another request.
    fuzz(Simulator::start(), &["--include-operation-id", "set", "--phases", "coverage,fuzzing"]);
}

#[test]
fn invalid_requests_are_rejected() {
    let simulator = Simulator::start();
    let list = "/v1/CustomerProfiles";
    for header in ["", "Basic", "Basic \u{ff}", "Basic QQ", "Basic QQ==", "Basic ////", "Basic Og==", "Bearer Og=="] {
        let answer = simulator.send(&Request::get(list).with("Authorization", header));
        assert_eq!(answer.status, 401, "{header:?}: {}", answer.body);
    }
    for (status, request) in [
        (400, Request::get(&format!("{list}?FriendlyName=%FF"))),
        (400, Request::get(&format!("{list}?{}", "a=b&".repeat(5_000)))),
        (400, Request::form(list, "FriendlyName=%FF")),
        (413, Request::form(list, &"a".repeat(100_000))),
        (404, Request::get(&format!("{list}/%FF%00"))),
        (404, Request::get(&format!("{list}/BU%C3%A4/EntityAssignments"))),
        (400, Request::get("/v1/\u{1F980}")),
        (404, Request::form("/simulator/profiles/%FF/approve", "")),
        (400, Request::form("/simulator/settings", "%FF=%00")),
    ] {
        let answer = simulator.ask(&request);
        assert_eq!(answer.status, status, "{} {}: {}", request.method, request.target, answer.body);
    }
    assert_unharmed(simulator);
}

fn fuzz(simulator: Simulator, operations: &[&str]) {
    let output = schemathesis(&simulator.url(), operations);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_unharmed(simulator);
}

fn schemathesis(base: &str, operations: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("schemathesis"));
    fs::create_dir_all(&folder).unwrap();
    let output = Command::new(libraries().join("schemathesis/bin/schemathesis"))
        .args(["--no-color", "run", &format!("{base}/openapi.json"), "--auth", &format!("{ACCOUNT}:{TOKEN}")])
        .args(["--seed", SEED, "--max-examples", EXAMPLES, "--checks", CHECKS, "--generation-database", "none"])
        .args(operations)
        .envs([("SCHEMATHESIS_HOOKS", "hooks"), ("PYTHONDONTWRITEBYTECODE", "1"), ("NO_PROXY", "127.0.0.1")])
        .env("PYTHONPATH", harness("schemathesis"))
        // It writes files into its working directory.
        .current_dir(&folder)
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    output
}

fn assert_unharmed(simulator: Simulator) {
    simulator.set("server_errors=0&too_many_requests=0");
    simulator.get("/v1/CustomerProfiles");
    let said = simulator.stop();
    assert!(!said.contains("panicked"), "{said}");
}
