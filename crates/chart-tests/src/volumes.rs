//! Volumes that become larger, as `docs/kubernetes.md` describes it: no replica restarts.

use serde_json::json;

use super::{
    fixture::Fixture,
    pages::{REFUSED_CLAIMS, read},
    release::{PATIENCE, identities, is_ready},
};

pub(crate) fn play(fixture: &Fixture) -> String {
    let release = fixture.release("volumes");
    let minimal = fixture.example("minimal");
    release.install(minimal, &[]);
    let before = release.replicas();
    let larger = ["--set", "persistence.size=20Gi", "--wait", PATIENCE];
    let error = release.upgrade(minimal, &larger).expect_failure();
    let documented = read(&REFUSED_CLAIMS);
    assert!(error.contains(documented.trim()), "{error}");

    let size = json!({"spec": {"resources": {"requests": {"storage": "20Gi"}}}}).to_string();
    for ordinal in 0..minimal.replicas() {
        release.kubectl(&["patch", "pvc", &minimal.claim(ordinal), "--patch", &size], "").expect_success();
    }
    release.kubectl(&["delete", "statefulset", minimal.full_name(), "--cascade=orphan"], "").expect_success();
    assert_eq!(identities(&release.replicas()), identities(&before), "the replicas stay without the StatefulSet");
    release.upgrade(minimal, &larger).expect_success();

    let after = release.replicas();
    assert_eq!(identities(&after), identities(&before), "no replica restarts");
    assert!(after.iter().all(is_ready));
    let set = &release.get("statefulsets")[0];
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"], "20Gi");
    let owners = after.iter().map(|pod| &pod["metadata"]["ownerReferences"][0]["uid"]);
    assert!(
        owners.into_iter().all(|owner| *owner == set["metadata"]["uid"]),
        "the new StatefulSet adopts the replicas"
    );
    "refused as documented, and then enlarged without a restart".to_owned()
}
