//! Clients of librdkafka of every kind, as receivers of OAuth tokens.

use kafka_token::{ClientToken, SetTokenError, set_token};
use rdkafka::{
    ClientContext,
    admin::AdminClient,
    client::Client,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, Producer as _, ProducerContext, ThreadedProducer},
};

use super::token_failure;

/// A client that logs in with tokens that are set.
pub(super) trait TokenReceiver: Send + Sync + 'static {
    /// Sets the token. Does not block.
    ///
    /// # Errors
    /// [`SetTokenError`].
    fn receive(&self, token: ClientToken<'_>) -> Result<(), SetTokenError>;

    /// Reports why there is no token, as librdkafka does for the tokens that it requests itself.
    fn fail(&self, reason: &str);
}

/// A client of the `rdkafka` crate.
pub(super) trait NativeClient: Send + Sync + 'static {
    /// The context of its callbacks.
    type Context: ClientContext;

    /// The client that all kinds consist of.
    fn native(&self) -> &Client<Self::Context>;
}

impl<T: NativeClient> TokenReceiver for T {
    fn receive(&self, token: ClientToken<'_>) -> Result<(), SetTokenError> {
        set_token(self.native(), token)
    }

    fn fail(&self, reason: &str) {
        let error = KafkaError::Global(RDKafkaErrorCode::Authentication);
        self.native().context().error(error, &token_failure::message(reason));
    }
}

impl<C: ConsumerContext + 'static> NativeClient for BaseConsumer<C> {
    type Context = C;

    fn native(&self) -> &Client<C> {
        self.client()
    }
}

impl<C: ConsumerContext + 'static> NativeClient for StreamConsumer<C> {
    type Context = C;

    fn native(&self) -> &Client<C> {
        self.client()
    }
}

impl<C: ProducerContext + 'static> NativeClient for BaseProducer<C> {
    type Context = C;

    fn native(&self) -> &Client<C> {
        self.client()
    }
}

impl<C: ProducerContext + 'static> NativeClient for ThreadedProducer<C> {
    type Context = C;

    fn native(&self) -> &Client<C> {
        self.client()
    }
}

impl<C: ClientContext + 'static> NativeClient for AdminClient<C> {
    type Context = C;

    fn native(&self) -> &Client<C> {
        self.inner()
    }
}
