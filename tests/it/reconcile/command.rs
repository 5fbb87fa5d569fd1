//! The command as a user types it.

use test_support::{
    ACCOUNT, TOKEN,
    kafka::{broker, unique_topic},
    program,
    reconcile::{Fixture, Run},
};

use super::found;

/// The variables that the command requires, with a Trust Hub that is unreachable.
fn unreachable() -> Vec<(&'static str, String)> {
    vec![
        ("TWILIO_ACCOUNT_SID", ACCOUNT.to_owned()),
        ("TWILIO_AUTH_TOKEN", TOKEN.to_owned()),
        ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap().to_owned()),
        ("TRUSTHUB_BASE_URL", "http://127.0.0.1:1".to_owned()),
    ]
}

fn run(arguments: &[&str], variables: Vec<(&str, String)>) -> Run {
    Run::of(program().arg("reconcile").args(arguments).envs(variables).output().unwrap())
}

#[test]
fn dry_run_reports_missing_events_with_its_exit_code_and_publishes_none() {
    let fixture = Fixture::new();
    let complete = fixture.reconcile(&["--dry-run", "--exit-code"]);
    assert_eq!((complete.code, complete.rows.len()), (Some(0), 0), "{complete:?}");

    let sid = fixture.create_missed();
    let fresh = fixture.reconcile(&["--dry-run", "--exit-code"]);
    assert_eq!((fresh.code, fresh.rows.len()), (Some(0), 1), "too recent is not missing: {fresh:?}");
    assert!(fresh.rows[0].contains("too recent") && fresh.told.contains("run the command again later"), "{fresh:?}");

    fixture.advance_clock();
    let missing = fixture.reconcile(&["--dry-run", "--exit-code"]);
    assert_eq!((missing.code, missing.rows.len()), (Some(3), 1), "{missing:?}");
    let words: Vec<_> = missing.rows[0].split_whitespace().collect();
    assert_eq!(words[..4], [&sid, "missed", "nothing", "in-review"]);
    assert_eq!(words[4..].join(" ").len(), "2026-11-20 11:04".len(), "{words:?}");
    assert_eq!(missing.groups, [format!("{ACCOUNT} customer-profile")]);
    assert!(missing.rows[0].len() <= 100, "{missing:?}");
    assert!(missing.told.contains("2 profiles of 1 account compared with 2 events"), "{missing:?}");
    assert_eq!(fixture.reconcile(&["--dry-run"]).code, Some(0));
    assert_eq!(found(&fixture.bridge.events(1)).len(), 0);
}

#[test]
fn missing_account_is_reported_with_the_variables_for_it() {
    let mut variables = unreachable();
    variables.retain(|(name, _)| *name != "TWILIO_ACCOUNT_SID");
    let run = run(&[], variables);
    assert_eq!(run.code, Some(2));
    assert!(run.told.contains("TWILIO_ACCOUNT_SID: is required but not set; write the account"), "{run:?}");

    let nothing = self::run(&[], Vec::new());
    for variable in ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "KAFKA_BOOTSTRAP_SERVERS"] {
        assert!(nothing.told.contains(&format!("{variable}: is required")), "{nothing:?}");
    }
}

#[test]
fn unneeded_variables_are_optional_and_invalid_ones_are_reported() {
    let run = run(
        &[],
        [unreachable(), vec![("TRUSTHUB_BASE_URL", "trusthub".to_owned()), ("PUBLIC_URL", "?".to_owned())]].concat(),
    );
    assert_eq!(run.code, Some(2));
    assert!(run.told.contains("TRUSTHUB_BASE_URL: ") && !run.told.contains("PUBLIC_URL"), "{run:?}");
}

#[test]
fn arguments_are_rejected_without_those_that_they_require() {
    for wrong in [&["--exit-code"][..], &["--replace"], &["--no-retries"], &["--baseline", "--set-callback", "x"]] {
        assert_eq!(run(wrong, unreachable()).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn missing_topic_is_reported() {
    let topic = unique_topic("missing");
    let run = run(&[], [unreachable(), vec![("KAFKA_TOPIC", topic.clone())]].concat());
    assert_eq!(run.code, Some(1));
    assert!(run.told.contains(&format!("topic {topic} does not exist")), "{run:?}");
}

#[test]
fn account_with_wrong_credentials_is_reported_and_the_others_are_compared() {
    let fixture = Fixture::new();
    fixture.create_missed();
    fixture.advance_clock();
    let other = format!("AC{}", "9".repeat(32));
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("accounts"));
    std::fs::write(&file, format!(r#"{{"{other}": ["wrong-token"], "{ACCOUNT}": ["{TOKEN}"]}}"#)).unwrap();
    let variables =
        [("TWILIO_ACCOUNTS_FILE", file.to_str().unwrap()), ("TWILIO_ACCOUNT_SID", ""), ("TWILIO_AUTH_TOKEN", "")];
    let run = Run::of(fixture.bridge.command_with(&["reconcile"], &variables));
    std::fs::remove_file(file).unwrap();
    assert_eq!((run.code, run.rows.len()), (Some(1), 1), "{run:?}");
    assert!(run.told.contains(&format!("{other}: cannot list customer-profiles")), "{run:?}");
    assert!(run.told.contains("1 missed and published") && !run.told.contains("wrong-token"), "{run:?}");
    assert_eq!(found(&fixture.bridge.events(1)).len(), 1);
}
