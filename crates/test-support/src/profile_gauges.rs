//! What the gauges of several instances say about the profiles.

use std::{collections::BTreeMap, time::UNIX_EPOCH};

use trusthub_events::state::ProfileState;

use crate::{Bridge, states::States, wait_for};

/// How far an age may be from the expected one, in seconds: each instance shows ages that are up to a second old, and the
/// instances are asked one after another.
const TOLERANCE: f64 = 3.0;

/// The sum of each series of this metric over all instances. Series that are 0 everywhere are left out.
pub fn sums(instances: &[&Bridge], metric: &str) -> BTreeMap<String, f64> {
    combined(instances, metric, |sum, value| sum + value)
}

/// The largest value of each series of this metric over all instances. Series that are 0 everywhere are left out.
pub fn largest(instances: &[&Bridge], metric: &str) -> BTreeMap<String, f64> {
    combined(instances, metric, f64::max)
}

fn combined(instances: &[&Bridge], metric: &str, combine: impl Fn(f64, f64) -> f64) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for (series, value) in instances.iter().flat_map(|instance| instance.series(metric)) {
        let entry = all.entry(series).or_insert(0.0);
        *entry = combine(*entry, value);
    }
    all.retain(|_, value| *value != 0.0);
    all
}

/// Waits until the gauges of all instances say what these states say: how many profiles are in which status, and how long the
/// first of them has been.
pub fn wait_for_gauges(instances: &[&Bridge], states: &States) {
    let mut profiles = BTreeMap::new();
    let mut oldest = BTreeMap::new();
    for state in states.values() {
        *profiles.entry(series("trusthub_profiles", state)).or_insert(0.0) += 1.0;
        let since = oldest.entry(series("trusthub_profiles_oldest_seconds", state)).or_insert(state.since);
        *since = state.since.min(*since);
    }
    let owned: f64 = profiles.values().sum();
    wait_for("the gauges equal the states", || {
        let now = UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let ages = largest(instances, "trusthub_profiles_oldest_seconds");
        let is_right = oldest.iter().all(|(series, since)| {
            let age = now - since.unix_seconds() as f64;
            (ages.get(series).copied().unwrap_or_default() - age).abs() < TOLERANCE
        });
        let has_no_other = ages.keys().all(|series| oldest.contains_key(series));
        let is_equal = sums(instances, "trusthub_profiles") == profiles;
        let owned_sum: f64 = sums(instances, "trusthub_profiles_owned").values().sum();
        (is_equal && is_right && has_no_other && owned_sum == owned).then_some(())
    });
}

/// The series of a metric that has the status of this state.
fn series(metric: &str, state: &ProfileState) -> String {
    format!(r#"{metric}{{resource="{}",status="{}"}}"#, state.resource, state.status)
}
