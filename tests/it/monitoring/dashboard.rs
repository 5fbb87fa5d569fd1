//! Every query of the dashboard, asked of a Prometheus that has seen all that it is for.
//!
//! With `UPDATE_DASHBOARD` the same day is played for some minutes, and what the queries returned is written to
//! `target/dashboard-data.json`, of which `scripts/dashboard` draws docs/dashboard.svg.

use std::{env, fs, path::Path};

use serde_json::{Value, json};

use super::{
    day::{Day, Pace},
    faster::{SCRAPES, faster, seconds},
};
use crate::support::{
    prometheus::{Monitoring, NAMESPACE, now},
    wait_for,
};

/// The dashboard as it is installed.
pub(super) fn dashboard() -> Value {
    serde_json::from_str(include_str!("../../../helm/trusthub-bridge/files/dashboard.json")).unwrap()
}

/// The panels without the headings of rows.
pub(super) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a Vec<Value> {
    value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

/// A query with what Grafana fills in: the time that is shown, and the distance of two points in it, in seconds.
pub(super) fn filled(expression: &str, range: f64, interval: f64, rate_interval: f64) -> String {
    let duration = |seconds: f64| format!("{}ms", (seconds * 1_000.0).round());
    let filled = expression
        .replace("$__rate_interval", &duration(rate_interval))
        .replace("$__interval", &duration(interval))
        .replace("$__range", &duration(range))
        .replace("$namespace", ".*")
        .replace("$instance", ".*");
    assert!(!filled.contains('$'), "an unknown variable in {filled}");
    filled
}

/// The day until now, as Grafana shows it, at sixty times the speed.
struct Shown<'a> {
    monitoring: &'a Monitoring,
    start: f64,
}

impl Shown<'_> {
    /// What a query returns: a range in steps of at least `interval`, or the last moment only; and the step.
    fn ask(&self, query: &Value, interval: Option<&str>) -> (Vec<Value>, f64) {
        let scrapes = SCRAPES.trim_end_matches("ms").parse::<f64>().unwrap() / 1_000.0;
        let end = now();
        let step = interval.map_or(scrapes, seconds).max((end - self.start) / 200.0);
        let fast = faster(text(query, "expr"));
        let expression = filled(&fast, end - self.start, step, (step + scrapes).max(4.0 * scrapes));
        let answer = match query["instant"] {
            Value::Bool(true) => self.monitoring.query(&expression),
            _ => self.monitoring.query_range(&expression, self.start, end, step),
        };
        (answer.unwrap(), step)
    }

    /// Waits until a query returns something that has all labels of its legend.
    fn wait(&self, query: &Value, interval: Option<&str>, legend: &str) -> Value {
        let answer = || Some(self.ask(query, interval)).filter(|(series, _)| has_data(series));
        let (series, step) = wait_for(&format!("data for {query}"), answer);
        for label in placeholders(legend) {
            assert!(series.iter().all(|series| series["metric"][label].is_string()), "no {label} in {series:?}");
        }
        json!({ "refId": query["refId"], "step": step, "series": series })
    }

    fn panel(&self, panel: &Value) -> Value {
        let interval = panel["interval"].as_str();
        let targets = list(panel, "/targets").iter();
        let answers = targets.map(|target| self.wait(target, interval, text(target, "legendFormat")));
        json!({ "id": panel["id"], "answers": answers.collect::<Vec<_>>() })
    }

    fn annotation(&self, annotation: &Value) -> Value {
        self.wait(annotation, annotation["step"].as_str(), text(annotation, "textFormat"))
    }
}

/// The values in a series: one, or one for each moment.
fn values(series: &Value) -> Vec<f64> {
    let points = match &series["values"] {
        Value::Array(points) => points.iter().collect(),
        _ => vec![&series["value"]],
    };
    points.iter().map(|point| point[1].as_str().unwrap().parse().unwrap()).collect()
}

/// Series with a number in them.
fn has_data(series: &[Value]) -> bool {
    series.iter().flat_map(values).any(f64::is_finite)
}

/// The labels that a legend or a title names, as in `{{resource}}`.
fn placeholders(format: &str) -> impl Iterator<Item = &str> {
    format.split("{{").skip(1).map(|rest| rest.split_once("}}").unwrap().0.trim())
}

#[test]
fn every_query_of_every_panel_has_data_after_a_day_on_which_everything_happens() {
    let pace = if env::var_os("UPDATE_DASHBOARD").is_some() { Pace::Minutes } else { Pace::AtOnce };
    let day = Day::play(pace);
    let shown = Shown { monitoring: &day.scene.monitoring, start: day.scene.since };
    let dashboard = dashboard();
    let panels: Vec<_> = panels(&dashboard).map(|panel| shown.panel(panel)).collect();
    let own = list(&dashboard, "/annotations/list").iter().filter(|annotation| annotation["builtIn"].is_null());
    let annotations: Vec<_> = own.map(|annotation| shown.annotation(annotation)).collect();
    variables_have_values(&day, &dashboard);
    totals_are_those_of_the_instances(&day, &shown, &dashboard);
    if pace == Pace::Minutes {
        let data = json!({ "start": shown.start, "end": now(), "panels": panels, "annotations": annotations });
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/dashboard-data.json"), data.to_string()).unwrap();
    }
}

/// The variables that are asked for are `label_values(SERIES, LABEL)`.
fn variables_have_values(day: &Day, dashboard: &Value) {
    let mut found = Vec::new();
    for variable in list(dashboard, "/templating/list").iter().filter(|variable| variable["type"] == "query") {
        let query = text(&variable["query"], "query").strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
        assert_eq!(variable["definition"], variable["query"]["query"]);
        let (series, label) = query.rsplit_once(", ").unwrap();
        found.push((
            text(variable, "name"),
            day.scene.monitoring.label_values(label, &series.replace("$namespace", ".*")),
        ));
    }
    let mut instances = day.scene.bridges.each_ref().map(|bridge| bridge.admin.to_string());
    instances.sort();
    assert_eq!(found, [("namespace", vec![NAMESPACE.to_owned()]), ("instance", instances.to_vec())]);
}

/// The first row counts what the instances count: nothing is estimated, rounded away or counted twice.
fn totals_are_those_of_the_instances(day: &Day, shown: &Shown<'_>, dashboard: &Value) {
    for (title, series) in [
        (
            "Profiles rejected",
            r#"trusthub_profile_status_changes_total{resource="customer-profile",status="twilio-rejected"}"#,
        ),
        ("Answered 503", r#"trusthub_callbacks_outcome_total{outcome="unavailable"}"#),
        ("Dead letters", r#"trusthub_callbacks_outcome_total{outcome="dead_lettered"}"#),
        ("Missed, found later", r#"trusthub_reconcile_missed_total{resource="customer-profile"}"#),
    ] {
        let counted: f64 = day.scene.bridges.iter().map(|bridge| bridge.metric(series)).sum();
        assert!(counted > 0.0, "{series}");
        let panel = panels(dashboard).find(|panel| panel["title"] == title).unwrap();
        wait_for(&format!("{title}: {counted}"), || {
            let (answer, _) = shown.ask(&panel["targets"][0], None);
            (values(&answer[0]) == [counted]).then_some(())
        });
    }
}
