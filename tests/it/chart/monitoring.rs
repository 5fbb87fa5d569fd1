//! What Prometheus and Grafana are given: off unless wanted, and the same as the plain files.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::rendering::{chart, list, objects, read, shape, shapes, template, text};

const KINDS: [&str; 3] = ["ServiceMonitor", "PodMonitor", "PrometheusRule"];

/// The objects for the least values with these of `monitoring`, and others.
fn rendered(mut values: Value, monitoring: Value) -> Vec<Value> {
    values["monitoring"] = monitoring;
    objects(&template(&["--values", &shape("minimal").values], &values).unwrap(), &[]).unwrap()
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
fn nothing_is_made_for_monitoring_unless_it_is_wanted() {
    for shape in shapes().iter().filter(|shape| !["monitoring", "everything"].contains(&shape.name.as_str())) {
        let made = shape.objects.iter().find(|object| {
            KINDS.contains(&text(&object["kind"])) || object["kind"] == "ConfigMap" && object["data"] != Value::Null
        });
        assert_eq!(made, None, "{}", shape.name);
    }
}

#[test]
fn the_rules_are_those_of_the_plain_files() {
    let plain = [groups_of("alerts.yaml"), groups_of("alerts-no-callback.yaml")].concat();
    assert_eq!(shape("monitoring").only("PrometheusRule")["spec"]["groups"], Value::from(plain));
    let without = rendered(json!({}), json!({ "prometheusRule": { "enabled": true } }));
    assert_eq!(of_kind(&without, "PrometheusRule")["spec"]["groups"], Value::from(groups_of("alerts.yaml")));
}

#[test]
fn an_alert_that_is_not_wanted_is_left_out_and_no_other() {
    let all = Value::from(groups_of("alerts.yaml"));
    let all = alerts_in(&all);
    let groups = &shape("everything").only("PrometheusRule")["spec"]["groups"];
    let missing: Vec<_> = all.difference(&alerts_in(groups)).copied().collect();
    assert_eq!(missing, ["TrusthubForgedCallbacks", "TrusthubTopicNotDurable"]);

    let off = rendered(json!({}), json!({ "prometheusRule": { "enabled": true, "disabled": all } }));
    let groups = &of_kind(&off, "PrometheusRule")["spec"]["groups"];
    let names: Vec<_> = list(groups).map(|group| text(&group["name"])).collect();
    assert_eq!((names, alerts_in(groups)), (vec!["trusthub-bridge.news"], BTreeSet::new()));
}

#[test]
fn alerts_link_to_where_the_runbook_is_read() {
    let groups = &shape("everything").only("PrometheusRule")["spec"]["groups"];
    let rules = list(groups).flat_map(|group| list(&group["rules"]));
    for rule in rules.filter(|rule| !rule["alert"].is_null()) {
        let anchor = text(&rule["alert"]).to_lowercase();
        let link = format!("https://git.example.com/tools/trusthub-bridge/docs/operations.md#{anchor}");
        assert_eq!(rule["annotations"]["runbook_url"], link);
    }
}

/// Whether the labels have all of these.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object().expect("a monitor names labels");
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels[name] == *value)
}

#[test]
fn a_service_monitor_finds_the_admin_port_of_each_replica_and_no_other() {
    let shape = shape("monitoring");
    let monitor = &shape.only("ServiceMonitor")["spec"];
    let ports: Vec<_> = list(&monitor["endpoints"]).map(|endpoint| text(&endpoint["port"])).collect();
    assert_eq!(ports, ["admin"]);
    let services = shape.of_kind("Service").into_iter();
    let chosen = services.filter(|service| selects(&monitor["selector"], &service["metadata"]["labels"]));
    let names: Vec<_> = chosen
        .filter(|service| list(&service["spec"]["ports"]).any(|port| port["name"] == "admin"))
        .map(|service| text(&service["metadata"]["name"]))
        .collect();
    assert_eq!(names, ["bridge-trusthub-bridge-admin"]);
}

#[test]
fn a_pod_monitor_finds_the_admin_port_of_each_replica_and_no_other() {
    let shape = shape("everything");
    let monitor = &shape.only("PodMonitor")["spec"];
    for pod in shape.pods() {
        let is_replica = pod.pod["metadata"]["labels"]["app.kubernetes.io/component"] == "bridge";
        assert_eq!(selects(&monitor["selector"], &pod.pod["metadata"]["labels"]), is_replica, "{}", pod.name);
    }
    let port = &list(&monitor["podMetricsEndpoints"]).next().unwrap()["port"];
    let replicas = shape.pod_of("bridge");
    assert!(list(&replicas.containers()[0]["ports"]).any(|given| given["name"] == *port), "{port}");
}

#[test]
fn jobs_have_the_name_that_the_alerts_look_for_whatever_the_objects_are_called() {
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
fn monitors_ask_as_they_are_told() {
    let endpoint = &shape("everything").only("PodMonitor")["spec"]["podMetricsEndpoints"][0];
    assert_eq!((&endpoint["interval"], &endpoint["scrapeTimeout"]), (&json!("1m"), &json!("15s")));
    assert_eq!(endpoint["relabelings"], json!([{"targetLabel": "cluster", "replacement": "north"}]));
    assert_eq!(endpoint["metricRelabelings"][0]["action"], "drop");
    let endpoint = &shape("monitoring").only("ServiceMonitor")["spec"]["endpoints"][0];
    assert_eq!(*endpoint, json!({"port": "admin", "interval": "30s"}));
}

fn dashboard(objects: &[Value]) -> &Value {
    let is_one = |object: &&Value| !object["data"]["trusthub-bridge.json"].is_null();
    objects.iter().find(is_one).expect("there is a dashboard")
}

#[test]
fn the_dashboard_is_that_of_the_plain_file_and_leads_to_the_runbook_of_the_alerts() {
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
fn the_dashboard_is_found_by_the_sidecar_of_grafana_and_put_into_its_folder() {
    let metadata = &dashboard(&shape("monitoring").objects)["metadata"];
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
