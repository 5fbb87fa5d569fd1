//! A spool that is full, not writable or in use by another process; and the permissions of its files.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Instant};

use test_support::{Bridge, Load, PATIENT, PUBLIC_URL, Request, TOKEN, kafka::Broker, program, wait_for};

use super::{NOWHERE, SOME, settings, without_kafka};

/// Space for a few dozen events.
const SMALL: (&str, &str) = ("SPOOL_MAX_BYTES", "65536");

#[test]
fn full_spool_is_answered_503_until_kafka_has_taken_records() {
    let mut kafka = Broker::not_started("full");
    // Long: with a spool this small, a second without an acknowledgement would fill it again.
    let own = [("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()), PATIENT, SMALL];
    let bridge = Bridge::launch(&own);
    bridge.wait_until_ready();
    assert_eq!(bridge.metric("trusthub_spool_capacity_bytes"), 65_536.0);
    let load = Load::start(bridge.public);
    wait_for("the spool is full", || is_full(&bridge).then_some(()));
    load.wait_for_answers(SOME);
    assert_eq!(bridge.ask_admin("/readyz").status, 503);
    load.pause();

    kafka.start_again();
    bridge.wait_until_publishing();
    wait_for("the spool has space", || (!is_full(&bridge)).then_some(()));
    bridge.wait_until_ready();
    let has_space = Instant::now();
    load.set_address(bridge.public);
    load.wait_for_answers(SOME);
    let ledger = load.settle(&bridge, &kafka);
    assert_eq!(ledger.answers(), [Some(204), Some(503)].into());
    assert_eq!(ledger.since(has_space).answers(), [Some(204)].into());
}

fn is_full(bridge: &Bridge) -> bool {
    bridge.metric("trusthub_spool_full") == 1.0
}

#[test]
fn disk_below_the_reserved_free_space_is_a_full_spool() {
    let petabyte = ("SPOOL_MIN_FREE_BYTES", "1125899906842624");
    let bridge = Bridge::launch(&[&settings(NOWHERE)[..], &[petabyte]].concat());
    assert_eq!(bridge.send(&Request::change("draft")).status, 503);
    assert!(is_full(&bridge));
    assert_eq!(bridge.metric("trusthub_spool_capacity_bytes"), 0.0);
    assert_eq!(bridge.ask_admin("/readyz").status, 503);
}

#[test]
fn folder_that_cannot_be_created_fails_the_start_and_names_spool_dir() {
    let variables = [
        ("PUBLIC_URL", PUBLIC_URL),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("HTTP_BIND", "127.0.0.1:0"),
        ("ADMIN_BIND", "127.0.0.1:0"),
        ("SPOOL_DIR", "/dev/null/spool"),
    ];
    let output = program().arg("serve").envs(variables).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{}\n{said}", output.status);
    assert!(said.contains("SPOOL_DIR") && said.contains("/dev/null/spool"), "{said}");
}

#[test]
fn second_program_on_the_same_spool_is_rejected() {
    let bridge = without_kafka(&[]);
    let output = bridge.command(&["serve"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{}\n{said}", output.status);
    assert!(said.contains("SPOOL_DIR") && said.contains(bridge.spool().to_str().unwrap()), "{said}");
    assert_eq!(bridge.send(&Request::change("draft")).status, 204, "the first one still accepts callbacks");
}

#[test]
fn spool_is_readable_only_by_the_user_of_the_program() {
    let bridge = without_kafka(&[]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    // Another thread writes it under another name first.
    wait_for("the event time is saved", || bridge.spool().join("event-time").exists().then_some(()));
    assert_eq!(mode(bridge.spool()), 0o700);
    let files: Vec<_> = fs::read_dir(bridge.spool()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
