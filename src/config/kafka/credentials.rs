//! The credentials that Kafka clients use now, which their files can renew.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

use super::security::Security;

/// The encryption and authentication of Kafka clients, as they are in use now. Clones share them.
///
/// Every client is created with the current ones. Each replacement has the next *generation*, so that a client that lives
/// longer notices that it is to be replaced.
#[derive(Clone)]
pub struct KafkaCredentials {
    current: watch::Sender<Generation>,
}

#[derive(Debug, Clone)]
struct Generation {
    number: u64,
    security: Arc<Security>,
}

impl From<Security> for KafkaCredentials {
    /// The first generation.
    fn from(security: Security) -> Self {
        Self { current: watch::Sender::new(Generation { number: 0, security: Arc::new(security) }) }
    }
}

impl KafkaCredentials {
    /// What a client that is created now uses.
    #[must_use]
    pub fn security(&self) -> Arc<Security> {
        Arc::clone(&self.current.borrow().security)
    }

    /// Makes these the current ones for all clones.
    pub(crate) fn replace(&self, security: Security) {
        self.current
            .send_modify(|current| *current = Generation { number: current.number + 1, security: Arc::new(security) });
    }

    /// Completes when the credentials that are current now have been replaced.
    pub(super) fn replaced(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut current = self.current.subscribe();
        let sender = self.current.clone();
        async move {
            // The sender, which lives as long as this, keeps the channel open.
            let _ = current.changed().await;
            drop(sender);
        }
    }

    /// The number of the current generation.
    pub(crate) fn generation(&self) -> u64 {
        self.current.borrow().number
    }
}

impl fmt::Debug for KafkaCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.current.borrow(), f)
    }
}
