//! Reconciliation while callbacks stream in, in a world of its own: Trust Hub, two replicas with clocks of their own, a
//! topic, and time that passes with everything that is done. A history is drawn from its number.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    task::Poll,
    time::Duration,
};

use fastrand::Rng;
use secrecy::SecretString;

use super::{
    Finding, Verdict,
    fixtures::{at, profile, sid},
    plan::judge,
    repair::{Candidate, World, repair},
    view::View,
};
use crate::{
    config::{self, Credentials},
    domain::{AccountSid, Label as _, ProfileSid, RecordPosition, Resource, Status, Timestamp, Unkept},
    publish::{HistoryError, Published},
    trusthub::{Account, Collection, Error, Fetched, Limits, Profile, TrustHub},
};

const HISTORIES: u64 = 3_000;
/// When a history begins, in milliseconds since the epoch.
const BEGIN: i64 = 1_000_000;
const GRACE: i64 = 120_000;

/// How a history is drawn.
#[derive(Debug, Clone, Copy)]
struct Nature {
    profiles: u32,
    changes: u32,
    /// Of a hundred callbacks.
    dropped: u32,
    repeated: u32,
    /// How late they may be.
    delay: i64,
    /// Whether callbacks of one profile may overtake each other.
    overtaking: bool,
    /// How far the clocks of the replicas may be from the true time.
    skew: i64,
}

const WILD: Nature =
    Nature { profiles: 4, changes: 40, dropped: 30, repeated: 20, delay: 200_000, overtaking: true, skew: 5_000 };

/// What will happen.
#[derive(Debug, Clone)]
enum Happening {
    Change { profile: u32, status: Status },
    Callback { profile: u32, status: Status, id: String, replica: usize },
}

struct Fake {
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
    topic: RefCell<Vec<Published>>,
    read: usize,
    view: View,
}

impl Fake {
    fn drawn(number: u64, nature: Nature) -> Self {
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
            self.plan(when, Happening::Change { profile, status });
        }
    }

    fn below(&self, end: i64) -> i64 {
        self.random.borrow_mut().i64(0..end)
    }

    fn is_drawn(&self, percent: u32) -> bool {
        self.below(100) < percent.into()
    }

    fn plan(&self, when: i64, happening: Happening) {
        self.count.set(self.count.get() + 1);
        self.future.borrow_mut().insert((when, self.count.get()), happening);
    }

    /// Lets time pass, and what is to happen in it happen.
    fn pass(&self, millis: i64) {
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
            Happening::Change { profile, status } => self.change(profile, status),
            Happening::Callback { profile, status, id, replica } => {
                let time = self.clock(replica);
                self.write(Published { id, ..event(profile, status, time) });
            }
        }
    }

    fn change(&self, profile: u32, status: Status) {
        self.hub.borrow_mut().insert(profile, (status, self.now.get()));
        if self.is_drawn(self.nature.dropped) {
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

    fn write(&self, published: Published) {
        let mut topic = self.topic.borrow_mut();
        let position = RecordPosition { partition: 0, offset: i64::try_from(topic.len()).unwrap() };
        topic.push(Published { position, ..published });
    }

    /// Some time passes, and others come to do something.
    async fn wait(&self, most: i64) {
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
    async fn reconcile(&mut self) -> usize {
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
    fn wrong(&self) -> Vec<String> {
        let mut view = View::default();
        self.topic.borrow().iter().for_each(|event| view.apply(event));
        let believed = |profile: &Profile| view.of(&profile.sid).map_or(Status::Draft, |seen| seen.belief.status);
        let wrong = self.listed().into_iter().filter(|profile| believed(profile) != profile.status);
        wrong.map(|profile| format!("{}: {} and not {}", profile.sid, believed(&profile), profile.status)).collect()
    }
}

impl World for Fake {
    fn time(&self) -> Timestamp {
        self.clock(2)
    }

    async fn fetch(&self, candidate: &Candidate) -> Result<Fetched, Error> {
        self.wait(2_000).await;
        let found = self.listed().into_iter().find(|profile| profile.sid == candidate.profile).unwrap();
        self.wait(2_000).await;
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

    async fn is_our_turn(&self) -> bool {
        true
    }

    async fn publish(&self, found: &Fetched, time: Timestamp, last: Option<RecordPosition>) -> Result<String, Unkept> {
        self.wait(2_000).await;
        // What the real one is a hash of.
        let id = format!("{} {} {} {last:?}", found.sid, found.status, found.date_updated);
        let number = u32::from_str_radix(&found.sid.as_str()[2..], 16).unwrap();
        // A record may be written twice.
        for _ in 0..1 + u32::from(self.is_drawn(10)) {
            self.write(Published { id: id.clone(), ..event(number, found.status, time) });
            self.wait(500).await;
        }
        Ok(id)
    }
}

fn event(profile: u32, status: Status, time: Timestamp) -> Published {
    Published {
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
    let config = config::TrustHub { base_url: "http://127.0.0.1:1".to_owned() };
    let hub = TrustHub::new(&config, Limits::default()).unwrap();
    let account = AccountSid::parse(&format!("AC{}", "1".repeat(32))).unwrap();
    hub.account(Credentials { user: account.to_string(), account, password: SecretString::from("password") })
}

fn candidate(profile: &ProfileSid) -> Candidate {
    thread_local! { static ACCOUNT: Account = account(); }
    let account = ACCOUNT.with(Clone::clone);
    Candidate { account, collection: Collection::CustomerProfiles, profile: profile.clone() }
}

/// Runs at random while things happen, and returns how many events were published.
async fn stream_and_reconcile(world: &mut Fake) -> usize {
    let mut published = 0;
    while !world.future.borrow().is_empty() {
        world.wait(60_000).await;
        published += world.reconcile().await;
    }
    published
}

#[tokio::test]
async fn after_the_last_callback_one_run_makes_consumers_believe_what_trust_hub_says() {
    let (mut missed, mut wrong_before) = (0, 0);
    for number in 0..HISTORIES {
        let mut world = Fake::drawn(number, WILD);
        missed += stream_and_reconcile(&mut world).await;
        world.pass(GRACE + 2 * WILD.skew);
        wrong_before += usize::from(!world.wrong().is_empty());
        missed += world.reconcile().await;
        assert_eq!(world.wrong(), Vec::<String>::new(), "history {number}");
        assert_eq!(world.reconcile().await, 0, "a second run publishes nothing: history {number}");
        let events = world.topic.borrow().len();
        assert!(events < 200, "history {number} made {events} events");
    }
    assert!(
        missed > 10_000 && wrong_before > 100,
        "too tame: {missed} missed, {wrong_before} wrong before the last run"
    );
}

#[tokio::test]
async fn where_no_callback_is_lost_nothing_is_published_however_late_they_are() {
    let late = Nature { dropped: 0, delay: 100_000, overtaking: false, skew: 0, ..WILD };
    let mut events = 0;
    for number in 0..HISTORIES / 10 {
        // Few changes, so that none waits behind another for longer than the grace.
        let mut world = Fake::drawn(number, Nature { changes: 4, ..late });
        let published = stream_and_reconcile(&mut world).await;
        assert_eq!(published, 0, "history {number}");
        assert_eq!(world.wrong(), Vec::<String>::new(), "history {number}");
        events += world.topic.borrow().len();
    }
    assert!(events > 1_000, "too tame: {events} events");
}

#[tokio::test]
async fn a_writer_whose_clock_is_hours_ahead_is_overruled() {
    let mut world = Fake::drawn(1, Nature { changes: 0, ..WILD });
    world.change(1, Status::TwilioApproved);
    world.future.borrow_mut().clear();
    let hours_ahead = Timestamp::from_unix_millis(BEGIN + 7_200_000).unwrap();
    world.write(Published { id: "ahead".to_owned(), ..event(1, Status::InReview, hours_ahead) });
    world.pass(Duration::from_secs(300).as_millis().try_into().unwrap());
    assert_eq!(world.wrong().len(), 1);
    assert_eq!(world.reconcile().await, 1);
    assert_eq!((world.wrong(), world.reconcile().await), (Vec::new(), 0));
}
