//! How replicas stop, restart, come and go without losing an event.

use serde_json::{Value, json};

use super::rendering::{Shape, list, shape, shapes, template, text};

fn replicas(shape: &Shape) -> &Value {
    &shape.only("StatefulSet")["spec"]
}

fn setting(shape: &Shape, name: &str) -> i64 {
    shape.settings()[name].parse().unwrap()
}

#[test]
fn kubernetes_waits_longer_than_a_replica_takes_to_stop() {
    for shape in shapes() {
        let needed = setting(shape, "SHUTDOWN_DELAY_SECS") + setting(shape, "SHUTDOWN_TIMEOUT_SECS") + 5;
        let given = replicas(shape)["template"]["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap();
        assert!(given >= needed, "{}: {given} s for {needed} s", shape.name);
    }
}

#[test]
fn one_replica_at_a_time_is_restarted_or_evicted() {
    for shape in shapes() {
        let replicas = replicas(shape);
        assert_eq!(replicas["updateStrategy"], json!({"type": "RollingUpdate"}), "{}", shape.name);
        assert!(replicas["minReadySeconds"].as_i64().unwrap() > 0, "{}", shape.name);
        let budgets = shape.of_kind("PodDisruptionBudget");
        // For a single replica it would keep a machine from ever being emptied.
        assert_eq!(budgets.len(), usize::from(replicas["replicas"] != 1), "{}", shape.name);
        assert!(budgets.iter().all(|budget| budget["spec"]["maxUnavailable"] == 1), "{}", shape.name);
    }
}

#[test]
fn replicas_are_spread_unless_they_are_told_otherwise() {
    for shape in shapes().iter().filter(|shape| shape.name != "everything") {
        let spec = &replicas(shape)["template"]["spec"];
        let spread: Vec<_> = list(&spec["topologySpreadConstraints"]).collect();
        let keys: Vec<_> = spread.iter().map(|constraint| text(&constraint["topologyKey"])).collect();
        assert_eq!(keys, ["kubernetes.io/hostname", "topology.kubernetes.io/zone"], "{}", shape.name);
        let counted = |constraint: &&Value| constraint["labelSelector"] == replicas(shape)["selector"];
        assert!(spread.iter().all(counted), "{}", shape.name);
    }
    let chosen = &replicas(shape("everything"))["template"]["spec"]["topologySpreadConstraints"];
    assert_eq!(chosen[0]["labelSelector"]["matchLabels"], json!({"app.kubernetes.io/instance": "other"}));
}

#[test]
fn the_probes_ask_the_admin_port() {
    for shape in shapes() {
        let container = &replicas(shape)["template"]["spec"]["containers"][0];
        let ports = json!([{"name": "http", "containerPort": 8080}, {"name": "admin", "containerPort": 9090}]);
        assert_eq!(container["ports"], ports, "{}", shape.name);
        for (probe, path) in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
            assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "admin"}), "{}", shape.name);
        }
    }
}

#[test]
fn the_spool_lies_on_the_volume_and_the_volume_is_kept_when_replicas_go() {
    for shape in shapes() {
        let replicas = replicas(shape);
        let mounts = list(&replicas["template"]["spec"]["containers"][0]["volumeMounts"]);
        let mount = mounts.into_iter().find(|mount| mount["name"] == "spool").unwrap();
        assert!(mount["readOnly"].is_null(), "{}", shape.name);
        // Below it: the volume's own folder is open to the group, the one that the program makes is not.
        let folder = shape.settings()["SPOOL_DIR"];
        assert_eq!(folder, format!("{}/spool", text(&mount["mountPath"])), "{}", shape.name);
        if shape.name == "ephemeral" {
            let volume = &replicas["template"]["spec"]["volumes"][0];
            assert_eq!(volume, &json!({"name": "spool", "emptyDir": {"sizeLimit": "256Mi"}}));
            assert!(replicas["volumeClaimTemplates"].is_null());
        } else {
            assert_eq!(replicas["volumeClaimTemplates"][0]["metadata"]["name"], "spool", "{}", shape.name);
            assert_eq!(replicas["persistentVolumeClaimRetentionPolicy"]["whenScaled"], "Retain", "{}", shape.name);
        }
    }
    let kept = &replicas(shape("minimal"))["persistentVolumeClaimRetentionPolicy"];
    assert_eq!(kept, &json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
}

#[test]
fn the_drain_takes_the_volumes_of_the_replicas_that_are_gone() {
    let shape = shape("drain");
    let name = text(&shape.only("StatefulSet")["metadata"]["name"]);
    let claim = text(&replicas(shape)["volumeClaimTemplates"][0]["metadata"]["name"]);
    let jobs = shape.of_kind("Job");
    assert_eq!(jobs.len(), 2);
    for (job, ordinal) in jobs.into_iter().zip([1, 2]) {
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], format!("{claim}-{name}-{ordinal}"));
        assert_eq!(pod["containers"][0]["args"], json!(["spool", "drain", "--timeout-secs", "60"]));
        // Helm waits for it, and a run that failed is in nobody's way.
        let annotations = &job["metadata"]["annotations"];
        assert_eq!(annotations["helm.sh/hook"], "post-upgrade");
        assert_eq!(annotations["helm.sh/hook-delete-policy"], "before-hook-creation,hook-succeeded");
    }
}

#[test]
fn the_test_sends_a_forged_callback_to_the_service() {
    let arguments = |name: &str| shape(name).pod_of("test").containers()[0]["args"].clone();
    let url = "http://bridge-trusthub-bridge:8080/callbacks/customer-profiles";
    assert_eq!(arguments("minimal"), json!(["probe", "--url", url]));
    let url = "http://bridge:8000/callbacks/customer-profiles";
    assert_eq!(arguments("everything"), json!(["probe", "--url", url, "--publish"]));
    for shape in shapes() {
        let test = shape.only("Pod");
        assert_eq!(test["metadata"]["annotations"]["helm.sh/hook"], "test", "{}", shape.name);
        assert_eq!(test["spec"]["restartPolicy"], "Never", "{}", shape.name);
    }
}

#[test]
fn names_stay_short_enough_for_the_labels_that_kubernetes_makes_of_them() {
    let values = json!({ "fullnameOverride": "a-name-that-is-much-longer-than-anything-that-kubernetes-takes" });
    let rendered = template(&["--values", &shape("minimal").values], &values).unwrap();
    let names = rendered.lines().filter_map(|line| line.strip_prefix("  name: "));
    // 63 less the hash that a StatefulSet appends; the longest suffix of the chart's own.
    let longest = names.map(str::len).max().unwrap();
    assert_eq!(longest, 52 + "-admin".len());
}
