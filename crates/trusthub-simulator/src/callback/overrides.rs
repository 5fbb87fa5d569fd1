//! Connection overrides: the fragment of a callback URL changes its timeouts and retries.
//!
//! Source: Twilio's documentation of connection overrides and of its error 11243. It does not say what Twilio does with a
//! number out of range. The simulator ignores such a number and names it in the journal.

use std::{ops::RangeInclusive, time::Duration};

use super::journal::{AttemptOutcome, CallbackFailure};

const CONNECT_MS: RangeInclusive<u32> = 100..=10_000;
const READ_MS: RangeInclusive<u32> = 100..=15_000;
const TOTAL_MS: RangeInclusive<u32> = 100..=15_000;
const RETRIES: RangeInclusive<u32> = 0..=5;

/// The timeouts and retries of one callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConnectionOverrides {
    /// The timeout for the connection with its TLS handshake (`ct`).
    pub(super) connect: Duration,
    /// The timeout for the response once there is a connection (`rt`).
    pub(super) read: Duration,
    /// The timeout for everything, retries included (`tt`).
    pub(super) total: Duration,
    /// The number of retries after the first try (`rc`).
    pub(super) retries: u32,
    policy: RetryPolicy,
    /// The overrides that are unknown or out of range, as they were written.
    pub(super) ignored: Vec<String>,
}

/// The failures after which Twilio retries (`rp`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct RetryPolicy {
    client_errors: bool,
    server_errors: bool,
    connect: bool,
    read: bool,
}

/// `rp` names an unknown kind of failure. Twilio then sends nothing and reports error 11243.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidRetryPolicy;

impl Default for ConnectionOverrides {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(15),
            total: Duration::from_secs(15),
            retries: 1,
            policy: RetryPolicy { connect: true, ..RetryPolicy::default() },
            ignored: Vec::new(),
        }
    }
}

impl ConnectionOverrides {
    /// Parses a fragment without its `#`.
    pub(super) fn parse(fragment: &str) -> Result<Self, InvalidRetryPolicy> {
        let mut overrides = Self::default();
        for pair in fragment.split('&').filter(|pair| !pair.is_empty()) {
            if !overrides.apply(pair)? {
                overrides.ignored.push(pair.to_owned());
            }
        }
        Ok(overrides)
    }

    /// Applies one `name=value`. Returns whether it is a known override within its range.
    fn apply(&mut self, pair: &str) -> Result<bool, InvalidRetryPolicy> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let number = |range: RangeInclusive<u32>| value.parse().ok().filter(|number| range.contains(number));
        let millis = |range| number(range).map(|number| Duration::from_millis(number.into()));
        Ok(match name {
            "ct" => set(&mut self.connect, millis(CONNECT_MS)),
            "rt" => set(&mut self.read, millis(READ_MS)),
            "tt" => set(&mut self.total, millis(TOTAL_MS)),
            "rc" => set(&mut self.retries, number(RETRIES)),
            "rp" => set(&mut self.policy, Some(RetryPolicy::parse(value)?)),
            // The edge location and the TLS server name have no effect in the simulator.
            "e" | "sni" => true,
            _ => false,
        })
    }

    /// Returns whether Twilio retries after this outcome.
    pub(super) fn retries_after(&self, outcome: AttemptOutcome) -> bool {
        match outcome {
            AttemptOutcome::Answer(400..=499) => self.policy.client_errors,
            AttemptOutcome::Answer(500..=599) => self.policy.server_errors,
            AttemptOutcome::Failure(
                CallbackFailure::Connect
                | CallbackFailure::ConnectTimeout
                | CallbackFailure::Dns
                | CallbackFailure::Tls,
            ) => self.policy.connect,
            AttemptOutcome::Failure(CallbackFailure::ReadTimeout) => self.policy.read,
            AttemptOutcome::Answer(_) | AttemptOutcome::Failure(_) => false,
        }
    }
}

fn set<T>(target: &mut T, value: Option<T>) -> bool {
    let is_valid = value.is_some();
    if let Some(value) = value {
        *target = value;
    }
    is_valid
}

impl RetryPolicy {
    fn parse(list: &str) -> Result<Self, InvalidRetryPolicy> {
        list.split(',').try_fold(Self::default(), |policy, kind| match kind {
            "4xx" => Ok(Self { client_errors: true, ..policy }),
            "5xx" => Ok(Self { server_errors: true, ..policy }),
            "ct" => Ok(Self { connect: true, ..policy }),
            "rt" => Ok(Self { read: true, ..policy }),
            "all" => Ok(Self { client_errors: true, server_errors: true, connect: true, read: true }),
            _ => Err(InvalidRetryPolicy),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trusthub_events::Label as _;

    fn parse(fragment: &str) -> ConnectionOverrides {
        ConnectionOverrides::parse(fragment).unwrap()
    }

    /// Returns which outcomes are retried under this fragment, out of one of each kind.
    fn retried(fragment: &str) -> Vec<&'static str> {
        let overrides = parse(fragment);
        let answers = [
            (AttemptOutcome::Answer(204), "204"),
            (AttemptOutcome::Answer(404), "404"),
            (AttemptOutcome::Answer(503), "503"),
        ];
        let failures = CallbackFailure::ALL.iter().map(|failure| (AttemptOutcome::Failure(*failure), failure.as_str()));
        let all = answers.into_iter().chain(failures);
        all.filter(|(outcome, _)| overrides.retries_after(*outcome)).map(|(_, name)| name).collect()
    }

    #[test]
    fn failed_connection_alone_is_retried_by_default_and_only_once() {
        assert_eq!(parse(""), ConnectionOverrides::default());
        let ConnectionOverrides { connect, read, total, retries, .. } = parse("");
        assert_eq!([connect, read, total].map(|limit| limit.as_secs()), [5, 15, 15]);
        assert_eq!(retries, 1);
        assert_eq!(retried(""), ["connect", "connect_timeout", "dns", "tls"]);
    }

    #[test]
    fn both_ends_of_each_documented_range_are_accepted() {
        let ends = |name: &str, low: u32, high: u32| [format!("{name}={low}"), format!("{name}={high}")];
        let millis = |limit: Duration| limit.as_millis();
        assert_eq!(ends("ct", 100, 10_000).map(|it| millis(parse(&it).connect)), [100, 10_000]);
        assert_eq!(ends("rt", 100, 15_000).map(|it| millis(parse(&it).read)), [100, 15_000]);
        assert_eq!(ends("tt", 100, 15_000).map(|it| millis(parse(&it).total)), [100, 15_000]);
        assert_eq!(ends("rc", 0, 5).map(|it| parse(&it).retries), [0, 5]);
    }

    #[test]
    fn unknown_and_out_of_range_overrides_are_ignored_and_named() {
        let nonsense =
            ["ct=99", "ct=10001", "rt=99", "rt=15001", "tt=99", "tt=15001", "rc=6", "rc=-1", "rc=", "ct", "xy=1"];
        let overrides = parse(&nonsense.join("&"));
        assert_eq!(
            overrides,
            ConnectionOverrides { ignored: nonsense.map(str::to_owned).to_vec(), ..ConnectionOverrides::default() }
        );
    }

    #[test]
    fn sni_and_edge_are_accepted_without_effect() {
        assert_eq!(parse("sni=n&e=dublin,tokyo"), ConnectionOverrides::default());
    }

    #[test]
    fn a_retry_policy_names_the_kinds_of_failure_to_retry() {
        assert_eq!(retried("rp=4xx"), ["404"]);
        assert_eq!(retried("rp=5xx"), ["503"]);
        assert_eq!(retried("rp=rt"), ["read_timeout"]);
        assert_eq!(retried("rc=2&rp=5xx,rt"), ["503", "read_timeout"]);
        assert_eq!(retried("rp=all"), ["404", "503", "connect", "connect_timeout", "dns", "tls", "read_timeout"]);
    }

    #[test]
    fn an_unknown_retry_policy_is_an_error() {
        for fragment in ["rp=", "rp", "rp=5XX", "rp=ct,6xx", "rp=ct,", "rc=1&rp=none"] {
            assert_eq!(ConnectionOverrides::parse(fragment), Err(InvalidRetryPolicy), "{fragment}");
        }
    }
}
