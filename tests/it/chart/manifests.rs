//! The manifests: valid for Kubernetes, and as they were committed.

use std::fs;

use serde_json::{Value, json};

use super::rendering::{KUBERNETES, Shape, chart, files_of, helm, is_updating, objects, read, root, shapes, template};

#[test]
fn every_shape_is_valid_for_the_oldest_and_the_newest_kubernetes() {
    for version in KUBERNETES {
        for Shape { name, values, .. } in shapes() {
            let rendered = template(&["--values", values, "--kube-version", version], &Value::Null).unwrap();
            let wrong = objects(&rendered, &[version]).err();
            assert_eq!(wrong, None, "{name}");
        }
    }
}

#[test]
fn the_chart_is_for_the_oldest_kubernetes_that_is_tested_and_for_none_before() {
    let least = format!("kubeVersion: \">={}.0-0\"\n", KUBERNETES[0]);
    assert!(read(&chart().join("Chart.yaml")).contains(&least), "{least}");
    let before = template(&["--values", &shapes()[0].values, "--kube-version", "1.26"], &Value::Null);
    assert!(before.unwrap_err().contains("incompatible with Kubernetes v1.26"));
}

#[test]
fn helm_finds_nothing_to_object_to() {
    for Shape { name, values, .. } in shapes() {
        let output = helm(&["lint", "--strict", chart().to_str().unwrap(), "--values", values], "");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

/// `UPDATE_CHART=1` writes them anew.
#[test]
fn every_shape_renders_what_is_committed() {
    let folder = root().join("tests/fixtures/chart");
    for Shape { name, text, .. } in shapes() {
        let file = folder.join(format!("{name}.yaml"));
        if is_updating() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&file, text).unwrap();
        }
        assert!(
            read(&file) == *text,
            "{name} renders something else than {}; UPDATE_CHART=1 accepts it",
            file.display()
        );
    }
    let committed: Vec<_> = files_of(&folder).iter().map(|file| file.file_stem().unwrap().to_owned()).collect();
    let rendered: Vec<_> = shapes().iter().map(|shape| shape.name.as_str()).collect();
    assert_eq!(committed, rendered, "committed shapes (left) and those of the chart (right)");
}

#[test]
fn no_two_objects_have_the_same_kind_and_name() {
    for shape in shapes() {
        let mut names: Vec<_> = shape.objects.iter().map(super::rendering::title).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{}: {names:?}", shape.name);
    }
}

mod the_validation_goes_red {
    use super::{KUBERNETES, Value, json, objects};

    fn assert_refused(manifest: &str, reason: &str) {
        let wrong = objects(manifest, &[KUBERNETES[2]]).expect_err("nothing is found");
        assert!(wrong.contains(reason), "{wrong}");
    }

    fn object(api: &str, kind: &str, spec: Value) -> String {
        json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec}).to_string()
    }

    #[test]
    fn at_a_field_that_kubernetes_does_not_know() {
        assert_refused(&object("v1", "Service", json!({"sort": "ClusterIP"})), "1.37: Service x: spec");
    }

    #[test]
    fn at_a_value_of_another_type() {
        assert_refused(&object("v1", "Service", json!({"ports": [{"port": "x"}]})), "spec/ports/0/port");
    }

    #[test]
    fn at_a_field_that_is_missing() {
        assert_refused(&object("apps/v1", "StatefulSet", json!({})), "'selector' is a required property");
    }

    #[test]
    fn at_a_kind_that_is_unknown() {
        assert_refused(&object("apps/v1", "StatefulSets", json!({})), "Couldn't find schema for kind StatefulSets");
    }

    #[test]
    fn at_a_route_of_another_form() {
        let route = |spec| object("gateway.networking.k8s.io/v1", "HTTPRoute", spec);
        assert_refused(&route(json!({"hostname": "a.example.com"})), "'hostname' was unexpected");
        assert_refused(&route(json!({"hostnames": ["A.example.com"]})), "does not match");
    }

    #[test]
    fn at_a_monitor_or_a_rule_of_another_form() {
        let monitoring = |kind, spec| object("monitoring.coreos.com/v1", kind, spec);
        let monitor = json!({"selector": {}, "endpoints": [{"ports": "admin"}]});
        assert_refused(&monitoring("ServiceMonitor", monitor), "'ports' was unexpected");
        let monitor = json!({"selector": {}, "podMetricsEndpoints": [{"interval": "often"}]});
        assert_refused(&monitoring("PodMonitor", monitor), "spec/podMetricsEndpoints/0/interval");
        let rule = json!({"groups": [{"name": "x", "rules": [{"alert": "X"}]}]});
        assert_refused(&monitoring("PrometheusRule", rule), "'expr' is a required property");
        assert_refused(&monitoring("PrometheusRules", json!({})), "Couldn't find schema for kind PrometheusRules");
    }

    #[test]
    fn at_a_key_that_stands_there_twice() {
        assert_refused("{apiVersion: v1, kind: Service, metadata: {name: x, name: y}}", "['name'] twice");
    }
}
