//! Publishes what reconciliation learns about profiles.

use std::sync::Arc;

use trusthub_client::Fetched;

use super::{Pipeline, detach::DetachOnDrop, metrics::CountedChange};
use crate::{
    domain::{DeliveryError, Durability, ProfileNotice, RecordPosition, Timestamp},
    normalize::event_from_profile,
};

impl Pipeline {
    /// Publishes the status of a profile that was fetched from Trust Hub, without a callback: the event of
    /// [`event_from_profile`]. Returns the id of the event.
    ///
    /// The event has the time `fetched_at`, so a callback that arrived later counts as newer, whatever their order in the topic.
    /// Once this future is polled, the event is made durable and counted even if the reconciliation is cancelled.
    ///
    /// # Errors
    /// The reason why the event is not durable.
    pub(crate) async fn publish_fetched_profile(
        self: &Arc<Self>,
        fetched: &Fetched,
        fetched_at: Timestamp,
        last: Option<RecordPosition>,
    ) -> Result<String, DeliveryError> {
        let event = event_from_profile(fetched, fetched_at, last);
        let delivery = self.deliver.submit_event_without_request(&event);
        let counted = CountedChange::of(&event);
        let this = Arc::clone(self);
        let rest = async move {
            match delivery.wait_until_durable().await?.durability {
                Durability::Published | Durability::Spooled => {
                    if let Some(change) = &counted {
                        this.metrics.count_change(change);
                    }
                    Ok(event.id)
                }
                Durability::DeadLettered => Err(DeliveryError::RefusedByTopics),
            }
        };
        DetachOnDrop::new(rest, &self.tasks, &self.runtime).await.unwrap_or(Err(DeliveryError::Abandoned))
    }

    /// Publishes a notice, and returns its id. It takes the way of an event, but counts as no change of a status.
    ///
    /// Once this future is polled, the notice is made durable even if the reconciliation is cancelled.
    ///
    /// # Errors
    /// The reason why the notice is not durable.
    pub(crate) async fn publish_notice(self: &Arc<Self>, notice: ProfileNotice) -> Result<String, DeliveryError> {
        let delivery = self.deliver.submit_notice(&notice);
        let rest = async move {
            match delivery.wait_until_durable().await?.durability {
                Durability::Published | Durability::Spooled => Ok(notice.id),
                Durability::DeadLettered => Err(DeliveryError::RefusedByTopics),
            }
        };
        DetachOnDrop::new(rest, &self.tasks, &self.runtime).await.unwrap_or(Err(DeliveryError::Abandoned))
    }
}
