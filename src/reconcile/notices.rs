//! Publishes notices: what Trust Hub says about profiles beside their status.

use futures_util::future::join_all;

use super::{
    finding::{Action, Finding},
    repair::Backend,
    run_error::RunError,
};
use crate::domain::{DeliveryError, ProfileNotice};

/// Why a notice is left to a later run.
const NO_SCHEMA_ID: &str = "the schema registry has not said which id the schema of the event has";

/// A notice to publish.
pub(super) struct DueNotice {
    pub(super) notice: ProfileNotice,
    /// What to report about it. The action gets the id of the notice when it is durable.
    pub(super) finding: Finding,
}

/// Publishes these notices, and passes the finding for each to `report`.
///
/// A notice is not compared with what others publish meanwhile: the order of details is that of their dates in Trust Hub, and
/// an event that arrives after a deletion begins a new state, which the next run compares.
///
/// A notice whose schema the registry has not accepted is left to a later run. In the spool, it would be parked, or block the events
/// behind it until the registry answers.
pub(super) async fn publish_notices<B: Backend>(
    backend: &B,
    due: Vec<DueNotice>,
    report: &mut (dyn FnMut(Finding) + Send),
) -> Result<(), RunError> {
    let (due, waiting): (Vec<_>, Vec<_>) =
        due.into_iter().partition(|due| backend.can_write(due.notice.content.schema()));
    for DueNotice { finding, .. } in waiting {
        report(Finding { action: Action::Failed(NO_SCHEMA_ID.to_owned()), ..finding });
    }
    if due.is_empty() {
        return Ok(());
    }
    let lease = backend.acquire_lease().await?;
    let publish = async |DueNotice { notice, finding }| (finding, backend.publish_notice(notice).await);
    let results = join_all(due.into_iter().map(publish)).await;
    drop(lease);
    let mut failed = None;
    for (finding, result) in results {
        match result {
            Ok(id) => report(Finding { action: finding.action.with_id(id), ..finding }),
            Err(DeliveryError::RefusedByTopics) => {
                report(Finding { action: Action::Failed("the topic rejects the event".to_owned()), ..finding });
            }
            Err(reason) => failed = Some(RunError::NotDurable(reason)),
        }
    }
    failed.map_or(Ok(()), Err)
}
