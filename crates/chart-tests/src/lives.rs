//! The life of a release of each example: install, test, upgrade with the values of the release, roll back, uninstall.

use std::time::Instant;

use serde_json::{Value, json};

use super::{
    cluster::{Helm, TIMEOUT, wait_for},
    example::{Example, text},
    fixture::Fixture,
    release::{PATIENCE, Release, is_ready, name_of, warnings},
};

pub(crate) fn play(fixture: &Fixture, example: &Example, helm: Helm) -> String {
    let namespace = match helm {
        Helm::Three => format!("lives-{}", example.name),
        Helm::Four => format!("lives-{}-with-helm-4", example.name),
    };
    let release = fixture.release_of(fixture.administrator.clone().with_helm(helm), &namespace);
    wait_until_furnished(fixture, &release);
    release.create_claims(example.drained_claims());
    let before = fixture.contents(&release);

    release.install(example, &[]);
    assert_eq!(ready_replicas(&release), example.replicas());
    let objects = check_strictly(&release, example);
    check_stored_as_written(&release);
    release.test().expect_success();
    let installed = release.manifest();

    let values = release.values();
    let annotate = ["--set", "podAnnotations.example\\.com/changed=yes", "--wait", PATIENCE];
    assert_eq!(warnings(&release.upgrade_reusing(&annotate).expect_success()), [""; 0]);
    let mut expected = values;
    expected["podAnnotations"]["example.com/changed"] = "yes".into();
    assert_eq!(release.values(), expected, "the values after --reuse-values");
    let is_changed = |pod: &Value| pod["metadata"]["annotations"]["example.com/changed"] == "yes";
    assert!(release.replicas().iter().all(is_changed), "all replicas were replaced");

    release.roll_back(1, &["--wait"]);
    assert_eq!(release.manifest(), installed, "the objects after the rollback");
    assert!(!release.replicas().iter().any(is_changed), "all replicas were replaced again");
    assert_eq!(ready_replicas(&release), example.replicas());

    release.uninstall();
    let kept = kept(&release, example);
    let mut rest = [before, kept.clone()].concat();
    rest.sort();
    rest.dedup();
    wait_until_rest(fixture, &release, &rest);

    // What was left belongs to the next release of the name.
    release.install(example, &[]);
    release.uninstall();
    wait_until_rest(fixture, &release, &rest);
    format!("{objects} objects, {} of which are kept", kept.len())
}

/// Waits until the namespaces have the objects that Kubernetes creates in each.
fn wait_until_furnished(fixture: &Fixture, release: &Release) {
    let expected = release.namespaces().into_iter().flat_map(|namespace| {
        ["serviceaccount/default", "configmap/kube-root-ca.crt"].map(|name| format!("{namespace}/{name}"))
    });
    let expected: Vec<_> = expected.collect();
    wait_for("the namespaces have their accounts and certificates", || {
        let contents = fixture.contents(release);
        expected.iter().all(|name| contents.contains(name)).then_some(())
    });
}

/// The objects that stay when the release is uninstalled, as [`Fixture::contents`] has them.
fn kept(release: &Release, example: &Example) -> Vec<String> {
    let claims = example.kept_claims().into_iter().map(|claim| format!("persistentvolumeclaim/{claim}"));
    let claims = claims.map(|claim| format!("{}/{claim}", release.namespace));
    let [own, kafka] = release.namespaces();
    let objects = example.kept_objects().into_iter();
    let objects = objects.map(|(name, is_at_kafka)| format!("{}/{name}", if is_at_kafka { &kafka } else { &own }));
    claims.chain(objects).collect()
}

fn ready_replicas(release: &Release) -> usize {
    release.replicas().iter().filter(|pod| is_ready(pod)).count()
}

/// Lets the API server validate all objects of the example, also those of hooks. It must know every field.
fn check_strictly(release: &Release, example: &Example) -> usize {
    let objects = release.render(example);
    let apply = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"];
    let ended = release.administrator.kubectl(&apply, &list_of(&objects)).expect_success();
    assert_eq!(ended.diagnostics, "");
    objects.len()
}

/// Tools that compare manifests with a cluster, such as Argo CD, see no difference: every field that the chart writes has the same
/// value in the cluster, where others have the defaults of Kubernetes.
fn check_stored_as_written(release: &Release) {
    let written = release.manifest();
    let get = ["get", "--output=json", "-f", "-"];
    let stored = release.administrator.kubectl(&get, &list_of(&written)).expect_success().printed;
    let stored: Value = serde_json::from_str(&stored).unwrap();
    let stored = stored["items"].as_array().unwrap();
    assert_eq!(stored.len(), written.len());
    for (written, stored) in written.iter().zip(stored) {
        let title = format!("{} {}", text(&written["kind"]), name_of(written));
        assert_eq!(first_difference(written, stored), None, "{title}: {stored}");
    }
}

fn list_of(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

/// The path of the first field that has another value.
fn first_difference(written: &Value, stored: &Value) -> Option<String> {
    match (written, stored) {
        (Value::Object(fields), Value::Object(_)) => fields
            .iter()
            .find_map(|(name, value)| first_difference(value, &stored[name]).map(|path| format!("/{name}{path}"))),
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            let pairs = items.iter().zip(others).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (item, other))| first_difference(item, other).map(|path| format!("/{index}{path}")))
        }
        // Kubernetes stores no empty texts, and the tools know that.
        (Value::String(text), Value::Null) if text.is_empty() => None,
        (written, stored) => (written != stored).then(|| format!(": {written} became {stored}")),
    }
}

/// Waits until the namespaces contain nothing else; the controllers delete some objects later than helm.
fn wait_until_rest(fixture: &Fixture, release: &Release, rest: &[String]) {
    let mut found = Vec::new();
    let deadline = Instant::now() + TIMEOUT;
    while found != rest {
        assert!(Instant::now() < deadline, "left after the release was uninstalled: {found:?}, expected: {rest:?}");
        found = fixture.contents(release);
    }
}
