//! `reconcile`: compares Trust Hub with the event topic.

mod callbacks;
mod table;

use clap::Args;

use self::table::FindingTable;
use super::{
    Variables,
    output::{Failure, say},
};
use crate::{
    app::{self, ReconcileError, block_on},
    config::{self, ReconcileCommandConfig},
    reconcile::{ReconcileSummary, RunOptions},
    telemetry::init_logging,
};

/// The text of `reconcile --help`.
pub(super) const LONG: &str = "Compare Trust Hub with the event topic, and publish the status changes that no callback announced

Compares the profiles of every account, from TWILIO_ACCOUNT_SID or TWILIO_ACCOUNTS_FILE, with the last status that
consumers of KAFKA_TOPIC have. Publishes an event with the origin \"reconciliation\" for each profile whose status in Trust
Hub differs, and for each profile that has no event although it changed since the topic's history starts. Changes of the
last two minutes are ignored, because their callbacks may still arrive.

Prints one line for each profile that differs. Only one process reconciles a topic at a time; a second one says so and
exits. Exit codes: 0 done; 1 a profile could not be compared or published; 2 invalid usage or configuration; 3 only with
--exit-code.

With --set-callback the command compares nothing. It sets the status callback URL of every profile that has none instead.";

/// Log messages of `deliver` mention the spool, which a command does not have.
const LOG_FILTER: &str = "warn,trusthub_bridge::deliver=off";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Report what would be published or changed, without doing it
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: exit with code 3 if an event is missing
    #[arg(long, requires = "dry_run", conflicts_with = "set_callback")]
    exit_code: bool,
    /// Also publish profiles that last changed before the topic's history starts
    #[arg(long, conflicts_with = "set_callback")]
    baseline: bool,
    /// Set this status callback URL on every profile that has none: either the public URL, to which the path for each
    /// kind of profile is added, or the URL of one such path. Asks Twilio to retry (#rc=5&rp=ct,rt,5xx) unless the URL
    /// has a fragment
    #[arg(long, value_name = "URL")]
    set_callback: Option<String>,
    /// With --set-callback: also replace other URLs
    #[arg(long, requires = "set_callback")]
    replace: bool,
    /// With --set-callback: do not ask Twilio to retry
    #[arg(long, requires = "set_callback")]
    no_retries: bool,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    init_logging(None, LOG_FILTER).map_err(Failure::failed)?;
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
    let options = RunOptions { dry_run: arguments.dry_run, baseline: arguments.baseline };
    let mut table = FindingTable::default();
    let result = app::reconcile(&config, options, &mut table).await;
    table.finish()?;
    let summary = result.map_err(|error| match error {
        ReconcileError::Run(_) => Failure::Failed(format!("{error}; correct this and run the command again")),
        ReconcileError::Start(_) => Failure::failed(error),
    })?;
    let Some(summary) = summary else {
        say("another process is reconciling this topic; nothing to do");
        return Ok(());
    };
    say(&table::summary_text(&summary, options));
    if summary.failed > 0 {
        return Err(Failure::Failed(format!("{} profiles or lists failed, see above", summary.failed)));
    }
    if arguments.exit_code && has_missing_events(&summary, options) { Err(Failure::Missing) } else { Ok(()) }
}

fn has_missing_events(summary: &ReconcileSummary, options: RunOptions) -> bool {
    summary.missed > 0 || (options.baseline && summary.history_too_short > 0)
}
