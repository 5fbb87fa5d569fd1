//! Where an announcement becomes a signed request, or is turned away.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use fastrand::Rng;
use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::{
    Announcement, Attempt, Ending, Failure, Fault, Faults, Options, PostmanError, Subject,
    client::Client,
    delivery::Callback,
    faults::Fate,
    journal::Journal,
    lanes::{Lanes, Place, Places},
    overrides::Overrides,
    request::{Request, Shape, Target},
};
use crate::{
    domain::{AccountSid, Construction},
    verify::{EmptyKey, SigningKey},
};

/// Callbacks that are being sent at the same time.
const CONCURRENCY: usize = 512;

/// Signs what must not be accepted. It guards nothing.
const NEVER_VALID: &str = "never-a-valid-token";

pub(super) struct Office {
    keys: HashMap<AccountSid, Vec<SigningKey>>,
    never_valid: SigningKey,
    desk: Mutex<Desk>,
    pub(super) client: Client,
    pub(super) journal: Journal,
    pub(super) lanes: Lanes<Callback>,
    pub(super) places: Places,
    pub(super) turns: Semaphore,
    pub(super) hold: Duration,
}

/// What decides about the next callback.
pub(super) struct Desk {
    random: Rng,
    pub(super) faults: Faults,
    pub(super) construction: Construction,
}

impl Office {
    pub(super) fn open(
        tokens: &HashMap<AccountSid, Vec<SecretString>>,
        options: Options,
    ) -> Result<Self, PostmanError> {
        let keys = tokens.iter().map(|(account, tokens)| Ok((account.clone(), keys(tokens)?)));
        let random = options.seed.map_or_else(Rng::new, Rng::with_seed);
        Ok(Self {
            keys: keys.collect::<Result<_, EmptyKey>>()?,
            never_valid: SigningKey::from_auth_token(&NEVER_VALID.into())?,
            desk: Mutex::new(Desk { random, faults: Faults::default(), construction: Construction::Form }),
            client: Client::new()?,
            journal: Journal::new(options.remembered),
            lanes: Lanes::default(),
            places: Places::new(options.capacity),
            turns: Semaphore::new(CONCURRENCY),
            hold: options.hold,
        })
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides what is sent, and after which delay. What is not sent is in the journal already.
    pub(super) fn prepare(&self, announcement: &Announcement, faults: &Faults) -> Option<(Callback, Option<Duration>)> {
        let (fate, shape) = self.desk().draw(faults);
        let subject = subject(announcement, &fate, shape);
        let place = self.places.take().ok_or(Failure::QueueFull);
        match place.and_then(|place| self.pack(announcement, &subject, shape, place)) {
            Ok(callback) => Some((callback, fate.delay)),
            Err(failure) => {
                self.journal.write(|id| unsent(id, announcement, subject, shape, failure));
                None
            }
        }
    }

    fn pack(
        &self,
        announcement: &Announcement,
        subject: &Subject,
        shape: Shape,
        place: Place,
    ) -> Result<Callback, Failure> {
        if subject.faults.contains(&Fault::Drop) {
            return Err(Failure::Dropped);
        }
        let Target { url, fragment } = Target::parse(&announcement.url).ok_or(Failure::InvalidUrl)?;
        let overrides = Overrides::parse(&fragment).map_err(|_| Failure::InvalidRetryPolicy)?;
        let key = self.key(subject).ok_or(Failure::UnknownAccount)?;
        Ok(Callback {
            request: Request::new(announcement, &url, shape, key),
            subject: Subject { ignored_overrides: overrides.ignored.clone(), ..subject.clone() },
            overrides,
            _place: place,
        })
    }

    fn key(&self, subject: &Subject) -> Option<&SigningKey> {
        let keys = self.keys.get(&subject.account_sid)?;
        if subject.faults.contains(&Fault::WrongSignature) {
            Some(&self.never_valid)
        } else if subject.faults.contains(&Fault::OldToken) {
            keys.get(1).or(Some(&self.never_valid))
        } else {
            keys.first()
        }
    }
}

fn keys(tokens: &[SecretString]) -> Result<Vec<SigningKey>, EmptyKey> {
    let keys = tokens.iter().map(SigningKey::from_auth_token).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(EmptyKey) } else { Ok(keys) }
}

impl Desk {
    fn draw(&mut self, faults: &Faults) -> (Fate, Shape) {
        let fate = faults.draw(&mut self.random);
        let is_captured_get = fate.faults.contains(&Fault::GetWithDoubledHash);
        let shape = if is_captured_get { Shape::WITH_DOUBLED_HASH } else { Shape::of(self.construction) };
        (fate, shape)
    }
}

fn subject(announcement: &Announcement, fate: &Fate, shape: Shape) -> Subject {
    Subject {
        account_sid: announcement.account.clone(),
        profile_sid: announcement.profile.clone(),
        status: announcement.status,
        construction: shape.construction,
        idempotency_token: uuid(fastrand::u128(..)),
        faults: fate.faults.clone(),
        ignored_overrides: Vec::new(),
    }
}

fn unsent(id: u64, announcement: &Announcement, callback: Subject, shape: Shape, failure: Failure) -> Attempt {
    let (url, _fragment) = announcement.url.split_once('#').unwrap_or((&announcement.url, ""));
    Attempt {
        id,
        time: SystemTime::now().into(),
        callback,
        verb: shape.verb(),
        url: url.to_owned(),
        number: 0,
        redirects: 0,
        ending: Ending::Failure(failure),
        milliseconds: 0,
    }
}

/// A UUID of version 4. What it is made of does not come from the seed: after a restart with the same seed receivers
/// must not take new callbacks for repeats.
fn uuid(random: u128) -> String {
    let uuid = random & !(0xF000 << 64 | 0xC000 << 48) | 0x4000 << 64 | 0x8000 << 48;
    let group = |shift: u32| uuid >> shift & 0xFFFF;
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", uuid >> 96, group(80), group(64), group(48), uuid & 0xFFFF_FFFF_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_uuid_of_version_4() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
