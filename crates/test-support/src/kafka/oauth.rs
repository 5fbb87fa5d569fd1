//! A broker that clients log in to with OAuth tokens, and the provider of these tokens.

use std::sync::LazyLock;

use crate::identity_provider::{AUDIENCE, IdentityProvider};

use super::{
    broker::{Broker, unique_topic},
    node::{ADMIN_CLIENT, Node},
};

/// The client secret, which the provider does not check.
pub const CLIENT_SECRET: &str = "client-secret-of-the-test";

/// The broker and its identity provider.
pub struct OAuthBroker {
    /// The broker, as its administrator uses it.
    pub broker: Broker,
    /// The provider whose keys the broker trusts.
    pub provider: IdentityProvider,
}

/// The broker that tests share, each with its own topics. A test that stops its provider has one for itself.
pub fn oauth_broker() -> &'static OAuthBroker {
    static SHARED: LazyLock<OAuthBroker> = LazyLock::new(OAuthBroker::start);
    &SHARED
}

impl OAuthBroker {
    /// Starts an identity provider, and a broker that accepts its tokens. A connection ends when its token has expired,
    /// unless the client sends another one.
    pub fn start() -> Self {
        let provider = IdentityProvider::start();
        let keys = provider.keys_url();
        let login = "org.apache.kafka.common.security.plain.PlainLoginModule required username=admin \
                     password=admin-secret user_admin=admin-secret;";
        let properties = [
            ("listener.security.protocol.map", "CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"),
            ("sasl.enabled.mechanisms", "PLAIN,OAUTHBEARER"),
            ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
            ("listener.name.client.plain.sasl.jaas.config", login),
            (
                "listener.name.client.oauthbearer.sasl.jaas.config",
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
            ),
            (
                "listener.name.client.oauthbearer.sasl.server.callback.handler.class",
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
            ),
            ("sasl.oauthbearer.jwks.endpoint.url", &keys),
            ("sasl.oauthbearer.expected.audience", AUDIENCE),
            // Without a limit, the broker does not end connections whose token has expired.
            ("connections.max.reauth.ms", "3600000"),
        ];
        // Since 4.0, Kafka requests keys only from URLs in this list.
        let allowed = format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys}");
        let mut node = Node::prepare_with_options(&unique_topic("oauth"), &properties, &[], &[&allowed]);
        node.start();
        let broker = Broker::ready(node.bootstrap(), &ADMIN_CLIENT, Some(node));
        Self { broker, provider }
    }

    /// The variables for a client of this broker, without the source of its token.
    pub fn address(&self) -> [(&'static str, &str); 4] {
        [
            ("KAFKA_BOOTSTRAP_SERVERS", self.broker.bootstrap()),
            // A busy machine may need seconds for a login, and the cause of an outage would be that it took too long.
            ("KAFKA_ACK_TIMEOUT_MS", "10000"),
            ("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext"),
            ("KAFKA_SASL_MECHANISM", "OAUTHBEARER"),
        ]
    }

    /// The variables for a client that gets its tokens from this token endpoint.
    pub fn variables<'a>(&'a self, token_url: &'a str) -> Vec<(&'static str, &'a str)> {
        let source = [
            ("KAFKA_OAUTH_TOKEN_URL", token_url),
            ("KAFKA_OAUTH_CLIENT_ID", "bridge"),
            ("KAFKA_OAUTH_CLIENT_SECRET", CLIENT_SECRET),
        ];
        self.address().into_iter().chain(source).collect()
    }
}
