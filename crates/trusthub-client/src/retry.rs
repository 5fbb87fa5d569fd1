//! Time-outs, and the decision whether and when a request is retried.

use std::time::Duration;

use reqwest::Method;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::error::Error;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the first byte of the request to the last byte of the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A server that asks for a longer pause is not worth waiting for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// Across all accounts.
const CONCURRENCY: usize = 8;
/// Enough for a hundred million profiles.
const PAGES: usize = 100_000;

/// Time-outs, retries and concurrency of the client.
///
/// With the defaults a call makes at most 5 attempts of 30 s each, with 4 pauses of at most 64 s between them. The time
/// in which the call waits for a permit is not included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiLimits {
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long a whole request may take, from opening the connection to the end of the response.
    pub request_timeout: Duration,
    /// How often one request is sent at most.
    pub attempts: u32,
    /// The longest pause before the second attempt. The limit doubles with each further attempt.
    pub first_pause: Duration,
    /// When `Retry-After` asks for a longer pause, the request is not retried.
    pub max_retry_after: Duration,
    /// The maximum number of concurrent requests.
    pub concurrency: usize,
    /// The maximum number of pages of one list.
    pub pages: usize,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            attempts: ATTEMPTS,
            first_pause: FIRST_PAUSE,
            max_retry_after: MAX_RETRY_AFTER,
            concurrency: CONCURRENCY,
            pages: PAGES,
        }
    }
}

/// An attempt without a successful response.
#[derive(Debug)]
pub(crate) struct FailedAttempt {
    pub(crate) error: Error,
    /// The pause that the server asked for.
    pub(crate) retry_after: Option<Duration>,
}

impl ApiLimits {
    /// The pause before the next attempt, after this many attempts; `None` when the request is not retried.
    pub(crate) fn pause(&self, failure: &FailedAttempt, method: &Method, attempts: u32) -> Option<Duration> {
        let requested = failure.retry_after.unwrap_or_default();
        let is_retried =
            attempts < self.attempts && is_retryable(&failure.error, method) && requested <= self.max_retry_after;
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        is_retried.then(|| requested.saturating_add(random_up_to(self.first_pause.saturating_mul(doubled))))
    }
}

/// Whether another attempt may succeed and is safe: a change that Trust Hub may have made is not sent twice.
fn is_retryable(error: &Error, method: &Method) -> bool {
    match error {
        Error::TooManyRequests { .. } | Error::Connect { .. } => true,
        Error::Server { .. } | Error::Timeout | Error::Broken { .. } => method.is_safe(),
        Error::Unauthorized(_)
        | Error::Forbidden(_)
        | Error::ClientValidation(_)
        | Error::NotFound
        | Error::NoList
        | Error::NotEditable(_)
        | Error::Invalid(_)
        | Error::Unexpected { .. }
        | Error::Malformed { .. }
        | Error::TooLarge
        | Error::ForeignPage { .. }
        | Error::EndlessList => false,
    }
}

/// Full jitter, so that clients that failed together do not retry together.
fn random_up_to(longest: Duration) -> Duration {
    longest.mul_f64(fastrand::f64())
}

/// Parses a `Retry-After` header: a number of seconds, or the date at which the pause ends.
pub(crate) fn retry_after(value: &str, now: OffsetDateTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that does not fit is a very long pause.
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let end = OffsetDateTime::parse(value, &Rfc2822).ok()?;
    Some(Duration::try_from(end - now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use std::io;

    use super::*;
    use crate::{refusal::Refusal, transport_error::TransportError};

    const NOW: OffsetDateTime = datetime!(1994-11-06 08:49:00 UTC);

    fn failure(error: Error, retry_after: Option<u64>) -> FailedAttempt {
        FailedAttempt { error, retry_after: retry_after.map(Duration::from_secs) }
    }

    fn rate_limited(retry_after: Option<u64>) -> FailedAttempt {
        failure(Error::TooManyRequests { retry_after: None }, retry_after)
    }

    fn cause() -> TransportError {
        TransportError::new(io::Error::from(io::ErrorKind::ConnectionReset))
    }

    fn connect() -> Error {
        Error::Connect { source: cause() }
    }

    fn broken() -> Error {
        Error::Broken { source: cause() }
    }

    fn is_retried(error: Error, method: &Method) -> bool {
        ApiLimits::default().pause(&failure(error, None), method, 1).is_some()
    }

    #[test]
    fn read_is_retried_after_every_transient_error() {
        for error in [rate_limited(None).error, connect(), broken(), Error::Timeout, Error::Server { status: 503 }] {
            assert!(is_retried(error.clone(), &Method::GET), "{error}");
        }
    }

    #[test]
    fn update_is_retried_only_when_it_certainly_had_no_effect() {
        assert!(is_retried(rate_limited(None).error, &Method::POST) && is_retried(connect(), &Method::POST));
        for error in [broken(), Error::Timeout, Error::Server { status: 503 }] {
            assert!(!is_retried(error.clone(), &Method::POST), "{error}");
        }
    }

    #[test]
    fn permanent_error_is_not_retried() {
        let refusal = Refusal { status: 400, code: None, message: String::new() };
        let refused =
            [Error::Unauthorized, Error::Forbidden, Error::ClientValidation, Error::NotEditable, Error::Invalid];
        let refused = refused.map(|error| error(refusal.clone()));
        let others = [Error::NotFound, Error::NoList, Error::Unexpected { status: 302 }, Error::TooLarge];
        for error in refused.into_iter().chain(others) {
            assert!(!is_retried(error.clone(), &Method::GET), "{error}");
        }
    }

    #[test]
    fn pauses_are_random_and_may_double_until_the_attempts_are_used_up() {
        let limits = ApiLimits::default();
        for (attempts, most) in [(1, 500), (2, 1000), (3, 2000), (4, 4000)] {
            let pauses: Vec<_> = (0..200)
                .map(|_| limits.pause(&rate_limited(None), &Method::GET, attempts).unwrap().as_millis())
                .collect();
            assert!(pauses.iter().all(|pause| *pause <= most), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause > most / 2) && pauses.iter().any(|pause| *pause < most / 2));
        }
        assert_eq!(limits.pause(&rate_limited(None), &Method::GET, 5), None);
    }

    #[test]
    fn pause_is_at_least_retry_after_unless_that_is_too_long() {
        let limits = ApiLimits::default();
        let pause = |seconds| limits.pause(&rate_limited(Some(seconds)), &Method::GET, 1);
        assert!(pause(3).is_some_and(|pause| (3000..=3500).contains(&pause.as_millis())));
        assert!(pause(60).is_some());
        assert_eq!((pause(61), pause(u64::MAX)), (None, None));
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        for (value, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(value, NOW), seconds.map(Duration::from_secs), "{value:?}");
        }
        assert_eq!(retry_after("99999999999999999999", NOW), Some(Duration::MAX));
    }
}
