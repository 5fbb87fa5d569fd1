//! An installer with the permissions that `docs/kubernetes.md` lists: it needs each of them, and no others.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    cluster::Helm,
    example::{Example, text},
    fixture::{Fixture, INSTALLER},
    pages::{INSTALLERS_ROLE, read},
    release::{PATIENCE, Release},
};

pub(crate) fn play(fixture: &Fixture) -> String {
    let create = ["create", "--dry-run=client", "--output=json", "-f", "-"];
    let role = fixture.administrator.kubectl(&create, &read(&INSTALLERS_ROLE)).expect_success().printed;
    let role: Value = serde_json::from_str(&role).unwrap();
    let mut used = BTreeSet::new();
    for (helm, namespace) in [(Helm::Three, "installer"), (Helm::Four, "installer-with-helm-4")] {
        let release = fixture.release_of(fixture.cluster.user(INSTALLER).with_helm(helm), namespace);
        grant(fixture, &role, &release.namespace);
        grant(fixture, &only_for_strimzi(&role), &release.kafka_namespace());
        for example in with_new_kinds(&fixture.examples) {
            use_helm(&release, example);
        }
        used.extend(requests(&fixture.cluster.audited(), &release.namespaces()));
    }
    let allowed = allowed(&role);
    assert_eq!(used, allowed, "requests that were made (left), and those that the Role allows (right)");
    format!("{} permissions, all of which are used", allowed.len())
}

/// The examples that have objects of a kind which no example before has.
fn with_new_kinds(examples: &[Example]) -> Vec<&Example> {
    let mut known = BTreeSet::new();
    let has_new = |example: &&Example| {
        let before = known.len();
        known.extend(example.objects.iter().map(|object| text(&object["kind"]).to_owned()));
        known.len() > before
    };
    examples.iter().filter(has_new).collect()
}

/// Uses helm in every way that the page names.
fn use_helm(release: &Release, example: &Example) {
    release.create_claims(example.drained_claims());
    let soon = ["--set", "minReadySeconds=0", "--wait", PATIENCE];
    release.install(example, &soon);
    release.test().expect_success();
    // Changes every object.
    let change = ["--set", "commonLabels.changed=yes"];
    release.upgrade(example, &[&soon[..], &change].concat()).expect_success();
    release.roll_back(1, &["--wait"]);
    release.uninstall();
}

/// Gives the installer a Role in a namespace.
fn grant(fixture: &Fixture, role: &Value, namespace: &str) {
    let mut role = role.clone();
    role["metadata"]["namespace"] = namespace.into();
    fixture.create(&role);
    fixture.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": INSTALLER, "namespace": namespace},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": INSTALLER}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role["metadata"]["name"]},
    }));
}

/// The Role without the rules for other objects than those of Strimzi.
fn only_for_strimzi(role: &Value) -> Value {
    let mut role = role.clone();
    role["rules"].as_array_mut().unwrap().retain(|rule| rule["apiGroups"] == json!(["kafka.strimzi.io"]));
    role
}

/// The requests of the installer in these namespaces, each as a resource with its group, and a verb.
fn requests(audited: &[Value], namespaces: &[String]) -> BTreeSet<(String, String)> {
    let is_own = |request: &&Value| namespaces.iter().any(|name| request["objectRef"]["namespace"] == **name);
    // Helm asks for the namespace itself before it creates the objects of hooks, and goes on if that is forbidden.
    let own = audited.iter().filter(is_own).filter(|request| request["objectRef"]["resource"] != "namespaces");
    own.map(|request| {
        let status = request["responseStatus"]["code"].as_u64();
        assert_ne!(status, Some(403), "{request}");
        let object = &request["objectRef"];
        let subresource = object["subresource"].as_str().map_or_else(String::new, |name| format!("/{name}"));
        let group = object["apiGroup"].as_str().unwrap_or_default();
        (format!("{group} {}{subresource}", text(&object["resource"])), text(&request["verb"]).to_owned())
    })
    .collect()
}

/// The permissions of a Role in the same form.
fn allowed(role: &Value) -> BTreeSet<(String, String)> {
    let texts = |value: &Value| value.as_array().unwrap().iter().map(|item| text(item).to_owned()).collect::<Vec<_>>();
    let mut allowed = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                allowed.extend(texts(&rule["verbs"]).into_iter().map(|verb| (format!("{group} {resource}"), verb)));
            }
        }
    }
    allowed
}
