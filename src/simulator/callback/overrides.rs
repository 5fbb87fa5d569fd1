//! Connection overrides: what the fragment of a callback URL changes about time-outs and retries.
//!
//! Source: Twilio's documentation of connection overrides and of its error 11243. What Twilio does with a number out of
//! its range is not documented; here it is ignored, and the journal names it.

use std::{ops::RangeInclusive, time::Duration};

use super::journal::{Ending, Failure};

const CONNECT_MS: RangeInclusive<u32> = 100..=10_000;
const READ_MS: RangeInclusive<u32> = 100..=15_000;
const TOTAL_MS: RangeInclusive<u32> = 100..=15_000;
const RETRIES: RangeInclusive<u32> = 0..=5;

/// How one callback is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overrides {
    /// How long a connection may take, with its TLS handshake (`ct`).
    pub(super) connect: Duration,
    /// How long the answer may take once there is a connection (`rt`).
    pub(super) read: Duration,
    /// How long everything may take, retries included (`tt`).
    pub(super) total: Duration,
    /// Tries after the first one (`rc`).
    pub(super) retries: u32,
    policy: Policy,
    /// Overrides that mean nothing, as they were written.
    pub(super) ignored: Vec<String>,
}

/// After which failures there is another try (`rp`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Policy {
    client_errors: bool,
    server_errors: bool,
    connect: bool,
    read: bool,
}

/// `rp` names a kind of failure that Twilio does not know. It calls nobody then and reports error 11243.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidRetryPolicy;

impl Default for Overrides {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(15),
            total: Duration::from_secs(15),
            retries: 1,
            policy: Policy { connect: true, ..Policy::default() },
            ignored: Vec::new(),
        }
    }
}

impl Overrides {
    /// Reads a fragment without its `#`.
    pub(super) fn parse(fragment: &str) -> Result<Self, InvalidRetryPolicy> {
        let mut overrides = Self::default();
        for pair in fragment.split('&').filter(|pair| !pair.is_empty()) {
            if !overrides.apply(pair)? {
                overrides.ignored.push(pair.to_owned());
            }
        }
        Ok(overrides)
    }

    /// Whether this `name=value` meant something.
    fn apply(&mut self, pair: &str) -> Result<bool, InvalidRetryPolicy> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let number = |range: RangeInclusive<u32>| value.parse().ok().filter(|number| range.contains(number));
        let millis = |range| number(range).map(|number| Duration::from_millis(number.into()));
        Ok(match name {
            "ct" => set(&mut self.connect, millis(CONNECT_MS)),
            "rt" => set(&mut self.read, millis(READ_MS)),
            "tt" => set(&mut self.total, millis(TOTAL_MS)),
            "rc" => set(&mut self.retries, number(RETRIES)),
            "rp" => set(&mut self.policy, Some(Policy::parse(value)?)),
            // Where Twilio calls from, and how it greets a TLS server, makes no difference here.
            "e" | "sni" => true,
            _ => false,
        })
    }

    /// Whether this ending is one after which Twilio tries again.
    pub(super) fn retry_after(&self, ending: Ending) -> bool {
        match ending {
            Ending::Answer(400..=499) => self.policy.client_errors,
            Ending::Answer(500..=599) => self.policy.server_errors,
            Ending::Failure(Failure::Connect | Failure::ConnectTimeout | Failure::Dns | Failure::Tls) => {
                self.policy.connect
            }
            Ending::Failure(Failure::ReadTimeout) => self.policy.read,
            Ending::Answer(_) | Ending::Failure(_) => false,
        }
    }
}

fn set<T>(place: &mut T, value: Option<T>) -> bool {
    let is_valid = value.is_some();
    if let Some(value) = value {
        *place = value;
    }
    is_valid
}

impl Policy {
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
    use crate::domain::Label as _;

    fn parse(fragment: &str) -> Overrides {
        Overrides::parse(fragment).unwrap()
    }

    /// What is retried under a policy: one ending of each kind.
    fn retried(fragment: &str) -> Vec<&'static str> {
        let overrides = parse(fragment);
        let answers = [(Ending::Answer(204), "204"), (Ending::Answer(404), "404"), (Ending::Answer(503), "503")];
        let failures = Failure::ALL.iter().map(|failure| (Ending::Failure(*failure), failure.as_str()));
        let all = answers.into_iter().chain(failures);
        all.filter(|(ending, _)| overrides.retry_after(*ending)).map(|(_, name)| name).collect()
    }

    #[test]
    fn without_overrides_only_a_failed_connection_is_tried_again_and_once() {
        assert_eq!(parse(""), Overrides::default());
        let Overrides { connect, read, total, retries, .. } = parse("");
        assert_eq!([connect, read, total].map(|limit| limit.as_secs()), [5, 15, 15]);
        assert_eq!(retries, 1);
        assert_eq!(retried(""), ["connect", "connect_timeout", "dns", "tls"]);
    }

    #[test]
    fn every_documented_number_counts_up_to_both_ends_of_its_range() {
        let ends = |name: &str, low: u32, high: u32| [format!("{name}={low}"), format!("{name}={high}")];
        let millis = |limit: Duration| limit.as_millis();
        assert_eq!(ends("ct", 100, 10_000).map(|it| millis(parse(&it).connect)), [100, 10_000]);
        assert_eq!(ends("rt", 100, 15_000).map(|it| millis(parse(&it).read)), [100, 15_000]);
        assert_eq!(ends("tt", 100, 15_000).map(|it| millis(parse(&it).total)), [100, 15_000]);
        assert_eq!(ends("rc", 0, 5).map(|it| parse(&it).retries), [0, 5]);
    }

    #[test]
    fn what_means_nothing_is_named_and_leaves_the_default() {
        let nonsense =
            ["ct=99", "ct=10001", "rt=99", "rt=15001", "tt=99", "tt=15001", "rc=6", "rc=-1", "rc=", "ct", "xy=1"];
        let overrides = parse(&nonsense.join("&"));
        assert_eq!(overrides, Overrides { ignored: nonsense.map(str::to_owned).to_vec(), ..Overrides::default() });
    }

    #[test]
    fn sni_and_edge_are_accepted_without_effect() {
        assert_eq!(parse("sni=n&e=dublin,tokyo"), Overrides::default());
    }

    #[test]
    fn a_policy_names_the_kinds_that_are_tried_again() {
        assert_eq!(retried("rp=4xx"), ["404"]);
        assert_eq!(retried("rp=5xx"), ["503"]);
        assert_eq!(retried("rp=rt"), ["read_timeout"]);
        assert_eq!(retried("rc=2&rp=5xx,rt"), ["503", "read_timeout"]);
        assert_eq!(retried("rp=all"), ["404", "503", "connect", "connect_timeout", "dns", "tls", "read_timeout"]);
    }

    #[test]
    fn a_policy_that_twilio_does_not_know_is_refused() {
        for fragment in ["rp=", "rp", "rp=5XX", "rp=ct,6xx", "rp=ct,", "rc=1&rp=none"] {
            assert_eq!(Overrides::parse(fragment), Err(InvalidRetryPolicy), "{fragment}");
        }
    }
}
