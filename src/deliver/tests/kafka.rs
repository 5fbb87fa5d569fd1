//! A fake Kafka whose behavior a test chooses.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    domain::{
        DataSchema, Destination, PublishFailure, RecordPosition, Timestamp, TopicPosition,
        cloud_events::DATA_SCHEMA_HEADER,
    },
    kafka::{Availability, BackgroundCall, Completion, Record, Sink},
};

/// What the fake Kafka does with the next records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behavior {
    /// Writes and acknowledges them.
    Acknowledge,
    /// Neither writes nor acknowledges them.
    Hang,
    /// Writes them, but never acknowledges them.
    WriteOnly,
    /// Writes them immediately, and acknowledges them after this time.
    AcknowledgeAfter(Duration),
    /// Completes them with this failure.
    Fail(PublishFailure),
    /// Does not even queue them.
    RejectEnqueue(PublishFailure),
}

pub(super) struct FakeKafka {
    pub(super) state: Mutex<FakeKafkaState>,
    pub(super) availability: watch::Sender<Availability>,
    /// Whether there is a producer with newer credentials.
    renewal_due: watch::Sender<bool>,
    /// Whether purges return.
    purges_return: watch::Sender<bool>,
}

pub(super) struct FakeKafkaState {
    behavior: Behavior,
    /// The records in the topics.
    pub(super) written: Vec<(Destination, String)>,
    unacknowledged: Vec<UnacknowledgedRecord>,
    /// The failure of the first record that failed since the last purge. All later records fail with it, too.
    gap: Option<PublishFailure>,
    /// The number of purges that have not returned.
    pub(super) purging: u32,
    /// The number of records that were enqueued while a purge was running.
    pub(super) enqueued_while_purging: u32,
    purges: u32,
    /// The number of the first purge that hangs, counted from 1.
    pub(super) purges_hang_from: Option<u32>,
    pub(super) renewed: u32,
    /// The number of records that the client held when it was replaced.
    pub(super) in_flight_at_renewal: usize,
    /// The brokers reject the credentials of the producer.
    pub(super) are_credentials_rejected: bool,
    /// Purged records of the present producer that a broker can still write. The broker keeps them in order with its later ones.
    stalled: Vec<(Destination, String)>,
    /// Purged records of replaced producers, which nothing keeps in order with those of the present one.
    pub(super) stalled_at_renewal: Vec<(Destination, String)>,
    /// Dead letters fail with this.
    pub(super) dead_letters_fail: Option<PublishFailure>,
    /// The schema registry has not said which id this schema has.
    pub(super) without_id: Option<DataSchema>,
    /// The schema registry rejects the schema without an id.
    pub(super) is_rejected: bool,
    /// The number of records that were refused because their schema has no id.
    pub(super) refused_without_id: u32,
    /// Records that contain this text are too large.
    pub(super) too_large: Option<&'static str>,
    /// Records with an earlier time are too old.
    pub(super) oldest: Option<Timestamp>,
    /// Number of records that were rejected because they are too old.
    pub(super) rejected_as_too_old: u32,
}

/// A record that the client has queued and Kafka has not acknowledged.
struct UnacknowledgedRecord {
    record: (Destination, String),
    written: bool,
    completion: Completion,
}

impl FakeKafkaState {
    /// Writes all records in the order in which they were enqueued.
    fn write_all(&mut self) {
        for unacknowledged in self.unacknowledged.iter_mut().filter(|unacknowledged| !unacknowledged.written) {
            unacknowledged.written = true;
            self.written.push(unacknowledged.record.clone());
        }
    }

    /// The records in flight have left the client before the purge.
    fn stall_purged(&mut self) {
        let purged = self.unacknowledged.iter().filter(|unacknowledged| !unacknowledged.written);
        self.stalled.extend(purged.map(|unacknowledged| unacknowledged.record.clone()));
    }

    pub(super) fn complete_all(&mut self, result: Result<TopicPosition, PublishFailure>) {
        for unacknowledged in self.unacknowledged.drain(..) {
            complete(unacknowledged.completion, result.clone());
        }
    }
}

/// A position that no test looks at.
fn position() -> TopicPosition {
    TopicPosition { topic: "topic".into(), position: RecordPosition { partition: 0, offset: 0 } }
}

/// Completes a record as the client does: not on the thread of the caller, which may hold a lock.
fn complete(completion: Completion, result: Result<TopicPosition, PublishFailure>) {
    tokio::spawn(async move { completion.complete(result) });
}

impl FakeKafka {
    pub(super) fn new() -> Arc<Self> {
        let state = FakeKafkaState {
            behavior: Behavior::Acknowledge,
            written: Vec::new(),
            unacknowledged: Vec::new(),
            gap: None,
            purging: 0,
            enqueued_while_purging: 0,
            purges: 0,
            purges_hang_from: None,
            renewed: 0,
            in_flight_at_renewal: 0,
            are_credentials_rejected: false,
            stalled: Vec::new(),
            stalled_at_renewal: Vec::new(),
            dead_letters_fail: None,
            without_id: None,
            is_rejected: false,
            refused_without_id: 0,
            too_large: None,
            oldest: None,
            rejected_as_too_old: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            availability: watch::Sender::new(Availability::Unknown),
            renewal_due: watch::Sender::new(false),
            purges_return: watch::Sender::new(true),
        })
    }

    pub(super) fn set_behavior(&self, behavior: Behavior) {
        let mut state = self.state.lock().unwrap();
        state.behavior = behavior;
        if matches!(behavior, Behavior::Acknowledge | Behavior::WriteOnly | Behavior::AcknowledgeAfter(_)) {
            state.write_all();
        }
        if behavior == Behavior::Acknowledge {
            // The brokers resume: the producer repeats these in the same order, and the brokers skip the repetitions.
            state.stalled.clear();
            state.complete_all(Ok(position()));
        }
        drop(state);
        self.availability.send_replace(match behavior {
            Behavior::Acknowledge => Availability::Up,
            _ => Availability::Unknown,
        });
    }

    /// Offers a producer with newer credentials.
    pub(super) fn offer_renewal(&self) {
        self.renewal_due.send_replace(true);
    }

    /// With `false`, purges hang from now on, as while a connection waits for a name server. With `true`, hanging purges return.
    pub(super) fn set_purges_return(&self, returns: bool) {
        self.purges_return.send_replace(returns);
    }

    pub(super) fn written(&self) -> Vec<String> {
        self.state.lock().unwrap().written.iter().map(|(_, text)| text.clone()).collect()
    }

    /// The written texts without repeats: a purged record may have been written.
    pub(super) fn written_once(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        self.written().into_iter().filter(|text| seen.insert(text.clone())).collect()
    }

    pub(super) fn dead_letters(&self) -> Vec<String> {
        let written = self.state.lock().unwrap().written.clone();
        written.into_iter().filter(|(to, _)| *to == Destination::DeadLetters).map(|(_, text)| text).collect()
    }

    pub(super) fn purges(&self) -> u32 {
        self.state.lock().unwrap().purges
    }

    /// The number of records that the client holds.
    pub(super) fn in_flight(&self) -> usize {
        self.state.lock().unwrap().unacknowledged.len()
    }
}

impl Sink for Arc<FakeKafka> {
    fn enqueue(&self, record: &Record, completion: Completion) -> Result<(), PublishFailure> {
        let mut state = self.state.lock().unwrap();
        state.enqueued_while_purging += u32::from(state.purging > 0);
        let schema = record.header(DATA_SCHEMA_HEADER).and_then(DataSchema::of_urn);
        if schema.is_some() && schema == state.without_id {
            state.refused_without_id += 1;
            return Err(PublishFailure::NoSchemaId);
        }
        let text = record.payload.get().to_owned();
        let is_too_large = state.too_large.is_some_and(|mark| text.contains(mark));
        let is_too_old = state.oldest.is_some_and(|oldest| record.timestamp < oldest);
        let of_dead_letter = state.dead_letters_fail.filter(|_| record.destination == Destination::DeadLetters);
        let own_failure = is_too_large
            .then_some(PublishFailure::TooLarge)
            .or(of_dead_letter)
            .or(is_too_old.then_some(PublishFailure::InvalidTimestamp));
        if let (Some(reason), false) = (own_failure, matches!(state.behavior, Behavior::RejectEnqueue(_))) {
            state.rejected_as_too_old += u32::from(reason == PublishFailure::InvalidTimestamp);
            complete(completion, Err(reason));
            return Ok(());
        }
        let record = (record.destination, text);
        if let Behavior::Fail(reason) = state.behavior {
            state.gap.get_or_insert(reason);
        }
        if let Some(reason) = state.gap {
            complete(completion, Err(reason));
            return Ok(());
        }
        match state.behavior {
            Behavior::Acknowledge => {
                state.written.push(record);
                complete(completion, Ok(position()));
            }
            Behavior::Fail(reason) | Behavior::RejectEnqueue(reason) => return Err(reason),
            Behavior::AcknowledgeAfter(time) => {
                state.written.push(record);
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    completion.complete(Ok(position()));
                });
            }
            behavior @ (Behavior::Hang | Behavior::WriteOnly) => {
                state.unacknowledged.push(UnacknowledgedRecord { record, written: false, completion });
                if behavior == Behavior::WriteOnly {
                    state.write_all();
                }
            }
        }
        Ok(())
    }

    fn can_encode(&self, _: DataSchema) -> bool {
        self.state.lock().unwrap().behavior != Behavior::RejectEnqueue(PublishFailure::NoSchemaId)
    }

    fn is_schema_rejected(&self, schema: DataSchema) -> bool {
        let state = self.state.lock().unwrap();
        state.is_rejected && state.without_id == Some(schema)
    }

    fn purge(&self) -> BackgroundCall {
        let mut state = self.state.lock().unwrap();
        state.purging += 1;
        state.purges += 1;
        if state.purges_hang_from == Some(state.purges) {
            self.purges_return.send_replace(false);
        }
        drop(state);
        let (kafka, mut returns) = (Arc::clone(self), self.purges_return.subscribe());
        let (done, is_done) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            returns.wait_for(|returns| *returns).await.unwrap();
            let mut state = kafka.state.lock().unwrap();
            state.gap = None;
            state.stall_purged();
            state.complete_all(Err(PublishFailure::TimedOut));
            state.purging -= 1;
            drop(state);
            // The caller may have stopped waiting.
            let _ = done.send(());
        });
        Box::pin(async move { is_done.await.unwrap() })
    }

    fn renew(&self) -> BackgroundCall {
        let mut state = self.state.lock().unwrap();
        state.renewed += 1;
        state.in_flight_at_renewal += state.unacknowledged.len();
        let stalled = std::mem::take(&mut state.stalled);
        state.stalled_at_renewal.extend(stalled);
        self.renewal_due.send_replace(false);
        Box::pin(std::future::ready(()))
    }

    fn renewal_due(&self) -> watch::Receiver<bool> {
        self.renewal_due.subscribe()
    }

    fn are_credentials_rejected(&self) -> bool {
        self.state.lock().unwrap().are_credentials_rejected
    }

    fn timed_out(&self) {}

    fn availability(&self) -> watch::Receiver<Availability> {
        self.availability.subscribe()
    }
}
