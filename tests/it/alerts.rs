//! The alerts: what promtool says of them, that they rest on what the program tells, and that each leads to the runbook.

mod expression;
mod rules;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use trusthub_bridge::telemetry::Metrics;

use self::{
    expression::{Selector, form_of, metrics_in, selectors_in},
    rules::{FILES, Rule, rules},
};
use crate::chart::rendering::{files_of, list, objects, read, root, text};

const RUNBOOK: &str = "docs/operations.md";

/// Runs promtool in the root of the project; panics with what it says when it is not content.
fn promtool(arguments: &[&str]) {
    let mut command = Command::new("promtool");
    let output = command.current_dir(root()).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("promtool does not start, see scripts/setup: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The files of promtool's unit tests.
fn cases() -> Vec<PathBuf> {
    files_of(&root().join("tests/fixtures/alerts"))
}

fn test_rules(name: &str) {
    promtool(&["test", "rules", &format!("tests/fixtures/alerts/{name}.yaml")]);
}

#[test]
fn promtool_finds_nothing_to_object_to() {
    promtool(&[&["check", "rules"][..], &FILES].concat());
}

#[test]
fn each_rejection_pages_once() {
    test_rules("profiles");
}

#[test]
fn refused_callbacks_are_told_apart() {
    test_rules("signatures");
}

#[test]
fn what_waits_and_what_is_lost_on_the_way_to_kafka_is_told() {
    test_rules("delivery");
}

#[test]
fn what_was_missed_and_that_nobody_looks_is_told() {
    test_rules("reconciliation");
}

#[test]
fn that_nobody_is_there_is_told() {
    test_rules("instances");
}

#[test]
fn silence_is_told_where_that_is_wanted() {
    test_rules("no-callback");
}

#[test]
fn an_ordinary_day_is_quiet() {
    test_rules("ordinary-day");
}

#[test]
fn each_file_of_cases_is_run() {
    let names: Vec<_> = cases().iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let run = ["delivery", "instances", "no-callback", "ordinary-day", "profiles", "reconciliation", "signatures"];
    assert_eq!(names, run);
}

#[test]
fn each_alert_is_shown_to_fire_and_to_be_silent() {
    let cases: Vec<_> = cases().iter().flat_map(|path| objects(&read(path), &[]).unwrap()).collect();
    let tests = cases.iter().flat_map(|file| list(&file["tests"]));
    let questions: Vec<_> = tests.flat_map(|test| list(&test["alert_rule_test"])).collect();
    let shown = |alert: &Rule, fires: bool| {
        let of_it = questions.iter().filter(|question| question["alertname"] == alert.name);
        of_it.filter(|question| (list(&question["exp_alerts"]).count() > 0) == fires).count() > 0
    };
    for alert in rules().iter().filter(|rule| rule.is_alert) {
        assert!(shown(alert, true), "no test sees {} fire", alert.name);
        assert!(shown(alert, false), "no test sees {} be silent", alert.name);
    }
}

#[test]
fn each_alert_says_how_grave_it_is_and_what_to_do() {
    for Rule { name, body, .. } in rules().iter().filter(|rule| rule.is_alert) {
        let labels = body["labels"].as_object().unwrap();
        assert_eq!(labels.keys().collect::<Vec<_>>(), ["severity"], "{name}");
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
fn each_alert_has_a_chapter_of_the_runbook_and_links_to_it() {
    let runbook = read(&root().join(RUNBOOK));
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

/// The series that the program shows from its start.
fn series() -> Vec<Selector> {
    let page = Metrics::new(|destination| destination.to_string()).unwrap().render().unwrap();
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).flat_map(|(series, _)| selectors_in(series)).collect()
}

/// What Prometheus itself adds to each series.
const OF_THE_TARGET: [&str; 4] = ["instance", "job", "namespace", "pod"];

#[test]
fn every_metric_and_every_value_of_a_label_is_one_that_the_program_shows() {
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
            for (label, value) in conditions.iter().filter(|(label, _)| !OF_THE_TARGET.contains(&label.as_str())) {
                let exists = of_it.iter().any(|series| series.conditions.contains(&(label.clone(), value.clone())));
                assert!(exists, "{}: {metric} has no {label} {value}", rule.name);
                values += 1;
            }
        }
    }
    assert!(values > 30, "only {values} values are compared");
}

#[test]
fn texts_name_only_metrics_that_exist() {
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
fn what_is_recorded_is_used_and_no_name_is_given_twice() {
    let used: BTreeSet<_> = rules().iter().flat_map(|rule| metrics_in(&rule.body.to_string())).collect();
    let mut names = BTreeSet::new();
    for rule in rules() {
        // The two rates of the error budget.
        let name = format!("{} {}", rule.name, rule.body["labels"]["severity"]);
        assert!(names.insert(name), "{} is there twice", rule.name);
        let others = rules().iter().filter(|other| other.name != rule.name);
        let is_used = others.flat_map(|other| metrics_in(&other.body.to_string())).any(|metric| metric == rule.name);
        assert!(rule.is_alert || (used.contains(&rule.name) && is_used), "nothing uses {}", rule.name);
    }
}

/// So that what is shown of rejections holds for the others as well.
#[test]
fn all_news_are_counted_in_the_same_way() {
    let is_news = |rule: &&Rule| !rule.is_alert && rule.name.ends_with(":new") && rule.name != "trusthub:process:new";
    let forms: BTreeSet<_> = rules().iter().filter(is_news).map(|rule| form_of(rule.expression())).collect();
    assert_eq!(forms.len(), 1, "{forms:#?}");
    assert_eq!(rules().iter().filter(is_news).count(), 6);
}

#[test]
fn every_target_is_found_by_the_same_part_of_its_job() {
    for rule in rules() {
        let of_any_process = selectors_in(rule.expression())
            .into_iter()
            .filter(|selector| selector.metric == "up" || selector.metric.starts_with("process_"));
        for Selector { metric, conditions } in of_any_process {
            let job = ("job".to_owned(), ".*trusthub-bridge.*".to_owned());
            assert_eq!(conditions, [job], "{}: {metric} of every process in the world", rule.name);
        }
    }
}

#[test]
fn the_folder_of_dashboards_leads_to_the_files_of_the_chart() {
    for file in FILES {
        let source = root().join(file);
        let link = root().join("dashboards").join(source.file_name().unwrap());
        let target = fs::read_link(&link).unwrap_or_else(|error| panic!("{} is no link: {error}", link.display()));
        assert!(target.is_relative(), "{}", target.display());
        assert_eq!(link.canonicalize().unwrap(), source.canonicalize().unwrap(), "{}", Path::new(file).display());
    }
}
