//! Every alert that waits is asked about one evaluation before its wait ends, and when it ends.
//!
//! Between two such questions lies exactly one evaluation, and the expression is true at both. So the first answer is wrong with any
//! shorter `for`, and the second one with any longer `for`: a change of the wait makes a test of promtool fail.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    cases,
    rules::{Rule, rules},
};
use crate::chart::rendering::{list, objects, read, text};

/// A duration as Prometheus writes it, such as `1h30m`, in seconds.
fn seconds(duration: &str) -> u64 {
    let (mut total, mut count) = (0, 0);
    for letter in duration.chars() {
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            digit => {
                let digit = digit.to_digit(10).unwrap_or_else(|| panic!("{duration}: what is {letter}?"));
                count = 10 * count + u64::from(digit);
                continue;
            }
        };
        total += count * unit;
        count = 0;
    }
    assert_eq!(count, 0, "{duration} has no unit at its end");
    total
}

/// Whether the questions of a test see the wait of this alert end.
fn sees_the_end(alert: &Rule, test: &Value, interval: u64) -> bool {
    let severity = &alert.body["labels"]["severity"];
    let of_it = list(&test["alert_rule_test"]).filter(|question| question["alertname"] == alert.name);
    let firing: BTreeMap<_, _> = of_it
        .map(|question| {
            let firing = list(&question["exp_alerts"]).filter(|alert| alert["exp_labels"]["severity"] == *severity);
            (seconds(text(&question["eval_time"])), firing.count())
        })
        .collect();
    firing.iter().any(|(time, before)| firing.get(&(time + interval)).is_some_and(|after| after > before))
}

#[test]
fn every_wait_of_an_alert_is_tested_to_the_minute() {
    let files: Vec<_> = cases().iter().flat_map(|path| objects(&read(path), &[]).unwrap()).collect();
    let waits = |rule: &&Rule| rule.is_alert && !rule.body["for"].is_null();
    for alert in rules().iter().filter(waits) {
        let is_tested = files.iter().any(|file| {
            let interval = seconds(text(&file["evaluation_interval"]));
            list(&file["tests"]).any(|test| sees_the_end(alert, test, interval))
        });
        let wait = text(&alert.body["for"]);
        assert!(
            is_tested,
            "no test sees {} silent one evaluation before {wait} have passed, and then firing",
            alert.name
        );
    }
    assert_eq!(rules().iter().filter(waits).count(), 18);
}

#[test]
fn durations_are_read_as_prometheus_writes_them() {
    assert_eq!(["45s", "14m", "4h15m", "1d2h", "2w"].map(seconds), [45, 840, 15_300, 93_600, 1_209_600]);
}
