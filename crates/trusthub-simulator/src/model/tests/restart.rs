//! What a restart with a state file and the same seed must not repeat.

use std::collections::BTreeSet;

use super::*;

/// The SIDs of everything that is stored.
fn stored_sids(file: &TemporaryFile) -> Vec<String> {
    let (_, stored) = StateFile::open(&file.0).unwrap();
    let mut sids: Vec<_> = stored.objects.into_iter().map(|object| object.sid).collect();
    for profile in stored.profiles {
        sids.push(profile.sid.to_string());
        sids.extend(profile.assignments.into_iter().map(|assignment| assignment.sid));
        sids.extend(profile.endpoints.into_iter().map(|endpoint| endpoint.sid));
        sids.extend(profile.evaluations.into_iter().map(|evaluation| evaluation.sid));
    }
    sids
}

#[test]
fn restart_with_the_same_seed_repeats_no_sid() {
    let file = TemporaryFile::new("seeded");
    let mut counts = Vec::new();
    for run in 1..=3 {
        let mut model = file.open().unwrap();
        let profile = model.create(new_profile(SECONDARY_BUSINESS_POLICY)).unwrap().sid;
        model.assign_required(&profile).unwrap();
        model.evaluate(&profile, SIMPLE.to_owned()).unwrap();
        model.assign_endpoint(&profile, "phone-number".to_owned(), format!("PN{run:032}")).unwrap();
        drop(model);
        counts.push(stored_sids(&file).len());
    }
    assert_eq!(counts, [counts[0], 2 * counts[0], 3 * counts[0]], "nothing is overwritten");
    let sids = stored_sids(&file);
    assert_eq!(sids.iter().collect::<BTreeSet<_>>().len(), sids.len());
    let kinds: BTreeSet<_> = sids.iter().filter_map(|sid| sid.get(..2)).collect();
    assert_eq!(kinds, BTreeSet::from(["AD", "BU", "BV", "EL", "IT", "RA", "RD"]));
}

#[test]
fn random_choices_of_a_restart_are_those_of_the_same_seed_and_state() {
    let created = |name: &str| {
        let file = TemporaryFile::new(name);
        [(), ()].map(|()| file.open().unwrap().create(new_profile(SIMPLE)).unwrap().sid)
    };
    assert_eq!(created("repeated"), created("repeating"));
}
