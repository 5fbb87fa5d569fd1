//! A Kafka that does what a test says.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    domain::{Destination, PublishFailure, Timestamp},
    kafka::{Availability, Completion, Record, Running, Sink},
};

/// What the Kafka of a test does with the next records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// Acknowledges them.
    Takes,
    /// Does not answer.
    Silent,
    /// Does not answer, but writes them.
    Mute,
    /// Writes them, and takes so long to say so.
    Slow(Duration),
    /// Fails them.
    Fails(PublishFailure),
    /// Does not even queue them.
    RefusesToQueue(PublishFailure),
}

pub(super) struct FakeKafka {
    pub(super) inner: Mutex<Inner>,
    pub(super) availability: watch::Sender<Availability>,
    /// Whether purges return.
    purges_return: watch::Sender<bool>,
}

pub(super) struct Inner {
    mood: Mood,
    /// What is in the topics.
    pub(super) written: Vec<(Destination, String)>,
    unanswered: Vec<Unanswered>,
    /// Why a record was failed since the last purge: those behind it fail, too.
    gap: Option<PublishFailure>,
    /// Purges that have not returned.
    pub(super) purging: u32,
    /// Records that were handed over while a purge was running.
    pub(super) handed_over_while_purging: u32,
    purges: u32,
    /// The purge from which on they hang; the first is 1.
    pub(super) purges_hang_from: Option<u32>,
    pub(super) renewed: u32,
    /// Dead letters fail for this reason.
    pub(super) dead_letters_fail: Option<PublishFailure>,
    /// Records that contain this are too large.
    pub(super) too_large: Option<&'static str>,
    /// Records before this moment are too old.
    pub(super) oldest: Option<Timestamp>,
    /// Records that were rejected because they are too old.
    pub(super) rejected_as_too_old: u32,
}

/// A record that the client has taken and Kafka has not acknowledged.
struct Unanswered {
    record: (Destination, String),
    written: bool,
    completion: Completion,
}

impl Inner {
    /// Records are written in the order in which the client took them.
    fn catch_up(&mut self) {
        for unanswered in self.unanswered.iter_mut().filter(|unanswered| !unanswered.written) {
            unanswered.written = true;
            self.written.push(unanswered.record.clone());
        }
    }

    fn answer(&mut self, result: Result<(), PublishFailure>) {
        for unanswered in self.unanswered.drain(..) {
            complete(unanswered.completion, result);
        }
    }
}

/// As the client does it: not on the thread of the caller, which may hold a lock.
fn complete(completion: Completion, result: Result<(), PublishFailure>) {
    tokio::spawn(async move { completion.complete(result) });
}

impl FakeKafka {
    pub(super) fn new() -> Arc<Self> {
        let inner = Inner {
            mood: Mood::Takes,
            written: Vec::new(),
            unanswered: Vec::new(),
            gap: None,
            purging: 0,
            handed_over_while_purging: 0,
            purges: 0,
            purges_hang_from: None,
            renewed: 0,
            dead_letters_fail: None,
            too_large: None,
            oldest: None,
            rejected_as_too_old: 0,
        };
        Arc::new(Self {
            inner: Mutex::new(inner),
            availability: watch::Sender::new(Availability::Unknown),
            purges_return: watch::Sender::new(true),
        })
    }

    pub(super) fn becomes(&self, mood: Mood) {
        let mut inner = self.inner.lock().unwrap();
        inner.mood = mood;
        if matches!(mood, Mood::Takes | Mood::Mute | Mood::Slow(_)) {
            inner.catch_up();
        }
        if mood == Mood::Takes {
            inner.answer(Ok(()));
        }
        drop(inner);
        self.availability.send_replace(match mood {
            Mood::Takes => Availability::Up,
            _ => Availability::Unknown,
        });
    }

    /// From now on purges hang, as while a connection waits for a name server, or those that hang return.
    pub(super) fn purges_return(&self, return_: bool) {
        self.purges_return.send_replace(return_);
    }

    pub(super) fn written(&self) -> Vec<String> {
        self.inner.lock().unwrap().written.iter().map(|(_, text)| text.clone()).collect()
    }

    pub(super) fn first_written(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        self.written().into_iter().filter(|text| seen.insert(text.clone())).collect()
    }

    pub(super) fn dead_letters(&self) -> Vec<String> {
        let written = self.inner.lock().unwrap().written.clone();
        written.into_iter().filter(|(to, _)| *to == Destination::DeadLetters).map(|(_, text)| text).collect()
    }

    pub(super) fn holds(&self) -> usize {
        self.inner.lock().unwrap().unanswered.len()
    }
}

impl Sink for Arc<FakeKafka> {
    fn enqueue(&self, record: &Record, completion: Completion) -> Result<(), PublishFailure> {
        let mut inner = self.inner.lock().unwrap();
        inner.handed_over_while_purging += u32::from(inner.purging > 0);
        let text = record.payload.get().to_owned();
        let is_too_large = inner.too_large.is_some_and(|mark| text.contains(mark));
        let is_too_old = inner.oldest.is_some_and(|oldest| record.timestamp < oldest);
        let of_dead_letter = inner.dead_letters_fail.filter(|_| record.destination == Destination::DeadLetters);
        let own = is_too_large
            .then_some(PublishFailure::TooLarge)
            .or(of_dead_letter)
            .or(is_too_old.then_some(PublishFailure::InvalidTimestamp));
        if let (Some(reason), false) = (own, matches!(inner.mood, Mood::RefusesToQueue(_))) {
            inner.rejected_as_too_old += u32::from(reason == PublishFailure::InvalidTimestamp);
            complete(completion, Err(reason));
            return Ok(());
        }
        let record = (record.destination, text);
        if let Mood::Fails(reason) = inner.mood {
            inner.gap.get_or_insert(reason);
        }
        if let Some(reason) = inner.gap {
            complete(completion, Err(reason));
            return Ok(());
        }
        match inner.mood {
            Mood::Takes => {
                inner.written.push(record);
                complete(completion, Ok(()));
            }
            Mood::Fails(reason) | Mood::RefusesToQueue(reason) => return Err(reason),
            Mood::Slow(time) => {
                inner.written.push(record);
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    completion.complete(Ok(()));
                });
            }
            mood @ (Mood::Silent | Mood::Mute) => {
                inner.unanswered.push(Unanswered { record, written: false, completion });
                if mood == Mood::Mute {
                    inner.catch_up();
                }
            }
        }
        Ok(())
    }

    fn purge(&self) -> Running {
        let mut inner = self.inner.lock().unwrap();
        inner.purging += 1;
        inner.purges += 1;
        if inner.purges_hang_from == Some(inner.purges) {
            self.purges_return.send_replace(false);
        }
        drop(inner);
        let (kafka, mut returns) = (Arc::clone(self), self.purges_return.subscribe());
        let (done, is_done) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            returns.wait_for(|returns| *returns).await.unwrap();
            let mut inner = kafka.inner.lock().unwrap();
            inner.gap = None;
            inner.answer(Err(PublishFailure::TimedOut));
            inner.purging -= 1;
            drop(inner);
            // Its caller may have stopped.
            let _ = done.send(());
        });
        Box::pin(async move { is_done.await.unwrap() })
    }

    fn renew(&self) -> Running {
        self.inner.lock().unwrap().renewed += 1;
        Box::pin(std::future::ready(()))
    }

    fn timed_out(&self) {}

    fn availability(&self) -> watch::Receiver<Availability> {
        self.availability.subscribe()
    }
}
