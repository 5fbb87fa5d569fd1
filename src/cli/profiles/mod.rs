//! `profiles`: works on the states of profiles.

mod arguments;
mod ls;
mod notes;
mod rebuild;
mod show;
mod table;

use clap::Subcommand;

use super::{output::Failure, variables::Variables};
use crate::{domain::ProfileSid, telemetry::init_logging};

/// The text of `profiles --help`.
pub(super) const LONG: &str = "List profiles by their present state, show one with its history, or build the states again

The service derives the present state of each profile from the events, and writes it to the topic KAFKA_PROFILES_TOPIC.";

#[derive(Debug, Subcommand)]
pub(super) enum ProfilesCommand {
    /// List profiles by their present state
    #[command(long_about = ls::LONG)]
    Ls(arguments::Arguments),
    /// Show a profile with its history, and what to do about its error codes
    #[command(long_about = show::LONG)]
    Show {
        /// The profile
        #[arg(value_name = "SID", value_parser = ProfileSid::parse)]
        profile: ProfileSid,
        /// Print the state as the topic has it, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Build the states of all profiles again from the events
    #[command(long_about = rebuild::LONG)]
    Rebuild {
        /// Give up when no partition was done for this many seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        timeout_secs: u64,
    },
}

pub(super) fn run(command: &ProfilesCommand, variables: Variables) -> Result<(), Failure> {
    init_logging(None, "warn").map_err(Failure::failed)?;
    match command {
        ProfilesCommand::Ls(arguments) => ls::run(arguments, variables),
        ProfilesCommand::Show { profile, json } => show::run(profile, *json, variables),
        ProfilesCommand::Rebuild { timeout_secs } => rebuild::run(*timeout_secs, variables),
    }
}
