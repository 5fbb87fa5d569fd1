//! Tests the metadata that users add to objects and pods, and what the chart adapts to its cluster.

use serde_json::{Value, json};

use super::rendering::{Example, KUBERNETES, example, examples, list, objects, template, text, title};

/// The minimal objects with these values, on a cluster with these API versions.
fn rendered(apis: &[&str], values: &Value) -> Vec<Value> {
    let minimal = &example("minimal").values;
    let mut arguments = vec!["--values", minimal, "--kube-version", KUBERNETES[2]];
    apis.iter().for_each(|api| arguments.extend(["--api-versions", api]));
    objects(&template(&arguments, values).unwrap(), &[]).unwrap()
}

/// The security contexts of the replicas and of the test.
fn contexts(objects: &[Value]) -> Vec<&Value> {
    let pods = objects.iter().filter_map(|object| match text(&object["kind"]) {
        "StatefulSet" => Some(&object["spec"]["template"]["spec"]),
        "Pod" => Some(&object["spec"]),
        _ => None,
    });
    pods.map(|pod| &pod["securityContext"]).collect()
}

#[test]
fn rendering_twice_gives_the_same_text() {
    for Example { name, values, text, .. } in examples() {
        let again = template(&["--values", values, "--kube-version", KUBERNETES[2]], &Value::Null).unwrap();
        assert_eq!(again, *text, "{name}");
    }
}

#[test]
fn common_annotations_are_on_every_object_beside_its_own() {
    let example = example("sidecar");
    for object in &example.objects {
        assert_eq!(object["metadata"]["annotations"]["example.com/contact"], "onboarding", "{}", title(object));
    }
    // The label of one layer in each section of the values.
    for (kind, layer) in [
        ("StatefulSet", "workload"),
        ("NetworkPolicy", "network"),
        ("PodDisruptionBudget", "platform"),
        ("ServiceAccount", "identity"),
    ] {
        assert_eq!(example.only(kind)["metadata"]["labels"]["layer"], layer);
    }
    // A changed annotation of the objects restarts no pod.
    assert!(example.pod_of("bridge").pod["metadata"]["annotations"]["example.com/contact"].is_null());
}

#[test]
fn drain_and_test_have_pod_metadata_of_their_own() {
    let example = example("sidecar");
    let job = "example.com/job";
    let annotations = |component: &str| example.pod_of(component).pod["metadata"]["annotations"].clone();
    assert_eq!(annotations("bridge"), json!({ "example.com/log": "json" }));
    assert_eq!(annotations("drain"), json!({ "example.com/log": "json", job: "drain" }));
    assert_eq!((&annotations("test")[job], &annotations("test")["helm.sh/hook"]), (&json!("test"), &json!("test")));
    for (component, injected) in [("bridge", Value::Null), ("drain", json!("false")), ("test", json!("false"))] {
        let pod = example.pod_of(component);
        assert_eq!(pod.pod["metadata"]["labels"]["sidecar.istio.io/inject"], injected, "{}", pod.name);
    }
}

#[test]
fn further_containers_are_in_the_replicas_only() {
    let example = example("sidecar");
    let names = |component: &str| {
        let containers = example.pod_of(component).containers();
        containers.iter().map(|container| text(&container["name"]).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("bridge"), ["trusthub-bridge", "exporter", "prepare"]);
    assert_eq!((names("drain"), names("test")), (vec!["drain".to_owned()], vec!["probe".to_owned()]));
}

#[test]
fn registry_of_the_parent_is_for_images_without_a_registry() {
    let image = |values: Value| {
        let objects = rendered(&[], &values);
        let replicas = objects.iter().find(|object| object["kind"] == "StatefulSet").unwrap();
        text(&replicas["spec"]["template"]["spec"]["containers"][0]["image"]).to_owned()
    };
    for (repository, expected) in [
        ("trusthub-bridge", "mirror.example.org/trusthub-bridge:1"),
        ("tools/trusthub-bridge", "mirror.example.org/tools/trusthub-bridge:1"),
        ("registry.example.com/trusthub-bridge", "registry.example.com/trusthub-bridge:1"),
        ("registry:5000/trusthub-bridge", "registry:5000/trusthub-bridge:1"),
        ("localhost/trusthub-bridge", "localhost/trusthub-bridge:1"),
    ] {
        let global = json!({ "imageRegistry": "mirror.example.org/" });
        assert_eq!(image(json!({ "global": global, "image": { "repository": repository, "tag": "1" } })), expected);
    }
}

#[test]
fn openshift_assigns_the_users_and_groups_of_all_pods() {
    let openshift = ["security.openshift.io/v1"];
    let never = json!({ "adaptSecurityContext": "never" });
    let always = json!({ "adaptSecurityContext": "always" });
    for (apis, values, is_assigned) in [
        (&[][..], json!({}), false),
        (&openshift[..], json!({}), true),
        (&openshift[..], never, false),
        (&[][..], always, true),
        (&[][..], json!({ "podSecurityContext": { "runAsUser": null, "runAsGroup": null, "fsGroup": null } }), true),
    ] {
        let objects = rendered(apis, &values);
        let contexts = contexts(&objects);
        assert_eq!(contexts.len(), 2);
        for context in contexts {
            for number in ["runAsUser", "runAsGroup", "fsGroup"] {
                assert_eq!(context[number].is_null(), is_assigned, "{apis:?}, {values}: {context}");
            }
            assert_eq!(context["runAsNonRoot"], true, "{apis:?}, {values}");
        }
    }
}

#[test]
fn every_alert_has_the_common_labels_and_its_own_severity() {
    let rules = &example("everything").only("PrometheusRule")["spec"]["groups"];
    let rules: Vec<_> = list(rules).flat_map(|group| list(&group["rules"])).collect();
    let (alerts, records): (Vec<_>, Vec<_>) = rules.into_iter().partition(|rule| rule["alert"].is_string());
    assert!(alerts.len() > 20, "only {} alerts", alerts.len());
    for alert in alerts {
        assert_eq!(alert["labels"]["team"], "onboarding", "{}", alert["alert"]);
        assert!(["critical", "warning", "info"].contains(&text(&alert["labels"]["severity"])), "{}", alert["alert"]);
    }
    assert!(records.iter().all(|record| record["labels"]["team"].is_null()), "dashboards select records without it");
}
