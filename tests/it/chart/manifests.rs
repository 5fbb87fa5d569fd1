//! Tests the manifests: they are valid for Kubernetes and equal to the committed ones.

use serde_json::{Value, json};

use test_support::project_root;

use crate::snapshots::assert_snapshot;

use super::rendering::{Example, KUBERNETES, chart, examples, files_of, helm, objects, read, template};

#[test]
fn every_example_is_valid_for_the_oldest_and_newest_kubernetes() {
    for version in KUBERNETES {
        for Example { name, values, .. } in examples() {
            let rendered = template(&["--values", values, "--kube-version", version], &Value::Null).unwrap();
            let wrong = objects(&rendered, &[version]).err();
            assert_eq!(wrong, None, "{name}");
        }
    }
}

#[test]
fn chart_requires_the_oldest_tested_kubernetes() {
    let least = format!("kubeVersion: \">={}.0-0\"\n", KUBERNETES[0]);
    assert!(read(&chart().join("Chart.yaml")).contains(&least), "{least}");
    let before = template(&["--values", &examples()[0].values, "--kube-version", "1.26"], &Value::Null);
    assert!(before.unwrap_err().contains("incompatible with Kubernetes v1.26"));
}

#[test]
fn helm_lint_accepts_every_example() {
    for Example { name, values, .. } in examples() {
        let output = helm(&["lint", "--strict", chart().to_str().unwrap(), "--values", values], "");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

/// `make chart` updates the committed manifests.
#[test]
fn every_example_renders_the_committed_manifest() {
    const FOLDER: &str = "tests/fixtures/chart";
    for Example { name, text, .. } in examples() {
        assert_snapshot(FOLDER, name, text);
    }
    let files =
        files_of(&project_root().join(FOLDER)).into_iter().filter(|file| file.extension().is_some_and(|e| e == "snap"));
    let committed: Vec<_> = files.map(|file| file.file_stem().unwrap().to_owned()).collect();
    let rendered: Vec<_> = examples().iter().map(|example| example.name.as_str()).collect();
    assert_eq!(committed, rendered, "committed examples (left) and those of the chart (right)");
}

#[test]
fn no_two_objects_have_the_same_kind_and_name() {
    for example in examples() {
        let mut names: Vec<_> = example.objects.iter().map(super::rendering::title).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{}: {names:?}", example.name);
    }
}

mod validation_fails {
    use super::{KUBERNETES, Value, json, objects};

    fn assert_invalid(manifest: &str, reason: &str) {
        let wrong = objects(manifest, &[KUBERNETES[2]]).expect_err("no error is found");
        assert!(wrong.contains(reason), "{wrong}");
    }

    fn object(api: &str, kind: &str, spec: Value) -> String {
        json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec}).to_string()
    }

    #[test]
    fn for_an_unknown_field() {
        assert_invalid(&object("v1", "Service", json!({"sort": "ClusterIP"})), "1.37: Service x: spec");
    }

    #[test]
    fn for_a_value_of_the_wrong_type() {
        assert_invalid(&object("v1", "Service", json!({"ports": [{"port": "x"}]})), "spec/ports/0/port");
    }

    #[test]
    fn for_a_missing_field() {
        assert_invalid(&object("apps/v1", "StatefulSet", json!({})), "'selector' is a required property");
    }

    #[test]
    fn for_an_unknown_kind() {
        assert_invalid(&object("apps/v1", "StatefulSets", json!({})), "Couldn't find schema for kind StatefulSets");
    }

    #[test]
    fn for_a_malformed_route() {
        let route = |spec| object("gateway.networking.k8s.io/v1", "HTTPRoute", spec);
        assert_invalid(&route(json!({"hostname": "a.example.com"})), "'hostname' was unexpected");
        assert_invalid(&route(json!({"hostnames": ["A.example.com"]})), "does not match");
    }

    #[test]
    fn for_a_malformed_monitor_or_rule() {
        let monitoring = |kind, spec| object("monitoring.coreos.com/v1", kind, spec);
        let monitor = json!({"selector": {}, "endpoints": [{"ports": "admin"}]});
        assert_invalid(&monitoring("ServiceMonitor", monitor), "'ports' was unexpected");
        let monitor = json!({"selector": {}, "podMetricsEndpoints": [{"interval": "often"}]});
        assert_invalid(&monitoring("PodMonitor", monitor), "spec/podMetricsEndpoints/0/interval");
        let rule = json!({"groups": [{"name": "x", "rules": [{"alert": "X"}]}]});
        assert_invalid(&monitoring("PrometheusRule", rule), "'expr' is a required property");
        assert_invalid(&monitoring("PrometheusRules", json!({})), "Couldn't find schema for kind PrometheusRules");
    }

    #[test]
    fn for_a_duplicate_key() {
        assert_invalid("{apiVersion: v1, kind: Service, metadata: {name: x, name: y}}", "['name'] twice");
    }
}
