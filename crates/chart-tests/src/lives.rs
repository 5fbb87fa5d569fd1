//! The life of a release of each example: install, test, upgrade with the values of the release, roll back, uninstall.

use std::time::Instant;

use serde_json::Value;

use super::{
    cluster::{TIMEOUT, wait_for},
    example::{Example, RELEASE, parse_all},
    fixture::Fixture,
    release::{PATIENCE, Release, is_ready, warnings},
};

pub(crate) fn play(fixture: &Fixture, example: &Example) -> String {
    let release = fixture.release(&format!("lives-{}", example.name));
    wait_until_furnished(fixture, &release);
    release.create_claims(example.drained_claims());
    let before = fixture.contents(&release);

    release.install(example, &[]);
    assert_eq!(ready_replicas(&release), example.replicas());
    let objects = check_strictly(&release, example);
    release.test().expect_success();
    let installed = manifest(&release);

    let values = release.values();
    let annotate = ["--set", "podAnnotations.example\\.com/changed=yes", "--wait", PATIENCE];
    assert_eq!(warnings(&release.upgrade_reusing(&annotate).expect_success()), [""; 0]);
    let mut expected = values;
    expected["podAnnotations"]["example.com/changed"] = "yes".into();
    assert_eq!(release.values(), expected, "the values after --reuse-values");
    let is_changed = |pod: &Value| pod["metadata"]["annotations"]["example.com/changed"] == "yes";
    assert!(release.replicas().iter().all(is_changed), "all replicas were replaced");

    release.roll_back(1, &["--wait"]);
    assert_eq!(manifest(&release), installed, "the objects after the rollback");
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

fn manifest(release: &Release) -> String {
    release.helm(&["get", "manifest", RELEASE]).expect_success().printed
}

/// Lets the API server validate all objects of the example, also those of hooks. It must know every field.
fn check_strictly(release: &Release, example: &Example) -> usize {
    let rendered = release.render(example);
    let apply =
        ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "--output=json"];
    let ended = release.kubectl(&[&apply[..], &["-f", "-"]].concat(), &rendered).expect_success();
    assert_eq!(ended.diagnostics, "");
    let objects = parse_all(&ended.printed).into_iter();
    objects.map(|object| object["items"].as_array().map_or(1, Vec::len)).sum()
}

/// Waits until the namespace contains nothing else; the controllers delete some objects later than helm.
fn wait_until_rest(fixture: &Fixture, release: &Release, rest: &[String]) {
    let mut found = Vec::new();
    let deadline = Instant::now() + TIMEOUT;
    while found != rest {
        assert!(Instant::now() < deadline, "left after the release was uninstalled: {found:?}, expected: {rest:?}");
        found = fixture.contents(release);
    }
}
