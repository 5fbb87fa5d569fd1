//! Which profiles an object is assigned to.

use std::collections::{BTreeSet, HashMap};

use trusthub_events::ProfileSid;

use super::profile::SimulatedProfile;

/// The profiles that each assigned object is assigned to.
#[derive(Debug, Default)]
pub(super) struct UsageIndex(HashMap<String, BTreeSet<ProfileSid>>);

impl UsageIndex {
    pub(super) fn insert(&mut self, profile: &SimulatedProfile) {
        for assignment in &profile.assignments {
            self.0.entry(assignment.object.clone()).or_default().insert(profile.sid.clone());
        }
    }

    pub(super) fn remove(&mut self, profile: &SimulatedProfile) {
        for assignment in &profile.assignments {
            let Some(profiles) = self.0.get_mut(&assignment.object) else { continue };
            profiles.remove(&profile.sid);
            if profiles.is_empty() {
                self.0.remove(&assignment.object);
            }
        }
    }

    /// Returns the profiles that this object is assigned to.
    pub(super) fn of(&self, object: &str) -> impl Iterator<Item = &ProfileSid> {
        self.0.get(object).into_iter().flatten()
    }
}
