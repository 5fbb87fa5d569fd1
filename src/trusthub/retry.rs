//! How long a request is waited for, and when it is made again.

use std::time::Duration;

use reqwest::Method;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::error::Error;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the first byte of the request to the last of the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Who is to be left alone for longer is not worth waiting for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// Over all accounts.
const CONCURRENCY: usize = 8;
/// A hundred million profiles.
const PAGES: usize = 100_000;

/// How patient the client is, and how much it does at a time.
///
/// By default one call ends within 5 tries of 30 s with 4 pauses between them, of which none is longer than 64 s, not
/// counting the time in which others have the connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Time to open a connection.
    pub connect_timeout: Duration,
    /// Time for a whole request, from opening the connection to the end of the answer.
    pub request_timeout: Duration,
    /// How often one request is made at most.
    pub tries: u32,
    /// The longest pause before the second try; each further one may be twice as long.
    pub first_pause: Duration,
    /// When `Retry-After` asks for more, the request is not made again.
    pub longest_retry_after: Duration,
    /// Requests that are under way at the same time.
    pub concurrency: usize,
    /// Pages of one list.
    pub pages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            tries: TRIES,
            first_pause: FIRST_PAUSE,
            longest_retry_after: LONGEST_RETRY_AFTER,
            concurrency: CONCURRENCY,
            pages: PAGES,
        }
    }
}

/// A try that was in vain.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// How long the server wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Limits {
    /// How long to wait before the request is made again after this many tries; `None` when it is not.
    pub(super) fn pause(&self, failure: &Failure, method: &Method, tries: u32) -> Option<Duration> {
        let asked = failure.retry_after.unwrap_or_default();
        let again = tries < self.tries && may_pass(&failure.error, method) && asked <= self.longest_retry_after;
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        again.then(|| asked.saturating_add(any_up_to(self.first_pause.saturating_mul(doubled))))
    }
}

/// Whether another try may succeed and does no harm: a change that may have been made is not made twice.
fn may_pass(error: &Error, method: &Method) -> bool {
    match error {
        Error::TooManyRequests { .. } | Error::Connect { .. } => true,
        Error::Server { .. } | Error::Timeout | Error::Broken { .. } => method.is_safe(),
        Error::Unauthorized
        | Error::NotFound
        | Error::NotEditable
        | Error::Invalid { .. }
        | Error::Unexpected { .. }
        | Error::Malformed { .. }
        | Error::TooLarge
        | Error::ForeignPage { .. }
        | Error::EndlessList => false,
    }
}

/// Full jitter: clients that failed together do not come back together.
fn any_up_to(longest: Duration) -> Duration {
    longest.mul_f64(fastrand::f64())
}

/// Reads a `Retry-After` header: seconds, or the date of the end.
pub(super) fn retry_after(value: &str, now: OffsetDateTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // What does not fit is very long.
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let end = OffsetDateTime::parse(value, &Rfc2822).ok()?;
    Some(Duration::try_from(end - now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(1994-11-06 08:49:00 UTC);

    fn failure(error: Error, retry_after: Option<u64>) -> Failure {
        Failure { error, retry_after: retry_after.map(Duration::from_secs) }
    }

    fn busy(retry_after: Option<u64>) -> Failure {
        failure(Error::TooManyRequests { retry_after: None }, retry_after)
    }

    fn connect() -> Error {
        Error::Connect { reason: String::new() }
    }

    fn broken() -> Error {
        Error::Broken { reason: String::new() }
    }

    fn again(error: Error, method: &Method) -> bool {
        Limits::default().pause(&failure(error, None), method, 1).is_some()
    }

    #[test]
    fn a_read_is_repeated_after_everything_that_may_pass() {
        for error in [busy(None).error, connect(), broken(), Error::Timeout, Error::Server { status: 503 }] {
            assert!(again(error.clone(), &Method::GET), "{error}");
        }
    }

    #[test]
    fn a_change_is_repeated_only_when_it_was_surely_not_made() {
        assert!(again(busy(None).error, &Method::POST) && again(connect(), &Method::POST));
        for error in [broken(), Error::Timeout, Error::Server { status: 503 }] {
            assert!(!again(error.clone(), &Method::POST), "{error}");
        }
    }

    #[test]
    fn what_will_be_answered_alike_is_not_repeated() {
        let invalid = Error::Invalid { status: 400, code: None, message: String::new() };
        let redirect = Error::Unexpected { status: 302 };
        for error in [Error::Unauthorized, Error::NotFound, Error::NotEditable, invalid, redirect, Error::TooLarge] {
            assert!(!again(error.clone(), &Method::GET), "{error}");
        }
    }

    #[test]
    fn pauses_are_random_and_may_double_until_the_tries_are_used_up() {
        let limits = Limits::default();
        for (tries, most) in [(1, 500), (2, 1000), (3, 2000), (4, 4000)] {
            let pauses: Vec<_> =
                (0..200).map(|_| limits.pause(&busy(None), &Method::GET, tries).unwrap().as_millis()).collect();
            assert!(pauses.iter().all(|pause| *pause <= most), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause > most / 2) && pauses.iter().any(|pause| *pause < most / 2));
        }
        assert_eq!(limits.pause(&busy(None), &Method::GET, 5), None);
    }

    #[test]
    fn a_pause_is_never_shorter_than_retry_after_and_too_long_a_one_is_not_made() {
        let limits = Limits::default();
        let pause = |seconds| limits.pause(&busy(Some(seconds)), &Method::GET, 1);
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
