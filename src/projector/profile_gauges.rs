//! The gauges of the profiles whose states are in memory.

use std::time::{Duration, UNIX_EPOCH};

use super::status_index::StatusIndex;
use crate::{
    domain::{Label as _, Resource, Status, Timestamp, closed_set},
    telemetry::{Metrics, MetricsError, PairedGauges},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

closed_set! {
    /// How soon an approval expires.
    pub enum ExpiryWindow {
        /// Within a week.
        SevenDays => "7d",
        /// Within a month.
        ThirtyDays => "30d",
    }
}

impl ExpiryWindow {
    fn duration(self) -> Duration {
        match self {
            Self::SevenDays => DAY * 7,
            Self::ThirtyDays => DAY * 30,
        }
    }
}

/// How many profiles are in which status, for how long, and how many approvals expire soon.
#[derive(Debug)]
pub(super) struct ProfileGauges {
    profiles: PairedGauges<Resource, Status>,
    oldest: PairedGauges<Resource, Status>,
    expiring: PairedGauges<Resource, ExpiryWindow>,
}

impl ProfileGauges {
    pub(super) fn register(shared: &Metrics) -> Result<Self, MetricsError> {
        let catalogue = shared.catalogue();
        Ok(Self {
            profiles: catalogue.paired_gauges(
                "trusthub_profiles",
                "Profiles in this status, of the partitions that this instance owns. The sum over all instances counts.",
                ["resource", "status"],
            )?,
            oldest: catalogue.paired_gauges(
                "trusthub_profiles_oldest_seconds",
                "How long the profile that entered this status first has been in it, or 0 without one. The maximum over all instances counts.",
                ["resource", "status"],
            )?,
            expiring: catalogue.paired_gauges(
                "trusthub_profiles_expiring",
                "Approved profiles whose approval expires within this time or has expired. The sum over all instances counts.",
                ["resource", "within"],
            )?,
        })
    }

    /// Shows the profiles of these partitions at this time.
    pub(super) fn show(&self, partitions: &[&StatusIndex], now: Timestamp) {
        for &resource in Resource::ALL {
            for &status in Status::ALL {
                let profiles = partitions.iter().map(|index| index.profiles(resource, status)).sum();
                self.profiles.of(resource, status).set(gauge_value(profiles));
                let oldest = partitions.iter().filter_map(|index| index.oldest(resource, status)).min();
                // The clock of another instance may be ahead.
                let age = oldest.map_or(0, |oldest| now.unix_seconds().saturating_sub(oldest).max(0));
                self.oldest.of(resource, status).set(age);
            }
            for &window in ExpiryWindow::ALL {
                let end = now.after(window.duration());
                let expiring = partitions.iter().map(|index| index.expired_by(resource, end)).sum();
                self.expiring.of(resource, window).set(gauge_value(expiring));
            }
        }
    }

    /// How many profiles are shown in this status, and for how many seconds the first of them.
    pub(super) fn shown(&self, resource: Resource, status: Status) -> (i64, i64) {
        (self.profiles.of(resource, status).get(), self.oldest.of(resource, status).get())
    }

    /// How many profiles are shown whose approval ends within this time.
    pub(super) fn shown_expiring(&self, resource: Resource, window: ExpiryWindow) -> i64 {
        self.expiring.of(resource, window).get()
    }

    /// Shows that this instance owns no partition.
    pub(super) fn clear(&self) {
        self.show(&[], UNIX_EPOCH.into());
    }
}

fn gauge_value(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::state::StateSummary;

    const NOW: u64 = 2_000_000_000;

    fn at(seconds: u64) -> Timestamp {
        (UNIX_EPOCH + Duration::from_secs(seconds)).into()
    }

    fn gauges() -> ProfileGauges {
        ProfileGauges::register(&Metrics::new(|destination| destination.to_string()).unwrap()).unwrap()
    }

    /// The profiles of a partition, by status, by when it began, and by when the approval ends.
    fn partition(profiles: &[(Status, u64, Option<u64>)]) -> StatusIndex {
        let mut index = StatusIndex::default();
        for (status, since, end) in profiles {
            let (resource, since, expires_at) = (Resource::CustomerProfile, at(*since), end.map(at));
            index.add(Some(StateSummary { resource, status: *status, since, expires_at }));
        }
        index
    }

    #[test]
    fn profiles_of_all_partitions_count_and_the_oldest_has_the_age() {
        let (gauges, reviewed) = (gauges(), |age| (Status::InReview, NOW - age, None));
        let partitions = [partition(&[reviewed(5), reviewed(90)]), partition(&[]), partition(&[reviewed(60)])];
        gauges.show(&partitions.each_ref(), at(NOW));
        let shown = |status| gauges.shown(Resource::CustomerProfile, status);
        assert_eq!((shown(Status::InReview), shown(Status::Draft)), ((3, 90), (0, 0)));
        gauges.show(&[&partitions[2]], at(NOW + 10));
        assert_eq!(shown(Status::InReview), (1, 70), "the other partitions were revoked");
        gauges.clear();
        assert_eq!(shown(Status::InReview), (0, 0));
    }

    #[test]
    fn age_is_0_while_the_status_begins_in_the_future() {
        let gauges = gauges();
        gauges.show(&[&partition(&[(Status::Unknown, NOW + 3_600, None)])], at(NOW));
        assert_eq!(gauges.oldest.of(Resource::CustomerProfile, Status::Unknown).get(), 0);
    }

    #[test]
    fn approval_that_has_expired_counts_until_it_is_no_approval() {
        const DAY: u64 = 24 * 60 * 60;
        let approved = |end| partition(&[(Status::TwilioApproved, 0, Some(end))]);
        for (end, expected) in [
            (NOW + 30 * DAY + 1, [0, 0]),
            (NOW + 30 * DAY, [0, 1]),
            (NOW + 7 * DAY + 1, [0, 1]),
            (NOW + 7 * DAY, [1, 1]),
            (NOW - 300 * DAY, [1, 1]),
        ] {
            let gauges = gauges();
            gauges.show(&[&approved(end)], at(NOW));
            let shown = [ExpiryWindow::SevenDays, ExpiryWindow::ThirtyDays]
                .map(|window| gauges.shown_expiring(Resource::CustomerProfile, window));
            assert_eq!(shown, expected, "{} s from now", end as i64 - NOW as i64);
        }
    }
}
