//! What a session checks from time to time: how far behind its partitions are, and whether the topics are still the same.

use std::time::{Duration, Instant};

use super::{EVENT_TOPIC_REPLACED, ProblemReporter, ProjectionError, Session, TOPIC_CHECK_INTERVAL};

const LAG_INTERVAL: Duration = Duration::from_secs(5);

impl Session<'_> {
    pub(super) fn check_if_due(&mut self, problems: &mut ProblemReporter) -> Result<(), ProjectionError> {
        let now = Instant::now();
        if self.has_joined && now >= self.next_lag_check {
            self.next_lag_check = now + LAG_INTERVAL;
            match self.fetch_ends() {
                // The next check follows when the states of all partitions are in memory.
                Ok(()) if self.owned.has_assigned() => {}
                Ok(()) => problems.succeeded(self.owned.totals().lag == Some(0)),
                Err(error) => self.accept_error(error, problems)?,
            }
        }
        if now >= self.next_topic_check {
            self.next_topic_check = now + TOPIC_CHECK_INTERVAL;
            if let Err(error) = self.check_topics() {
                self.accept_error(error, problems)?;
            }
        }
        Ok(())
    }

    fn fetch_ends(&mut self) -> Result<(), ProjectionError> {
        for partition in self.owned.partitions() {
            let end = self.group.end_of(&self.loader.kafka.topic, partition)?;
            if self.owned.loaded(partition).is_some_and(|loaded| loaded.next > end) {
                return Err(ProjectionError::outdated(EVENT_TOPIC_REPLACED));
            }
            self.owned.set_end(partition, end);
        }
        if self.owned.has_assigned() {
            self.owned.set_committed(&self.group.committed(self.loader.partitions)?);
        }
        Ok(())
    }

    /// Checks whether the topics are still those with which the session began.
    fn check_topics(&mut self) -> Result<(), ProjectionError> {
        if self.topics.check(&self.group)? != Some(self.loader.partitions) {
            return Err(ProjectionError::outdated("the number of partitions changed"));
        }
        self.topics.check_compaction()?;
        for (partition, loaded) in self.owned.all_loaded() {
            let end = self.group.end_of(self.loader.topic, partition)?;
            if end < loaded.state_end {
                return Err(ProjectionError::outdated("the state topic was created again"));
            }
            loaded.state_end = end;
        }
        Ok(())
    }
}
