//! Publishes what reconciliation learns about profiles beside changes of the status.

use std::sync::Arc;

use super::{Pipeline, detach::DetachOnDrop};
use crate::domain::{DeliveryError, Durability, ProfileNotice};

impl Pipeline {
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
