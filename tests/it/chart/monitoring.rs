//! Tests the objects for Prometheus and Grafana: off by default, and equal to the plain files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::rendering::{chart, example, examples, list, objects, read, template, text};

const KINDS: [&str; 3] = ["ServiceMonitor", "PodMonitor", "PrometheusRule"];

/// The objects for the minimal values, plus these values, with these values of `monitoring`.
fn rendered(mut values: Value, monitoring: Value) -> Vec<Value> {
    values["monitoring"] = monitoring;
    objects(&template(&["--values", &example("minimal").values], &values).unwrap(), &[]).unwrap()
}

fn of_kind<'o>(objects: &'o [Value], kind: &str) -> &'o Value {
    objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("there is no {kind}"))
}

fn groups_of(file: &str) -> Vec<Value> {
    let mut file = objects(&read(&chart().join("files").join(file)), &[]).unwrap().remove(0);
    file["groups"].as_array_mut().unwrap().drain(..).collect()
}

fn alerts_in(groups: &Value) -> BTreeSet<&str> {
    let rules = list(groups).flat_map(|group| list(&group["rules"]));
    rules.filter_map(|rule| rule["alert"].as_str()).collect()
}

#[test]
fn monitoring_objects_are_off_by_default() {
    for example in examples().iter().filter(|example| !["monitoring", "everything"].contains(&example.name.as_str())) {
        let made = example.objects.iter().find(|object| {
            KINDS.contains(&text(&object["kind"])) || object["kind"] == "ConfigMap" && object["data"] != Value::Null
        });
        assert_eq!(made, None, "{}", example.name);
    }
}

#[test]
fn rules_equal_the_plain_files() {
    let plain = [groups_of("alerts.yaml"), groups_of("alerts-no-callback.yaml")].concat();
    assert_eq!(example("monitoring").only("PrometheusRule")["spec"]["groups"], Value::from(plain));
    let without = rendered(json!({}), json!({ "prometheusRule": { "enabled": true } }));
    assert_eq!(of_kind(&without, "PrometheusRule")["spec"]["groups"], Value::from(groups_of("alerts.yaml")));
}

#[test]
fn disabled_alert_is_omitted_and_no_other() {
    let all = Value::from(groups_of("alerts.yaml"));
    let all = alerts_in(&all);
    let groups = &example("everything").only("PrometheusRule")["spec"]["groups"];
    let missing: Vec<_> = all.difference(&alerts_in(groups)).copied().collect();
    assert_eq!(missing, ["TrusthubForgedCallbacks", "TrusthubTopicNotDurable"]);

    let off = rendered(json!({}), json!({ "prometheusRule": { "enabled": true, "disabled": all } }));
    let groups = &of_kind(&off, "PrometheusRule")["spec"]["groups"];
    let names: Vec<_> = list(groups).map(|group| text(&group["name"])).collect();
    let recorded = vec!["trusthub-bridge.news", "trusthub-bridge.profiles"];
    assert_eq!((names, alerts_in(groups)), (recorded, BTreeSet::new()));
}

/// The name and the number of each comment `# limits.NAME` behind a number in the expressions.
fn limits_in(groups: &Value) -> BTreeMap<String, i64> {
    let expressions = list(groups).flat_map(|group| list(&group["rules"])).map(|rule| text(&rule["expr"]));
    let lines = expressions.flat_map(str::lines).filter_map(|line| line.split_once(" # limits."));
    lines.map(|(code, name)| (name.to_owned(), code.rsplit(' ').next().unwrap().parse().unwrap())).collect()
}

#[test]
fn limits_of_the_alerts_are_those_of_the_values() {
    let plain = limits_in(&Value::from(groups_of("alerts.yaml")));
    let values = objects(&read(&chart().join("values.yaml")), &[]).unwrap().remove(0);
    let defaults = &values["monitoring"]["prometheusRule"]["limits"];
    assert_eq!(serde_json::to_value(&plain).unwrap(), *defaults);

    let limits: BTreeMap<_, _> = plain.keys().zip(71_i64..).collect();
    let made = rendered(json!({}), json!({ "prometheusRule": { "enabled": true, "limits": limits } }));
    let set = limits_in(&of_kind(&made, "PrometheusRule")["spec"]["groups"]);
    assert_eq!(serde_json::to_value(set).unwrap(), serde_json::to_value(limits).unwrap());
}

#[test]
fn severity_of_an_alert_is_the_configured_one_and_no_other_changes() {
    const ALERT: &str = "TrusthubProfileRejected";
    let severities = json!({ ALERT: "info" });
    let made = rendered(json!({}), json!({ "prometheusRule": { "enabled": true, "severities": severities } }));
    let mut expected = Value::from(groups_of("alerts.yaml"));
    let groups = expected.as_array_mut().unwrap().iter_mut();
    for rule in groups.flat_map(|group| group["rules"].as_array_mut().unwrap()).filter(|rule| rule["alert"] == ALERT) {
        rule["labels"]["severity"] = json!("info");
    }
    assert_eq!(of_kind(&made, "PrometheusRule")["spec"]["groups"], expected);
}

#[test]
fn alerts_link_to_the_configured_runbook() {
    let groups = &example("everything").only("PrometheusRule")["spec"]["groups"];
    let rules = list(groups).flat_map(|group| list(&group["rules"]));
    for rule in rules.filter(|rule| !rule["alert"].is_null()) {
        let anchor = text(&rule["alert"]).to_lowercase();
        let link = format!("https://git.example.com/tools/trusthub-bridge/docs/operations.md#{anchor}");
        assert_eq!(rule["annotations"]["runbook_url"], link);
        let description = text(&rule["annotations"]["description"]);
        let linked = "See https://git.example.com/tools/trusthub-bridge/docs/rejections.md#";
        let is_linked = description.matches("See ").count() == description.matches(linked).count();
        assert!(
            rule["alert"] != "TrusthubProfileRejected" || is_linked && description.contains(linked),
            "{description}"
        );
    }
}

/// Whether the labels match the selector.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object().expect("a monitor names labels");
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels[name] == *value)
}

#[test]
fn service_monitor_selects_only_the_admin_port_of_replicas() {
    let example = example("monitoring");
    let monitor = &example.only("ServiceMonitor")["spec"];
    let ports: Vec<_> = list(&monitor["endpoints"]).map(|endpoint| text(&endpoint["port"])).collect();
    assert_eq!(ports, ["admin"]);
    let services = example.of_kind("Service").into_iter();
    let chosen = services.filter(|service| selects(&monitor["selector"], &service["metadata"]["labels"]));
    let names: Vec<_> = chosen
        .filter(|service| list(&service["spec"]["ports"]).any(|port| port["name"] == "admin"))
        .map(|service| text(&service["metadata"]["name"]))
        .collect();
    assert_eq!(names, ["bridge-trusthub-bridge-admin"]);
}

#[test]
fn pod_monitor_selects_only_the_admin_port_of_replicas() {
    let example = example("everything");
    let monitor = &example.only("PodMonitor")["spec"];
    for pod in example.pods() {
        let is_replica = pod.pod["metadata"]["labels"]["app.kubernetes.io/component"] == "bridge";
        assert_eq!(selects(&monitor["selector"], &pod.pod["metadata"]["labels"]), is_replica, "{}", pod.name);
    }
    let port = &list(&monitor["podMetricsEndpoints"]).next().unwrap()["port"];
    let replicas = example.pod_of("bridge");
    assert!(list(&replicas.containers()[0]["ports"]).any(|given| given["name"] == *port), "{port}");
}

#[test]
fn job_name_matches_the_alerts_whatever_the_objects_are_called() {
    for (kind, monitor, target, endpoints) in [
        ("ServiceMonitor", "serviceMonitor", "Service", "endpoints"),
        ("PodMonitor", "podMonitor", "StatefulSet", "podMetricsEndpoints"),
    ] {
        for names in [json!({}), json!({ "nameOverride": "hooks" }), json!({ "fullnameOverride": "hooks" })] {
            let made = rendered(names.clone(), json!({ monitor: { "enabled": true } }));
            let spec = &of_kind(&made, kind)["spec"];
            let labels = &of_kind(&made, target)["metadata"]["labels"];
            let relabelings = &list(&spec[endpoints]).next().unwrap()["relabelings"];
            let renamed = list(relabelings).find(|relabeling| relabeling["targetLabel"] == "job");
            let job = renamed.map_or(&labels[text(&spec["jobLabel"])], |relabeling| &relabeling["replacement"]);
            assert!(text(job).contains("trusthub-bridge"), "{kind}, {names}: {job}");
        }
    }
}

#[test]
fn monitors_have_the_configured_endpoint_settings() {
    let endpoint = &example("everything").only("PodMonitor")["spec"]["podMetricsEndpoints"][0];
    assert_eq!((&endpoint["interval"], &endpoint["scrapeTimeout"]), (&json!("1m"), &json!("15s")));
    assert_eq!(endpoint["relabelings"], json!([{"targetLabel": "cluster", "replacement": "north"}]));
    assert_eq!(endpoint["metricRelabelings"][0]["action"], "drop");
    let endpoint = &example("monitoring").only("ServiceMonitor")["spec"]["endpoints"][0];
    assert_eq!(*endpoint, json!({"port": "admin", "interval": "30s"}));
}

fn dashboard(objects: &[Value]) -> &Value {
    let is_one = |object: &&Value| !object["data"]["trusthub-bridge.json"].is_null();
    objects.iter().find(is_one).expect("there is a dashboard")
}

#[test]
fn dashboard_equals_the_plain_file_with_the_configured_runbook() {
    let plain = read(&chart().join("files/dashboard.json"));
    let made =
        rendered(json!({}), json!({"dashboard": {"enabled": true}, "runbookBaseUrl": "https://docs.example.com/x"}));
    let held = text(&dashboard(&made)["data"]["trusthub-bridge.json"]);
    let query = |address: &str| format!(r#""query": "{address}""#);
    assert_ne!(held, plain.trim());
    assert_eq!(held, plain.trim().replace(&query("docs/operations.md"), &query("https://docs.example.com/x")));
    let panels: Value = serde_json::from_str(held).unwrap();
    assert!(panels["title"].is_string(), "{panels}");
}

#[test]
fn dashboard_colors_waits_from_the_lower_limit_of_the_alert() {
    let limits = json!({"pendingReviewDays": 9, "inReviewDays": 3});
    let made = rendered(json!({}), json!({"dashboard": {"enabled": true}, "prometheusRule": {"limits": limits}}));
    let dashboard: Value = serde_json::from_str(text(&dashboard(&made)["data"]["trusthub-bridge.json"])).unwrap();
    let panel = list(&dashboard["panels"]).find(|panel| panel["title"] == "Who waits longest").expect("the panel");
    let steps = &panel["fieldConfig"]["defaults"]["thresholds"]["steps"];
    let expected = json!([{"color": "blue", "value": null}, {"color": "orange", "value": 3 * 86_400}]);
    assert_eq!(*steps, expected);
}

#[test]
fn grafana_sidecar_finds_the_dashboard_and_its_folder() {
    let metadata = &dashboard(&example("monitoring").objects)["metadata"];
    assert_eq!((&metadata["labels"]["grafana_dashboard"], &metadata["annotations"]), (&json!("1"), &Value::Null));
    let labels = json!({"grafana_dashboard": "onboarding"});
    let annotations = json!({"example.com/owner": "onboarding"});
    let made = rendered(
        json!({}),
        json!({ "dashboard": {
            "enabled": true,
            "labels": labels,
            "annotations": annotations,
            "folder": "Onboarding",
            "folderAnnotation": "example.com/folder",
        } }),
    );
    let metadata = &dashboard(&made)["metadata"];
    assert_eq!(metadata["labels"]["grafana_dashboard"], "onboarding");
    let annotations = json!({"example.com/folder": "Onboarding", "example.com/owner": "onboarding"});
    assert_eq!(metadata["annotations"], annotations);
}
