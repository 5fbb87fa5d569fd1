//! Tests the numbers of the first row against written series with restarts and gaps.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use test_support::kafka::unique_topic;

use super::dashboard::{dashboard, filled, panels, text};

/// An instance and the samples of its series, one per minute, in promtool's notation: `3x59` is 3 for an hour, `_` is no
/// sample.
type Series<'a> = (&'a str, &'a str);

const HOUR: f64 = 3600.0;

/// Two hours, of which the dashboard shows the second one, and the expected total.
const CASES: [(&str, &[Series<'_>], f64); 6] = [
    ("counts before the time range do not count", &[("a", "17x120")], 0.0),
    ("every increase counts", &[("a", "2x80 3x10 5x28"), ("b", "0x90 1x29")], 4.0),
    ("counts of a process before its first scrape count", &[("a", "_x80 1x38")], 1.0),
    ("a restart neither removes nor adds counts", &[("a", "3x70 0x20 1x28")], 1.0),
    ("counts of a replaced process count", &[("a", "1x50 2x20 stale"), ("b", "_x70 0x10 1x38")], 1.0),
    ("counts during an outage of Prometheus count", &[("a", "0x70 _x30 2x18")], 2.0),
];

/// The expression of the panel with this title, for the second hour.
fn expression(dashboard: &Value, title: &str) -> String {
    let panel = panels(dashboard).find(|panel| panel["title"] == title).unwrap();
    filled(text(&panel["targets"][0], "expr"), HOUR, 60.0, 120.0)
}

fn test_of(name: &str, metric: &str, expression: &str, series: &[Series<'_>], total: f64) -> Value {
    let inputs = series.iter().map(|(instance, values)| {
        let (start, end) = metric.split_at(metric.len() - 1);
        json!({ "series": format!(r#"{start}, namespace="n", instance="{instance}"{end}"#), "values": values })
    });
    json!({
        "name": name,
        "interval": "1m",
        "input_series": inputs.collect::<Vec<_>>(),
        "promql_expr_test": [
            { "expr": expression, "eval_time": "2h", "exp_samples": [{ "labels": "{}", "value": total }] },
        ],
    })
}

#[test]
fn totals_of_the_first_row_are_exact_across_restarts_and_gaps() {
    let dashboard = dashboard();
    let metrics = [
        ("Profiles rejected", r#"trusthub_profile_status_changes_total{status="twilio-rejected"}"#),
        ("Answered 503", r#"trusthub_callbacks_outcome_total{outcome="unavailable"}"#),
        ("Dead letters", r#"trusthub_callbacks_outcome_total{outcome="dead_lettered"}"#),
        ("Missed, found later", r#"trusthub_reconcile_missed_total{resource="customer-profile"}"#),
    ];
    let tests = metrics.iter().flat_map(|(title, metric)| {
        let expression = expression(&dashboard, title);
        CASES.map(|(name, series, total)| test_of(&format!("{title}: {name}"), metric, &expression, series, total))
    });
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("totals"));
    // JSON is YAML.
    fs::write(&file, json!({ "rule_files": [], "tests": tests.collect::<Vec<_>>() }).to_string()).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&file).output();
    fs::remove_file(&file).unwrap();
    let output = output.expect("promtool starts; scripts/setup installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
