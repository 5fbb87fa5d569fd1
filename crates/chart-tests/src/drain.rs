//! Scaling down as `docs/kubernetes.md` describes it: jobs drain the spools of the removed replicas.

use super::{
    cluster::wait_for,
    example::text,
    fixture::Fixture,
    release::{PATIENCE, Release},
};

pub(crate) fn play(fixture: &Fixture) -> String {
    let release = fixture.release("drain");
    let minimal = fixture.example("minimal");
    release.install(minimal, &["--set", "replicaCount=3"]);
    let down = ["--set", "replicaCount=1", "--set", "drain.ordinals={1,2}"];

    // kwok lets the programs of these pods fail, as if Kafka were unreachable.
    let failing = [&down[..], &["--set", "image.tag=fails", "--timeout=20s"]].concat();
    let error = release.upgrade(minimal, &failing).expect_failure();
    assert!(error.contains("post-upgrade hooks failed"), "{error}");
    assert_eq!(completed(&release), 0);
    assert_eq!(claims(&release), [minimal.claim(0), minimal.claim(1), minimal.claim(2)]);

    release.upgrade(minimal, &[&down[..], &[PATIENCE]].concat()).expect_success();
    wait_for_completed(&release, 2);
    assert!(release.get("jobs").is_empty(), "completed jobs are deleted");
    release.wait_for_replicas("one replica is left", |pods| pods.len() == 1);
    assert_eq!(claims(&release), [minimal.claim(0), minimal.claim(1), minimal.claim(2)]);

    release.kubectl(&["delete", "pvc", &minimal.claim(1)], "").expect_success();
    // The ordinals are stored with the release. A claim that is gone is skipped.
    let ended = release.upgrade_reusing(&[PATIENCE]).expect_success();
    assert!(ended.printed.contains("drain.ordinals names 1, but there is no volume claim"), "{}", ended.printed);
    wait_for_completed(&release, 3);

    let up = ["--set", "replicaCount=3"];
    let error = release.upgrade_reusing(&up).expect_failure();
    assert!(error.contains("drain.ordinals: replica 1 is not scaled down"), "{error}");
    release
        .upgrade_reusing(&[&up[..], &["--set-json", "drain.ordinals=[]", "--wait", PATIENCE]].concat())
        .expect_success();
    assert_eq!(completed(&release), 3);
    assert_eq!(release.replicas().len(), 3);
    "failed while the jobs did, drained two spools, skipped a deleted one, and stopped after `drain.ordinals=[]`"
        .to_owned()
}

/// The number of jobs that have completed so far.
fn completed(release: &Release) -> usize {
    release.events("Completed").len()
}

/// Waits until this many jobs have completed. Their events come after their status, for which helm waits.
fn wait_for_completed(release: &Release, count: usize) {
    wait_for(&format!("{count} jobs have completed"), || (completed(release) == count).then_some(()));
}

fn claims(release: &Release) -> Vec<String> {
    let claims = release.get("persistentvolumeclaims");
    let remaining = claims.iter().filter(|claim| claim["metadata"]["deletionTimestamp"].is_null());
    remaining.map(|claim| text(&claim["metadata"]["name"]).to_owned()).collect()
}
