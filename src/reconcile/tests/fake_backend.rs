//! A simulated backend in which callbacks are lost and delayed, and every step takes time.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    task::Poll,
    time::Duration,
};

use fastrand::Rng;
use trusthub_client::{AccountClient, Collection, Error, Fetched, Profile};

use super::super::{
    candidate::RepairCandidate,
    finding::{Action, Finding},
    fixtures::{account, at, changed, client_of, profile, published_notice, sid},
    plan::classify,
    repair::{Backend, repair},
    view::View,
};
use crate::{
    domain::{
        AccountSid, DataSchema, DeliveryError, ProfileNotice, ProfileSid, RecordPosition, Resource, Status, Timestamp,
    },
    kafka::{LeadershipLost, PublishedEvent, TopicReadError},
};

/// The start of a history, in milliseconds since the Unix epoch.
pub(super) const START_MILLIS: i64 = 1_000_000;
/// The percentage of received callbacks that wait in a replica's spool for a while.
const SPOOLED_PERCENT: u32 = 20;

/// The parameters of a random history.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamParameters {
    pub(super) profiles: u32,
    pub(super) changes: u32,
    /// The percentage of callbacks that are lost.
    pub(super) dropped: u32,
    /// The percentage of callbacks that are sent twice.
    pub(super) repeated: u32,
    /// The maximum delay of a callback, in milliseconds.
    pub(super) delay: i64,
    /// Whether callbacks of one profile may overtake each other.
    pub(super) overtaking: bool,
    /// The maximum offset of a replica's clock, in milliseconds.
    pub(super) skew: i64,
    /// The maximum latency of Trust Hub and Kafka, in milliseconds.
    pub(super) latency: i64,
}

pub(super) const ADVERSE: StreamParameters = StreamParameters {
    profiles: 4,
    changes: 40,
    dropped: 30,
    repeated: 20,
    delay: 200_000,
    overtaking: true,
    skew: 5_000,
    latency: 2_000,
};

/// An event that is scheduled to occur.
#[derive(Debug, Clone)]
enum SimulatedEvent {
    Change {
        profile: u32,
        status: Status,
        may_be_dropped: bool,
    },
    Callback {
        profile: u32,
        status: Status,
        id: String,
        replica: usize,
    },
    /// A replica writes an event from its spool to the topic.
    Written(PublishedEvent),
}

pub(super) struct FakeBackend {
    random: RefCell<Rng>,
    parameters: StreamParameters,
    /// The true time, in milliseconds since the Unix epoch.
    now: Cell<i64>,
    skews: [i64; 3],
    scheduled: RefCell<BTreeMap<(i64, u64), SimulatedEvent>>,
    /// The number of events scheduled so far. It makes keys and ids unique.
    count: Cell<u64>,
    /// The status and the time of the last change in Trust Hub, by profile number.
    profiles: RefCell<BTreeMap<u32, (Status, i64)>>,
    /// The arrival of the last callback of each profile, if callbacks may not overtake each other.
    arrivals: RefCell<BTreeMap<u32, i64>>,
    pub(super) topic: RefCell<Vec<PublishedEvent>>,
    /// An old callback that arrives while an event is being published.
    pub(super) racing_callback: Cell<Option<(u32, Status)>>,
    /// The schema that the registry rejects.
    pub(super) rejected_schema: Option<DataSchema>,
    /// The number of topic records that the view has applied.
    read: usize,
    view: View,
}

impl FakeBackend {
    pub(super) fn with_seed(number: u64, parameters: StreamParameters) -> Self {
        let mut random = Rng::with_seed(number);
        let skews = [(); 3].map(|()| random.i64(-parameters.skew..=parameters.skew));
        let profiles = (1..=parameters.profiles).map(|number| (number, (Status::Draft, START_MILLIS))).collect();
        let backend = Self {
            random: RefCell::new(random),
            parameters,
            now: Cell::new(START_MILLIS),
            skews,
            scheduled: RefCell::default(),
            count: Cell::new(0),
            profiles: RefCell::new(profiles),
            arrivals: RefCell::default(),
            topic: RefCell::default(),
            racing_callback: Cell::new(None),
            rejected_schema: None,
            read: 0,
            view: View::default(),
        };
        backend.schedule_random_changes();
        backend
    }

    fn schedule_random_changes(&self) {
        for _ in 0..self.parameters.changes {
            let when = START_MILLIS + self.below(600_000);
            let profile = 1 + u32::try_from(self.below(self.parameters.profiles.into())).unwrap();
            let statuses = [Status::PendingReview, Status::InReview, Status::TwilioRejected, Status::TwilioApproved];
            let status = statuses[usize::try_from(self.below(4)).unwrap()];
            self.schedule(when, SimulatedEvent::Change { profile, status, may_be_dropped: true });
        }
    }

    /// Schedules a final change of every profile whose callback is not lost.
    pub(super) fn announce_final_changes(&self) {
        for profile in 1..=self.parameters.profiles {
            let when = START_MILLIS + 600_000 + self.below(100_000);
            self.schedule(
                when,
                SimulatedEvent::Change { profile, status: Status::TwilioApproved, may_be_dropped: false },
            );
        }
    }

    fn below(&self, end: i64) -> i64 {
        self.random.borrow_mut().i64(0..end)
    }

    fn chance(&self, percent: u32) -> bool {
        self.below(100) < percent.into()
    }

    /// Whether no event is scheduled any more.
    pub(super) fn is_finished(&self) -> bool {
        self.scheduled.borrow().is_empty()
    }

    fn schedule(&self, when: i64, event: SimulatedEvent) {
        self.count.set(self.count.get() + 1);
        self.scheduled.borrow_mut().insert((when, self.count.get()), event);
    }

    /// Lets time pass, and runs the events scheduled in it.
    pub(super) fn pass(&self, millis: i64) {
        let end = self.now.get() + millis;
        loop {
            let next = self
                .scheduled
                .borrow_mut()
                .first_entry()
                .filter(|next| next.key().0 <= end)
                .map(|next| next.remove_entry());
            let Some(((when, _), event)) = next else { break };
            self.now.set(when.max(self.now.get()));
            self.apply(event);
        }
        self.now.set(end);
    }

    fn apply(&self, event: SimulatedEvent) {
        match event {
            SimulatedEvent::Change { profile, status, may_be_dropped } => self.change(profile, status, may_be_dropped),
            SimulatedEvent::Callback { profile, status, id, replica } => {
                let received = PublishedEvent { id, ..published_event(profile, status, self.clock(replica)) };
                if self.chance(SPOOLED_PERCENT) {
                    self.schedule(self.now.get() + self.below(60_000), SimulatedEvent::Written(received));
                } else {
                    self.write(received);
                }
            }
            SimulatedEvent::Written(published) => self.write(published),
        }
    }

    pub(super) fn change(&self, profile: u32, status: Status, may_be_dropped: bool) {
        self.profiles.borrow_mut().insert(profile, (status, self.now.get()));
        if self.chance(self.parameters.dropped) && may_be_dropped {
            return;
        }
        let id = format!("callback {}", self.count.get());
        for _ in 0..1 + u32::from(self.chance(self.parameters.repeated)) {
            let mut arrival = self.now.get() + self.below(self.parameters.delay);
            if !self.parameters.overtaking {
                arrival = arrival.max(self.arrivals.borrow().get(&profile).map_or(0, |last| last + 1));
                self.arrivals.borrow_mut().insert(profile, arrival);
            }
            let replica = usize::try_from(self.below(2)).unwrap();
            self.schedule(arrival, SimulatedEvent::Callback { profile, status, id: id.clone(), replica });
        }
    }

    fn clock(&self, replica: usize) -> Timestamp {
        Timestamp::from_unix_millis(self.now.get() + self.skews[replica]).unwrap()
    }

    pub(super) fn write(&self, published: PublishedEvent) {
        let mut topic = self.topic.borrow_mut();
        let position = RecordPosition { partition: 0, offset: i64::try_from(topic.len()).unwrap() };
        topic.push(PublishedEvent { position, ..published });
    }

    /// Lets a random time pass, and yields to other tasks.
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

    fn list(&self) -> Vec<Profile> {
        let profiles = self.profiles.borrow();
        profiles.iter().map(|(number, (status, updated))| profile_in_trust_hub(*number, *status, *updated)).collect()
    }

    /// Runs a reconciliation, and returns the number of published events.
    pub(super) async fn reconcile(&mut self) -> usize {
        self.read_to_end().await.unwrap();
        let listed = self.list();
        let due = listed.iter().filter(|profile| {
            let belief = self.view.of(&profile.account_sid, &profile.sid).map(|seen| &seen.belief);
            classify(profile, belief, self.history_start(), self.time(), self.grace()).needs_event(false)
        });
        let candidates: Vec<_> = due.map(|profile| candidate(&profile.sid)).collect();
        let mut published = 0;
        let count = &mut |finding: Finding| published += usize::from(matches!(finding.action, Action::Published(_)));
        repair(self, candidates, false, count).await.unwrap();
        published
    }

    /// The profiles whose status differs between consumers and Trust Hub.
    pub(super) fn mismatches(&self) -> Vec<String> {
        let mut view = View::default();
        self.topic.borrow().iter().for_each(|event| view.apply(event));
        let believed = |profile: &Profile| {
            view.of(&profile.account_sid, &profile.sid).map_or(Status::Draft, |seen| seen.belief.status)
        };
        let mismatches = self.list().into_iter().filter(|profile| believed(profile) != profile.status);
        mismatches
            .map(|profile| format!("{}: {} and not {}", profile.sid, believed(&profile), profile.status))
            .collect()
    }
}

impl Backend for FakeBackend {
    type Lease = ();

    fn grace(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn time(&self) -> Timestamp {
        self.clock(2)
    }

    async fn fetch(&self, candidate: &RepairCandidate) -> Result<Fetched, Error> {
        self.wait(self.parameters.latency).await;
        let found = self.list().into_iter().find(|profile| profile.sid == candidate.profile);
        self.wait(self.parameters.latency).await;
        found.map(Fetched::invented).ok_or(Error::NotFound)
    }

    async fn read_to_end(&mut self) -> Result<(), TopicReadError> {
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

    fn history_start(&self) -> Option<Timestamp> {
        Timestamp::from_unix_millis(0)
    }

    async fn acquire_lease(&self) -> Result<(), LeadershipLost> {
        Ok(())
    }

    async fn publish(
        &self,
        profile: &Fetched,
        time: Timestamp,
        last: Option<RecordPosition>,
    ) -> Result<String, DeliveryError> {
        self.wait(self.parameters.latency).await;
        if let Some((number, status)) = self.racing_callback.take() {
            self.write(PublishedEvent { id: "racing".to_owned(), ..published_event(number, status, self.clock(0)) });
        }
        // The real id is a hash of these values.
        let id = format!("{} {} {} {last:?}", profile.sid, profile.status, profile.date_updated);
        let number = (1..=self.parameters.profiles).find(|number| sid(*number) == profile.sid).unwrap();
        // A record may be written twice.
        for _ in 0..1 + u32::from(self.chance(10)) {
            self.write(PublishedEvent { id: id.clone(), ..published_event(number, profile.status, time) });
            self.wait(500).await;
        }
        Ok(id)
    }

    fn can_write(&self, schema: DataSchema) -> bool {
        self.rejected_schema != Some(schema)
    }

    async fn publish_notice(&self, notice: ProfileNotice) -> Result<String, DeliveryError> {
        self.wait(self.parameters.latency).await;
        self.write(published_notice(&notice));
        Ok(notice.id)
    }
}

pub(super) fn published_event(profile: u32, status: Status, time: Timestamp) -> PublishedEvent {
    PublishedEvent {
        account: account(),
        profile: sid(profile),
        position: RecordPosition { partition: 0, offset: 0 },
        id: String::new(),
        time,
        resource: Resource::CustomerProfile,
        content: changed(status),
    }
}

fn profile_in_trust_hub(number: u32, status: Status, updated: i64) -> Profile {
    // Trust Hub returns whole seconds.
    let updated = at(u64::try_from(updated / 1_000).unwrap());
    Profile { sid: sid(number), ..profile(status, updated) }
}

/// The account of the configuration: its API key belongs to the subaccount that owns the profiles.
fn parent_account() -> AccountSid {
    AccountSid::parse(&format!("AC{}", "2".repeat(32))).unwrap()
}

fn candidate(profile: &ProfileSid) -> RepairCandidate {
    thread_local! { static CLIENT: AccountClient = client_of(parent_account()); }
    let client = CLIENT.with(Clone::clone);
    RepairCandidate { client, account: account(), collection: Collection::CustomerProfiles, profile: *profile }
}
