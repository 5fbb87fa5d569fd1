//! Questions to Kafka that only an administrator's client asks.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create the client, and wait for the answer | that of the caller, which may block | none | the patience that it gives |
//! | close the client | see [`temporary`](super::temporary) | | |

use std::{sync::Arc, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions},
    error::KafkaError,
};
use tokio::runtime::Handle;

use super::{client_config, producer::Context, temporary::Temporary};
use crate::{
    config::KafkaConfig,
    telemetry::{Operation, Operations},
};

/// How a question is asked.
#[derive(Clone)]
pub(super) struct Questioner {
    pub(super) kafka: KafkaConfig,
    /// Where a slow question, and a slow close of the client, are counted.
    pub(super) operations: Arc<Operations>,
    /// Where the answer is waited for. librdkafka bounds the wait, so no timer of the runtime is needed, which may be
    /// shutting down.
    pub(super) runtime: Handle,
    /// The longest that an answer may take.
    pub(super) patience: Duration,
}

impl Questioner {
    /// Asks through a client that lives only for the question: most of the time there is none to ask. Blocks.
    ///
    /// # Errors
    /// What Kafka or librdkafka says.
    pub(super) fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&AdminClient<Context>, &AdminOptions) -> Result<T, KafkaError>,
    ) -> Result<T, KafkaError> {
        let _operation = self.operations.begin(Operation::KafkaAdmin);
        let admin = Temporary::create(Some(&self.operations), || {
            client_config::common(&self.kafka).create_with_context::<_, AdminClient<_>>(Context::quiet())
        })?;
        let options = AdminOptions::new().request_timeout(Some(self.patience)).operation_timeout(Some(self.patience));
        self.runtime.block_on(question(&admin, &options))
    }
}
