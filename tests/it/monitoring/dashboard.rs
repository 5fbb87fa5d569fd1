//! Runs every query of the dashboard on a Prometheus that has data for all of them.
//!
//! With `UPDATE_GOLDEN`, the test plays the day for some minutes and writes the results of the queries to
//! `target/dashboard-data.json`, from which `scripts/dashboard` draws docs/dashboard.svg.

use std::fs;

use serde_json::{Value, json};

use test_support::{
    golden::is_updating,
    project_root,
    prometheus::{Monitoring, NAMESPACE, now},
    wait_for,
};

use super::{
    full_day::{FullDay, Pace},
    time_scale::{SCRAPES, seconds, shorten_durations},
};

/// The installed dashboard.
pub(super) fn dashboard() -> Value {
    serde_json::from_str(include_str!("../../../helm/trusthub-bridge/files/dashboard.json")).unwrap()
}

/// The panels, without rows.
pub(super) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a Vec<Value> {
    value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

/// A query with the variables that Grafana fills in: the time range and the interval between points, in seconds.
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

/// Queries the day until now as Grafana would, at sixty times the speed.
struct DashboardQueries<'a> {
    monitoring: &'a Monitoring,
    start: f64,
}

impl DashboardQueries<'_> {
    /// The result of a query, and its step: a range in steps of at least `interval`, or only the last value.
    fn ask(&self, query: &Value, interval: Option<&str>) -> (Vec<Value>, f64) {
        let scrapes = SCRAPES.trim_end_matches("ms").parse::<f64>().unwrap() / 1_000.0;
        let end = now();
        let step = interval.map_or(scrapes, seconds).max((end - self.start) / 200.0);
        let fast = shorten_durations(text(query, "expr"));
        let expression = filled(&fast, end - self.start, step, (step + scrapes).max(4.0 * scrapes));
        let answer = match query["instant"] {
            Value::Bool(true) => self.monitoring.query(&expression),
            _ => self.monitoring.query_range(&expression, self.start, end, step),
        };
        (answer.unwrap(), step)
    }

    /// Waits until a query returns data, and checks that it has all labels of the legend.
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

/// The values of a series: one, or one for each point.
fn values(series: &Value) -> Vec<f64> {
    let points = match &series["values"] {
        Value::Array(points) => points.iter().collect(),
        _ => vec![&series["value"]],
    };
    points.iter().map(|point| point[1].as_str().unwrap().parse().unwrap()).collect()
}

/// Whether any series has a finite value.
fn has_data(series: &[Value]) -> bool {
    series.iter().flat_map(values).any(f64::is_finite)
}

/// The labels in a legend or a title, as in `{{resource}}`.
fn placeholders(format: &str) -> impl Iterator<Item = &str> {
    format.split("{{").skip(1).map(|rest| rest.split_once("}}").unwrap().0.trim())
}

#[test]
fn every_query_of_every_panel_has_data_after_a_full_day() {
    let pace = if is_updating() { Pace::Minutes } else { Pace::AtOnce };
    let day = FullDay::play(pace);
    let queries = DashboardQueries { monitoring: &day.fixture.monitoring, start: day.fixture.since };
    let dashboard = dashboard();
    let panels: Vec<_> = panels(&dashboard).map(|panel| queries.panel(panel)).collect();
    let own = list(&dashboard, "/annotations/list").iter().filter(|annotation| annotation["builtIn"].is_null());
    let annotations: Vec<_> = own.map(|annotation| queries.annotation(annotation)).collect();
    variables_have_values(&day, &dashboard);
    totals_are_those_of_the_instances(&day, &queries, &dashboard);
    profiles_by_status_are_those_in_memory(&day, &queries, &dashboard);
    if pace == Pace::Minutes {
        let data = json!({ "start": queries.start, "end": now(), "panels": panels, "annotations": annotations });
        fs::write(project_root().join("target/dashboard-data.json"), data.to_string()).unwrap();
    }
}

/// Checks the query variables, which have the form `label_values(SERIES, LABEL)`.
fn variables_have_values(day: &FullDay, dashboard: &Value) {
    let mut found = Vec::new();
    for variable in list(dashboard, "/templating/list").iter().filter(|variable| variable["type"] == "query") {
        let query = text(&variable["query"], "query").strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
        assert_eq!(variable["definition"], variable["query"]["query"]);
        let (series, label) = query.rsplit_once(", ").unwrap();
        found.push((
            text(variable, "name"),
            day.fixture.monitoring.label_values(label, &series.replace("$namespace", ".*")),
        ));
    }
    let mut instances = day.fixture.bridges.each_ref().map(|bridge| bridge.admin.to_string());
    instances.sort();
    assert_eq!(found, [("namespace", vec![NAMESPACE.to_owned()]), ("instance", instances.to_vec())]);
}

/// Checks that the numbers of the first row equal the counters of the instances, without estimates or double counts.
fn totals_are_those_of_the_instances(day: &FullDay, queries: &DashboardQueries<'_>, dashboard: &Value) {
    for (title, series) in [
        (
            "Profiles rejected",
            r#"trusthub_profile_status_changes_total{resource="customer-profile",status="twilio-rejected"}"#,
        ),
        ("Answered 503", r#"trusthub_callbacks_outcome_total{outcome="unavailable"}"#),
        ("Dead letters", r#"trusthub_callbacks_outcome_total{outcome="dead_lettered"}"#),
        ("Missed, found later", r#"trusthub_reconcile_missed_total{resource="customer-profile"}"#),
        ("Without our callback", r#"trusthub_profiles_without_callback{resource="customer-profile"}"#),
    ] {
        let counted: f64 = day.fixture.bridges.iter().map(|bridge| bridge.metric(series)).sum();
        assert!(counted > 0.0, "{series}");
        let panel = panels(dashboard).find(|panel| panel["title"] == title).unwrap();
        wait_for(&format!("{title}: {counted}"), || {
            let (answer, _) = queries.ask(&panel["targets"][0], None);
            (values(&answer[0]) == [counted]).then_some(())
        });
    }
}

/// Checks that the numbers by status add up to the profiles whose state an instance has.
fn profiles_by_status_are_those_in_memory(day: &FullDay, queries: &DashboardQueries<'_>, dashboard: &Value) {
    let panel = panels(dashboard).find(|panel| panel["title"] == "Profiles by status").unwrap();
    wait_for("the numbers by status add up", || {
        let owned: f64 = day.fixture.bridges.iter().map(|bridge| bridge.metric("trusthub_profiles_owned")).sum();
        let (answer, _) = queries.ask(&panel["targets"][0], None);
        let shown: f64 = answer.iter().flat_map(values).sum();
        (owned > 0.0 && shown == owned).then_some(())
    });
}
