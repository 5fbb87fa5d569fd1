//! The faults of the API.

use serde::Serialize;

use super::callback::Percent;

/// How often the API fails on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ApiFaultRates {
    /// The share of requests that are answered 429.
    pub too_many_requests: Percent,
    /// The value of `Retry-After` in these answers, in seconds.
    pub retry_after_secs: u32,
    /// The share of requests that are answered 500.
    pub server_errors: Percent,
}

impl Default for ApiFaultRates {
    fn default() -> Self {
        Self { too_many_requests: Percent::default(), retry_after_secs: 1, server_errors: Percent::default() }
    }
}

/// How one request fails on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ApiFault {
    TooManyRequests { retry_after_secs: u32 },
    ServerError,
}
