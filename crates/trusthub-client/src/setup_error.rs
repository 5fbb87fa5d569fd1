//! The errors of creating a client.

use thiserror::Error;

use crate::TransportError;

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SetupError {
    /// The base URL cannot be parsed.
    #[error("the base URL is not valid")]
    BaseUrl,
    /// The system does not provide what HTTP requests need, such as certificate authorities.
    #[error("HTTP requests cannot be sent")]
    Http(#[source] TransportError),
}
