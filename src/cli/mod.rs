//! The command line. Each command parses its arguments, calls the library and prints the result.
//!
//! Results go to stdout, everything else to stderr. Exit codes: 0 success, 1 failure, 2 wrong usage or configuration,
//! 3 only from `reconcile --exit-code` and `profiles ls --exit-code`, 130 and 143 if a second signal arrives while the command stops.

mod activity;
mod color;
mod config;
mod dead_letters;
mod dev;
mod explain;
mod healthcheck;
mod help;
mod http;
mod json;
mod layout;
mod output;
mod probe;
mod profiles;
mod reconcile;
mod serve;
mod shell;
mod sign;
mod simulate;
mod spool;
mod terminal;
mod text;
mod variables;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use self::{output::say, variables::Variables};
use crate::telemetry::flush_logs;

/// Receive Twilio Trust Hub status callbacks, verify them, and publish typed events to Kafka
#[derive(Debug, Parser)]
#[command(name = "trusthub-bridge", version)]
struct Arguments {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run the service, configured by environment variables
    Serve,
    /// Run the bridge, a Trust Hub simulator and Kafka in one process, without installing anything
    #[command(long_about = dev::LONG)]
    Dev(dev::Arguments),
    /// Run a Trust Hub simulator: Twilio's API for profiles, reviews on demand, signed callbacks
    #[command(long_about = simulate::LONG)]
    Simulate(simulate::Arguments),
    /// Print the X-Twilio-Signature header for a request
    #[command(long_about = sign::LONG)]
    Sign(sign::Arguments),
    /// Say what the service would answer to a captured request, and why
    #[command(long_about = explain::LONG)]
    Explain(explain::Arguments),
    /// Compare Trust Hub with the published events, and publish the changes that were missed
    #[command(long_about = reconcile::LONG)]
    Reconcile(reconcile::Arguments),
    /// Inspect the spool, or publish the records in it
    #[command(subcommand, long_about = spool::LONG)]
    Spool(spool::SpoolCommand),
    /// List profiles by their present state, show one with its history, or build the states again
    #[command(subcommand, long_about = profiles::LONG)]
    Profiles(profiles::ProfilesCommand),
    /// Show the callbacks that did not become events, and replay those that can become one now
    #[command(subcommand, long_about = dead_letters::LONG)]
    DeadLetters(dead_letters::DeadLettersCommand),
    /// Print the effective configuration with secrets redacted, or every problem in it
    Config,
    /// Ask the admin port whether the service is alive or ready; for images without a shell
    Healthcheck(healthcheck::Arguments),
    /// Test a running service with a forged callback, which it must reject
    #[command(long_about = probe::LONG)]
    Probe(probe::Arguments),
    /// Print the completions for a shell
    #[command(long_about = shell::COMPLETIONS)]
    Completions(shell::CompletionsArguments),
    /// Print the manual page
    #[command(long_about = shell::MAN)]
    Man(shell::ManArguments),
}

/// Runs the program with these arguments, of which the first is the program's name, and these environment variables.
#[must_use]
pub fn main(arguments: impl Iterator<Item = OsString>, variables: Variables) -> ExitCode {
    let command = help::wrap(Arguments::command(), terminal::text_width(&variables));
    let matches = command.try_get_matches_from(arguments);
    let arguments = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(usage) => return output::usage(&usage),
    };
    let result = match arguments.command {
        CliCommand::Serve => serve::run(variables),
        CliCommand::Dev(arguments) => dev::run(&arguments, &variables),
        CliCommand::Simulate(arguments) => simulate::run(&arguments, variables),
        CliCommand::Sign(arguments) => sign::run(arguments, variables),
        CliCommand::Explain(arguments) => explain::run(&arguments, variables),
        CliCommand::Reconcile(arguments) => reconcile::run(&arguments, variables),
        CliCommand::Spool(command) => spool::run(&command, variables),
        CliCommand::Profiles(command) => profiles::run(&command, variables),
        CliCommand::DeadLetters(command) => dead_letters::run(&command, variables),
        CliCommand::Config => config::run(variables),
        CliCommand::Healthcheck(arguments) => healthcheck::run(&arguments, variables),
        CliCommand::Probe(arguments) => probe::run(&arguments, variables),
        CliCommand::Completions(arguments) => shell::completions(&arguments, Arguments::command()),
        CliCommand::Man(arguments) => shell::man(&arguments, Arguments::command()),
    };
    flush_logs();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text() {
                say(&text);
            }
            failure.code()
        }
    }
}
