//! Each mistake is reported with its variable and with what to write instead.

use std::{ffi::OsString, os::unix::ffi::OsStringExt};

use trusthub_bridge::config::{self, Problems, VARIABLES};

use super::{TOKEN, environment, file, load};

fn problems(more: &[(&str, &str)]) -> Problems {
    match load(more) {
        Ok(_) => panic!("no problem is reported for {more:?}"),
        Err(problems) => problems,
    }
}

/// The line of the only problem.
pub(super) fn only(more: &[(&str, &str)]) -> String {
    let text = problems(more).to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "configuration is not valid, 1 problem:", "{text}");
    assert_eq!(lines.len(), 2, "{text}");
    lines[1].to_owned()
}

/// Variables, the name of the wrong one, and a part of what to write instead.
pub(super) type Mistake<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

pub(super) fn assert_each_is_reported(mistakes: &[Mistake]) {
    for (more, name, instead) in mistakes {
        let line = only(more);
        assert!(line.starts_with(&format!("{name}: ")), "{more:?} → {line}");
        assert!(line.contains(instead), "{more:?} → {line}");
        assert!(line.contains("; "), "says what to write instead: {line}");
    }
}

#[test]
fn missing_value_is_reported() {
    assert_each_is_reported(&[
        (&[("PUBLIC_URL", "")], "PUBLIC_URL", "write the address that Twilio calls, such as https://"),
        (&[("TWILIO_AUTH_TOKEN", "")], "TWILIO_AUTH_TOKEN", "or its path into TWILIO_AUTH_TOKEN_FILE"),
        (&[("TWILIO_AUTH_TOKEN", "")], "TWILIO_AUTH_TOKEN", "the path of an accounts file into TWILIO_ACCOUNTS_FILE"),
        (&[("KAFKA_BOOTSTRAP_SERVERS", "")], "KAFKA_BOOTSTRAP_SERVERS", "write the brokers as host:port"),
    ]);
}

#[test]
fn malformed_listener_is_reported() {
    assert_each_is_reported(&[
        (&[("HTTP_BIND", "8080")], "HTTP_BIND", "such as 0.0.0.0:8080"),
        (&[("HTTP_BIND", "localhost:8080")], "HTTP_BIND", "write an IP address and a port"),
        (&[("ADMIN_BIND", ":9090")], "ADMIN_BIND", "[::]:8080"),
        (&[("ADMIN_BIND", "0.0.0.0:8080")], "ADMIN_BIND", "write another port"),
        (&[("HTTP_BIND", "127.0.0.1:9090")], "ADMIN_BIND", "write another port"),
        (&[("HTTP_MAX_BODY_BYTES", "64k")], "HTTP_MAX_BODY_BYTES", "a whole number from 1 to 1048576"),
        (&[("HTTP_MAX_BODY_BYTES", "0")], "HTTP_MAX_BODY_BYTES", "from 1 to 1048576"),
        (&[("HTTP_REQUEST_TIMEOUT_MS", "14001")], "HTTP_REQUEST_TIMEOUT_MS", "from 100 to 14000"),
        (&[("HTTP_REQUEST_TIMEOUT_MS", "10s")], "HTTP_REQUEST_TIMEOUT_MS", "from 100 to 14000"),
        (&[("HTTP_MAX_IN_FLIGHT", "0")], "HTTP_MAX_IN_FLIGHT", "from 1 to 65536"),
        (&[("HTTP_MAX_IN_FLIGHT", "-1")], "HTTP_MAX_IN_FLIGHT", "from 1 to 65536"),
        (&[("HTTP_KEEP_ALIVE_SECS", "0")], "HTTP_KEEP_ALIVE_SECS", "from 1 to 3600"),
        (&[("HTTP_KEEP_ALIVE_SECS", "75s")], "HTTP_KEEP_ALIVE_SECS", "from 1 to 3600"),
    ]);
}

#[test]
fn invalid_public_url_or_token_is_reported() {
    let spaced = format!("{TOKEN} {TOKEN}");
    let twice = format!("{TOKEN},{TOKEN}");
    assert_each_is_reported(&[
        (&[("PUBLIC_URL", "hooks.example.com")], "PUBLIC_URL", "write it as https://hooks.example.com"),
        (&[("PUBLIC_URL", "https://a.example/?x=1")], "PUBLIC_URL", "remove everything from the '?'"),
        (&[("PUBLIC_URL", "https://user@a.example")], "PUBLIC_URL", "write it as https://user:password@"),
        (&[("PUBLIC_URL", "https://a.example,")], "PUBLIC_URL", "item 2 of the list is empty; write one value"),
        (
            &[("PUBLIC_URL", "https://a.example,https://a.example/")],
            "PUBLIC_URL",
            "item 2 repeats an earlier one; remove",
        ),
        (&[("TWILIO_AUTH_TOKEN", &spaced)], "TWILIO_AUTH_TOKEN", "separated by commas"),
        (&[("TWILIO_AUTH_TOKEN", &twice)], "TWILIO_AUTH_TOKEN", "token 2 repeats an earlier one; remove it"),
        (&[("TWILIO_AUTH_TOKEN", ",old")], "TWILIO_AUTH_TOKEN", "item 1 of the list is empty"),
        (&[("TWILIO_AUTH_TOKEN", " ")], "TWILIO_AUTH_TOKEN", "item 1 of the list is empty"),
        (&[("TWILIO_ACCOUNT_SID", "AC1")], "TWILIO_ACCOUNT_SID", "write AC followed by 32 hexadecimal digits"),
    ]);
}

#[test]
fn reconciliation_without_an_account_is_reported() {
    let (few, account) = (("RECONCILE_INTERVAL_SECS", "3600"), format!("AC{}", "0".repeat(32)));
    assert_each_is_reported(&[
        (&[few], "RECONCILE_INTERVAL_SECS", "set TWILIO_ACCOUNT_SID or TWILIO_ACCOUNTS_FILE, or write 0 here"),
        (&[("RECONCILE_INTERVAL_SECS", "604801")], "RECONCILE_INTERVAL_SECS", "a whole number from 0 to 604800"),
    ]);
    assert!(load(&[few, ("TWILIO_ACCOUNT_SID", &account)]).is_ok());
    assert!(load(&[("RECONCILE_INTERVAL_SECS", "0")]).is_ok());
}

#[test]
fn secret_file_without_a_secret_is_reported() {
    let (empty, blank, bytes) = (file("empty", b""), file("blank", b"\n"), file("bytes", b"\xff\xfe"));
    let [empty, blank, bytes] = [&empty, &blank, &bytes].map(|path| path.to_str().unwrap());
    let without = ("TWILIO_AUTH_TOKEN", "");
    const FILE: &str = "TWILIO_AUTH_TOKEN_FILE";
    assert_each_is_reported(&[
        (&[(FILE, empty)], FILE, "contradicts TWILIO_AUTH_TOKEN, which is also set; remove one"),
        (&[without, (FILE, "/does/not/exist")], FILE, "write the path of a readable file"),
        (&[without, (FILE, "/")], FILE, "write the path of a readable file"),
        (&[without, (FILE, empty)], FILE, "names an empty file; write the secret into it"),
        (&[without, (FILE, blank)], FILE, "names an empty file; write the secret into it"),
        (&[without, (FILE, bytes)], FILE, "not valid UTF-8; write the secret as plain text"),
    ]);
}

#[test]
fn console_beyond_loopback_without_a_good_password_is_reported() {
    let blank = file("console-blank", b"short\n");
    let blank = blank.to_str().unwrap();
    let password = ("CONSOLE_PASSWORD", "a long enough password");
    assert_each_is_reported(&[
        (&[("CONSOLE_BIND", "0.0.0.0:9091")], "CONSOLE_BIND", "also set CONSOLE_PASSWORD or CONSOLE_PASSWORD_FILE"),
        (&[("CONSOLE_BIND", "[::]:9091")], "CONSOLE_BIND", "or write a loopback address, such as 127.0.0.1:9091"),
        (&[("CONSOLE_BIND", "localhost:9091")], "CONSOLE_BIND", "write an IP address and a port"),
        (&[("CONSOLE_BIND", "127.0.0.1:8080")], "CONSOLE_BIND", "is the address of HTTP_BIND; write another port"),
        (&[("CONSOLE_BIND", "127.0.0.1:9090")], "CONSOLE_BIND", "is the address of ADMIN_BIND; write another port"),
        (&[("CONSOLE_PASSWORD", "short")], "CONSOLE_PASSWORD", "write a longer one"),
        (&[("CONSOLE_PASSWORD", "two lines of\na password")], "CONSOLE_PASSWORD", "write the password in one line"),
        (&[("CONSOLE_PASSWORD_FILE", blank)], "CONSOLE_PASSWORD_FILE", "write a longer one"),
        (&[password, ("CONSOLE_PASSWORD_FILE", blank)], "CONSOLE_PASSWORD_FILE", "contradicts CONSOLE_PASSWORD"),
    ]);
}

#[test]
fn invalid_process_setting_is_reported() {
    assert_each_is_reported(&[
        (&[("SPOOL_MAX_BYTES", "1023")], "SPOOL_MAX_BYTES", "from 1024 to 1125899906842624"),
        (&[("SPOOL_MIN_FREE_BYTES", "1 GiB")], "SPOOL_MIN_FREE_BYTES", "from 0 to"),
        (&[("TRUSTHUB_BASE_URL", "trusthub.twilio.com")], "TRUSTHUB_BASE_URL", "write https://trusthub.twilio.com"),
        (&[("TRUSTHUB_BASE_URL", "https://")], "TRUSTHUB_BASE_URL", "write https://trusthub.twilio.com"),
        (&[("TRUSTHUB_BASE_URL", "https://AC1:x@a.example")], "TRUSTHUB_BASE_URL", "set credentials in TWILIO_AUTH"),
        (&[("TRUSTHUB_BASE_URL", "https://a.example:x")], "TRUSTHUB_BASE_URL", "from 1 to 65535"),
        (&[("TRUSTHUB_BASE_URL", "https://a.example/?x")], "TRUSTHUB_BASE_URL", "remove everything from the '?'"),
        (&[("TRUSTHUB_BASE_URL", "https://a.example#x")], "TRUSTHUB_BASE_URL", "remove everything from the '?' or '#'"),
        (&[("TRUSTHUB_BASE_URL", "https://a.example//v1")], "TRUSTHUB_BASE_URL", "is not a plain prefix; write"),
        (&[("SHUTDOWN_DELAY_SECS", "601")], "SHUTDOWN_DELAY_SECS", "from 0 to 600"),
        (&[("SHUTDOWN_TIMEOUT_SECS", "0")], "SHUTDOWN_TIMEOUT_SECS", "from 1 to 600"),
        (&[("SIMULATOR_BIND", "8090")], "SIMULATOR_BIND", "write an IP address and a port"),
        (&[("LOG_FORMAT", "xml")], "LOG_FORMAT", "write json or pretty"),
        (&[("RUST_LOG", "info,trusthub_bridge=loud")], "RUST_LOG", "write a level such as info"),
        (&[("RUST_LOG", ",")], "RUST_LOG", "write a level such as info"),
    ]);
}

#[test]
fn too_many_signatures_per_callback_are_reported() {
    assert!(load(&[("TWILIO_AUTH_TOKEN", "a,b,c,d")]).is_ok(), "2 spellings × 3 constructions × 4 tokens = 24");
    assert_each_is_reported(&[
        (
            &[("TWILIO_AUTH_TOKEN", "a,b,c,d,e")],
            "PUBLIC_URL and TWILIO_AUTH_TOKEN",
            "2 spellings of the URLs × 3 constructions × 5 tokens make 30 signatures to try for each callback, more than 24; remove",
        ),
        (
            &[("PUBLIC_URL", "https://a.example:8443,https://b.example"), ("TWILIO_AUTH_TOKEN", "a,b")],
            "PUBLIC_URL and TWILIO_AUTH_TOKEN",
            "5 spellings of the URLs",
        ),
    ]);
}

#[test]
fn value_that_is_not_unicode_is_the_only_problem_of_its_variable() {
    for variable in VARIABLES {
        let replaces_token =
            ["TWILIO_AUTH_TOKEN_FILE", "TWILIO_SHARED_KEYS", "TWILIO_SHARED_KEYS_FILE", "TWILIO_ACCOUNTS_FILE"]
                .contains(&variable.name);
        let without: &[_] = if replaces_token { &[("TWILIO_AUTH_TOKEN", "")] } else { &[] };
        let mut vars = environment(without);
        vars.retain(|(name, _)| name != variable.name);
        vars.push((variable.name.into(), OsString::from_vec(b"caf\xe9".to_vec())));
        let text = config::load(vars).unwrap_err().to_string();
        let expected = "is not valid UTF-8; write it as UTF-8 text";
        assert_eq!(text, format!("configuration is not valid, 1 problem:\n{}: {expected}", variable.name));
    }
}

#[test]
fn foreign_variable_that_is_not_unicode_is_ignored() {
    let mut vars = environment(&[]);
    let bytes = || OsString::from_vec(b"caf\xe9".to_vec());
    vars.extend([("KAFKA_PORT".into(), bytes()), (bytes(), "x".into())]);
    assert!(config::load(vars).is_ok());
}

#[test]
fn all_problems_are_reported_in_one_error() {
    let text = problems(&[
        ("HTTP_BIND", "x"),
        ("HTTP_MAX_BODY_BYTES", "x"),
        ("HTTP_REQUEST_TIMEOUT_MS", "x"),
        ("HTTP_MAX_IN_FLIGHT", "x"),
        ("HTTP_KEEP_ALIVE_SECS", "x"),
        ("ADMIN_BIND", "x"),
        ("CONSOLE_BIND", "x"),
        ("CONSOLE_PASSWORD", "x"),
        ("PUBLIC_URL", "x"),
        ("TWILIO_AUTH_TOKEN", ","),
        ("TWILIO_SHARED_KEYS", "x"),
        ("TWILIO_ACCOUNT_SID", "x"),
        ("SIGNATURE_MODE", "x"),
        ("DEDUP_WINDOW_SECS", "x"),
        ("KAFKA_BOOTSTRAP_SERVERS", "x"),
        ("KAFKA_TOPIC", "?"),
        ("KAFKA_DEAD_LETTER_TOPIC", "/"),
        ("KAFKA_PROFILES_TOPIC", "!"),
        ("KAFKA_PROFILES_FAILURE_TEXT", "x"),
        ("KAFKA_CREATE_TOPICS", "x"),
        ("KAFKA_TOPIC_PARTITIONS", "x"),
        ("KAFKA_TOPIC_REPLICATION", "x"),
        ("KAFKA_VALUE_FORMAT", "x"),
        ("KAFKA_SECURITY_PROTOCOL", "x"),
        ("KAFKA_PROPERTIES", "x"),
        ("KAFKA_ACK_TIMEOUT_MS", "x"),
        ("CE_MODE", "x"),
        ("SCHEMA_REGISTRY_URL", "x"),
        ("SCHEMA_REGISTRY_USERNAME", "x:y"),
        ("SCHEMA_REGISTRY_PASSWORD", "x"),
        ("SCHEMA_REGISTRY_AUTO_REGISTER", "x"),
        ("SPOOL_MAX_BYTES", "x"),
        ("SPOOL_MIN_FREE_BYTES", "x"),
        ("TRUSTHUB_BASE_URL", "x"),
        ("RECONCILE_INTERVAL_SECS", "x"),
        ("RECONCILE_GRACE_SECS", "x"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "x"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "x"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "x"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent/x"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "x"),
        ("OTEL_RESOURCE_ATTRIBUTES", "x"),
        ("OTEL_TRACES_SAMPLER", "x"),
        ("OTEL_TRACES_SAMPLER_ARG", "x"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "x"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "x"),
        ("OTEL_BSP_SCHEDULE_DELAY", "x"),
        ("OTEL_TRACES_EXPORTER", "x"),
        ("OTEL_SDK_DISABLED", "x"),
        ("TRACE_CONTEXT", "x"),
        ("SHUTDOWN_DELAY_SECS", "x"),
        ("SHUTDOWN_TIMEOUT_SECS", "x"),
        ("SIMULATOR_BIND", "x"),
        ("LOG_FORMAT", "x"),
        ("RUST_LOG", "x=y"),
    ])
    .to_string();
    let named: Vec<_> = text.lines().skip(1).filter_map(|line| line.split(':').next()).collect();
    // Every text is a valid name of a file or folder, or a password.
    let silent = |name: &str| {
        ["SPOOL_DIR", "SIMULATOR_STATE", "SCHEMA_REGISTRY_PASSWORD", "OTEL_SERVICE_NAME"].contains(&name)
            || name.contains("_SASL_")
            || name.contains("_OAUTH_")
            || name.starts_with("AWS_")
            || name.contains("_SSL_")
            || name.ends_with("_FILE")
    };
    let expected: Vec<_> = VARIABLES.iter().map(|variable| variable.name).filter(|name| !silent(name)).collect();
    assert_eq!(named, expected, "{text}");
    let first = format!("configuration is not valid, {} problems:\n", expected.len());
    assert!(text.starts_with(&first), "{text}");
}

#[test]
fn no_problem_repeats_a_secret_written_into_the_wrong_variable() {
    let shapes = |secret: &str| {
        [
            secret.to_owned(),
            format!("{secret},{secret}"),
            format!("https://{secret}:{secret}@a.example"),
            format!("ssl.key.password={secret};{secret}=secret;sasl.{secret}=1"),
            format!("/{secret}/{secret}\n"),
        ]
    };
    for (variable, value) in VARIABLES.iter().flat_map(|variable| shapes("hunter2").map(|value| (variable, value))) {
        for mechanism in ["", "OAUTHBEARER", "AWS_MSK_IAM"] {
            // Without a public URL there is a problem in every case.
            let sasl =
                [("PUBLIC_URL", ""), ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"), ("KAFKA_SASL_MECHANISM", mechanism)];
            let problems = problems(&[&sasl[..], &[(variable.name, value.as_str())]].concat());
            let shown = format!("{problems} {problems:?}");
            assert!(!shown.contains("hunter2"), "{}={value:?} → {shown}", variable.name);
        }
    }
}
