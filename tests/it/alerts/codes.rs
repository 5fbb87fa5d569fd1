//! Each error code of a rejection, from the reviewer's decision to the text of the alert.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};
use trusthub_bridge::domain::error_code::{self, CatalogEntry, rejection_codes};

use test_support::{
    Bridge,
    kafka::{free_port, unique_topic},
    project_root,
    simulator::Simulator,
};

use super::{promtool, rules::FILES};

/// The groups of the rules that the alert depends on, in the order of their evaluation.
const GROUPS: [&str; 2] = ["trusthub-bridge.news", "trusthub-bridge.profiles"];

/// All series of a metric with their values.
type Series = BTreeMap<String, f64>;

const REJECTIONS: &str = "trusthub_profile_rejections_total";
const CHANGES: &str = "trusthub_profile_status_changes_total";
const COMMAND: &str =
    "kubectl logs -n hooks -l app.kubernetes.io/name=trusthub-bridge --since=30m --tail=-1 | grep twilio-rejected";

#[test]
fn each_rejection_code_reaches_event_metric_and_alert_with_its_meaning() {
    let address = format!("127.0.0.1:{}", free_port());
    let base = format!("http://{address}");
    let bridge = Bridge::start_with(&[("HTTP_BIND", &address), ("PUBLIC_URL", &base)]);
    let before = [bridge.series(REJECTIONS), bridge.series(CHANGES)];

    reject_a_profile_for_each_code(&format!("{base}/callbacks/customer-profiles"));
    assert_eq!(codes_of_events(&bridge), rejection_codes().map(|entry| entry.code).collect::<Vec<_>>());

    let after = [bridge.series(REJECTIONS), bridge.series(CHANGES)];
    let counted = after[0].iter().filter(|(_, count)| **count > 0.0);
    let counted: Series = counted.map(|(series, count)| (series.clone(), *count)).collect();
    let expected = rejection_codes()
        .map(|entry| (format!("{REJECTIONS}{{code=\"{}\",resource=\"customer-profile\"}}", entry.text), 1.0));
    assert_eq!(counted, expected.collect());

    let series = before.iter().zip(&after).flat_map(|(before, after)| {
        after.iter().map(|(series, now)| input_series(series, &format!("{}x19 {now}x10", before[series])))
    });
    assert_alert(&series.collect::<Vec<_>>());
}

fn reject_a_profile_for_each_code(callback: &str) {
    let simulator = Simulator::start();
    let count = rejection_codes().count();
    let callback = callback.replace(':', "%3A");
    let form = format!("count={count}&status=in-review&status_callback={callback}");
    simulator.post("/simulator/profiles", &form);
    let profiles = simulator.list();
    assert_eq!(profiles.len(), count);
    for (profile, entry) in profiles.iter().zip(rejection_codes()) {
        // The reason has another number of five digits, which is not a code.
        let form = format!("code={}&reason=Review+of+60711+and+90210", entry.code);
        simulator.control(profile["sid"].as_str().unwrap(), "reject", &form);
    }
    simulator.settle();
}

/// The codes of the events in the order of the catalog, after a check of each event.
fn codes_of_events(bridge: &Bridge) -> Vec<u32> {
    let mut codes = Vec::new();
    for record in bridge.events(rejection_codes().count()) {
        let event: Value = serde_json::from_slice(&record.payload.unwrap()).unwrap();
        let [error] = &event["errors"].as_array().unwrap()[..] else { panic!("{event}") };
        let code = error["code"].as_u64().unwrap().try_into().unwrap();
        let entry = error_code::entry(code).unwrap();
        assert_eq!(*error, json!({"code": code, "meaning": entry.meaning, "message": entry.message}));
        assert!(event["failure_reason"].as_str().unwrap().ends_with(&format!("({code})")), "{event}");
        codes.push(code);
    }
    codes.sort_by_key(|code| rejection_codes().position(|entry| entry.code == *code));
    codes
}

/// A series of the page as Prometheus stores it, with these values, one a minute.
fn input_series(series: &str, values: &str) -> Value {
    let target = r#"{job="trusthub-bridge",namespace="hooks",pod="bridge-0",instance="10.0.0.1:9090","#;
    json!({ "series": series.replacen('{', target, 1), "values": values })
}

/// Lets promtool evaluate the rules on these series, which change after 19 minutes, and compare the alert.
fn assert_alert(series: &[Value]) {
    let mut entries: Vec<&CatalogEntry> = rejection_codes().collect();
    entries.sort_by_key(|entry| entry.text);
    let count = entries.len();
    let codes = entries.iter().map(|entry| entry.text).collect::<Vec<_>>().join(", ");
    let texts = entries.iter().map(|CatalogEntry { text, message, cure, .. }| {
        format!("{text}: {message} {cure} See docs/rejections.md#{text}. ")
    });
    let start = "process_start_time_seconds{job=\"trusthub-bridge\",namespace=\"hooks\",pod=\"bridge-0\",\
                 instance=\"10.0.0.1:9090\"}";
    let series: Vec<_> = [json!({ "series": start, "values": "-86400x30" })].iter().chain(series).cloned().collect();
    let description = format!(
        "{count} profiles were rejected within five minutes. Whatever depends on the profile stays blocked at Twilio \
         until it is corrected and submitted again. {}Find out which profile was rejected, and why: {COMMAND}",
        texts.collect::<String>()
    );
    let alert = json!({
        "exp_labels": { "audience": "business", "severity": "critical", "namespace": "hooks", "resource": "customer-profile" },
        "exp_annotations": {
            "summary": format!("Twilio rejected a customer-profile, error codes {codes}"),
            "description": description,
            "runbook_url": "docs/operations.md#trusthubprofilerejected",
        },
    });
    let question = |minute: u32, alerts: &[Value]| json!({ "eval_time": format!("{minute}m"), "alertname": "TrusthubProfileRejected", "exp_alerts": alerts });
    let test = json!({
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [question(19, &[]), question(20, &[alert])],
    });
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("alert")).with_extension("yaml");
    let rules = project_root().join(FILES[0]);
    let cases = json!({
        "rule_files": [rules], "evaluation_interval": "1m", "group_eval_order": GROUPS, "tests": [test],
    });
    // JSON is YAML.
    fs::write(&file, cases.to_string()).unwrap();
    promtool(&["test", "rules", file.to_str().unwrap()]);
    fs::remove_file(file).unwrap();
}
