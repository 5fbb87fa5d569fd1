//! `trusthub-bridge spool`: the operator's commands on the spool of a stopped or a running program.

use std::process::Output;

use serde_json::Value;

use test_support::{Bridge, PROFILE, Request, kafka::broker};

use super::{NOWHERE, settings, spooled, without_kafka};

/// The number of lines that `ls` prints above its rows.
pub(super) const HEADINGS: usize = 1;

const STATUSES: [&str; 3] = ["draft", "in-review", "twilio-approved"];

/// A stopped program that could not publish these statuses of one profile.
pub(super) fn stopped_with(statuses: &[&str]) -> Bridge {
    let mut bridge = without_kafka(&[]);
    for status in statuses {
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
    }
    assert_eq!(spooled(&bridge), statuses.len() as f64);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    bridge
}

#[test]
fn spool_ls_lists_all_records_and_show_prints_one() {
    let bridge = stopped_with(&STATUSES);
    let listed = succeeded(&bridge.command(&["spool", "ls"]));
    let rows: Vec<_> = listed.lines().skip(HEADINGS).collect();
    assert_eq!(rows.len(), STATUSES.len(), "{listed}");
    assert!(rows.iter().all(|row| row.contains(PROFILE)), "{listed}");
    for (row, status) in rows.iter().zip(STATUSES) {
        let position = row.split_whitespace().next().unwrap();
        let shown: Value = serde_json::from_str(&succeeded(&bridge.command(&["spool", "show", position]))).unwrap();
        assert_eq!(shown["record"]["payload"]["status"], status);
    }
    assert_eq!(bridge.command(&["spool", "show", "4711"]).status.code(), Some(1));
}

#[test]
fn spool_ls_and_show_work_while_the_program_is_running() {
    let bridge = without_kafka(&[]);
    for status in STATUSES {
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
    }
    let dead_letter = Request::form("/callbacks/customer-profiles", "a=b").signed();
    assert_eq!(bridge.send(&dead_letter).status, 204);
    let output = bridge.command(&["spool", "ls"]);
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(said.contains("4 records queued for Kafka"), "{said}");
    let listed = succeeded(&output);
    assert!(listed.lines().all(|line| line.len() <= 100), "{listed}");
    let rows: Vec<_> = listed.lines().skip(HEADINGS).collect();
    assert_eq!(rows.len(), STATUSES.len() + 1, "{listed}");
    for (row, status) in rows.iter().zip(STATUSES) {
        assert!(row.contains(PROFILE) && row.contains("queued") && row.ends_with(&format!(" {status}")), "{row}");
        let position = row.split_whitespace().next().unwrap();
        let shown: Value = serde_json::from_str(&succeeded(&bridge.command(&["spool", "show", position]))).unwrap();
        assert_eq!(shown["record"]["payload"]["status"], status);
    }
    let events: Vec<_> =
        bridge.wait_for_lines("callback", STATUSES.len() + 1).iter().map(|line| line["ce_id"].to_string()).collect();
    for (row, id) in rows.iter().zip(events).take(STATUSES.len()) {
        let words: Vec<_> = row.split_whitespace().collect();
        assert!(words[2].ends_with('s') && words[4].len() == 12 && id.starts_with(&format!("\"{}", words[4])), "{row}");
    }
    let position = rows[0].split_whitespace().next().unwrap();
    let output = bridge.command(&["spool", "show", position]);
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(said.starts_with(&format!("event of profile {PROFILE}: draft; ce_id ")), "{said}");
    assert!(said.contains("; queued for "), "{said}");
    assert_ordered(&succeeded(&output));
    let last = rows.last().unwrap();
    assert!(last.contains("dead letter") && last.ends_with("missing_profile_sid"), "{last}");
    assert_eq!(spooled(&bridge), 4.0, "nothing was changed");
    for command in ["export", "drain"] {
        let output = bridge.command(&["spool", command]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains("in use by another process: stop it"), "{said}");
    }
}

#[test]
fn spool_export_prints_each_record_as_one_line_of_json() {
    assert_eq!(exported(&stopped_with(&STATUSES)), STATUSES.map(|status| format!("queued {status}")));
}

#[test]
fn spool_drain_publishes_all_in_order_and_empties_the_spool() {
    let mut bridge = stopped_with(&STATUSES);
    broker().create_topic(&bridge.topic, 3);
    succeeded(&bridge.command_with(&["spool", "drain"], &settings(broker().bootstrap())));
    assert_eq!(statuses(&bridge, STATUSES.len()), STATUSES);
    bridge.restart(&settings(NOWHERE));
    assert_eq!(spooled(&bridge), 0.0);
}

#[test]
fn spool_drain_without_kafka_times_out_and_keeps_all_records() {
    let mut bridge = stopped_with(&STATUSES);
    let output = bridge.command(&["spool", "drain", "--timeout-secs", "1"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    bridge.restart(&[]);
    assert_eq!(spooled(&bridge), STATUSES.len() as f64);
}

#[test]
fn spool_drain_is_rejected_while_the_program_is_running() {
    let bridge = without_kafka(&[]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    let output = bridge.command_with(&["spool", "drain"], &settings(broker().bootstrap()));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(bridge.spool().to_str().unwrap()), "{said}");
    assert_eq!(spooled(&bridge), 1.0);
}

/// The status of each event in the topic, once there are at least this many.
pub(super) fn statuses(bridge: &Bridge, at_least: usize) -> Vec<String> {
    let events = broker().wait_for_events(&bridge.topic, at_least);
    let values = events.into_iter().map(|event| serde_json::from_slice::<Value>(&event.payload.unwrap()).unwrap());
    values.map(|value| value["status"].as_str().unwrap().to_owned()).collect()
}

/// Checks that what a person looks for comes first, and the dead letter that the event may become last.
fn assert_ordered(json: &str) {
    let names = ["\"position\"", "\"stored_at\"", "\"state\"", "\"record\"", "\"payload\"", "\"fallback\""];
    let places: Vec<_> =
        names.iter().map(|name| json.find(name).unwrap_or_else(|| panic!("{name} in {json}"))).collect();
    assert!(places.is_sorted() && places[0] < 5, "{json}");
}

/// State and status of each record that `export` prints.
fn exported(bridge: &Bridge) -> Vec<String> {
    let lines = succeeded(&bridge.command(&["spool", "export"]));
    lines.lines().for_each(assert_ordered);
    let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let texts = records.map(|record| {
        let (state, status) = (&record["state"], &record["record"]["payload"]["status"]);
        format!("{} {}", state.as_str().unwrap(), status.as_str().unwrap())
    });
    texts.collect()
}

/// The standard output of a successful command.
pub(super) fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}
