//! Requests that need Kafka's admin client.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create the client and wait for the response | the caller's, which may block | none | the caller's `timeout` |
//! | close the client | see [`temporary`](super::temporary) | | |

use std::{sync::Arc, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions},
    error::KafkaError,
};
use tokio::runtime::Handle;

use super::{client_config, delivery_context::QuietContext, temporary::TemporaryClient};
use crate::{
    config::KafkaConfig,
    telemetry::{Operation, Operations},
};

/// Sends single admin requests.
#[derive(Clone)]
pub(super) struct AdminRequester {
    pub(super) kafka: KafkaConfig,
    /// Counts slow requests and slow closes of the client.
    pub(super) operations: Arc<Operations>,
    /// The runtime that polls the response. librdkafka bounds the wait, so no timer of the runtime is needed, which may
    /// already be shutting down.
    pub(super) runtime: Handle,
    /// How long a response may take.
    pub(super) timeout: Duration,
}

impl AdminRequester {
    /// Sends a request through a client that lives only for this request, because requests are rare. Blocks.
    ///
    /// # Errors
    /// The error of Kafka or librdkafka.
    pub(super) fn send<T>(
        &self,
        request: impl AsyncFnOnce(&AdminClient<QuietContext>, &AdminOptions) -> Result<T, KafkaError>,
    ) -> Result<T, KafkaError> {
        let _operation = self.operations.begin(Operation::KafkaAdmin);
        let admin = TemporaryClient::create(Some(&self.operations), || {
            client_config::common(&self.kafka).create_with_context::<_, AdminClient<_>>(QuietContext)
        })?;
        let options = AdminOptions::new().request_timeout(Some(self.timeout)).operation_timeout(Some(self.timeout));
        self.runtime.block_on(request(&admin, &options))
    }
}
