//! `reconcile --set-callback`: has changes of every profile announced here.

use super::{Arguments, table::cannot_be_listed, warn};
use crate::{
    app::{self, block_on},
    cli::{
        Variables,
        output::{Failure, Rows, say},
    },
    config,
    reconcile::{Callback, CallbackUrl, Callbacks, Change, Unlisted},
};

pub(super) fn run(url: &str, arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let url = CallbackUrl::parse(url, !arguments.no_retries)
        .map_err(|wrong| Failure::Usage(format!("--set-callback: {wrong}")))?;
    let access = config::load_trusthub_access(variables).map_err(Failure::usage)?;
    warn(&access.warnings);
    let callbacks = Callbacks { url, replace: arguments.replace, dry_run: arguments.dry_run };
    let mut report = Report::new(&callbacks);
    let asked = block_on(app::set_callbacks(&access, &callbacks, |told| report.tell(told)));
    asked.map_err(Failure::failed)?.map_err(Failure::usage)?;
    report.end()
}

/// Prints what was changed, and counts.
struct Report {
    dry_run: bool,
    rows: Rows,
    profiles: u64,
    changed: u64,
    kept: u64,
    foreign: u64,
    locked: u64,
    failed: u64,
}

impl Report {
    fn new(callbacks: &Callbacks) -> Self {
        Self {
            dry_run: callbacks.dry_run,
            rows: Rows::below(row(["PROFILE", "VERDICT", "RESOURCE", "ACCOUNT", "CALLBACK BEFORE"])),
            profiles: 0,
            changed: 0,
            kept: 0,
            foreign: 0,
            locked: 0,
            failed: 0,
        }
    }

    fn tell(&mut self, told: Result<Callback, Unlisted>) {
        match told {
            Ok(callback) => self.callback(&callback),
            Err(unlisted) => {
                self.failed += 1;
                self.rows.say(&cannot_be_listed(&unlisted));
            }
        }
        let Self { profiles, changed, .. } = self;
        self.rows.progress(|| format!("{profiles} profiles, {changed} changed"));
    }

    fn callback(&mut self, callback: &Callback) {
        self.profiles += 1;
        let (count, verdict) = match &callback.change {
            Change::Kept => {
                self.kept += 1;
                return;
            }
            Change::Set => (&mut self.changed, if self.dry_run { "would be set" } else { "set" }),
            Change::Replaced => (&mut self.changed, if self.dry_run { "would be replaced" } else { "replaced" }),
            Change::Foreign => (&mut self.foreign, "has another"),
            Change::Locked => (&mut self.locked, "in review"),
            Change::Failed(_) => (&mut self.failed, "failed"),
        };
        *count += 1;
        let before = callback.before.as_deref().unwrap_or("none");
        let [profile, account] = [callback.profile.as_str(), callback.account.as_str()];
        self.rows.print(&row([profile, verdict, &callback.resource.to_string(), account, before]));
        if let Change::Failed(reason) = &callback.change {
            self.rows.say(&format!("{profile}: {reason}"));
        }
    }

    fn end(self) -> Result<(), Failure> {
        self.rows.end()?;
        let done = if self.dry_run { "would be changed" } else { "changed" };
        say(&format!("{} profiles: {} {done}, {} had it already", self.profiles, self.changed, self.kept));
        if self.foreign > 0 {
            say(&format!("{} have another URL; --replace changes it", self.foreign));
        }
        if self.locked > 0 {
            say(&format!("{} are in review and cannot be edited (60711); run it again after it", self.locked));
        }
        if self.failed > 0 {
            return Err(Failure::Failed(format!("{} could not be changed, see above", self.failed)));
        }
        Ok(())
    }
}

fn row([profile, verdict, resource, account, before]: [&str; 5]) -> String {
    format!("{profile:34}  {verdict:17}  {resource:16}  {account:34}  {before}")
}
