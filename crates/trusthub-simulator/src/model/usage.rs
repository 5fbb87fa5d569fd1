//! Which profiles an object is assigned to.

use std::collections::BTreeSet;

use trusthub_events::ProfileSid;

use super::{profile::SimulatedProfile, sid_key::SidKey};

/// Each assigned object with a profile that it is assigned to.
#[derive(Debug, Default)]
pub(super) struct UsageIndex(BTreeSet<(SidKey, SidKey)>);

impl UsageIndex {
    pub(super) fn insert(&mut self, profile: &SimulatedProfile) {
        self.0.extend(assigned_objects(profile));
    }

    pub(super) fn remove(&mut self, profile: &SimulatedProfile) {
        for used in assigned_objects(profile) {
            self.0.remove(&used);
        }
    }

    /// Returns the profiles that this object is assigned to.
    pub(super) fn of(&self, object: &str) -> impl Iterator<Item = ProfileSid> {
        let (first, last) = SidKey::RANGE;
        let used = SidKey::parse(object).into_iter().flat_map(move |key| self.0.range((key, first)..(key, last)));
        used.filter_map(|(_, profile)| ProfileSid::parse(&profile.to_string()).ok())
    }
}

fn assigned_objects(profile: &SimulatedProfile) -> impl Iterator<Item = (SidKey, SidKey)> {
    let key = SidKey::parse(profile.sid.as_str());
    let objects = profile.assignments.iter().filter_map(|assignment| SidKey::parse(&assignment.object));
    objects.filter_map(move |object| Some((object, key?)))
}
