use std::time::UNIX_EPOCH;

use super::{super::overview::ExpiringCount, *};
use crate::domain::{Resource, Status};

fn time(seconds: u64) -> Timestamp {
    (UNIX_EPOCH + Duration::from_secs(seconds)).into()
}

#[test]
fn next_comparison_is_unknown_unless_this_instance_makes_them() {
    let next = |last: Option<u64>, failures| {
        let (interval, last_success) = (Duration::from_secs(60), last.map(time));
        let overview = ReconciliationOverview { interval, started: time(900), last_success, missed: 0, failures };
        move |now| next_comparison(&overview, time(now))
    };
    assert_eq!([950, 960].map(next(None, 0)), ["soon after the start", "unknown"]);
    assert_eq!(next(None, 1)(910), "unknown", "it has failed");
    assert_eq!([970, 1_010, 1_070].map(next(Some(950), 0)), ["in about 40 s", "now due", "unknown"]);
}

#[test]
fn counts_lead_to_the_lists_of_what_they_count() {
    let (resource, oldest) = (Resource::CustomerProfile, Duration::from_secs(60));
    let waiting = StatusCount { resource, status: Status::InReview, profiles: 2, oldest };
    let ending = ExpiringCount { resource, within: "30d", profiles: 1 };
    let overview =
        ProfilesOverview { profiles: 2, partitions: 1, lag: 0, statuses: vec![waiting], expiring: vec![ending] };
    let text = profiles(Some(&overview)).into_string();
    for url in [
        "/profiles?status=in%2Dreview&amp;resource=customer%2Dprofile&amp;sort=since",
        "/profiles?resource=customer%2Dprofile&amp;expiring_within=30d&amp;sort=expires",
    ] {
        assert!(text.contains(&format!("href=\"{url}\"")), "{text}");
    }
}
