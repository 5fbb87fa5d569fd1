//! The commands as a user types them.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use test_support::{Bridge, Request, TOKEN, program, wait_for};

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
    for command in [&["healthcheck"][..], &["healthcheck", "--ready"]] {
        // On a busy machine an answer may come after the command's timeout.
        wait_for("healthy", || (run(command, &[("ADMIN_BIND", &admin)]).0 == Some(0)).then_some(()));
    }
    wait_for("the spool is full", || (bridge.send(&Request::change("draft")).status == 503).then_some(()));
    wait_for("not ready", || {
        let (code, _, stderr) = run(&["healthcheck", "--ready"], &[("ADMIN_BIND", &admin)]);
        assert_eq!(code, Some(1), "{stderr}");
        stderr.contains("503").then_some(())
    });
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
fn token_from_a_file_signs_like_one_from_a_variable() {
    let file = format!("{}/token-of-sign", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let arguments = ["sign", "--url", "https://hooks.example.com"];
    assert_eq!(run(&arguments, &[("TWILIO_AUTH_TOKEN_FILE", &file)]), run(&arguments, &[("TWILIO_AUTH_TOKEN", TOKEN)]));
}
