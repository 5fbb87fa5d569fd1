//! Checks the alerts: with promtool, against the metrics of the program, and against the runbook.

mod codes;
mod expression;
mod notifications;
mod rules;
mod waits;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use test_support::project_root;

use self::{
    expression::{Selector, form_of, metrics_in, selectors_in},
    rules::{FILES, Rule, rules},
};
use crate::chart::rendering::{files_of, list, objects, read, text};

const RUNBOOK: &str = "docs/operations.md";

/// Runs promtool in the root of the project; panics with its output when it fails.
fn promtool(arguments: &[&str]) {
    let mut command = Command::new("promtool");
    let output = command.current_dir(project_root()).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("promtool does not start, see scripts/setup: {error}"));
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
}

/// The files of promtool's unit tests.
fn cases() -> Vec<PathBuf> {
    files_of(&project_root().join("tests/fixtures/alerts"))
}

fn test_rules(name: &str) {
    promtool(&["test", "rules", &format!("tests/fixtures/alerts/{name}.yaml")]);
}

#[test]
fn promtool_accepts_the_rules() {
    promtool(&[&["check", "rules"][..], &FILES].concat());
}

#[test]
fn each_rejection_pages_once() {
    test_rules("profiles");
}

#[test]
fn long_waits_ending_approvals_and_waves_of_rejections_cause_alerts() {
    test_rules("business");
}

#[test]
fn keys_in_use_long_after_a_rotation_cause_an_alert() {
    test_rules("rotations");
}

#[test]
fn rejected_callbacks_cause_the_matching_alert() {
    test_rules("signatures");
}

#[test]
fn waiting_and_lost_events_cause_alerts() {
    test_rules("delivery");
}

#[test]
fn missed_changes_and_overdue_comparisons_cause_alerts() {
    test_rules("reconciliation");
}

#[test]
fn unreachable_instances_cause_alerts() {
    test_rules("instances");
}

#[test]
fn absence_of_callbacks_causes_an_alert_when_enabled() {
    test_rules("no-callback");
}

#[test]
fn ordinary_day_causes_no_alert() {
    test_rules("ordinary-day");
}

#[test]
fn every_file_of_cases_is_run() {
    let names: Vec<_> = cases().iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let run = [
        "business",
        "delivery",
        "instances",
        "no-callback",
        "ordinary-day",
        "profiles",
        "reconciliation",
        "rotations",
        "signatures",
    ];
    assert_eq!(names, run);
}

#[test]
fn every_alert_is_tested_firing_and_not_firing() {
    let cases: Vec<_> = cases().iter().flat_map(|path| objects(&read(path), &[]).unwrap()).collect();
    let tests = cases.iter().flat_map(|file| list(&file["tests"]));
    let questions: Vec<_> = tests.flat_map(|test| list(&test["alert_rule_test"])).collect();
    let shown = |alert: &Rule, fires: bool| {
        let of_it = questions.iter().filter(|question| question["alertname"] == alert.name);
        of_it.filter(|question| (list(&question["exp_alerts"]).count() > 0) == fires).count() > 0
    };
    for alert in rules().iter().filter(|rule| rule.is_alert) {
        assert!(shown(alert, true), "no test of {} firing", alert.name);
        assert!(shown(alert, false), "no test of {} not firing", alert.name);
    }
}

#[test]
fn every_alert_has_a_severity_and_a_first_command() {
    for Rule { name, body, .. } in rules().iter().filter(|rule| rule.is_alert) {
        let labels = body["labels"].as_object().unwrap();
        let is_business = labels.get("audience").is_some_and(|audience| audience == "business");
        assert_eq!(labels.len(), if is_business { 2 } else { 1 }, "{name}: {labels:?}");
        assert!(["critical", "warning", "info"].contains(&text(&labels["severity"])), "{name}: {labels:?}");
        let annotations = body["annotations"].as_object().unwrap();
        let keys: BTreeSet<_> = annotations.keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["description", "runbook_url", "summary"]), "{name}");
        assert!(text(&annotations["summary"]).len() > 20, "{name}");
        let description = text(&annotations["description"]);
        assert!(description.contains(". ") && description.contains(": kubectl "), "{name} names no first command");
    }
}

#[test]
fn every_alert_links_to_its_runbook_entry() {
    let runbook = read(&project_root().join(RUNBOOK));
    let headings: BTreeSet<_> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let mut names = BTreeSet::new();
    for Rule { name, body, .. } in rules().iter().filter(|rule| rule.is_alert) {
        assert!(headings.contains(name.as_str()), "{RUNBOOK} has no heading {name}");
        let link = format!("{RUNBOOK}#{}", name.to_lowercase());
        assert_eq!(body["annotations"]["runbook_url"], link, "{name}");
        names.insert(name.as_str());
    }
    let chapters: BTreeSet<_> = headings.into_iter().filter(|heading| heading.starts_with("Trusthub")).collect();
    assert_eq!(chapters, names, "chapters of {RUNBOOK} (left) and alerts (right)");
}

/// The series that the program serves from its start.
fn series() -> Vec<Selector> {
    let page = trusthub_bridge::initial_metrics_page().unwrap();
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).flat_map(|(series, _)| selectors_in(series)).collect()
}

/// Labels that Prometheus adds to each series of a target.
const TARGET_LABELS: [&str; 4] = ["instance", "job", "namespace", "pod"];

#[test]
fn rules_use_only_metrics_and_label_values_of_the_program() {
    let series = series();
    let recorded: BTreeSet<_> = rules().iter().filter(|rule| !rule.is_alert).map(|rule| rule.name.as_str()).collect();
    let mut values = 0;
    for rule in rules() {
        for Selector { metric, conditions } in selectors_in(rule.expression()) {
            if metric == "up" || recorded.contains(metric.as_str()) {
                continue;
            }
            let of_it: Vec<_> = series.iter().filter(|series| series.metric == metric).collect();
            assert!(!of_it.is_empty(), "{}: the program has no metric {metric}", rule.name);
            for (label, value) in conditions.iter().filter(|(label, _)| !TARGET_LABELS.contains(&label.as_str())) {
                let exists = of_it.iter().any(|series| series.conditions.contains(&(label.clone(), value.clone())));
                assert!(exists, "{}: {metric} has no {label} {value}", rule.name);
                values += 1;
            }
        }
    }
    assert!(values > 30, "only {values} values are compared");
}

#[test]
fn annotations_name_only_existing_metrics() {
    let series = series();
    for rule in rules().iter().filter(|rule| rule.is_alert) {
        for metric in metrics_in(&rule.body["annotations"].to_string()) {
            let is_shown = series.iter().any(|series| series.metric == metric);
            let is_recorded = rules().iter().any(|rule| !rule.is_alert && rule.name == metric);
            assert!(is_shown || is_recorded, "{} names {metric}", rule.name);
        }
    }
}

#[test]
fn every_recorded_series_is_used_and_names_are_unique() {
    let used: BTreeSet<_> = rules().iter().flat_map(|rule| metrics_in(&rule.body.to_string())).collect();
    let mut names = BTreeSet::new();
    for rule in rules() {
        // Two alerts for the error budget differ only in severity.
        let name = format!("{} {}", rule.name, rule.body["labels"]["severity"]);
        assert!(names.insert(name), "{} is defined twice", rule.name);
        let others = rules().iter().filter(|other| other.name != rule.name);
        let is_used = others.flat_map(|other| metrics_in(&other.body.to_string())).any(|metric| metric == rule.name);
        assert!(rule.is_alert || (used.contains(&rule.name) && is_used), "nothing uses {}", rule.name);
    }
}

/// With the same expression, the tests of rejections are valid for the other counts as well.
#[test]
fn all_new_change_counts_use_the_same_expression() {
    let is_news = |rule: &&Rule| !rule.is_alert && rule.name.ends_with(":new") && rule.name != "trusthub:process:new";
    let forms: BTreeSet<_> = rules().iter().filter(is_news).map(|rule| form_of(rule.expression())).collect();
    assert_eq!(forms.len(), 1, "{forms:#?}");
    assert_eq!(rules().iter().filter(is_news).count(), 7);
}

#[test]
fn every_target_is_selected_by_the_same_part_of_its_job() {
    for rule in rules() {
        let of_any_process = selectors_in(rule.expression())
            .into_iter()
            .filter(|selector| selector.metric == "up" || selector.metric.starts_with("process_"));
        for Selector { metric, conditions } in of_any_process {
            let job = ("job".to_owned(), ".*trusthub-bridge.*".to_owned());
            assert_eq!(conditions, [job], "{}: {metric} of processes of other services", rule.name);
        }
    }
}

#[test]
fn dashboards_folder_links_to_the_files_of_the_chart() {
    for file in FILES {
        let source = project_root().join(file);
        let link = project_root().join("dashboards").join(source.file_name().unwrap());
        let target = fs::read_link(&link).unwrap_or_else(|error| panic!("{} is not a link: {error}", link.display()));
        assert!(target.is_relative(), "{}", target.display());
        assert_eq!(link.canonicalize().unwrap(), source.canonicalize().unwrap(), "{}", Path::new(file).display());
    }
}
