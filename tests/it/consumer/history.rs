//! The history of some profiles, some with a foreign account that sends events about them as well, and the records
//! that two replicas of the service write about it into one partition.
//!
//! Generated from a seed: the same number is the same history.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::{Duration, UNIX_EPOCH},
};

use serde_json::json;
use trusthub_events::{Timestamp, cloud_events::EVENT_TYPE};

use test_support::{ACCOUNT, random::Random};

use super::{FOREIGN_ACCOUNT, Record, value_of};

/// 2026-11-20T11:00:00Z, in milliseconds.
const START: u64 = 1_795_172_400_000;

/// Milliseconds between two changes of one profile, from none to longer than any id is remembered.
const GAPS: [u64; 6] = [0, 1, 40, 2_000, 90_000, 7_200_000];

/// Milliseconds after which Twilio repeats a callback.
const REPEATED_AFTER: [u64; 3] = [1, 3_000, 600_000];

const STATUSES: [&str; 5] = ["draft", "pending-review", "twilio-rejected", "twilio-approved", "paused"];

/// A change of a profile.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) account: &'static str,
    pub(super) profile: String,
    pub(super) ce_id: String,
    status: &'static str,
    /// The time at which the first callback about it arrived.
    time: u64,
}

impl Event {
    /// What a consumer keeps apart.
    pub(super) fn key(&self) -> (&str, &str) {
        (self.account, &self.profile)
    }

    /// The status as read by a consumer that does not know every status.
    pub(super) fn known_status(&self) -> &'static str {
        if self.status == "paused" { "unknown" } else { self.status }
    }

    fn record(&self, received: u64, of_later_version: bool) -> Record {
        let ce_time = Timestamp::from(UNIX_EPOCH + Duration::from_millis(received)).to_string();
        let mut value = value_of(self.account, &ce_time, &self.profile, self.status);
        if of_later_version {
            value["field_of_a_later_version"] = json!([{}]);
        }
        Record::of(EVENT_TYPE, &self.ce_id, &ce_time, Some(&value.to_string()))
    }
}

/// A callback about an event as one replica received it: the first one, or a repeat by Twilio.
#[derive(Debug, Clone, Copy)]
struct Receipt {
    event: usize,
    time: u64,
}

/// The content of one record of the partition.
#[derive(Debug)]
pub(super) enum Meaning {
    /// The event with this index, received at this time.
    Event(usize, u64),
    /// A record that a consumer cannot use, with the reason.
    Unusable(&'static str),
}

#[derive(Debug)]
pub(super) struct History {
    pub(super) events: Vec<Event>,
    pub(super) partition: Vec<(Record, Meaning)>,
}

impl History {
    pub(super) fn numbered(number: u64) -> Self {
        let mut random = Random::from(number);
        let events = random_events(&mut random, number);
        let logs = received(&mut random, &events).map(|receipts| published(&mut random, &receipts));
        let mut partition: Vec<_> = interleaved(&mut random, &events, logs)
            .into_iter()
            .map(|Receipt { event, time }| (events[event].record(time, random.one_in(2)), Meaning::Event(event, time)))
            .collect();
        for unusable in unusable_records(number) {
            let position = random.below(partition.len() as u64 + 1) as usize;
            partition.insert(position, unusable);
        }
        Self { events, partition }
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.partition.iter().map(|(record, _)| record.clone()).collect()
    }

    /// The `ce_id` of the latest event of each account about each profile; of events with the same time, the one that
    /// is last in the partition.
    pub(super) fn latest(&self) -> BTreeMap<(&str, &str), &str> {
        let mut order: Vec<_> = self.events.iter().map(|event| (event.time, self.position_of(event), event)).collect();
        order.sort_by_key(|(time, position, _)| (*time, *position));
        order.into_iter().map(|(.., event)| (event.key(), event.ce_id.as_str())).collect()
    }

    /// The position of the event's first occurrence.
    fn position_of(&self, event: &Event) -> usize {
        self.partition
            .iter()
            .position(
                |(_, meaning)| matches!(meaning, Meaning::Event(index, _) if self.events[*index].ce_id == event.ce_id),
            )
            .expect("every event is published")
    }
}

fn random_events(random: &mut Random, number: u64) -> Vec<Event> {
    let mut events = Vec::new();
    for profile in 0..=random.below(4) {
        events_of(random, &mut events, ACCOUNT, (number, profile));
        if random.one_in(3) {
            events_of(random, &mut events, FOREIGN_ACCOUNT, (number, profile));
        }
    }
    events
}

fn events_of(random: &mut Random, events: &mut Vec<Event>, account: &'static str, (number, profile): (u64, u64)) {
    let mut time = START;
    for count in 0..=random.below(10) {
        time += random.pick(&GAPS);
        events.push(Event {
            account,
            profile: format!("BU{number:024x}{profile:08x}"),
            ce_id: format!("{account}-{number}-{profile}-{count}"),
            status: random.pick(&STATUSES),
            time,
        });
    }
}

/// Each callback goes to one of two replicas; some are repeated later, to the same replica or the other.
fn received(random: &mut Random, events: &[Event]) -> [Vec<Receipt>; 2] {
    let mut replicas = [Vec::new(), Vec::new()];
    for (event, Event { time, .. }) in events.iter().enumerate() {
        replicas[random.below(2) as usize].push(Receipt { event, time: *time });
        if random.one_in(3) {
            let time = time + random.pick(&REPEATED_AFTER);
            replicas[random.below(2) as usize].push(Receipt { event, time });
        }
    }
    for receipts in &mut replicas {
        receipts.sort_by_key(|receipt| receipt.time);
    }
    replicas
}

/// The records that a replica writes: all in the order of receipt, with occasional retries of the latest ones that may
/// not have been written, and a second time from some record on after a restart.
fn published(random: &mut Random, receipts: &[Receipt]) -> VecDeque<Receipt> {
    let mut log = VecDeque::new();
    let mut next = 0;
    while let Some(receipt) = receipts.get(next) {
        log.push_back(*receipt);
        next += 1;
        if random.one_in(6) {
            next -= random.below(next.min(5) as u64 + 1) as usize;
        }
    }
    if random.one_in(2) {
        log.extend(&receipts[random.below(receipts.len() as u64 + 1) as usize..]);
    }
    log
}

/// Both logs in one partition, alternating at random, each in its own order.
///
/// A repeat by Twilio does not precede the first callback: no consumer could know the event's true time.
fn interleaved(random: &mut Random, events: &[Event], mut logs: [VecDeque<Receipt>; 2]) -> Vec<Receipt> {
    let mut partition = Vec::new();
    let mut published = HashSet::new();
    while logs.iter().any(|log| !log.is_empty()) {
        let log = &mut logs[random.below(2) as usize];
        for _ in 0..random.pick(&[1, 2, 20]) {
            let may_be_next = |receipt: &mut Receipt| {
                receipt.time == events[receipt.event].time || published.contains(&receipt.event)
            };
            let Some(receipt) = log.pop_front_if(may_be_next) else { break };
            published.insert(receipt.event);
            partition.push(receipt);
        }
    }
    partition
}

/// Records that a consumer skips.
fn unusable_records(number: u64) -> [(Record, Meaning); 4] {
    let id = format!("{number}-unusable");
    let time = "2026-11-20T11:00:00.000Z";
    let record = |ce_type, value| Record::of(ce_type, &id, time, value);
    [
        (record("io.trusthub-bridge.profile.status-changed.v2", Some("{}")), Meaning::Unusable("unknown_type")),
        (record(EVENT_TYPE, None), Meaning::Unusable("unreadable")),
        (record(EVENT_TYPE, Some("{\"account_sid\":")), Meaning::Unusable("unreadable")),
        (Record { ce_time: None, ..record(EVENT_TYPE, Some("{}")) }, Meaning::Unusable("unreadable")),
    ]
}
