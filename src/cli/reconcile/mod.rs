//! `reconcile`: what no callback has made known.

mod callbacks;
mod table;

use clap::Args;

use self::table::Table;
use super::{
    Variables,
    output::{Failure, say},
};
use crate::{
    app::{self, ReconcileError, block_on},
    config::{self, ReconcileCommandConfig},
    reconcile::{Mode, Summary},
    telemetry::init_logging,
};

/// What `reconcile --help` says.
pub(super) const LONG: &str = "Compare Trust Hub with what was published, and publish what no callback has made known

The profiles of every account, from TWILIO_ACCOUNT_SID or TWILIO_ACCOUNTS_FILE, are compared with the last status that
consumers of KAFKA_TOPIC have. A profile that they have with another status, or do not have although it changed since the
topic's history begins, is published as an event with the origin \"reconciliation\". What changed in the last two minutes
is left to its callback.

Prints a line for each profile that is worth one. Only one process is at it at a time: another one says so and ends.
Exit code 0: done; 1: something could not be compared or published; 2: wrong usage or configuration.

With --set-callback nothing is compared: changes of every profile are announced at this URL from then on.";

/// Lines of the service about Kafka speak of a spool, which a command has not.
const LOGGED: &str = "warn,trusthub_bridge::deliver=off";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Publish nothing, change nothing, and say what would be
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: exit with 3 when something is missing
    #[arg(long, requires = "dry_run", conflicts_with = "set_callback")]
    exit_code: bool,
    /// Also publish what last changed before the topic's history begins
    #[arg(long, conflicts_with = "set_callback")]
    baseline: bool,
    /// Have changes announced here where no other URL is set: the public URL, to which each kind of profiles gets its
    /// path, or the URL of one such path. Asks Twilio for retries (#rc=5&rp=ct,rt,5xx) unless it has a fragment of its own
    #[arg(long, value_name = "URL")]
    set_callback: Option<String>,
    /// With --set-callback: also where another URL is set
    #[arg(long, requires = "set_callback")]
    replace: bool,
    /// With --set-callback: ask for no retries
    #[arg(long, requires = "set_callback")]
    no_retries: bool,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    init_logging(None, LOGGED).map_err(Failure::failed)?;
    if let Some(url) = &arguments.set_callback {
        return callbacks::run(url, arguments, variables);
    }
    let config = config::load_reconcile(variables).map_err(Failure::usage)?;
    warn(&config.access.warnings);
    block_on(compare(arguments, config)).map_err(Failure::failed)?
}

fn warn(warnings: &[String]) {
    warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
}

async fn compare(arguments: &Arguments, config: ReconcileCommandConfig) -> Result<(), Failure> {
    let mode = Mode { dry_run: arguments.dry_run, baseline: arguments.baseline };
    let mut table = Table::default();
    let result = app::reconcile(&config, mode, &mut table).await;
    table.end()?;
    let summary = result.map_err(|error| match error {
        ReconcileError::Stop(_) => Failure::Failed(format!("{error}; run it again when this is mended")),
        ReconcileError::Start(_) => Failure::failed(error),
    })?;
    let Some(summary) = summary else {
        say("another process reconciles this topic now, and does what there is to do");
        return Ok(());
    };
    say(&table::told(&summary, mode));
    if summary.failed > 0 {
        return Err(Failure::Failed(format!("{} could not be compared or published, see above", summary.failed)));
    }
    if arguments.exit_code && is_missing_something(&summary, mode) { Err(Failure::Missing) } else { Ok(()) }
}

fn is_missing_something(summary: &Summary, mode: Mode) -> bool {
    summary.missed > 0 || (mode.baseline && summary.history_too_short > 0)
}
