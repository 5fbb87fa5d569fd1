//! Counts what a run finds, and passes it to the observer.

use std::{collections::BTreeMap, time::Duration};

use trusthub_client::{AccountClient, Collection, Error};

use super::{
    finding::{Action, Finding, ListFailure},
    metrics::ReconcileMetrics,
    observer::{Observer, ReconcileProgress},
    plan::Comparison,
};
use crate::domain::{Label as _, Resource};

/// A number of profiles for each name of a resource that has some.
pub(super) type ProfilesByResource = BTreeMap<&'static str, u64>;

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReconcileSummary {
    /// Accounts whose profiles were listed.
    pub accounts: usize,
    /// Profiles compared.
    pub profiles: u64,
    /// Events read from the topic.
    pub records: u64,
    /// States read from the state topic; `None` if the whole event topic was read instead.
    pub states: Option<u64>,
    /// Missed changes. They are published, except in a dry run.
    pub missed: u64,
    /// Events published.
    pub published: u64,
    /// Profiles whose details are new to the states. They are published, except in a dry run.
    pub described: u64,
    /// Profiles that Trust Hub does not have any more. Their deletions are published, except in a dry run.
    pub deleted: u64,
    /// Profiles that Trust Hub does not list any more, but which are too many to be deleted without being asked.
    pub withheld: u64,
    /// Profiles that changed so recently that their callback may still arrive.
    pub too_recent: u64,
    /// Unpublished profiles that last changed before the topic's history starts.
    pub history_too_short: u64,
    /// Profiles whose events are of a resource that no list has.
    pub not_compared: u64,
    /// Profiles whose status callback is none of the URLs of the service.
    pub without_callback: ProfilesByResource,
    /// Profiles and lists of profiles that could not be read or published.
    pub failed: u64,
    /// Lists of profiles that could not be read completely.
    pub lists_failed: u64,
    /// Requests sent to Trust Hub.
    pub requests: u64,
    /// The duration of the run.
    pub took: Duration,
}

impl ReconcileSummary {
    fn count(&mut self, finding: &Finding) {
        match finding.action {
            Action::Published(_) => {
                self.missed += 1;
                self.published += 1;
            }
            Action::NotPublished(Comparison::Missed) => self.missed += 1,
            Action::NotPublished(Comparison::TooRecent) => self.too_recent += 1,
            Action::NotPublished(Comparison::HistoryTooShort) => self.history_too_short += 1,
            Action::NotPublished(Comparison::NotCompared) => self.not_compared += 1,
            Action::NotPublished(Comparison::Same | Comparison::Untouched) => {}
            Action::Described(_) => self.described += 1,
            Action::Deleted(_) => self.deleted += 1,
            Action::Failed(_) => self.failed += 1,
        }
    }
}

/// Counts the findings, and passes them to the observer.
pub(super) struct Reporter<'t> {
    pub(super) summary: ReconcileSummary,
    pub(super) metrics: &'t ReconcileMetrics,
    pub(super) observer: &'t mut dyn Observer,
}

impl Reporter<'_> {
    /// Counts a profile, and whether its status callback leads to this service.
    pub(super) fn count_compared(&mut self, resource: Resource, has_callback: bool) {
        self.summary.profiles += 1;
        if !has_callback {
            *self.summary.without_callback.entry(resource.as_str()).or_default() += 1;
        }
        self.observer.progress(ReconcileProgress::Comparing(self.summary.profiles, self.summary.missed));
    }

    pub(super) fn found(&mut self, finding: &Finding) {
        self.summary.count(finding);
        match &finding.action {
            Action::NotPublished(comparison) if !comparison.is_reported() => return,
            Action::NotPublished(_) | Action::Failed(_) => {}
            Action::Published(_) => self.metrics.missed.of(finding.resource).inc(),
            Action::Described(Some(_)) => self.metrics.described.of(finding.resource).inc(),
            Action::Deleted(Some(_)) => self.metrics.deleted.of(finding.resource).inc(),
            Action::Described(None) | Action::Deleted(None) => {}
        }
        self.observer.found(finding);
    }

    pub(super) fn list_failed(&mut self, account: &AccountClient, collection: Collection, error: Error) {
        self.summary.failed += 1;
        self.summary.lists_failed += 1;
        self.observer.list_failed(&ListFailure::new(account, collection, &error));
    }

    /// Reports that these profiles of an account are too many to be deleted.
    pub(super) fn withheld(&mut self, account: &AccountClient, withheld: u64) {
        self.summary.withheld += withheld;
        self.observer.deletions_withheld(account.sid(), withheld);
    }
}
