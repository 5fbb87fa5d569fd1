//! A world in which callbacks are lost and late, and in which everything takes time.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    task::Poll,
};

use fastrand::Rng;
use secrecy::SecretString;

use super::super::{
    Finding, Verdict,
    fixtures::{at, profile, sid},
    plan::judge,
    repair::{Candidate, World, repair},
    view::View,
};
use crate::{
    config::{self, Credentials},
    domain::{AccountSid, DeliveryError, Label as _, ProfileSid, RecordPosition, Resource, Status, Timestamp},
    kafka::{HistoryError, LeadershipLost, PublishedEvent},
    trusthub::{Account, Collection, Error, Fetched, Limits, Profile, TrustHub},
};

/// When a history begins, in milliseconds since the epoch.
pub(super) const BEGIN: i64 = 1_000_000;
/// Of a hundred callbacks that were received, those that wait in a replica's spool for a while.
const SPOOLED: u32 = 20;

/// How a history is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nature {
    pub(super) profiles: u32,
    pub(super) changes: u32,
    /// Of a hundred callbacks.
    pub(super) dropped: u32,
    pub(super) repeated: u32,
    /// How late they may be.
    pub(super) delay: i64,
    /// Whether callbacks of one profile may overtake each other.
    pub(super) overtaking: bool,
    /// How far the clocks of the replicas may be from the true time.
    pub(super) skew: i64,
    /// The longest that Trust Hub and Kafka take for one thing.
    pub(super) slowness: i64,
}

pub(super) const WILD: Nature = Nature {
    profiles: 4,
    changes: 40,
    dropped: 30,
    repeated: 20,
    delay: 200_000,
    overtaking: true,
    skew: 5_000,
    slowness: 2_000,
};

/// What will happen.
#[derive(Debug, Clone)]
enum Happening {
    Change { profile: u32, status: Status, may_be_dropped: bool },
    Callback { profile: u32, status: Status, id: String, replica: usize },
    Written(PublishedEvent),
}

pub(super) struct Fake {
    random: RefCell<Rng>,
    nature: Nature,
    /// The true time.
    now: Cell<i64>,
    skews: [i64; 3],
    future: RefCell<BTreeMap<(i64, u64), Happening>>,
    count: Cell<u64>,
    /// Trust Hub: status and last change, each by the number of the profile.
    hub: RefCell<BTreeMap<u32, (Status, i64)>>,
    /// Until when no later callback of a profile may arrive, if they do not overtake each other.
    arrivals: RefCell<BTreeMap<u32, i64>>,
    pub(super) topic: RefCell<Vec<PublishedEvent>>,
    /// An old callback that arrives while something is being published.
    pub(super) slips_in: Cell<Option<(u32, Status)>>,
    read: usize,
    view: View,
}

impl Fake {
    pub(super) fn drawn(number: u64, nature: Nature) -> Self {
        let mut random = Rng::with_seed(number);
        let skews = [(); 3].map(|()| random.i64(-nature.skew..=nature.skew));
        let hub = (1..=nature.profiles).map(|number| (number, (Status::Draft, BEGIN))).collect();
        let world = Self {
            random: RefCell::new(random),
            nature,
            now: Cell::new(BEGIN),
            skews,
            future: RefCell::default(),
            count: Cell::new(0),
            hub: RefCell::new(hub),
            arrivals: RefCell::default(),
            topic: RefCell::default(),
            slips_in: Cell::new(None),
            read: 0,
            view: View::default(),
        };
        world.draw_changes();
        world
    }

    fn draw_changes(&self) {
        for _ in 0..self.nature.changes {
            let when = BEGIN + self.below(600_000);
            let profile = 1 + u32::try_from(self.below(self.nature.profiles.into())).unwrap();
            let statuses = [Status::PendingReview, Status::InReview, Status::TwilioRejected, Status::TwilioApproved];
            let status = statuses[usize::try_from(self.below(4)).unwrap()];
            self.plan(when, Happening::Change { profile, status, may_be_dropped: true });
        }
    }

    /// The last change of every profile is announced, whatever became of those before it.
    pub(super) fn announce_the_last(&self) {
        for profile in 1..=self.nature.profiles {
            let when = BEGIN + 600_000 + self.below(100_000);
            self.plan(when, Happening::Change { profile, status: Status::TwilioApproved, may_be_dropped: false });
        }
    }

    fn below(&self, end: i64) -> i64 {
        self.random.borrow_mut().i64(0..end)
    }

    fn is_drawn(&self, percent: u32) -> bool {
        self.below(100) < percent.into()
    }

    /// Whether nothing more happens.
    pub(super) fn is_over(&self) -> bool {
        self.future.borrow().is_empty()
    }

    fn plan(&self, when: i64, happening: Happening) {
        self.count.set(self.count.get() + 1);
        self.future.borrow_mut().insert((when, self.count.get()), happening);
    }

    /// Lets time pass, and what is to happen in it happen.
    pub(super) fn pass(&self, millis: i64) {
        let end = self.now.get() + millis;
        loop {
            let next = self
                .future
                .borrow_mut()
                .first_entry()
                .filter(|next| next.key().0 <= end)
                .map(|next| next.remove_entry());
            let Some(((when, _), happening)) = next else { break };
            self.now.set(when.max(self.now.get()));
            self.happen(happening);
        }
        self.now.set(end);
    }

    fn happen(&self, happening: Happening) {
        match happening {
            Happening::Change { profile, status, may_be_dropped } => self.change(profile, status, may_be_dropped),
            Happening::Callback { profile, status, id, replica } => {
                let received = PublishedEvent { id, ..event(profile, status, self.clock(replica)) };
                if self.is_drawn(SPOOLED) {
                    self.plan(self.now.get() + self.below(60_000), Happening::Written(received));
                } else {
                    self.write(received);
                }
            }
            Happening::Written(event) => self.write(event),
        }
    }

    pub(super) fn change(&self, profile: u32, status: Status, may_be_dropped: bool) {
        self.hub.borrow_mut().insert(profile, (status, self.now.get()));
        if self.is_drawn(self.nature.dropped) && may_be_dropped {
            return;
        }
        let id = format!("callback {}", self.count.get());
        for _ in 0..1 + u32::from(self.is_drawn(self.nature.repeated)) {
            let mut arrival = self.now.get() + self.below(self.nature.delay);
            if !self.nature.overtaking {
                arrival = arrival.max(self.arrivals.borrow().get(&profile).map_or(0, |last| last + 1));
                self.arrivals.borrow_mut().insert(profile, arrival);
            }
            let replica = usize::try_from(self.below(2)).unwrap();
            self.plan(arrival, Happening::Callback { profile, status, id: id.clone(), replica });
        }
    }

    fn clock(&self, who: usize) -> Timestamp {
        Timestamp::from_unix_millis(self.now.get() + self.skews[who]).unwrap()
    }

    pub(super) fn write(&self, published: PublishedEvent) {
        let mut topic = self.topic.borrow_mut();
        let position = RecordPosition { partition: 0, offset: i64::try_from(topic.len()).unwrap() };
        topic.push(PublishedEvent { position, ..published });
    }

    /// Some time passes, and others come to do something.
    pub(super) async fn wait(&self, most: i64) {
        let millis = self.below(most);
        self.pass(millis);
        let mut has_waited = false;
        poll_fn(|context| {
            if std::mem::replace(&mut has_waited, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn listed(&self) -> Vec<Profile> {
        let hub = self.hub.borrow();
        hub.iter().map(|(number, (status, updated))| told(*number, *status, *updated)).collect()
    }

    /// A run, and how many events it published.
    pub(super) async fn reconcile(&mut self) -> usize {
        self.read_on().await.unwrap();
        let listed = self.listed();
        let due = listed.iter().filter(|profile| {
            let belief = self.view.of(&profile.sid).map(|seen| &seen.belief);
            judge(profile, belief, self.begins(), self.time()).calls_for_an_event(false)
        });
        let candidates: Vec<_> = due.map(|profile| candidate(&profile.sid)).collect();
        let mut published = 0;
        let tell = &mut |finding: Finding| published += usize::from(finding.verdict == Verdict::Published);
        repair(self, candidates, false, tell).await.unwrap();
        published
    }

    /// The profiles of which consumers have another status than Trust Hub.
    pub(super) fn wrong(&self) -> Vec<String> {
        let mut view = View::default();
        self.topic.borrow().iter().for_each(|event| view.apply(event));
        let believed = |profile: &Profile| view.of(&profile.sid).map_or(Status::Draft, |seen| seen.belief.status);
        let wrong = self.listed().into_iter().filter(|profile| believed(profile) != profile.status);
        wrong.map(|profile| format!("{}: {} and not {}", profile.sid, believed(&profile), profile.status)).collect()
    }
}

impl World for Fake {
    type LeaseGuard = ();

    fn time(&self) -> Timestamp {
        self.clock(2)
    }

    async fn fetch(&self, candidate: &Candidate) -> Result<Fetched, Error> {
        self.wait(self.nature.slowness).await;
        let found = self.listed().into_iter().find(|profile| profile.sid == candidate.profile).unwrap();
        self.wait(self.nature.slowness).await;
        Ok(Fetched::invented(found))
    }

    async fn read_on(&mut self) -> Result<(), HistoryError> {
        self.wait(500).await;
        self.view.mark();
        let topic = self.topic.borrow();
        topic.iter().skip(self.read).for_each(|event| self.view.apply(event));
        self.read = topic.len();
        Ok(())
    }

    fn view(&self) -> &View {
        &self.view
    }

    fn begins(&self) -> Option<Timestamp> {
        Timestamp::from_unix_millis(0)
    }

    async fn turn(&self) -> Result<(), LeadershipLost> {
        Ok(())
    }

    async fn publish(
        &self,
        found: &Fetched,
        time: Timestamp,
        last: Option<RecordPosition>,
    ) -> Result<String, DeliveryError> {
        self.wait(self.nature.slowness).await;
        if let Some((profile, status)) = self.slips_in.take() {
            self.write(PublishedEvent { id: "slipped in".to_owned(), ..event(profile, status, self.clock(0)) });
        }
        // What the real one is a hash of.
        let id = format!("{} {} {} {last:?}", found.sid, found.status, found.date_updated);
        let number = (1..=self.nature.profiles).find(|number| sid(*number) == found.sid).unwrap();
        // A record may be written twice.
        for _ in 0..1 + u32::from(self.is_drawn(10)) {
            self.write(PublishedEvent { id: id.clone(), ..event(number, found.status, time) });
            self.wait(500).await;
        }
        Ok(id)
    }
}

pub(super) fn event(profile: u32, status: Status, time: Timestamp) -> PublishedEvent {
    PublishedEvent {
        profile: sid(profile),
        position: RecordPosition { partition: 0, offset: 0 },
        id: String::new(),
        time,
        resource: Resource::CustomerProfile,
        status,
        raw_status: status.as_str().to_owned(),
    }
}

fn told(number: u32, status: Status, updated: i64) -> Profile {
    // Trust Hub tells whole seconds.
    let updated = at(u64::try_from(updated / 1_000).unwrap());
    Profile { sid: sid(number), ..profile(status, updated) }
}

/// The account is never asked: the world answers for it.
fn account() -> Account {
    let config = config::TrustHubConfig { base_url: "http://127.0.0.1:1".to_owned() };
    let hub = TrustHub::new(&config, Limits::default()).unwrap();
    let account = AccountSid::parse(&format!("AC{}", "1".repeat(32))).unwrap();
    hub.account(Credentials { user: account.to_string(), account, password: SecretString::from("password") })
}

fn candidate(profile: &ProfileSid) -> Candidate {
    thread_local! { static ACCOUNT: Account = account(); }
    let account = ACCOUNT.with(Clone::clone);
    Candidate { account, collection: Collection::CustomerProfiles, profile: profile.clone() }
}
