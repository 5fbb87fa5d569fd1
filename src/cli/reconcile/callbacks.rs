//! `reconcile --set-callback`: sets the status callback URL of every profile.

use super::{
    arguments::Arguments,
    table::{group, list_failure},
};
use crate::{
    app::{self, block_on},
    cli::{
        output::{Failure, Rows, say, warn_all},
        variables::Variables,
    },
    config,
    reconcile::{CallbackUrl, ListFailure, UrlChange, UrlUpdate, UrlUpdater},
};

pub(super) fn run(url: &str, arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let url = CallbackUrl::parse(url, !arguments.no_retries)
        .map_err(|error| Failure::usage(format!("--set-callback: {error}")))?;
    let access = config::load_trusthub_access(variables).map_err(Failure::usage)?;
    warn_all(&access.warnings);
    let updater = UrlUpdater { url, replace: arguments.replace, dry_run: arguments.dry_run };
    let mut report = UrlUpdateReport::new(&updater);
    let updated = block_on(app::set_callbacks(&access, &updater, |result| report.add(result)));
    updated.map_err(Failure::failed)?.map_err(Failure::usage)?;
    report.finish()
}

/// Prints the changes, and counts the results.
struct UrlUpdateReport {
    dry_run: bool,
    rows: Rows,
    profiles: u64,
    changed: u64,
    unchanged: u64,
    foreign: u64,
    locked: u64,
    failed: u64,
}

impl UrlUpdateReport {
    fn new(updater: &UrlUpdater) -> Self {
        Self {
            dry_run: updater.dry_run,
            rows: Rows::below(row(["PROFILE", "RESULT", "PREVIOUS CALLBACK"])),
            profiles: 0,
            changed: 0,
            unchanged: 0,
            foreign: 0,
            locked: 0,
            failed: 0,
        }
    }

    fn add(&mut self, result: Result<UrlUpdate, ListFailure>) {
        match result {
            Ok(update) => self.add_update(&update),
            Err(failure) => {
                self.failed += 1;
                self.rows.say(&list_failure(&failure));
            }
        }
        let Self { profiles, changed, .. } = self;
        self.rows.progress(|| format!("{profiles} profiles, {changed} changed"));
    }

    fn add_update(&mut self, update: &UrlUpdate) {
        self.profiles += 1;
        let (count, result) = match &update.change {
            UrlChange::Unchanged => {
                self.unchanged += 1;
                return;
            }
            UrlChange::Set => (&mut self.changed, if self.dry_run { "would be set" } else { "set" }),
            UrlChange::Replaced => (&mut self.changed, if self.dry_run { "would be replaced" } else { "replaced" }),
            UrlChange::Foreign => (&mut self.foreign, "has another URL"),
            UrlChange::Locked => (&mut self.locked, "in review"),
            UrlChange::Failed(_) => (&mut self.failed, "failed"),
        };
        *count += 1;
        let before = update.before.as_deref().unwrap_or("none");
        let profile = update.profile.as_str();
        self.rows.print(group(&update.account, update.resource), &row([profile, result, before]));
        if let UrlChange::Failed(reason) = &update.change {
            self.rows.say(&format!("{profile}: {reason}"));
        }
    }

    fn finish(self) -> Result<(), Failure> {
        self.rows.finish()?;
        let done = if self.dry_run { "would be changed" } else { "changed" };
        say(&format!("{} profiles: {} {done}, {} already had this URL", self.profiles, self.changed, self.unchanged));
        if self.foreign > 0 {
            say(&format!("{} have another URL; use --replace to change it", self.foreign));
        }
        if self.locked > 0 {
            say(&format!(
                "{} are under review and cannot be edited (60711); run the command again after the review",
                self.locked
            ));
        }
        if self.failed > 0 {
            return Err(Failure::failed(format!("{} profiles or lists failed, see above", self.failed)));
        }
        Ok(())
    }
}

fn row([profile, result, before]: [&str; 3]) -> String {
    format!("{profile:34}  {result:17}  {before}")
}
