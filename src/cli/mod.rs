//! The commands: parse, call one function, print.
//!
//! Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration,
//! 130 and 143 when a second signal ended what the first one stopped.

mod config;
mod dev;
mod explain;
mod healthcheck;
mod http;
mod output;
mod probe;
mod reconcile;
mod serve;
mod sign;
mod simulate;
mod spool;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

pub use self::explain::{BrokenRequest, RawRequest, parse_request};
use self::output::say;
use crate::telemetry::flush_logs;

/// The environment as it was when the program started.
type Variables = Vec<(OsString, OsString)>;

/// Receives Twilio Trust Hub status callbacks, verifies them and publishes typed events to Kafka.
#[derive(Debug, Parser)]
#[command(name = "trusthub-bridge", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service; all configuration comes from environment variables
    Serve,
    /// Run everything in one process with nothing installed: Kafka, a Trust Hub and the bridge
    Dev(dev::Arguments),

    /// Run a Trust Hub of your own: Twilio's API for profiles, reviews on demand, signed callbacks
    #[command(long_about = simulate::LONG)]
    Simulate(simulate::Arguments),
    /// Print the X-Twilio-Signature header for a request
    #[command(long_about = sign::LONG)]
    Sign(sign::Arguments),
    /// Explain why the X-Twilio-Signature of a captured request matches or does not
    #[command(long_about = explain::LONG)]
    Explain(explain::Arguments),
    /// Compare Trust Hub with what was published, and publish what no callback has made known
    #[command(long_about = reconcile::LONG)]
    Reconcile(reconcile::Arguments),
    /// Look into the spool of a service that does not run, or publish what is in it
    #[command(subcommand, long_about = spool::LONG)]
    Spool(spool::Command),
    /// Print the effective configuration, secrets redacted, and every problem in it
    Config,
    /// Ask the local admin port whether the service is alive; for images without a shell
    Healthcheck(healthcheck::Arguments),
    /// Send a forged callback to a running service, which must refuse it
    #[command(long_about = probe::LONG)]
    Probe(probe::Arguments),
}

/// Runs the program with these arguments, the program's name first, and these environment variables.
#[must_use]
pub fn main(arguments: impl Iterator<Item = OsString>, variables: Variables) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(usage) => return output::usage(&usage),
    };
    let result = match arguments.command {
        Command::Serve => serve::run(variables),

        Command::Dev(arguments) => dev::run(&arguments, &variables),
        Command::Simulate(arguments) => simulate::run(&arguments, variables),
        Command::Sign(arguments) => sign::run(arguments, variables),
        Command::Explain(arguments) => explain::run(&arguments, variables),
        Command::Reconcile(arguments) => reconcile::run(&arguments, variables),
        Command::Spool(command) => spool::run(&command, variables),
        Command::Config => config::run(variables),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments, variables),
        Command::Probe(arguments) => probe::run(&arguments, variables),
    };
    flush_logs();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text() {
                say(text);
            }
            failure.code()
        }
    }
}
