//! `profiles`: works on the states of profiles.

use std::time::Duration;

use clap::Subcommand;

use super::{
    output::{Failure, ProgressLine, say},
    variables::Variables,
};
use crate::{
    app::{self, RebuildError, block_on},
    config,
    telemetry::init_logging,
};

/// The text of `profiles --help`.
pub(super) const LONG: &str = "Work on the states of profiles

The service derives the present state of each profile from the events, and writes it to the topic KAFKA_PROFILES_TOPIC.";

/// The text of `profiles rebuild --help`.
const REBUILD: &str = "Build the states of all profiles again from the events in KAFKA_TOPIC

Publishes a request to every partition of the event topic. The instance that owns a partition then reads the events from
their beginning, and writes the states that differ. Consumers never see a state that is older than what they have, unless
that was wrong. This command takes part in the work, so no service needs to be running.

States of profiles whose events Kafka has deleted are kept. Exit codes: 0 done; 1 not done; 2 invalid usage or
configuration.";

#[derive(Debug, Subcommand)]
pub(super) enum ProfilesCommand {
    /// Build the states of all profiles again from the events
    #[command(long_about = REBUILD)]
    Rebuild {
        /// Give up when no partition was done for this many seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        timeout_secs: u64,
    },
}

pub(super) fn run(command: &ProfilesCommand, variables: Variables) -> Result<(), Failure> {
    init_logging(None, "warn").map_err(Failure::failed)?;
    match command {
        ProfilesCommand::Rebuild { timeout_secs } => rebuild(variables, Duration::from_secs(*timeout_secs)),
    }
}

fn rebuild(variables: Variables, timeout: Duration) -> Result<(), Failure> {
    let kafka = config::load_kafka(variables).map_err(Failure::usage)?;
    let mut line = ProgressLine::default();
    let show = |now: app::RebuildProgress| line.show(&format!("{} of {} partitions are done", now.done, now.total));
    let rebuilt = block_on(app::rebuild_profiles(&kafka, timeout, show)).map_err(Failure::failed)?;
    let rebuilt = rebuilt.map_err(|error| match error {
        RebuildError::TurnedOff => Failure::usage(error),
        _ => Failure::failed(error),
    })?;
    drop(line);
    say(&format!("the states in {} partitions were built again from the events", rebuilt.total));
    Ok(())
}
