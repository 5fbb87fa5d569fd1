//! Which account owns which profile, as far as this process knows.
//!
//! A callback names its account, and the account's token signs it. So with several accounts, the holder of one token can sign
//! events about the profiles of all. Only Trust Hub knows the owner. Reconciliation lists the profiles of each account and
//! tells this table. The account that a process saw first proves nothing: after a restart, a thief who came first would turn
//! genuine callbacks into dead letters.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::{
    domain::{AccountSid, ProfileSid},
    normalize::NormalizedCallback,
};

/// The largest number of profiles whose owner is known. They take 9 MiB at most.
const MAX_CONFIRMED: usize = 200_000;

/// The largest number of profiles without a known owner whose last account is remembered. They take 1 MiB at most. The next
/// profile makes the table forget them all, so that it does not stay full of old ones.
const MAX_SEEN: usize = 10_000;

/// What the account of an event means for its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ownership {
    /// Nothing contradicts it.
    Consistent,
    /// The owner is not known, and the event before was of another account.
    Contested,
    /// Trust Hub says that another account owns the profile.
    Foreign,
}

/// The owners of profiles.
#[derive(Debug)]
pub(super) struct ProfileOwners {
    confirmed: Mutex<OwnerTable>,
    /// The account of the last event of each profile without a known owner.
    seen: Mutex<OwnerTable>,
}

/// The 128-bit number in a SID, which takes less memory than its text.
type SidNumber = [u8; 16];

/// Accounts by profile, up to a limit.
#[derive(Debug)]
struct OwnerTable {
    accounts: HashMap<SidNumber, SidNumber>,
    limit: usize,
    is_reported: bool,
}

impl ProfileOwners {
    pub(super) fn new() -> Self {
        Self::with_limits(MAX_CONFIRMED, MAX_SEEN)
    }

    fn with_limits(confirmed: usize, seen: usize) -> Self {
        Self { confirmed: Mutex::new(OwnerTable::new(confirmed)), seen: Mutex::new(OwnerTable::new(seen)) }
    }

    /// Remembers the owner that Trust Hub named.
    pub(super) fn confirm(&self, profile: &ProfileSid, owner: &AccountSid) {
        let profile = number(profile.as_str());
        self.confirmed.lock().set(profile, number(owner.as_str()));
        self.seen.lock().accounts.remove(&profile);
    }

    /// Compares the account of an event with what is known, and remembers it if the owner is not known.
    pub(super) fn check(&self, callback: &NormalizedCallback) -> Ownership {
        // Tests of all accounts are about the same invented profile.
        if callback.is_test() {
            return Ownership::Consistent;
        }
        self.check_account(callback.profile(), callback.account())
    }

    fn check_account(&self, profile: &ProfileSid, account: &AccountSid) -> Ownership {
        let (profile, account) = (number(profile.as_str()), number(account.as_str()));
        let owner = self.confirmed.lock().accounts.get(&profile).copied();
        match owner {
            Some(owner) if owner == account => Ownership::Consistent,
            Some(_) => Ownership::Foreign,
            None => match self.seen.lock().set_or_start_over(profile, account) {
                Some(before) if before != account => Ownership::Contested,
                _ => Ownership::Consistent,
            },
        }
    }
}

impl OwnerTable {
    fn new(limit: usize) -> Self {
        Self { accounts: HashMap::new(), limit, is_reported: false }
    }

    /// Sets the account of a profile, and returns the one before. A full table remembers no new profile.
    fn set(&mut self, profile: SidNumber, account: SidNumber) -> Option<SidNumber> {
        if self.accounts.len() < self.limit || self.accounts.contains_key(&profile) {
            return self.accounts.insert(profile, account);
        }
        if !self.is_reported {
            self.is_reported = true;
            tracing::warn!(
                profiles = self.limit,
                "the table of profile owners is full; conflicts between accounts about other profiles are not noticed"
            );
        }
        None
    }

    /// Sets the account of a profile, and returns the one before. A full table forgets all profiles for a new one.
    fn set_or_start_over(&mut self, profile: SidNumber, account: SidNumber) -> Option<SidNumber> {
        if self.accounts.len() >= self.limit && !self.accounts.contains_key(&profile) {
            self.accounts.clear();
        }
        self.accounts.insert(profile, account)
    }
}

fn number(sid: &str) -> SidNumber {
    u128::from_str_radix(sid.get(2..).unwrap_or_default(), 16).unwrap_or_default().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(number: u32) -> ProfileSid {
        ProfileSid::parse(&format!("BU{number:032x}")).unwrap()
    }

    fn account(number: u32) -> AccountSid {
        AccountSid::parse(&format!("AC{number:032x}")).unwrap()
    }

    #[test]
    fn account_that_came_first_is_not_the_owner() {
        let owners = ProfileOwners::new();
        let checked = [1, 1, 2, 2, 1].map(|number| owners.check_account(&profile(1), &account(number)));
        use Ownership::{Consistent, Contested};
        assert_eq!(checked, [Consistent, Consistent, Contested, Consistent, Contested]);
        assert_eq!(owners.check_account(&profile(2), &account(3)), Consistent, "another profile");
    }

    #[test]
    fn owner_that_trust_hub_named_wins_over_what_was_seen() {
        let owners = ProfileOwners::new();
        assert_eq!(owners.check_account(&profile(1), &account(2)), Ownership::Consistent);
        owners.confirm(&profile(1), &account(1));
        assert_eq!(owners.check_account(&profile(1), &account(2)), Ownership::Foreign);
        assert_eq!(owners.check_account(&profile(1), &account(1)), Ownership::Consistent);
        owners.confirm(&profile(1), &account(2));
        assert_eq!(owners.check_account(&profile(1), &account(2)), Ownership::Consistent, "the last word counts");
    }

    #[test]
    fn full_table_of_owners_keeps_what_it_has_and_that_of_others_starts_over() {
        let owners = ProfileOwners::with_limits(1, 2);
        owners.confirm(&profile(1), &account(1));
        owners.confirm(&profile(2), &account(1));
        owners.confirm(&profile(1), &account(2));
        assert_eq!(
            owners.check_account(&profile(1), &account(1)),
            Ownership::Foreign,
            "a known profile can still change"
        );
        let check = |number, by| owners.check_account(&profile(number), &account(by));
        use Ownership::{Consistent, Contested};
        let seen = [(2, 1), (3, 1), (3, 2), (4, 1), (4, 2), (3, 1), (3, 2), (5, 1), (5, 2)];
        let (no, yes) = (Consistent, Contested);
        assert_eq!(seen.map(|(number, by)| check(number, by)), [no, no, yes, no, yes, no, yes, no, yes]);
        assert!(owners.seen.lock().accounts.len() <= 2);
    }

    #[test]
    fn confirmed_profile_leaves_the_table_of_those_without_an_owner() {
        let owners = ProfileOwners::with_limits(2, 2);
        assert_eq!(owners.check_account(&profile(1), &account(1)), Ownership::Consistent);
        owners.confirm(&profile(1), &account(1));
        assert!(owners.seen.lock().accounts.is_empty());
    }
}
