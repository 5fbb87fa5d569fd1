//! Tests the dashboard as a document: Grafana can show it, and readers can understand it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::{Value, json};
use trusthub_bridge::initial_metrics_page;

use test_support::project_root;

use super::{
    dashboard::{dashboard, list, panels, text},
    fixture::ALERTS,
};

/// The width of a dashboard in grid columns.
const COLUMNS: u64 = 24;
/// Metrics without a panel, and why.
const EXCUSED: [(&str, &str); 12] = [
    ("process_virtual_memory_bytes", "address space is not memory"),
    ("trusthub_event_time_reset", "it concerns one start, which a log line at level error explains"),
    ("trusthub_spool_parked_bytes", "the size of what trusthub_spool_parked counts"),
    ("trusthub_callbacks_resigned_total", "usually 0; docs/metrics.md says what to do about many"),
    ("trusthub_account_conflicts_total", "usually 0; each event of another account than the owner is a dead letter"),
    ("trusthub_reconcile_described_total", "edited profiles concern only who reads their states"),
    ("trusthub_reconcile_deleted_total", "the same; the log names each of them"),
    ("trusthub_log_lines_dropped_total", "the log reports it once it is read again"),
    ("trusthub_kafka_credentials_expire_timestamp_seconds", "an alert fires a week before, and the log has the date"),
    ("trusthub_kafka_credentials_reloads_total", "the log has a line for each; a panel shows that one failed"),
    ("trusthub_trace_spans_exported_total", "few export traces, and no callback depends on it"),
    ("trusthub_trace_spans_dropped_total", "the same; the log says when exports begin to fail"),
];
/// The color of each status wherever profiles or their changes are shown: green is approved, blue waits for Twilio, red is
/// rejected, and gray is a draft.
const STATUS_COLORS: [(&str, &str); 7] = [
    ("draft", "#8e8e8e"),
    ("in-review", "blue"),
    ("pending-review", "light-blue"),
    ("provisionally-approved", "light-green"),
    ("twilio-approved", "green"),
    ("twilio-rejected", "red"),
    ("unknown", "purple"),
];
/// Panels whose series are failures, or wait because of one.
const FAILURES: [&str; 11] = [
    "Events to apply",
    "Failovers to the spool",
    "Failures to publish",
    "Full, parked, damaged",
    "Missed changes",
    "Oldest record",
    "Rejected callbacks by reason",
    "Share answered 503",
    "Slow operations",
    "States that Kafka refused",
    "Waiting records",
];
/// The value of the variable `runbooks` in the file; the chart replaces it with the configured address.
const HANDBOOK: &str = "docs/operations.md";

/// All expressions of panels, annotations and variables.
fn expressions(dashboard: &Value) -> Vec<&str> {
    let targets = panels(dashboard).flat_map(|panel| list(panel, "/targets")).map(|target| text(target, "expr"));
    let annotations = list(dashboard, "/annotations/list").iter().filter_map(|annotation| annotation["expr"].as_str());
    let variables = list(dashboard, "/templating/list").iter().filter_map(|variable| variable["definition"].as_str());
    targets.chain(annotations).chain(variables).collect()
}

/// The names of metrics in a text, such as `trusthub_kafka_up`.
fn metrics_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("trusthub_") || word.starts_with("process_"))
}

/// The metrics page of a fresh process.
fn metrics_page() -> String {
    initial_metrics_page().unwrap()
}

/// The names of all metrics. A histogram has one name.
fn metrics_of_the_program(page: &str) -> BTreeSet<&str> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

fn repository(path: &str) -> String {
    let path = project_root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn dashboard_shows_every_metric_except_the_excused_ones() {
    let (dashboard, page) = (dashboard(), metrics_page());
    let on_dashboard: BTreeSet<_> = expressions(&dashboard)
        .into_iter()
        .flat_map(metrics_in)
        .map(|metric| metric.strip_suffix("_bucket").unwrap_or(metric))
        .collect();
    let excused: BTreeSet<_> = EXCUSED.iter().map(|(metric, _)| *metric).collect();
    assert!(on_dashboard.is_disjoint(&excused), "on the dashboard and excused");
    assert_eq!(&on_dashboard | &excused, metrics_of_the_program(&page));
}

#[test]
fn every_label_value_in_a_query_exists() {
    let (dashboard, page) = (dashboard(), metrics_page());
    let mut asked = 0;
    for expression in expressions(&dashboard) {
        let equal = expression.match_indices("=\"").filter(|(place, _)| !expression[..*place].ends_with('!'));
        for (place, _) in equal {
            let label = expression[..place].rsplit([',', '{', ' ']).next().unwrap();
            let value = expression[place + 2..].split('"').next().unwrap();
            // Labels of alerts.
            if ["alertstate", "severity"].contains(&label) {
                continue;
            }
            asked += 1;
            assert!(page.contains(&format!("{label}=\"{value}\"")), "{label}={value} in {expression}");
        }
    }
    assert!(asked > 3, "only {asked}");
}

#[test]
fn panels_fill_the_grid_without_overlap() {
    let dashboard = dashboard();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "two panels have the number {}", panel["id"]);
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= COLUMNS, "{panel}");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(place), "{} overlaps another panel", panel["title"]);
        }
    }
    let height = taken.iter().map(|(_, y)| y + 1).max().unwrap();
    assert_eq!(taken.len() as u64, height * COLUMNS, "there are holes");
}

#[test]
fn every_panel_has_a_description_with_a_link_to_the_handbook() {
    let (dashboard, handbook) = (dashboard(), repository(HANDBOOK));
    let headings: BTreeSet<_> =
        handbook.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_lowercase).collect();
    let mut titles = BTreeSet::new();
    for panel in panels(&dashboard) {
        let (title, description) = (text(panel, "title"), text(panel, "description"));
        assert!(titles.insert(title), "two panels are called {title}");
        assert!(description.len() > 60 && description.contains("](${runbooks}"), "{title}: {description}");
        for link in description.split("](${runbooks}").skip(1) {
            let anchor = link.split(')').next().unwrap();
            let known = anchor.is_empty() || headings.contains(anchor.trim_start_matches('#'));
            assert!(known, "{title} leads to {anchor}, which {HANDBOOK} does not have");
        }
    }
}

#[test]
fn every_alert_is_linked_from_a_panel() {
    let dashboard = dashboard();
    let descriptions: String = panels(&dashboard).map(|panel| text(panel, "description")).collect();
    let alerts: Vec<_> = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 15, "{alerts:?}");
    for alert in alerts {
        let link = format!("[{alert}](${{runbooks}}#{})", alert.to_lowercase());
        assert!(descriptions.contains(&link), "no panel for {alert}");
    }
}

#[test]
fn every_query_has_the_selected_data_source_a_unit_and_a_legend() {
    let dashboard = dashboard();
    let source = json!({ "type": "prometheus", "uid": "${datasource}" });
    for panel in panels(&dashboard) {
        assert_eq!(panel["datasource"], source, "{}", panel["title"]);
        let mut references = BTreeSet::new();
        for target in list(panel, "/targets") {
            assert_eq!(target["datasource"], source, "{}", panel["title"]);
            assert!(references.insert(text(target, "refId")), "{}", panel["title"]);
            assert!(!text(target, "legendFormat").is_empty(), "{}", panel["title"]);
        }
        let defaults = &panel["fieldConfig"]["defaults"];
        assert!(defaults["unit"].is_string() || defaults["mappings"].is_array(), "{} has no unit", panel["title"]);
    }
    let own = list(&dashboard, "/annotations/list").iter().filter(|annotation| annotation["builtIn"].is_null());
    let asked = list(&dashboard, "/templating/list").iter().filter(|variable| variable["type"] == "query");
    assert!(own.chain(asked).all(|query| query["datasource"] == source));
}

/// The color of each series that a panel names.
fn named_colors(panel: &Value) -> BTreeMap<&str, &str> {
    let overrides = list(panel, "/fieldConfig/overrides").iter();
    let colors = overrides.filter_map(|rule| {
        let color = list(rule, "/properties").iter().find(|property| property["id"] == "color")?;
        Some((rule["matcher"]["options"].as_str()?, color["value"]["fixedColor"].as_str()?))
    });
    colors.collect()
}

#[test]
fn statuses_have_the_same_color_in_every_panel() {
    let dashboard = dashboard();
    let of_statuses = panels(&dashboard).filter(|panel| panel["targets"][0]["legendFormat"] == "{{status}}");
    let titles: Vec<_> = of_statuses
        .map(|panel| {
            assert_eq!(named_colors(panel), BTreeMap::from(STATUS_COLORS), "{}", panel["title"]);
            text(panel, "title")
        })
        .collect();
    assert_eq!(titles, ["Profiles by status", "Profiles over time", "Status changes"]);
}

#[test]
fn failures_are_never_green() {
    let dashboard = dashboard();
    for title in FAILURES {
        let panel = panels(&dashboard).find(|panel| panel["title"] == title).expect(title);
        let color = &panel["fieldConfig"]["defaults"]["color"];
        let series = list(panel, "/targets").iter().map(|target| text(target, "legendFormat"));
        let named = named_colors(panel);
        // Any color of a palette may be green.
        let is_chosen = color["mode"] == "shades" || series.into_iter().all(|name| named.contains_key(name));
        let values = panel.pointer("/fieldConfig/defaults/color/fixedColor").and_then(Value::as_str);
        assert!(is_chosen, "{title} leaves its colors to Grafana");
        assert!(named.values().copied().chain(values).all(|color| !color.contains("green")), "{title}: {named:?}");
    }
}

#[test]
fn alerts_have_the_color_of_their_severity() {
    let dashboard = dashboard();
    let alerts = panels(&dashboard).find(|panel| panel["title"] == "Alerts").unwrap();
    let mappings = &alerts["fieldConfig"]["defaults"]["mappings"][0]["options"];
    for (value, severity, color) in [("3", "critical", "red"), ("2", "warning", "orange"), ("1", "info", "blue")] {
        assert_eq!((&mappings[value]["text"], &mappings[value]["color"]), (&json!(severity), &json!(color)));
        let factor = if value == "1" { String::new() } else { format!("{value} * ") };
        let part = format!("{factor}max by (alertname, severity) (ALERTS{{severity=\"{severity}\", ");
        assert!(text(&alerts["targets"][0], "expr").contains(&part), "{severity} is not {value}");
    }
}

#[test]
fn every_query_filters_by_namespace_and_instance() {
    let dashboard = dashboard();
    for expression in panels(&dashboard).flat_map(|panel| list(panel, "/targets")).map(|target| text(target, "expr")) {
        let selectors: Vec<_> = expression.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        let metrics = metrics_in(expression).count();
        assert!(!selectors.is_empty() && metrics <= selectors.len(), "a metric without a selector in {expression}");
        for selector in selectors {
            assert!(selector.contains(r#"namespace=~"$namespace""#), "{expression}");
            // An alert may be about all instances.
            let narrowed = selector.contains(r#"instance=~"$instance""#) || expression.contains("ALERTS{");
            assert!(narrowed, "{expression}");
        }
    }
}
