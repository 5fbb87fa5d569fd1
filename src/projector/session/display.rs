//! What a session shows in the metrics.

use std::time::{Duration, Instant, SystemTime};

use super::Session;

/// How often the gauges of profiles are updated. Approvals that expire soon are counted one by one.
const PROFILE_GAUGES_INTERVAL: Duration = Duration::from_secs(1);

impl Session<'_> {
    pub(super) fn show(&mut self) {
        let totals = self.owned.totals();
        self.metrics.owned.set(i64::try_from(totals.profiles).unwrap_or(i64::MAX));
        self.metrics.partitions.set(totals.partitions);
        if let (true, Some(lag)) = (self.has_joined, totals.lag) {
            self.metrics.lag.set(lag);
        }
        let now = Instant::now();
        if now >= self.next_profile_gauges {
            self.next_profile_gauges = now + PROFILE_GAUGES_INTERVAL;
            let partitions: Vec<_> = self.owned.indexes().collect();
            self.metrics.profiles.show(&partitions, SystemTime::now().into());
        }
    }

    /// Shows at once that partitions were assigned or revoked: another instance may count their profiles soon.
    pub(super) fn show_new_owner(&mut self) {
        self.next_profile_gauges = Instant::now();
        self.show();
    }
}
