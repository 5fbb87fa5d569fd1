//! `dev --once` without a terminal.

use std::net::TcpListener;

use serde_json::Value;
use test_support::program;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = program().args(arguments).envs(variables.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn dev_once_plays_a_scenario_and_prints_each_event_read_from_kafka() {
    let (code, stdout, stderr) = run(&["dev", "--once"], &[]);
    assert_eq!(code, Some(0), "{stderr}");
    let events: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> = events.iter().map(|event| event["value"]["status"].as_str().unwrap()).collect();
    let expected = ["pending-review", "in-review", "twilio-rejected", "pending-review", "in-review", "twilio-approved"];
    assert_eq!(statuses, expected);
    assert_eq!(events[2]["value"]["errors"].as_array().unwrap().len(), 2);
    for event in &events {
        let object = event.as_object().unwrap();
        let fields: Vec<_> = object.keys().map(String::as_str).collect();
        assert_eq!(fields, ["headers", "key", "offset", "partition", "topic", "value"]);
        assert_eq!(event["headers"]["ce_subject"], event["key"]);
    }
    assert!(stderr.contains("a forged callback, not signed with the token, is sent: 403"), "{stderr}");
    // The embedded Kafka does not answer every request, and the stop comes while the first one waits.
    assert!(!stderr.contains("did not stop in time"), "{stderr}");
}

#[test]
fn dev_signs_with_a_shared_key_and_refuses_one_that_it_does_not_have() {
    let (code, stdout, stderr) = run(&["dev", "--once", "--signed-by", "webhooks_sharedkey_dev"], &[]);
    assert_eq!((code, stdout.lines().count()), (Some(0), 6), "{stderr}");
    let (code, stdout, stderr) = run(&["dev", "--once", "--signed-by", "other"], &[]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert_eq!(
        stderr,
        "--signed-by: the account has no SharedKey other; write one of its SharedKeys, or add this one\n"
    );
}

#[test]
fn port_that_is_used_or_wrong_is_one_error_with_the_variable_to_set() {
    let used = TcpListener::bind("127.0.0.1:0").unwrap();
    let used = used.local_addr().unwrap().to_string();
    for variable in ["HTTP_BIND", "ADMIN_BIND", "SIMULATOR_BIND", "KAFKA_BIND"] {
        let mut variables =
            ["HTTP_BIND", "ADMIN_BIND", "SIMULATOR_BIND", "KAFKA_BIND"].map(|name| (name, "127.0.0.1:0"));
        variables.iter_mut().filter(|(name, _)| *name == variable).for_each(|(_, address)| *address = &used);
        let (code, stdout, stderr) = run(&["dev"], &variables);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(1), "", 1), "{stderr}");
        assert!(stderr.starts_with(&format!("{variable}: cannot listen on {used}: ")), "{stderr}");
        assert!(stderr.ends_with("choose another address or port\n"), "{stderr}");
        let (code, _, stderr) = run(&["dev", "--once"], &[(variable, "8080")]);
        assert_eq!(code, Some(2));
        assert!(stderr.starts_with(&format!("{variable}: write an IP address and a port, such as ")), "{stderr}");
    }
    let (code, _, stderr) = run(&["dev", "--once"], &[("KAFKA_BIND", "0.0.0.0:0")]);
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("KAFKA_BIND: write a loopback address"), "{stderr}");
}
