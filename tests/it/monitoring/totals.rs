//! The numbers of the first row, held against series that are written down: restarts, and times of which nothing is
//! known.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use super::dashboard::{dashboard, filled, panels, text};
use crate::support::kafka::unique_topic;

/// An instance with what its series holds, a sample each minute, as promtool writes it: `3x59` is 3 for an hour, `_` is
/// no sample.
type Series<'a> = (&'a str, &'a str);

const HOUR: f64 = 3600.0;

/// Two hours of which the second one is shown, and the total of that.
const CASES: [(&str, &[Series<'_>], f64); 6] = [
    ("what was counted before the time that is shown does not count", &[("a", "17x120")], 0.0),
    ("each one counts", &[("a", "2x80 3x10 5x28"), ("b", "0x90 1x29")], 4.0),
    ("what a process counted before it was first asked counts", &[("a", "_x80 1x38")], 1.0),
    ("a restart takes nothing back and adds nothing", &[("a", "3x70 0x20 1x28")], 1.0),
    ("of a process that was replaced", &[("a", "1x50 2x20 stale"), ("b", "_x70 0x10 1x38")], 1.0),
    ("what was counted while Prometheus was away counts", &[("a", "0x70 _x30 2x18")], 2.0),
];

/// The first panel of this title asks so for the second hour.
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
fn the_totals_of_the_first_row_are_exact_across_restarts_and_gaps() {
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
