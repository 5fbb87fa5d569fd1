//! `profiles rebuild`: builds the states again.

use std::time::Duration;

use crate::{
    app::{self, RebuildError, block_on},
    cli::{
        output::{Failure, ProgressLine, say},
        variables::Variables,
    },
    config,
};

/// The text of `profiles rebuild --help`.
pub(super) const LONG: &str = "Build the states of all profiles again from the events in KAFKA_TOPIC

Publishes a request to every partition of the event topic. The instance that owns a partition then reads the events from
their beginning, and writes the states that differ. Consumers never see a state that is older than what they have, unless
that was wrong. This command takes part in the work, so no service needs to be running.

States of profiles whose events Kafka has deleted are kept. Exit codes: 0 done; 1 not done; 2 invalid usage or
configuration.";

pub(super) fn run(timeout_secs: u64, variables: Variables) -> Result<(), Failure> {
    let kafka = config::load_kafka(variables).map_err(Failure::usage)?;
    let mut line = ProgressLine::default();
    let show = |now: app::RebuildProgress| line.show(&format!("{} of {} partitions are done", now.done, now.total));
    let rebuilt = block_on(app::rebuild_profiles(&kafka, Duration::from_secs(timeout_secs), show));
    let rebuilt = rebuilt.map_err(Failure::failed)?.map_err(|error| match error {
        RebuildError::TurnedOff(_) => Failure::usage(error),
        _ => Failure::failed(error),
    })?;
    drop(line);
    say(&format!("the states in {} partitions were built again from the events", rebuilt.total));
    Ok(())
}
