//! Limits wrong passwords, for each caller and for all together, in bounded memory.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// A rate of wrong passwords: as many at once, and then one more after each interval.
#[derive(Debug, Clone, Copy)]
struct FailureRate {
    at_once: u32,
    interval: Duration,
}

/// Enough for a person who mistypes, and 20 guesses a minute for a program.
const OF_CALLER: FailureRate = FailureRate { at_once: 10, interval: Duration::from_secs(3) };

/// For callers with many addresses: 4 guesses a second.
const OF_ALL: FailureRate = FailureRate { at_once: 100, interval: Duration::from_millis(250) };

/// How many callers have a limit of their own. Those beyond it share the limit of all.
const MAX_CALLERS: usize = 256;

/// How many callers are remembered that knew the password. The limit of all does not apply to them, so that a guesser does
/// not lock them out.
const MAX_KNOWN: usize = 32;

/// Counts wrong passwords, and says when the next one may be tried.
#[derive(Debug, Default)]
pub(super) struct FailureLimiter {
    failures: Mutex<PasswordFailures>,
}

#[derive(Debug, Default)]
struct PasswordFailures {
    of_all: FailureBudget,
    of_callers: Vec<(IpAddr, FailureBudget)>,
    known: VecDeque<IpAddr>,
}

/// When the failures so far no longer count; `None` before the first.
#[derive(Debug, Default, Clone, Copy)]
struct FailureBudget(Option<Instant>);

impl FailureBudget {
    /// How long until another failure is within the rate; `None` if it is already.
    fn wait(self, rate: FailureRate, now: Instant) -> Option<Duration> {
        let debt = self.0?.saturating_duration_since(now);
        let allowed = rate.interval * rate.at_once.saturating_sub(1);
        debt.checked_sub(allowed).filter(|wait| !wait.is_zero())
    }

    fn add(&mut self, rate: FailureRate, now: Instant) {
        self.0 = Some(self.0.map_or(now, |until| until.max(now)) + rate.interval);
    }
}

impl FailureLimiter {
    /// How long this caller has to wait before a password of it is looked at; `None` if it is looked at now.
    pub(super) fn wait(&self, caller: IpAddr, now: Instant) -> Option<Duration> {
        let (caller, failures) = (network(caller), self.failures.lock());
        let own = failures.of_callers.iter().find(|(other, _)| *other == caller);
        let own = own.and_then(|(_, budget)| budget.wait(OF_CALLER, now));
        if failures.known.contains(&caller) {
            return own;
        }
        own.max(failures.of_all.wait(OF_ALL, now))
    }

    /// Counts a wrong password.
    pub(super) fn add_failure(&self, caller: IpAddr, now: Instant) {
        let (caller, mut failures) = (network(caller), self.failures.lock());
        failures.of_all.add(OF_ALL, now);
        // Callers without failures that count are forgotten.
        failures.of_callers.retain(|(_, budget)| budget.0.is_some_and(|until| until > now));
        if let Some((_, budget)) = failures.of_callers.iter_mut().find(|(other, _)| *other == caller) {
            budget.add(OF_CALLER, now);
        } else if failures.of_callers.len() < MAX_CALLERS {
            let mut budget = FailureBudget::default();
            budget.add(OF_CALLER, now);
            failures.of_callers.push((caller, budget));
        }
    }

    /// Forgets who knew the password, as after a change of it.
    pub(super) fn forget_known(&self) {
        self.failures.lock().known.clear();
    }

    /// Remembers a caller that knew the password.
    pub(super) fn add_success(&self, caller: IpAddr) {
        let (caller, mut failures) = (network(caller), self.failures.lock());
        if failures.known.contains(&caller) {
            return;
        }
        failures.known.push_back(caller);
        if failures.known.len() > MAX_KNOWN {
            failures.known.pop_front();
        }
    }
}

/// What one caller can choose freely does not tell callers apart: the last 64 bits of an IPv6 address.
fn network(caller: IpAddr) -> IpAddr {
    match caller.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    /// How many of these attempts are looked at.
    fn admitted(limiter: &FailureLimiter, callers: impl Iterator<Item = IpAddr>, now: Instant) -> usize {
        let attempt = |caller| {
            let is_admitted = limiter.wait(caller, now).is_none();
            if is_admitted {
                limiter.add_failure(caller, now);
            }
            is_admitted
        };
        callers.map(attempt).filter(|is_admitted| *is_admitted).count()
    }

    #[test]
    fn caller_has_ten_guesses_and_one_more_every_three_seconds() {
        let (limiter, now) = (FailureLimiter::default(), Instant::now());
        let thousand = || std::iter::repeat_n(caller(1), 1_000);
        assert_eq!(admitted(&limiter, thousand(), now), 10);
        assert_eq!(limiter.wait(caller(1), now), Some(OF_CALLER.interval));
        assert_eq!(admitted(&limiter, thousand(), now + OF_CALLER.interval), 1);
        assert_eq!(limiter.wait(caller(2), now), None, "others are not affected");
        assert_eq!(admitted(&limiter, thousand(), now + OF_CALLER.interval * 1_000), 10);
    }

    #[test]
    fn many_callers_share_a_limit_and_bounded_memory() {
        let (limiter, mut now) = (FailureLimiter::default(), Instant::now());
        assert_eq!(admitted(&limiter, (0..10_000).map(caller), now), 100);
        for round in 1..1_000 {
            now += OF_ALL.interval;
            let others = (round * 10_000..).take(10);
            assert_eq!(admitted(&limiter, others.map(caller), now), 1);
        }
        for number in 0..10_000 {
            limiter.add_failure(caller(number), now);
            limiter.add_success(caller(number));
        }
        let failures = limiter.failures.lock();
        assert_eq!((failures.of_callers.len(), failures.known.len()), (MAX_CALLERS, MAX_KNOWN));
    }

    #[test]
    fn caller_that_knew_the_password_is_not_locked_out_by_others() {
        let (limiter, now) = (FailureLimiter::default(), Instant::now());
        limiter.add_success(caller(1));
        assert_eq!(admitted(&limiter, (2..1_000).map(caller), now), 100);
        assert!(limiter.wait(caller(2_000), now).is_some());
        assert_eq!(limiter.wait(caller(1), now), None);
        assert_eq!(admitted(&limiter, std::iter::repeat_n(caller(1), 100), now), 10, "its own limit remains");
        limiter.add_success(caller(3_000));
        limiter.forget_known();
        assert!(limiter.wait(caller(3_000), now).is_some(), "the password has changed");
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_caller() {
        let (limiter, now) = (FailureLimiter::default(), Instant::now());
        let address = |last: u128| Ipv6Addr::from_bits((0x2001_0db8 << 96) + last).into();
        assert_eq!(admitted(&limiter, (0..1_000).map(address), now), 10);
    }
}
