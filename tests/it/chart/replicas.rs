//! Tests that replicas stop, restart and scale without losing events.

use serde_json::{Value, json};

use super::rendering::{Example, example, examples, list, template, text};

fn replicas(example: &Example) -> &Value {
    &example.only("StatefulSet")["spec"]
}

fn setting(example: &Example, name: &str) -> i64 {
    example.settings()[name].parse().unwrap()
}

#[test]
fn grace_period_is_longer_than_a_replica_takes_to_stop() {
    for example in examples() {
        let needed = setting(example, "SHUTDOWN_DELAY_SECS") + setting(example, "SHUTDOWN_TIMEOUT_SECS") + 5;
        let given = replicas(example)["template"]["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap();
        assert!(given >= needed, "{}: {given} s for {needed} s", example.name);
    }
}

#[test]
fn only_one_replica_is_restarted_or_evicted_at_a_time() {
    for example in examples() {
        let replicas = replicas(example);
        assert_eq!(replicas["updateStrategy"], json!({"type": "RollingUpdate"}), "{}", example.name);
        assert!(replicas["minReadySeconds"].as_i64().unwrap() > 0, "{}", example.name);
        let budgets = example.of_kind("PodDisruptionBudget");
        // For a single replica, a budget would block node drains forever.
        assert_eq!(budgets.len(), usize::from(replicas["replicas"] != 1), "{}", example.name);
        assert!(budgets.iter().all(|budget| budget["spec"]["maxUnavailable"] == 1), "{}", example.name);
    }
}

#[test]
fn replicas_are_spread_by_default() {
    for example in examples().iter().filter(|example| example.name != "everything") {
        let spec = &replicas(example)["template"]["spec"];
        let spread: Vec<_> = list(&spec["topologySpreadConstraints"]).collect();
        let keys: Vec<_> = spread.iter().map(|constraint| text(&constraint["topologyKey"])).collect();
        assert_eq!(keys, ["kubernetes.io/hostname", "topology.kubernetes.io/zone"], "{}", example.name);
        let counted = |constraint: &&Value| constraint["labelSelector"] == replicas(example)["selector"];
        assert!(spread.iter().all(counted), "{}", example.name);
    }
    let chosen = &replicas(example("everything"))["template"]["spec"]["topologySpreadConstraints"];
    assert_eq!(chosen[0]["labelSelector"]["matchLabels"], json!({"app.kubernetes.io/instance": "other"}));
}

#[test]
fn probes_use_the_admin_port() {
    for example in examples() {
        let container = &replicas(example)["template"]["spec"]["containers"][0];
        let mut ports =
            vec![json!({"name": "http", "containerPort": 8080}), json!({"name": "admin", "containerPort": 9090})];
        if example.settings().contains_key("CONSOLE_BIND") {
            ports.push(json!({"name": "console", "containerPort": 9091}));
        }
        assert_eq!(container["ports"], json!(ports), "{}", example.name);
        for (probe, path) in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
            assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "admin"}), "{}", example.name);
        }
    }
}

#[test]
fn spool_is_on_a_volume_that_is_kept_when_scaling_down() {
    for example in examples() {
        let replicas = replicas(example);
        let mounts = list(&replicas["template"]["spec"]["containers"][0]["volumeMounts"]);
        let mount = mounts.into_iter().find(|mount| mount["name"] == "spool").unwrap();
        assert!(mount["readOnly"].is_null(), "{}", example.name);
        // A folder on the volume: the group can read the root of the volume, but not the folder that the program creates.
        let folder = example.settings()["SPOOL_DIR"];
        assert_eq!(folder, format!("{}/spool", text(&mount["mountPath"])), "{}", example.name);
        if example.name == "ephemeral" {
            let volume = &replicas["template"]["spec"]["volumes"][0];
            assert_eq!(volume, &json!({"name": "spool", "emptyDir": {"sizeLimit": "256Mi"}}));
            assert!(replicas["volumeClaimTemplates"].is_null());
        } else {
            assert_eq!(replicas["volumeClaimTemplates"][0]["metadata"]["name"], "spool", "{}", example.name);
            assert_eq!(replicas["persistentVolumeClaimRetentionPolicy"]["whenScaled"], "Retain", "{}", example.name);
        }
    }
    let kept = &replicas(example("minimal"))["persistentVolumeClaimRetentionPolicy"];
    assert_eq!(kept, &json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
}

#[test]
fn drain_mounts_the_volumes_of_removed_replicas() {
    let example = example("drain");
    let name = text(&example.only("StatefulSet")["metadata"]["name"]);
    let claim = text(&replicas(example)["volumeClaimTemplates"][0]["metadata"]["name"]);
    let jobs = example.of_kind("Job");
    assert_eq!(jobs.len(), 2);
    for (job, ordinal) in jobs.into_iter().zip([1, 2]) {
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], format!("{claim}-{name}-{ordinal}"));
        assert_eq!(pod["containers"][0]["args"], json!(["spool", "drain", "--timeout-secs", "60"]));
        // Helm waits for the job, and a failed run does not block the next one.
        let annotations = &job["metadata"]["annotations"];
        assert_eq!(annotations["helm.sh/hook"], "post-upgrade");
        assert_eq!(annotations["helm.sh/hook-delete-policy"], "before-hook-creation,hook-succeeded");
    }
}

#[test]
fn helm_test_sends_a_forged_callback_to_the_service() {
    let arguments = |name: &str| example(name).pod_of("test").containers()[0]["args"].clone();
    let url = "http://bridge-trusthub-bridge:8080/callbacks/customer-profiles";
    assert_eq!(arguments("minimal"), json!(["probe", "--url", url]));
    let url = "http://bridge:8000/callbacks/customer-profiles";
    assert_eq!(arguments("everything"), json!(["probe", "--url", url, "--publish"]));
    for example in examples() {
        let test = example.only("Pod");
        assert_eq!(test["metadata"]["annotations"]["helm.sh/hook"], "test", "{}", example.name);
        assert_eq!(test["spec"]["restartPolicy"], "Never", "{}", example.name);
    }
}

#[test]
fn names_are_short_enough_for_labels_of_kubernetes() {
    let values = json!({ "fullnameOverride": "a-name-that-is-much-longer-than-anything-that-kubernetes-takes" });
    let rendered = template(&["--values", &example("minimal").values], &values).unwrap();
    let names = rendered.lines().filter_map(|line| line.strip_prefix("  name: "));
    // 63 minus the hash that a StatefulSet appends; plus the longest suffix in the chart.
    let longest = names.map(str::len).max().unwrap();
    assert_eq!(longest, 52 + "-admin".len());
}
