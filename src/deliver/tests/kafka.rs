//! A Kafka that does what a test says.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

use crate::{
    domain::{Destination, PublishFailure},
    publish::{Acknowledgement, Availability, Record, Sink},
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
}

pub(super) struct Inner {
    mood: Mood,
    /// What is in the topics.
    pub(super) written: Vec<(Destination, String)>,
    unanswered: Vec<Unanswered>,
    /// Why a record was failed since the last purge: those behind it fail, too.
    gap: Option<PublishFailure>,
    pub(super) renewed: u32,
    /// Nobody may write dead letters.
    pub(super) dead_letters_forbidden: bool,
    /// Records that contain this are too large.
    pub(super) too_large: Option<&'static str>,
}

/// A record that the client has taken and Kafka has not acknowledged.
struct Unanswered {
    record: (Destination, String),
    written: bool,
    sender: oneshot::Sender<Result<(), PublishFailure>>,
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
            // Whoever waited for it may have given up.
            let _ = unanswered.sender.send(result);
        }
    }
}

impl FakeKafka {
    pub(super) fn new() -> Arc<Self> {
        let inner = Inner {
            mood: Mood::Takes,
            written: Vec::new(),
            unanswered: Vec::new(),
            gap: None,
            renewed: 0,
            dead_letters_forbidden: false,
            too_large: None,
        };
        Arc::new(Self { inner: Mutex::new(inner), availability: watch::Sender::new(Availability::Unknown) })
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

    pub(super) fn written(&self) -> Vec<String> {
        self.inner.lock().unwrap().written.iter().map(|(_, text)| text.clone()).collect()
    }

    pub(super) fn holds(&self) -> usize {
        self.inner.lock().unwrap().unanswered.len()
    }
}

impl Sink for FakeKafka {
    fn enqueue(&self, record: &Record) -> Result<Acknowledgement, PublishFailure> {
        let mut inner = self.inner.lock().unwrap();
        let text = record.payload.get().to_owned();
        if inner.too_large.is_some_and(|mark| text.contains(mark)) {
            return Ok(Box::pin(async { Err(PublishFailure::TooLarge) }));
        }
        if inner.dead_letters_forbidden && record.destination == Destination::DeadLetters {
            return Ok(Box::pin(async { Err(PublishFailure::Authorization) }));
        }
        let record = (record.destination, text);
        if let Mood::Fails(reason) = inner.mood {
            inner.gap.get_or_insert(reason);
        }
        if let Some(reason) = inner.gap {
            return Ok(Box::pin(async move { Err(reason) }));
        }
        match inner.mood {
            Mood::Takes => {
                inner.written.push(record);
                Ok(Box::pin(async { Ok(()) }))
            }
            Mood::Fails(reason) | Mood::RefusesToQueue(reason) => Err(reason),
            mood @ (Mood::Silent | Mood::Mute | Mood::Slow(_)) => {
                let (sender, receiver) = oneshot::channel();
                inner.unanswered.push(Unanswered { record, written: false, sender });
                if mood != Mood::Silent {
                    inner.catch_up();
                }
                let Mood::Slow(time) = mood else { return Ok(Box::pin(async { receiver.await.unwrap() })) };
                Ok(Box::pin(async move { timeout(time, receiver).await.map_or(Ok(()), Result::unwrap) }))
            }
        }
    }

    fn purge(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.gap = None;
        inner.answer(Err(PublishFailure::TimedOut));
    }

    fn renew(&self) {
        self.inner.lock().unwrap().renewed += 1;
    }

    fn availability(&self) -> watch::Receiver<Availability> {
        self.availability.subscribe()
    }
}
