//! `reconcile`: compares Trust Hub with the event topic.

mod arguments;
mod callbacks;
mod table;

pub(super) use self::arguments::Arguments;
use self::table::FindingTable;
use super::{
    output::{Failure, say, warn_all},
    variables::Variables,
};
use crate::{
    app::{self, ReconcileError, block_on},
    config::{self, ReconcileCommandConfig},
    reconcile::{ReconcileSummary, RunOptions},
    telemetry::init_logging,
};

/// The text of `reconcile --help`.
pub(super) const LONG: &str = "Compare Trust Hub with the event topic, and publish the status changes that no callback announced

Compares the profiles and regulatory bundles of every account, from TWILIO_ACCOUNT_SID or TWILIO_ACCOUNTS_FILE, with the last status that
consumers of KAFKA_TOPIC have. Publishes an event with the origin \"reconciliation\" for each profile whose status in Trust
Hub differs, and for each profile that has no event although it changed since the topic's history starts. Changes
within RECONCILE_GRACE_SECS, two minutes by default, are ignored, because their callbacks may still arrive.

If KAFKA_PROFILES_TOPIC has the states of all profiles, reads them instead of the events that they take into account. Then it
also publishes what only Trust Hub knows: names, policies and owners that the states lack, and the deletion of profiles.

Prints one line for each profile that differs, below a line with its account and its kind. Only one process reconciles a
topic at a time; a second one says so and exits. Exit codes: 0 done; 1 a profile could not be compared or published;
2 invalid usage or configuration; 3 only with --exit-code.

With --set-callback the command compares nothing. It sets the status callback URL of every profile that has none instead.";

/// Log messages of `deliver` mention the spool, which a command does not have.
const LOG_FILTER: &str = "warn,trusthub_bridge::deliver=off";

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    init_logging(None, LOG_FILTER).map_err(Failure::failed)?;
    if let Some(url) = &arguments.set_callback {
        return callbacks::run(url, arguments, variables);
    }
    let config = config::load_reconcile(variables).map_err(Failure::usage)?;
    warn_all(&config.access.warnings);
    block_on(compare(arguments, config)).map_err(Failure::failed)?
}

async fn compare(arguments: &Arguments, config: ReconcileCommandConfig) -> Result<(), Failure> {
    let options =
        RunOptions { dry_run: arguments.dry_run, baseline: arguments.baseline, delete_many: arguments.delete_many };
    let mut table = FindingTable::default();
    let result = app::reconcile(&config, options, &mut table).await;
    table.finish()?;
    let summary = result.map_err(|error| match error {
        ReconcileError::Run(_) => Failure::failed(format!("{error}; correct this and run the command again")),
        ReconcileError::Start(_) => Failure::failed(error),
    })?;
    let Some(summary) = summary else {
        say("another process is reconciling this topic; nothing to do");
        return Ok(());
    };
    say(&table::summary_text(&summary, options));
    if summary.failed > 0 {
        return Err(Failure::failed(format!("{} profiles or lists failed, see above", summary.failed)));
    }
    if arguments.exit_code && has_missing_events(&summary, options) { Err(Failure::Found) } else { Ok(()) }
}

fn has_missing_events(summary: &ReconcileSummary, options: RunOptions) -> bool {
    summary.missed > 0 || (options.baseline && summary.history_too_short > 0)
}
