//! Creates the clients of librdkafka.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create a client (reads key and certificate files) | the caller's, which may block | none | none |
//! | set the token of a client | that of `msk_login`, or the caller's | that of `msk_login` | librdkafka's lock of the token |

use std::{ops::Deref, sync::Arc};

use rdkafka::{ClientConfig, config::FromClientConfigAndContext, error::KafkaError};

use super::{
    msk_login::{TokenRefresher, TokenRegistration},
    token_receiver::TokenReceiver,
};
use crate::config::{SaslLogin, Security};

/// The properties of a client, and the login that properties cannot express.
#[derive(Clone)]
pub(super) struct ClientSettings {
    properties: ClientConfig,
    login: Security,
}

impl ClientSettings {
    /// The settings with these properties, for this login.
    pub(super) fn new(properties: ClientConfig, security: &Security) -> Self {
        Self { properties, login: security.clone() }
    }

    /// Sets a property.
    pub(super) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.properties.set(name, value);
        self
    }

    /// The properties.
    pub(super) fn properties(&self) -> &ClientConfig {
        &self.properties
    }

    /// Creates a client, which connects in the background. Blocks while it reads files.
    ///
    /// # Errors
    /// When librdkafka rejects the properties, or the system has no thread for the renewal of tokens.
    pub(super) fn create_with_context<C, T>(&self, context: C) -> Result<KafkaClient<T>, KafkaError>
    where
        T: FromClientConfigAndContext<C> + TokenReceiver,
        C: rdkafka::ClientContext,
    {
        let client: Arc<T> = Arc::new(self.properties.create_with_context(context).map_err(without_value)?);
        let registration = match &self.login {
            Security::Sasl { login: SaslLogin::MskIam(msk), .. } => {
                let refresher = TokenRefresher::of(msk).map_err(|error| {
                    KafkaError::ClientCreation(format!("cannot start a thread that renews AWS_MSK_IAM tokens: {error}"))
                })?;
                let receiver: Arc<dyn TokenReceiver> = Arc::<T>::clone(&client);
                Some(refresher.register(receiver))
            }
            _ => None,
        };
        Ok(KafkaClient { _registration: registration, client })
    }
}

/// The error without the value of a property, which can be a password or a private key.
fn without_value(error: KafkaError) -> KafkaError {
    match error {
        KafkaError::ClientConfig(result, description, property, _value) => {
            KafkaError::ClientConfig(result, description, property, "…".to_owned())
        }
        other => other,
    }
}

/// A client of librdkafka. If it logs in with IAM, it has a current token for as long as it exists.
pub(super) struct KafkaClient<T> {
    /// Dropped before `client`, which therefore is the last reference: the client is closed by its owner, on its owner's thread.
    _registration: Option<TokenRegistration>,
    client: Arc<T>,
}

impl<T> Deref for KafkaClient<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.client
    }
}
