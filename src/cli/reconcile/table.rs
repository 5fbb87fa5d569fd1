//! Prints the findings of a run as a table.

use crate::{
    cli::output::{Failure, Rows},
    domain::{AccountSid, Label as _, Resource},
    reconcile::{Action, Finding, ListFailure, Observer, ReconcileProgress, ReconcileSummary, RunOptions},
    text::minute,
};

/// Prints findings as they arrive, and the progress on a terminal.
pub(super) struct FindingTable(Rows);

impl Default for FindingTable {
    fn default() -> Self {
        let head = ["PROFILE", "RESULT", "PUBLISHED", "TRUST HUB", "CHANGED (UTC)"];
        Self(Rows::below(row(head)))
    }
}

impl FindingTable {
    /// Returns the first error of printing, if there was one.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.0.finish()
    }
}

impl Observer for FindingTable {
    fn progress(&mut self, progress: ReconcileProgress) {
        match progress {
            ReconcileProgress::Reading(read, total) => {
                self.0.progress(|| format!("read {read} of {total} records of the topic"));
            }
            ReconcileProgress::Comparing(profiles, missed) => {
                self.0.progress(|| format!("compared {profiles} profiles, {missed} missed changes"));
            }
        }
    }

    fn found(&mut self, finding: &Finding) {
        let Finding { account, profile, resource, believed, actual, action } = finding;
        let unknown = if matches!(action, Action::Deleted(_)) { "-" } else { "?" };
        let status = actual.map_or(unknown, |(status, _)| status.as_str());
        let changed = actual.map_or_else(|| unknown.to_owned(), |(_, changed)| minute(changed));
        let believed = believed.map_or("nothing", |status| status.as_str());
        let result = match action {
            Action::NotPublished(comparison) => comparison.as_str(),
            Action::Published(_) => "published",
            Action::Deleted(_) => "deleted",
            // Almost every profile has details that a state lacks when the states are new.
            Action::Described(_) => return,
            Action::Failed(_) => "failed",
        };
        self.0.print(group(account, *resource), &row([profile.as_str(), result, believed, status, &changed]));
        if let Action::Failed(reason) = action {
            self.0.say(&format!("{profile}: {reason}"));
        }
    }

    fn deletions_withheld(&mut self, account: &AccountSid, profiles: u64) {
        self.0.say(&format!(
            "{account}: Trust Hub does not list {profiles} profiles any more, which are most of the account's; use \
             --delete-many to delete their states"
        ));
    }

    fn list_failed(&mut self, failure: &ListFailure) {
        self.0.say(&list_failure(failure));
    }
}

/// The message for a list of profiles that could not be read.
pub(super) fn list_failure(failure: &ListFailure) -> String {
    let ListFailure { account, resource, error } = failure;
    format!("{account}: cannot list {resource}s: {error}")
}

/// The heading of the rows of one account and one kind of profile.
pub(super) fn group(account: &AccountSid, resource: Resource) -> String {
    format!("{account} {}", resource.as_str())
}

/// At most 100 characters for the statuses of Trust Hub. The longest result comes with a short status, `nothing`.
fn row([profile, result, published, actual, changed]: [&str; 5]) -> String {
    let known = format!("{result:16} {published}");
    format!("{profile:34} {known:32} {actual:15} {changed}")
}

/// The result of the run in a few lines.
pub(super) fn summary_text(summary: &ReconcileSummary, options: RunOptions) -> String {
    let ReconcileSummary { accounts, profiles, records, missed, too_recent, history_too_short, not_compared, .. } =
        summary;
    let states = summary.states.map(|states| format!("{states} states and ")).unwrap_or_default();
    let seconds = summary.took.as_secs_f64();
    let done = if options.dry_run { "missed" } else { "missed and published" };
    let mut text = format!(
        "{profiles} profiles of {accounts} {} compared with {states}{records} events in {seconds:.1} s, {} requests: {missed} {done}",
        if *accounts == 1 { "account" } else { "accounts" },
        summary.requests,
    );
    let mut add = |count: u64, text_for_count: &str| {
        if count > 0 {
            text.push_str(&format!("\n{count} {text_for_count}"));
        }
    };
    let would = if options.dry_run { "would be published" } else { "published" };
    add(summary.described, &format!("have details that their states lacked: {would}"));
    add(
        summary.deleted,
        &format!("do not exist any more: their deletion {}", if options.dry_run { would } else { "published" }),
    );
    add(*too_recent, "changed so recently that their callbacks may still arrive; run the command again later");
    let older = "last changed before the topic's history starts, and may have been published before that";
    let hint = if options.baseline { "" } else { "; use --baseline to publish them" };
    let are_published = options.baseline && !options.dry_run;
    if !are_published {
        add(*history_too_short, &format!("{older}{hint}"));
    }
    add(*not_compared, "have events of another resource, so they were not compared; check their callback URL");
    text
}
