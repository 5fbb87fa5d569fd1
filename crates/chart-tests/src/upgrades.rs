//! Upgrades from each example to each other one, on a path that takes every pair once.

use super::{
    example::{Conflict, Example},
    fixture::Fixture,
    pages::{REFUSED_CLAIMS, REFUSED_CLASS, read},
    release::{PATIENCE, Release, warnings},
};

/// The path is walked in parts at the same time.
pub(crate) const PARTS: usize = 3;

pub(crate) fn play(fixture: &Fixture, part: usize) -> String {
    let path = path(fixture.examples.len());
    let length = path.len().div_ceil(PARTS);
    let pairs = &path[part * length..((part + 1) * length).min(path.len())];
    let release = fixture.release(&format!("upgrades-{part}"));
    let mut claims: Vec<_> = fixture.examples.iter().flat_map(Example::drained_claims).collect();
    claims.sort_unstable();
    claims.dedup();
    release.create_claims(claims);

    let start = &fixture.examples[pairs[0].0];
    release.install(start, &[]);
    let mut refused = 0;
    for (from, to) in pairs {
        let (from, to) = (&fixture.examples[*from], &fixture.examples[*to]);
        if let Some(conflict) = from.conflict_with(to) {
            expect_refusal(&release, from, to, &conflict);
            refused += 1;
        } else {
            let ended = release.upgrade(to, &[PATIENCE]).expect_success();
            assert_eq!(warnings(&ended), [""; 0], "from {} to {}", from.name, to.name);
        }
    }
    format!("{} upgrades, {refused} of them are refused, as they should", pairs.len())
}

/// The upgrade fails with the error that `docs/kubernetes.md` has. One with the values from before undoes what it has changed,
/// once a Service that differs is deleted. Afterwards the release has the other values.
fn expect_refusal(release: &Release, from: &Example, to: &Example, conflict: &Conflict) {
    let error = release.upgrade(to, &[PATIENCE]).expect_failure();
    let documented = match conflict {
        Conflict::Claims => read(&REFUSED_CLAIMS).replace("bridge-trusthub-bridge", from.full_name()),
        Conflict::LoadBalancer(class) => read(&REFUSED_CLASS).replace(r#""service.k8s.aws/nlb""#, class),
    };
    assert!(error.contains(documented.trim()), "from {} to {}: {error}", from.name, to.name);
    if from.service() != to.service() {
        release.kubectl(&["delete", "service", from.full_name()], "").expect_success();
    }
    release.upgrade(from, &["--wait", PATIENCE]).expect_success();
    release.uninstall();
    release.install(to, &[]);
}

/// Every ordered pair of different numbers below `count` once; each pair begins where the one before it ends.
fn path(count: usize) -> Vec<(usize, usize)> {
    let row = |first: usize| (first + 1..count).flat_map(move |second| [first, second]);
    let stops: Vec<_> = (0..count).flat_map(row).chain([0]).collect();
    stops.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::path;

    #[test]
    fn path_takes_every_pair_once() {
        for count in 2..20 {
            let path = path(count);
            let different: BTreeSet<_> = path.iter().filter(|(from, to)| from != to).collect();
            assert_eq!((path.len(), different.len()), (count * (count - 1), count * (count - 1)));
            assert!(path.windows(2).all(|pairs| pairs[0].1 == pairs[1].0));
        }
    }
}
