//! The commands as a user types them.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{ChildStdout, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

use test_support::{Bridge, Request, TOKEN, kill, program, wait_for};

/// Enough space for a few events.
const SMALL_SPOOL: (&str, &str) = ("SPOOL_MAX_BYTES", "8192");
const DEDUP_OFF: (&str, &str) = ("DEDUP_WINDOW_SECS", "0");

const GOOD: [(&str, &str); 3] = [
    ("PUBLIC_URL", "https://hooks.example.com"),
    ("TWILIO_AUTH_TOKEN", "0123456789abcdef0123456789abcdef"),
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092"),
];

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = program().args(arguments).envs(variables.iter().copied()).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn config_prints_the_effective_configuration() {
    let (code, stdout, stderr) = run(&["config"], &GOOD);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for line in
        ["PUBLIC_URL=https://hooks.example.com", "TWILIO_AUTH_TOKEN=[redacted, 1 token]", "HTTP_BIND=0.0.0.0:8080"]
    {
        assert!(stdout.lines().any(|printed| printed == line), "{line} is missing in\n{stdout}");
    }
}

#[test]
fn invalid_configuration_ends_each_command_with_2_and_all_problems() {
    for command in ["config", "serve"] {
        let (code, stdout, stderr) = run(&[command], &[("HTTP_MAX_IN_FLIGHT", "many")]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""));
        for name in ["PUBLIC_URL: ", "TWILIO_AUTH_TOKEN: ", "KAFKA_BOOTSTRAP_SERVERS: ", "HTTP_MAX_IN_FLIGHT: "] {
            assert_eq!(stderr.lines().filter(|line| line.starts_with(name)).count(), 1, "{name}\n{stderr}");
        }
    }
}

#[test]
fn unknown_librdkafka_property_is_a_configuration_problem() {
    let (code, _, stderr) = run(&["config"], &[&GOOD[..], &[("KAFKA_PROPERTIES", "no.such.property=1")]].concat());
    assert_eq!(code, Some(2));
    assert!(stderr.contains("KAFKA_PROPERTIES: no.such.property"), "{stderr}");
}

#[test]
fn near_spelling_of_a_variable_is_a_warning() {
    let (code, _, stderr) = run(&["config"], &[&GOOD[..], &[("PUBLIC_URLS", "x"), ("KAFKA_PORT", "tcp://1")]].concat());
    assert_eq!(code, Some(0));
    assert!(stderr.contains("PUBLIC_URLS") && stderr.contains("PUBLIC_URL?"), "{stderr}");
    assert!(!stderr.contains("KAFKA_PORT"), "{stderr}");
}

#[test]
fn port_in_use_is_reported_with_its_variable() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, stderr) = run(&["serve"], &[&GOOD[..], &[("HTTP_BIND", &address)]].concat());
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("HTTP_BIND: cannot listen on {address}")), "{stderr}");
}

#[test]
fn sign_prints_the_published_vectors() {
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const FORM: &str =
        "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    let token = [("TWILIO_AUTH_TOKEN", "12345")];
    let header = "X-Twilio-Signature: RSOYDt4T1cUTdK1PDd93/VVr8B8=\n";
    assert_eq!(run(&["sign", "--url", URL, "--body", FORM], &token), (Some(0), header.into(), String::new()));
    let params =
        ["CallSid=CA1234567890ABCDE", "Caller=+14158675309", "Digits=1234", "From=+14158675309", "To=+18005551212"];
    let arguments = params.iter().flat_map(|param| ["--param", param]);
    let arguments: Vec<_> = ["sign", "--url", URL, "--token", "12345"].into_iter().chain(arguments).collect();
    assert_eq!(run(&arguments, &[]).1, header);
    let json = r#"{"property": "value", "boolean": true}"#;
    let (code, stdout, stderr) = run(&["sign", "--url", URL, "--body-hash", "--body", json], &token);
    assert_eq!((code, stdout.as_str()), (Some(0), "X-Twilio-Signature: a9nBmqA0ju/hNViExpshrM61xv4=\n"));
    assert!(
        stderr.contains("&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"),
        "{stderr}"
    );
}

#[test]
fn sign_without_a_token_names_the_variable_for_it() {
    let (code, stdout, stderr) = run(&["sign", "--url", "https://hooks.example.com"], &[]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("TWILIO_AUTH_TOKEN"), "{stderr}");
}

#[test]
fn healthcheck_asks_the_admin_port() {
    let unreachable =
        [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("KAFKA_ACK_TIMEOUT_MS", "300"), SMALL_SPOOL, DEDUP_OFF];
    let bridge = Bridge::launch(&unreachable);
    let admin = bridge.admin.to_string();
    assert_eq!(run(&["healthcheck"], &[("ADMIN_BIND", &admin)]).0, Some(0));
    assert_eq!(run(&["healthcheck", "--ready"], &[("ADMIN_BIND", &admin)]).0, Some(0));
    wait_for("the spool is full", || (bridge.send(&Request::change("draft")).status == 503).then_some(()));
    let (code, _, stderr) = run(&["healthcheck", "--ready"], &[("ADMIN_BIND", &admin)]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("503"), "{stderr}");
    drop(bridge);
    assert_eq!(run(&["healthcheck"], &[("ADMIN_BIND", &admin)]).0, Some(1));
}

#[test]
fn missing_spool_folder_is_an_error_and_is_not_created() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-such-spool");
    let variables = [("SPOOL_DIR", folder.to_str().unwrap()), ("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")];
    for command in ["ls", "export", "drain"] {
        let (code, stdout, stderr) = run(&["spool", command], &variables);
        assert_eq!((code, stdout.as_str()), (Some(1), ""));
        assert!(stderr.starts_with("SPOOL_DIR: ") && stderr.contains("is not a folder"), "{stderr}");
    }
    assert!(!folder.exists());
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    assert_eq!(run(&["frobnicate"], &[]).0, Some(2));
    assert_eq!(run(&[], &[]).0, Some(2));
    let (code, stdout, _) = run(&["--help"], &[]);
    assert_eq!(code, Some(0));
    for command in [
        "serve",
        "dev",
        "simulate",
        "sign",
        "explain",
        "reconcile",
        "spool",
        "config",
        "healthcheck",
        "probe",
        "completions",
        "man",
    ] {
        assert!(stdout.contains(command), "{command} is missing in\n{stdout}");
    }
}

#[test]
fn closed_pipe_is_not_an_error() {
    let mut child = program().arg("config").envs(GOOD).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
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
fn dev_prints_what_to_type_and_each_callback_with_its_answer_and_event() {
    let variables = [("HTTP_BIND", "127.0.0.1:0"), ("ADMIN_BIND", "127.0.0.1:0"), ("SIMULATOR_BIND", "127.0.0.1:0")];
    let mut child = program().arg("dev").envs(variables).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let said: Vec<_> = said.take_while(|line| line != "Requests, callbacks and events:").collect();
    let parts =
        ["Trust Hub  http://127.0.0.1:", "callbacks  http://127.0.0.1:", "metrics    http://127.0.0.1:", "kcat -b"];
    for part in parts {
        assert!(said.iter().any(|line| line.contains(part)), "{part} is missing in\n{said:#?}");
    }
    let shown = lines_of(child.stdout.take().unwrap());
    let typed = said.iter().skip_while(|line| !line.contains("SID=$(")).take_while(|line| !line.is_empty());
    shell(&typed.map(String::as_str).collect::<Vec<_>>().join("\n"));
    let reject = wait_for("a review", || {
        let shown = shown.lock().unwrap();
        shown.iter().find_map(|line| Some(line.split_once("reject it:")?.1.to_owned()))
    });
    shell(&reject);
    for part in ["204 POST BU", "Z BU", "submit it again:", "twilio-rejected (18602)"] {
        wait_for(part, || shown.lock().unwrap().iter().any(|line| line.contains(part)).then_some(()));
    }
    kill("INT", child.id());
    assert!(child.wait().unwrap().success());
}

/// Collects the lines of an output as they arrive.
fn lines_of(output: ChildStdout) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&lines);
    thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).for_each(|line| collected.lock().unwrap().push(line));
    });
    lines
}

/// Runs the commands that the program tells a user to type.
fn shell(typed: &str) {
    let output = Command::new("sh").args(["-ec", typed]).output().unwrap();
    assert!(output.status.success(), "{typed}\n{output:?}");
}

#[test]
fn token_from_a_file_signs_like_one_from_a_variable() {
    let file = format!("{}/token-of-sign", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let arguments = ["sign", "--url", "https://hooks.example.com"];
    assert_eq!(run(&arguments, &[("TWILIO_AUTH_TOKEN_FILE", &file)]), run(&arguments, &[("TWILIO_AUTH_TOKEN", TOKEN)]));
}
