//! What a comparison found, as a table.

use crate::{
    cli::output::{Failure, Rows},
    domain::Label as _,
    reconcile::{self, Finding, Mode, Observer, Summary, Unlisted, Verdict},
};

/// Prints findings as they come, and how far it is on a terminal.
pub(super) struct Table(Rows);

impl Default for Table {
    fn default() -> Self {
        let head = ["PROFILE", "VERDICT", "PUBLISHED", "TRUST HUB", "CHANGED", "RESOURCE", "ACCOUNT"];
        Self(Rows::below(row(head)))
    }
}

impl Table {
    /// The last line is printed.
    pub(super) fn end(self) -> Result<(), Failure> {
        self.0.end()
    }
}

impl Observer for Table {
    fn progress(&mut self, progress: reconcile::Progress) {
        match progress {
            reconcile::Progress::Reading(read, of) => {
                self.0.progress(|| format!("{read} of {of} records of the topic are read"));
            }
            reconcile::Progress::Comparing(profiles, missed) => {
                self.0.progress(|| format!("{profiles} profiles are compared, {missed} changes were missed"));
            }
        }
    }

    fn found(&mut self, finding: &Finding) {
        let Finding { account, profile, resource, believed, told, verdict } = finding;
        let status = told.map_or("?", |(status, _)| status.as_str());
        let changed = told.map_or_else(|| "?".to_owned(), |(_, changed)| changed.to_string());
        let believed = believed.map_or("nothing", |status| status.as_str());
        let verdict_text = match verdict {
            Verdict::Judged(judgement) => judgement.as_str(),
            Verdict::Published => "published",
            Verdict::Failed(_) => "failed",
        };
        self.0.print(&row([
            profile.as_str(),
            verdict_text,
            believed,
            status,
            &changed,
            resource.as_str(),
            account.as_str(),
        ]));
        if let Verdict::Failed(reason) = verdict {
            self.0.say(&format!("{profile}: {reason}"));
        }
    }

    fn unlisted(&mut self, unlisted: &Unlisted) {
        self.0.say(&cannot_be_listed(unlisted));
    }
}

/// For whom it may concern.
pub(super) fn cannot_be_listed(unlisted: &Unlisted) -> String {
    let Unlisted { account, resource, error } = unlisted;
    format!("{account}: {resource}s cannot be listed: {error}")
}

fn row([profile, verdict, published, told, changed, resource, account]: [&str; 7]) -> String {
    format!("{profile:34}  {verdict:17}  {published:15}  {told:15}  {changed:24}  {resource:16}  {account}")
}

/// The whole in a few lines.
pub(super) fn told(summary: &Summary, mode: Mode) -> String {
    let Summary { accounts, profiles, records, missed, too_recent, history_too_short, not_compared, .. } = summary;
    let seconds = summary.took.as_secs_f64();
    let done = if mode.dry_run { "missed" } else { "missed and published" };
    let mut text = format!(
        "{profiles} profiles of {accounts} {} compared with {records} events in {seconds:.1} s, {} requests: {missed} {done}",
        if *accounts == 1 { "account" } else { "accounts" },
        summary.requests,
    );
    let mut say = |count: u64, what: &str| {
        if count > 0 {
            text.push_str(&format!("\n{count} {what}"));
        }
    };
    say(*too_recent, "changed so lately that their callbacks may be under way; look again in two minutes");
    let older = "last changed before the topic's history begins, and may have been published before";
    let hint = if mode.baseline { "" } else { "; --baseline publishes them" };
    let are_published = mode.baseline && !mode.dry_run;
    if !are_published {
        say(*history_too_short, &format!("{older}{hint}"));
    }
    say(*not_compared, "have events of another resource, so they were not compared; is their callback URL right?");
    text
}
