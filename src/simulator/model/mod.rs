//! The rules of Trust Hub, without a network: what it keeps, what it allows, what it announces.

mod clock;
mod page;
mod policy;
mod profile;
mod store;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    num::NonZeroU32,
    time::Duration,
};

use self::{
    clock::Clock,
    page::{Owner, Shelf},
};
pub use self::{
    clock::Moment,
    page::{Filter, Page, Start},
    profile::{Assignment, Change, Edit, Forbidden, Kind, Profile, Verdict},
    store::{BadState, Store},
};
use super::callback::Percent;
use crate::domain::{AccountSid, ProfileSid, Status};

/// What a new profile is made of.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its kind.
    pub kind: Kind,
    /// Whose it is.
    pub account: AccountSid,
    /// The SID of its policy.
    pub policy: String,
    /// Its name.
    pub friendly_name: String,
    /// Who is written to.
    pub email: String,
    /// Where changes of its status are announced.
    pub status_callback: Option<String>,
}

/// As many as a gigabyte or two of memory hold.
pub const MOST_PROFILES: u32 = 1_000_000;
/// More than any policy asks for.
const MOST_ASSIGNMENTS: usize = 50;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no such thing.
    #[error("it does not exist")]
    NotFound,
    /// The status does not allow it.
    #[error("it is {}", .0.status)]
    Forbidden(Forbidden),
    /// There is room for no more of this.
    #[error("there are {0} already; remove some")]
    Full(&'static str),
    /// The file of the state cannot be written.
    #[error("the state cannot be kept: {0}")]
    State(#[from] io::Error),
}

impl From<Forbidden> for Trouble {
    fn from(forbidden: Forbidden) -> Self {
        Self::Forbidden(forbidden)
    }
}

/// A profile after something happened to it, and what of that is announced, in order.
#[derive(Debug)]
pub struct Happened {
    /// As it is now.
    pub profile: Profile,
    /// What is announced.
    pub changes: Vec<Change>,
}

/// How reviews go when nobody decides by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AutoReview {
    /// So long after the submission; never, if there is none.
    pub after: Option<Duration>,
    /// So many are rejected.
    pub reject: Percent,
}

/// All profiles of all accounts.
#[derive(Debug)]
pub struct Hub {
    clock: Clock,
    profiles: HashMap<ProfileSid, Profile>,
    shelves: HashMap<Owner, BTreeMap<u64, ProfileSid>>,
    due: BTreeSet<(Moment, ProfileSid)>,
    next_serial: u64,
    auto_review: AutoReview,
    random: fastrand::Rng,
    store: Option<Store>,
}

impl Hub {
    /// An empty one, or what the store has kept. `seed` decides about everything that is drawn by lot.
    #[must_use]
    pub fn new(store: Option<(Store, Vec<Profile>)>, speed: NonZeroU32, seed: u64) -> Self {
        let (store, kept) = store.map_or_else(Default::default, |(store, kept)| (Some(store), kept));
        let mut hub = Self {
            clock: Clock::new(speed),
            profiles: HashMap::new(),
            shelves: HashMap::new(),
            due: BTreeSet::new(),
            next_serial: 1,
            auto_review: AutoReview::default(),
            random: fastrand::Rng::with_seed(seed),
            store: None,
        };
        for profile in kept {
            hub.clock.catch_up_with(profile.updated);
            hub.next_serial = hub.next_serial.max(profile.serial.saturating_add(1));
            hub.put(profile);
        }
        hub.store = store;
        hub
    }

    /// The simulator's time.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// How many seconds pass in one.
    #[must_use]
    pub fn speed(&self) -> NonZeroU32 {
        self.clock.speed()
    }

    /// From now on so many seconds pass in one.
    pub fn set_speed(&mut self, speed: NonZeroU32) {
        self.clock.set_speed(speed);
    }

    /// How reviews go when nobody decides by hand.
    #[must_use]
    pub fn auto_review(&self) -> AutoReview {
        self.auto_review
    }

    /// From now on reviews go so; those under way keep their time.
    pub fn set_auto_review(&mut self, auto_review: AutoReview) {
        self.auto_review = auto_review;
    }

    /// How many profiles there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.profiles.len()
    }

    /// Whether there is no profile.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
    }

    /// Makes a profile.
    ///
    /// # Errors
    /// [`Trouble::Full`] and [`Trouble::State`].
    pub fn create(&mut self, draft: Draft) -> Result<Profile, Trouble> {
        if self.profiles.len() >= MOST_PROFILES as usize {
            return Err(Trouble::Full("1000000 profiles"));
        }
        let now = self.now();
        let Draft { kind, account, policy, friendly_name, email, status_callback } = draft;
        let profile = Profile {
            sid: self.new_profile_sid(),
            serial: self.next_serial,
            kind,
            account,
            policy,
            friendly_name,
            email,
            status: Status::Draft,
            valid_until: None,
            status_callback,
            created: now,
            updated: now,
            errors: Vec::new(),
            assignments: Vec::new(),
            review_at: None,
        };
        self.next_serial = self.next_serial.saturating_add(1);
        self.keep(profile.clone())?;
        Ok(profile)
    }

    /// A profile.
    ///
    /// # Errors
    /// [`Trouble::NotFound`].
    pub fn get(&self, sid: &ProfileSid) -> Result<&Profile, Trouble> {
        self.profiles.get(sid).ok_or(Trouble::NotFound)
    }

    /// A page of at most `size` profiles of an account.
    #[must_use]
    pub fn list(&self, account: &AccountSid, kind: Kind, filter: &Filter, start: Start, size: usize) -> Page {
        let empty = BTreeMap::new();
        let serials = self.shelves.get(&(account.clone(), kind)).unwrap_or(&empty);
        Shelf { serials, profiles: &self.profiles, filter }.page(start, size)
    }

    /// Its owner changes a profile.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn edit(&mut self, sid: &ProfileSid, edit: Edit) -> Result<Happened, Trouble> {
        self.change(sid, |profile, now| profile.edit(edit, now))
    }

    /// A reviewer decides about a profile.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn decide(&mut self, sid: &ProfileSid, verdict: Verdict) -> Result<Happened, Trouble> {
        self.change(sid, |profile, now| profile.decide(verdict, now))
    }

    /// The approval of a profile ends.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn expire(&mut self, sid: &ProfileSid) -> Result<Happened, Trouble> {
        self.change(sid, Profile::expire)
    }

    /// Something is assigned to a profile.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn assign(&mut self, sid: &ProfileSid, object: String) -> Result<Assignment, Trouble> {
        if self.get(sid)?.assignments.len() >= MOST_ASSIGNMENTS {
            return Err(Trouble::Full("50 assignments"));
        }
        let assignment = Assignment { sid: self.new_sid("BV"), object, created: self.now() };
        self.change(sid, |profile, _| profile.assign(assignment.clone()).map(|()| Vec::new()))?;
        Ok(assignment)
    }

    /// Everything that its policy asks for is assigned to a profile.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn complete(&mut self, sid: &ProfileSid) -> Result<(), Trouble> {
        for missing in self.get(sid)?.missing() {
            let object = self.new_sid(missing.prefix());
            self.assign(sid, object)?;
        }
        Ok(())
    }

    /// An assignment of a profile ends.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn unassign(&mut self, sid: &ProfileSid, assignment: &str) -> Result<(), Trouble> {
        let mut found = false;
        self.change(sid, |profile, _| {
            found = profile.unassign(assignment)?;
            Ok(Vec::new())
        })?;
        if found { Ok(()) } else { Err(Trouble::NotFound) }
    }

    /// Removes a profile.
    ///
    /// # Errors
    /// [`Trouble`]; not during a review.
    pub fn delete(&mut self, sid: &ProfileSid) -> Result<(), Trouble> {
        self.get(sid)?.check_editable()?;
        if let Some(store) = &mut self.store {
            store.forget(sid)?;
        }
        self.take(sid);
        Ok(())
    }

    /// The next of what is due by now happens: a review without a reviewer, or the end of an approval.
    ///
    /// # Errors
    /// [`Trouble::State`]; it is due still.
    pub fn pass(&mut self) -> Result<Option<Happened>, Trouble> {
        let Some((_, sid)) = self.due.first().filter(|(due, _)| *due <= self.now()).cloned() else { return Ok(None) };
        let verdict = self.auto_verdict();
        let happened = self.change(&sid, |profile, now| match profile.status {
            Status::InReview => profile.decide(verdict, now),
            _ => profile.expire(now),
        })?;
        Ok(Some(happened))
    }

    fn auto_verdict(&mut self) -> Verdict {
        if self.auto_review.reject.hits(&mut self.random) {
            Verdict::usual_rejection()
        } else {
            Verdict::Approve { valid_until: None }
        }
    }

    fn change(
        &mut self,
        sid: &ProfileSid,
        change: impl FnOnce(&mut Profile, Moment) -> Result<Vec<Change>, Forbidden>,
    ) -> Result<Happened, Trouble> {
        let now = self.now();
        let mut profile = self.get(sid)?.clone();
        let changes = change(&mut profile, now)?;
        if changes.last().is_some_and(|last| last.status == Status::InReview) {
            profile.review_at = self.auto_review.after.map(|time| now.after(time));
        }
        self.keep(profile.clone())?;
        Ok(Happened { profile, changes })
    }

    fn keep(&mut self, profile: Profile) -> io::Result<()> {
        if let Some(store) = &mut self.store {
            store.keep(&profile)?;
        }
        self.take(&profile.sid);
        self.put(profile);
        Ok(())
    }

    fn put(&mut self, profile: Profile) {
        let owner = (profile.account.clone(), profile.kind);
        self.shelves.entry(owner).or_default().insert(profile.serial, profile.sid.clone());
        self.due.extend(profile.due().map(|due| (due, profile.sid.clone())));
        self.profiles.insert(profile.sid.clone(), profile);
    }

    fn take(&mut self, sid: &ProfileSid) {
        let Some(profile) = self.profiles.remove(sid) else { return };
        if let Some(due) = profile.due() {
            self.due.remove(&(due, profile.sid.clone()));
        }
        if let Some(shelf) = self.shelves.get_mut(&(profile.account, profile.kind)) {
            shelf.remove(&profile.serial);
        }
    }

    fn new_profile_sid(&mut self) -> ProfileSid {
        loop {
            let text = self.new_sid("BU");
            match ProfileSid::parse(&text) {
                Ok(sid) if !self.profiles.contains_key(&sid) => return sid,
                _ => {}
            }
        }
    }

    fn new_sid(&mut self, prefix: &str) -> String {
        format!("{prefix}{:032x}", self.random.u128(..))
    }
}
