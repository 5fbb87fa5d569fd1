//! The life of a release of each example: install, test, upgrade with the values of the release, roll back, uninstall.

use std::time::Instant;

use serde_json::Value;

use super::{
    cluster::{TIMEOUT, wait_for},
    example::{Example, RELEASE, chart, parse_all},
    fixture::Fixture,
    release::{PATIENCE, Release, is_ready, warnings},
};

pub(crate) fn play(fixture: &Fixture, example: &Example) -> String {
    let release = fixture.release(&format!("lives-{}", example.name));
    let is_complete = |contents: &Vec<String>| {
        ["serviceaccount/default", "configmap/kube-root-ca.crt"]
            .iter()
            .all(|name| contents.iter().any(|found| found == name))
    };
    wait_for("the namespace has its account and certificate", || {
        Some(fixture.contents(&release.namespace)).filter(is_complete)
    });
    release.create_claims(example.drained_claims());
    let before = fixture.contents(&release.namespace);

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
    let claims = example.kept_claims().into_iter().map(|claim| format!("persistentvolumeclaim/{claim}"));
    let mut rest: Vec<_> = before.into_iter().chain(claims).collect();
    rest.sort();
    rest.dedup();
    wait_until_rest(fixture, &release, &rest);
    format!("{objects} objects, {} claims are kept", rest.iter().filter(|name| name.starts_with("persistent")).count())
}

fn ready_replicas(release: &Release) -> usize {
    release.replicas().iter().filter(|pod| is_ready(pod)).count()
}

fn manifest(release: &Release) -> String {
    release.helm(&["get", "manifest", RELEASE]).expect_success().printed
}

/// Lets the API server validate all objects of the example, also those of hooks. It must know every field.
fn check_strictly(release: &Release, example: &Example) -> usize {
    let rendered = release.helm(&["template", RELEASE, &chart(), "--values", &example.values]).expect_success().printed;
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
        found = fixture.contents(&release.namespace);
    }
}
