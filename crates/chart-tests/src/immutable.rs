//! What no upgrade of a release can change, and what `docs/kubernetes.md` says to do then.

use super::{
    fixture::Fixture,
    pages::{REFUSED_CLAIMS, REFUSED_CLASS, read},
    release::{PATIENCE, identities, is_ready, name_of},
};

pub(crate) fn play_load_balancer(fixture: &Fixture) -> String {
    let release = fixture.release("load-balancer");
    let sidecar = fixture.example("sidecar");
    release.install(sidecar, &[]);
    let service = format!("service/{}", sidecar.full_name());
    let (before, replicas) = (release.get(&service), release.replicas());

    let class = ["--set", "service.loadBalancerClass=example.com/other"];
    let error = release.upgrade(sidecar, &class).expect_failure();
    let documented = read(&REFUSED_CLASS).replace("service.k8s.aws/nlb", "example.com/other");
    assert!(error.contains(documented.trim()), "{error}");

    let families = ["--set", "service.ipFamilies={IPv6,IPv4}"];
    let error = release.upgrade(sidecar, &families).expect_failure();
    // The families are those of the addresses, which no upgrade changes.
    assert!(error.contains("expected an IPv6 value as indicated by `ipFamilies[0]`"), "{error}");

    release.kubectl(&["delete", &service], "").expect_success();
    release.upgrade(sidecar, &[&class[..], &families, &["--wait", PATIENCE]].concat()).expect_success();
    let after = release.get(&service);
    assert_eq!(after[0]["spec"]["loadBalancerClass"], "example.com/other");
    assert_eq!(after[0]["spec"]["ipFamilies"][0], "IPv6");
    assert_ne!(after[0]["metadata"]["uid"], before[0]["metadata"]["uid"]);
    assert_eq!(identities(&release.replicas()), identities(&replicas), "no replica restarts");
    "another class and another first family are refused, and taken by a new Service".to_owned()
}

pub(crate) fn play_names(fixture: &Fixture) -> String {
    let release = fixture.release("names");
    let minimal = fixture.example("minimal");
    let name = minimal.full_name();
    release.install(minimal, &["--set", &format!("fullnameOverride={name}")]);
    let before = release.replicas();

    // The labels by which the StatefulSet selects its replicas.
    let labels = ["--set", &format!("fullnameOverride={name}"), "--set", "nameOverride=callbacks"];
    let error = release.upgrade(minimal, &labels).expect_failure();
    assert!(error.contains(read(&REFUSED_CLAIMS).trim()), "{error}");
    release.upgrade(minimal, &["--wait", PATIENCE]).expect_success();
    assert_eq!(identities(&release.replicas()), identities(&before), "no replica restarts");

    release.upgrade(minimal, &["--set", "fullnameOverride=callbacks", "--wait", PATIENCE]).expect_success();
    let after = release.wait_for_replicas("the replicas have the new name", |pods| {
        pods.len() == 2 && pods.iter().all(|pod| is_ready(pod) && name_of(pod).starts_with("callbacks-"))
    });
    let volumes: Vec<_> = after.iter().flat_map(|pod| pod["spec"]["volumes"].as_array().unwrap()).collect();
    let claims = release.get("persistentvolumeclaims");
    for ordinal in 0..minimal.replicas() {
        let old = minimal.claim(ordinal);
        assert!(claims.iter().any(|claim| name_of(claim) == old), "{old} is kept");
        assert!(!volumes.iter().any(|volume| volume["persistentVolumeClaim"]["claimName"] == old), "{old} is used");
    }
    "other labels are refused, and replicas with another name leave their volumes behind".to_owned()
}
