//! What the repairs of a run need: Trust Hub, the topic, the lease and the pipeline.

use std::time::Duration;

use trusthub_client::{Error, Fetched};

use super::{
    super::{candidate::RepairCandidate, repair::Backend, view::View},
    ReconcileRun,
};
use crate::{
    domain::{DataSchema, DeliveryError, ProfileNotice, RecordPosition, Timestamp},
    kafka::{LeadershipLost, LeaseGuard, TopicReadError},
};

impl Backend for ReconcileRun<'_> {
    type Lease = LeaseGuard;

    fn grace(&self) -> Duration {
        self.reconciler.grace
    }

    fn time(&self) -> Timestamp {
        self.reconciler.pipeline.event_time()
    }

    async fn fetch(&self, candidate: &RepairCandidate) -> Result<Fetched, Error> {
        candidate.client.fetch(candidate.collection, &candidate.profile).await
    }

    async fn read_to_end(&mut self) -> Result<(), TopicReadError> {
        let view = &mut self.view;
        view.mark();
        self.topic.read_to_end(|event| view.apply(&event), |_, _| {}).await
    }

    fn view(&self) -> &View {
        &self.view
    }

    fn history_start(&self) -> Option<Timestamp> {
        self.topic.history_start()
    }

    async fn acquire_lease(&self) -> Result<LeaseGuard, LeadershipLost> {
        match self.election {
            Some(election) => election.acquire_lease().await,
            None => Err(LeadershipLost::Undecided),
        }
    }

    async fn publish(
        &self,
        profile: &Fetched,
        time: Timestamp,
        last: Option<RecordPosition>,
    ) -> Result<String, DeliveryError> {
        self.reconciler.pipeline.publish_fetched_profile(profile, time, last).await
    }

    fn can_write(&self, schema: DataSchema) -> bool {
        self.reconciler.encoder.as_ref().is_none_or(|encoder| encoder.can_encode(schema))
    }

    async fn publish_notice(&self, notice: ProfileNotice) -> Result<String, DeliveryError> {
        self.reconciler.pipeline.publish_notice(notice).await
    }
}
