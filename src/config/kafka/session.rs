//! The time in which a client may use the credentials with which it was created.

use std::ops::Deref;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::credentials::KafkaCredentials;

/// A token that is cancelled when the service stops, and when the credentials have been replaced. Clients that were created
/// after it must then be created again.
#[derive(Debug)]
pub(crate) struct CredentialSession(CancellationToken);

impl KafkaCredentials {
    /// Begins a session with the current credentials.
    pub(crate) fn session(&self, stop: &CancellationToken, runtime: &Handle) -> CredentialSession {
        let (session, replaced) = (stop.child_token(), self.replaced());
        let ended = session.clone();
        runtime.spawn(async move {
            if ended.run_until_cancelled(replaced).await.is_some() {
                ended.cancel();
            }
        });
        CredentialSession(session)
    }
}

impl Deref for CredentialSession {
    type Target = CancellationToken;

    fn deref(&self) -> &CancellationToken {
        &self.0
    }
}

impl Drop for CredentialSession {
    /// Ends the task that waits for other credentials.
    fn drop(&mut self) {
        self.0.cancel();
    }
}
