//! Tests the restrictions of the pods in every example, including those of the drain and of the test.

use serde_json::{Value, json};
use trusthub_bridge::config::VARIABLES;

use super::rendering::{Example, Pod, examples, list, text, title};

fn each_pod(check: impl Fn(&Pod<'_>)) {
    for example in examples() {
        let pods = example.pods();
        assert!(pods.len() >= 2, "{} has no replicas or no test", example.name);
        pods.iter().for_each(&check);
    }
}

fn each_container(check: impl Fn(&Value, &str)) {
    each_pod(|pod| pod.containers().into_iter().for_each(|container| check(container, &pod.name)));
}

#[test]
fn no_pod_runs_as_root_or_accesses_its_node() {
    each_pod(|pod| {
        let (spec, context) = (pod.spec(), &pod.spec()["securityContext"]);
        assert_eq!(context["runAsNonRoot"], true, "{}", pod.name);
        assert_eq!((&context["runAsUser"], &context["runAsGroup"]), (&json!(65532), &json!(65532)), "{}", pod.name);
        assert_eq!(context["seccompProfile"], json!({"type": "RuntimeDefault"}), "{}", pod.name);
        for field in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] {
            assert!(spec[field].is_null(), "{}: {field}", pod.name);
        }
        let of_the_host = list(&spec["volumes"]).find(|volume| !volume["hostPath"].is_null());
        assert_eq!(of_the_host, None, "{}", pod.name);
    });
}

#[test]
fn no_container_can_gain_privileges_or_write_outside_its_volumes() {
    each_container(|container, name| {
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
        });
        assert_eq!(container["securityContext"], expected, "{name}");
    });
}

#[test]
fn no_pod_has_a_cluster_token_or_service_links() {
    each_pod(|pod| {
        let spec = pod.spec();
        assert_eq!(
            (&spec["automountServiceAccountToken"], &spec["enableServiceLinks"]),
            (&json!(false), &json!(false))
        );
        assert_ne!(spec["serviceAccountName"], "default", "{}", pod.name);
    });
    for example in examples() {
        assert_eq!(example.only("ServiceAccount")["automountServiceAccountToken"], false, "{}", example.name);
        let roles = example.objects.iter().find(|object| text(&object["kind"]).contains("Role"));
        assert_eq!(roles, None, "{}", example.name);
    }
}

#[test]
fn every_container_has_resource_limits() {
    each_container(|container, name| {
        let resources = &container["resources"];
        for bound in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
            assert!(resources.pointer(bound).is_some_and(Value::is_string), "{name}: {bound}");
        }
    });
}

#[test]
fn secrets_are_updatable_files_that_only_the_pod_can_read() {
    let secret: Vec<_> = VARIABLES.iter().filter(|variable| variable.secret).map(|variable| variable.name).collect();
    for example in examples() {
        assert!(example.of_kind("Secret").is_empty(), "{}", example.name);
    }
    each_container(|container, name| {
        let variables = list(&container["env"]).map(|variable| text(&variable["name"]));
        assert_eq!(variables.filter(|variable| secret.contains(variable)).count(), 0, "{name}");
        let pinned = list(&container["volumeMounts"]).find(|mount| !mount["subPath"].is_null());
        assert_eq!(pinned, None, "{name}: Kubernetes does not update files behind a subPath");
    });
    each_pod(|pod| {
        for volume in list(&pod.spec()["volumes"]).filter(|volume| !volume["projected"].is_null()) {
            assert_eq!(volume["projected"]["defaultMode"], 0o440, "{}", pod.name);
        }
    });
}

#[test]
fn admin_port_and_console_are_on_no_routed_service() {
    for example in examples() {
        let routed = routed_services(example);
        for service in example.of_kind("Service") {
            let ports: Vec<_> = list(&service["spec"]["ports"]).map(|port| text(&port["targetPort"])).collect();
            let name = text(&service["metadata"]["name"]);
            let kind = &service["spec"]["type"];
            match ports[..] {
                ["admin"] => {
                    assert_eq!(service["spec"]["clusterIP"], "None", "{}: {name} has an address", example.name);
                    assert!(kind.is_null(), "{}: {name} is reachable from outside", example.name);
                }
                ["console"] => {
                    assert!(example.settings().contains_key("CONSOLE_PASSWORD_FILE"), "{}", example.name);
                    assert_eq!(kind, "ClusterIP", "{}: {name} is reachable from outside", example.name);
                }
                _ => assert_eq!(ports, ["http"], "{}: {name}", example.name),
            }
            assert!(ports == ["http"] || !routed.contains(&name), "{}: {name} is routed", example.name);
        }
    }
}

fn routed_services(example: &Example) -> Vec<&str> {
    let rules = |kind| example.of_kind(kind).into_iter().flat_map(|object| list(&object["spec"]["rules"]));
    let paths = rules("Ingress").flat_map(|rule| list(&rule["http"]["paths"]));
    let backends = rules("HTTPRoute").flat_map(|rule| list(&rule["backendRefs"]));
    let names = paths.map(|path| &path["backend"]["service"]["name"]).chain(backends.map(|backend| &backend["name"]));
    names.map(text).collect()
}

#[test]
fn selectors_match_exactly_the_intended_pods() {
    for example in examples() {
        let selectors = example.objects.iter().filter_map(|object| {
            let components: &[&str] = match object["kind"].as_str()? {
                "Service" | "StatefulSet" | "PodDisruptionBudget" => &["bridge"],
                "NetworkPolicy" => &["bridge", "drain"],
                _ => return None,
            };
            Some((object, components))
        });
        for (object, components) in selectors {
            for pod in example.pods() {
                let labels = &pod.pod["metadata"]["labels"];
                let component = text(&labels["app.kubernetes.io/component"]);
                let expected = components.contains(&component);
                assert_eq!(selects(object, labels), expected, "{}: {}", title(object), pod.name);
            }
        }
    }
}

fn selects(object: &Value, labels: &Value) -> bool {
    let spec = &object["spec"];
    let selector = if spec["selector"].is_null() { &spec["podSelector"] } else { &spec["selector"] };
    let equal = if selector["matchLabels"].is_null() { selector } else { &selector["matchLabels"] };
    let equal = equal.as_object().expect("a selector names labels");
    assert!(!equal.is_empty(), "{} selects everything", title(object));
    let mut conditions = list(&selector["matchExpressions"]);
    equal.iter().all(|(name, value)| labels[name] == *value)
        && conditions.all(|condition| {
            assert_eq!(condition["operator"], "In");
            list(&condition["values"]).any(|value| labels[text(&condition["key"])] == *value)
        })
}

#[test]
fn network_policy_allows_only_required_connections() {
    let policy = super::rendering::example("moving").only("NetworkPolicy");
    let anywhere = json!([
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
        {"ports": [{"port": 9092}]},
        {"ports": [{"port": 443}]},
    ]);
    assert_eq!(policy["spec"]["egress"], anywhere);
    let callers = json!([
        {"ports": [{"port": 8080}]},
        {"ports": [{"port": 9090}], "from": [{"namespaceSelector": {}}]},
    ]);
    assert_eq!(policy["spec"]["ingress"], callers);
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));

    // Only the configured peers may call, and the test.
    let from = &super::rendering::example("ingress-prefix").only("NetworkPolicy")["spec"]["ingress"][0]["from"];
    assert_eq!(from[0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"], "test");
    assert_eq!(from.as_array().unwrap().len(), 2);

    // Without an account, Trust Hub is not reachable.
    let egress = &super::rendering::example("sasl").only("NetworkPolicy")["spec"]["egress"];
    assert_eq!(egress.as_array().unwrap().len(), 2);
    let brokers = json!({"ports": [{"port": 9094}, {"port": 9194}], "to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]});
    assert_eq!(egress[1], brokers);
}
