//! The options of a [`CallbackSender`](super::CallbackSender), and why it cannot be created.

use std::time::Duration;

use thiserror::Error;
use tokio::runtime::TryCurrentError;
use twilio_signature::EmptyKey;

use super::keys::SigningError;

/// The options of a [`CallbackSender`](super::CallbackSender).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderOptions {
    /// The seed of the random faults; `None` for a different sequence in each run.
    pub seed: Option<u64>,
    /// How long [`CallbackFault::Reorder`](super::CallbackFault::Reorder) holds a callback while it waits for a later one.
    pub reorder_timeout: Duration,
    /// The maximum number of pending callbacks, including delayed ones.
    pub capacity: usize,
    /// The number of attempts that the journal keeps.
    pub journal_capacity: usize,
}

impl Default for SenderOptions {
    fn default() -> Self {
        Self { seed: None, reorder_timeout: Duration::from_secs(5), capacity: 10_000, journal_capacity: 10_000 }
    }
}

/// Why a [`CallbackSender`](super::CallbackSender) could not be created.
#[derive(Debug, Error)]
pub enum CallbackSenderError {
    /// An account has an empty token.
    #[error(transparent)]
    EmptyKey(#[from] EmptyKey),
    /// A SharedKey of an account is not valid.
    #[error(transparent)]
    SharedKey(#[from] SigningError),
    /// The HTTP client cannot be created.
    #[error("cannot create the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// There is no tokio runtime.
    #[error(transparent)]
    Runtime(#[from] TryCurrentError),
}
