//! The command as a user types it.

use crate::support::{
    ACCOUNT, TOKEN,
    kafka::{broker, unique_topic},
    program,
};

use super::{
    found,
    scene::{Run, Scene},
};

/// What the command needs, if nobody is there.
fn nobody() -> Vec<(&'static str, String)> {
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
fn a_dry_run_tells_what_is_missing_with_its_exit_code_and_publishes_nothing() {
    let scene = Scene::new();
    let whole = scene.reconcile(&["--dry-run", "--exit-code"]);
    assert_eq!((whole.code, whole.rows.len()), (Some(0), 0), "{whole:?}");

    let sid = scene.unheard();
    let fresh = scene.reconcile(&["--dry-run", "--exit-code"]);
    assert_eq!((fresh.code, fresh.rows.len()), (Some(0), 1), "too recent is not missing: {fresh:?}");
    assert!(fresh.rows[0].contains("too recent") && fresh.told.contains("look again in two minutes"), "{fresh:?}");

    scene.later();
    let missing = scene.reconcile(&["--dry-run", "--exit-code"]);
    assert_eq!((missing.code, missing.rows.len()), (Some(3), 1), "{missing:?}");
    let words: Vec<_> = missing.rows[0].split_whitespace().collect();
    assert_eq!(words[..4], [&sid, "missed", "nothing", "in-review"]);
    assert_eq!(words[5..], ["customer-profile", ACCOUNT]);
    assert!(missing.told.contains("2 profiles of 1 account compared with 2 events"), "{missing:?}");
    assert_eq!(scene.reconcile(&["--dry-run"]).code, Some(0));
    assert_eq!(found(&scene.bridge.events(1)).len(), 0);
}

#[test]
fn without_an_account_it_says_which_variable_names_one() {
    let mut variables = nobody();
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
fn what_it_does_not_need_need_not_be_set_and_what_is_wrong_is_named() {
    let run = run(
        &[],
        [nobody(), vec![("TRUSTHUB_BASE_URL", "trusthub".to_owned()), ("PUBLIC_URL", "?".to_owned())]].concat(),
    );
    assert_eq!(run.code, Some(2));
    assert!(run.told.contains("TRUSTHUB_BASE_URL: ") && !run.told.contains("PUBLIC_URL"), "{run:?}");
}

#[test]
fn arguments_that_belong_together_are_asked_for_together() {
    for wrong in [&["--exit-code"][..], &["--replace"], &["--no-retries"], &["--baseline", "--set-callback", "x"]] {
        assert_eq!(run(wrong, nobody()).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn a_topic_that_does_not_exist_is_named() {
    let topic = unique_topic("missing");
    let run = run(&[], [nobody(), vec![("KAFKA_TOPIC", topic.clone())]].concat());
    assert_eq!(run.code, Some(1));
    assert!(run.told.contains(&format!("there is no topic {topic}")), "{run:?}");
}

#[test]
fn an_account_that_cannot_be_asked_is_named_and_the_others_are_compared() {
    let scene = Scene::new();
    scene.unheard();
    scene.later();
    let other = format!("AC{}", "9".repeat(32));
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("accounts"));
    std::fs::write(&file, format!(r#"{{"{other}": ["wrong-token"], "{ACCOUNT}": ["{TOKEN}"]}}"#)).unwrap();
    let variables =
        [("TWILIO_ACCOUNTS_FILE", file.to_str().unwrap()), ("TWILIO_ACCOUNT_SID", ""), ("TWILIO_AUTH_TOKEN", "")];
    let run = Run::of(scene.bridge.command_with(&["reconcile"], &variables));
    std::fs::remove_file(file).unwrap();
    assert_eq!((run.code, run.rows.len()), (Some(1), 1), "{run:?}");
    assert!(run.told.contains(&format!("{other}: customer-profiles cannot be listed")), "{run:?}");
    assert!(run.told.contains("1 missed and published") && !run.told.contains("wrong-token"), "{run:?}");
    assert_eq!(found(&scene.bridge.events(1)).len(), 1);
}
