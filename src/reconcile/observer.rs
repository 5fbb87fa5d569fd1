//! Who receives what a run reports.

use super::finding::{Finding, ListFailure};
use crate::domain::AccountSid;

/// The progress of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReconcileProgress {
    /// The number of records read, and their total.
    Reading(u64, u64),
    /// The number of profiles compared, and the number of missed changes among them.
    Comparing(u64, u64),
}

/// Receives the findings and the progress of a run.
pub(crate) trait Observer: Send {
    /// The run made progress.
    fn progress(&mut self, progress: ReconcileProgress);

    /// The run found a profile to report.
    fn found(&mut self, finding: &Finding);

    /// Trust Hub does not list so many profiles of this account any more that they are not deleted.
    fn deletions_withheld(&mut self, account: &AccountSid, profiles: u64);

    /// A list of profiles could not be read completely.
    fn list_failed(&mut self, failure: &ListFailure);
}
