//! What a cluster may refuse: pods that break the Pod Security Standard, unknown fields, and pods beyond a quota.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    cluster::wait_for,
    example::{RELEASE, chart, text},
    fixture::Fixture,
    pages::{DEFAULT_LIMITS, read},
    release::{PATIENCE, Release, is_ready, warnings},
};

pub(crate) fn play_pod_security(fixture: &Fixture) -> String {
    let release = fixture.release("pod-security");
    let minimal = fixture.example("minimal");
    let begin = ["install", RELEASE, &chart(), "--values", &minimal.values];
    let escalate = ["--set", "securityContext.allowPrivilegeEscalation=true"];
    let ended = release.helm(&[&begin[..], &escalate].concat()).expect_success();
    assert!(warnings(&ended).iter().any(|line| line.contains("would violate PodSecurity")), "{}", ended.diagnostics);
    let refused = wait_for_refused_pod(&release);
    assert!(refused.contains(r#"violates PodSecurity "restricted"#), "{refused}");
    assert!(refused.contains("allowPrivilegeEscalation != false"), "{refused}");
    assert_eq!(release.replicas().len(), 0);

    release.upgrade(minimal, &["--wait", PATIENCE]).expect_success();
    assert_eq!(release.replicas().len(), minimal.replicas());
    "pods with `allowPrivilegeEscalation` are refused, those of the chart are not".to_owned()
}

/// The values for clusters that assign users themselves.
pub(crate) fn play_assigned_users(fixture: &Fixture) -> String {
    let release = fixture.release("assigned-users");
    let minimal = fixture.example("minimal");
    let values = "adaptSecurityContext: always\n";
    let install = ["install", RELEASE, &chart(), "--values", &minimal.values, "--values", "-", "--wait", PATIENCE];
    let ended = release.helm_with(&install, values).expect_success();
    assert_eq!(warnings(&ended), [""; 0]);
    for pod in release.replicas() {
        let context = pod["spec"]["securityContext"].as_object().unwrap();
        let numbers: Vec<_> =
            context.keys().filter(|key| ["runAsUser", "runAsGroup", "fsGroup"].contains(&key.as_str())).collect();
        assert!(numbers.is_empty(), "{numbers:?}");
        assert_eq!(context["runAsNonRoot"], true);
    }
    release.test().expect_success();
    "pods without numbers of users are admitted".to_owned()
}

/// An unknown field of any object of the chart is refused, so the schemas of all of them are known.
pub(crate) fn play_strict_validation(fixture: &Fixture) -> String {
    let release = fixture.release("strict-validation");
    let objects = fixture.examples.iter().flat_map(|example| &example.objects);
    let kinds: BTreeMap<_, _> = objects.map(|object| (text(&object["kind"]).to_owned(), object.clone())).collect();
    for kind in
        ["HTTPRoute", "KafkaTopic", "KafkaUser", "PodMonitor", "PrometheusRule", "ServiceMonitor", "StatefulSet"]
    {
        assert!(kinds.contains_key(kind), "no example has a {kind}");
    }
    for (kind, mut object) in kinds.clone() {
        // A ConfigMap, for example, has no specification.
        let parent = if object["spec"].is_object() { "spec" } else { "metadata" };
        object[parent]["notAField"] = true.into();
        object["metadata"].as_object_mut().unwrap().remove("namespace");
        let create = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
        let error = release.kubectl(&create, &object.to_string()).expect_failure();
        assert!(error.contains(&format!(r#"unknown field "{parent}.notAField""#)), "{kind}: {error}");
    }
    format!("an unknown field is refused in each of {} kinds", kinds.len())
}

pub(crate) fn play_quota(fixture: &Fixture) -> String {
    let release = fixture.release("quota");
    let minimal = fixture.example("minimal");
    // Without the limits of processors, which the pods do not have.
    let quota = json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "quota", "namespace": release.namespace},
        "spec": {"hard": {
            "requests.cpu": "1", "requests.memory": "1Gi", "limits.memory": "4Gi", "requests.storage": "20Gi",
            "pods": "3", "persistentvolumeclaims": "2", "services.loadbalancers": "0", "services.nodeports": "0",
        }},
    });
    fixture.create(&quota);
    release.install(minimal, &[]);
    release.test().expect_success();
    release.uninstall();

    let limits = json!({"spec": {"hard": {"limits.cpu": "4"}}}).to_string();
    release.kubectl(&["patch", "resourcequota", "quota", "--type=merge", "--patch", &limits], "").expect_success();
    release.helm(&["install", RELEASE, &chart(), "--values", &minimal.values]).expect_success();
    let refused = wait_for_refused_pod(&release);
    assert!(refused.contains("must specify limits.cpu"), "{refused}");
    let range = read(&DEFAULT_LIMITS);
    release.kubectl(&["create", "--validate=strict", "-f", "-"], &range).expect_success();
    // The controller tries again.
    release.wait_for_replicas("the replicas are admitted", |pods| pods.len() == 2 && pods.iter().all(is_ready));
    release.test().expect_success();
    "fits a quota, and with a LimitRange one on `limits.cpu`".to_owned()
}

/// The message of the event that says why a pod of the StatefulSet is not created.
fn wait_for_refused_pod(release: &Release) -> String {
    wait_for("a pod is refused", || release.events("FailedCreate").into_iter().next())
}
