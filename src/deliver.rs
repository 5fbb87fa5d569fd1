//! Record → durable: says yes only to what all in-sync replicas of Kafka have.
//!
//! This room keeps the service's own deadline. librdkafka's clock is no use for it: its time-outs fire late while it
//! waits to reconnect, and a record that it still holds after our answer would appear in the topic as if it had been
//! accepted. So at the deadline everything it holds is taken back, and only then the answer is given.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{timeout, timeout_at};

use crate::{
    domain::{Event, ProfileSid, PublishFailure, RawCallback, Timestamp, Unprocessable},
    publish::{Acknowledgement, Record, Sink},
};

/// Twilio waits 15 s from the request on; an acknowledgement after this comes too late, however slow the body was.
const BUDGET: Duration = Duration::from_secs(14);

/// After a purge every acknowledgement resolves within milliseconds; this bounds a client that does not answer.
const PURGE_PATIENCE: Duration = Duration::from_secs(1);

/// Makes records durable.
pub struct Deliver {
    sink: Arc<dyn Sink>,
    patience: Duration,
}

impl Deliver {
    /// Gives each record `patience` from its hand-over, and never more than what Twilio's budget leaves.
    #[must_use]
    pub fn new(sink: Arc<dyn Sink>, patience: Duration) -> Self {
        Self { sink, patience }
    }

    /// Hands an event over without waiting: the events of one profile become durable in the order of these calls.
    pub fn event(&self, event: &Event, received: Instant) -> Pending {
        self.submit(Record::event(event), received)
    }

    /// Hands over a dead letter.
    pub fn dead_letter(
        &self,
        raw: &RawCallback,
        (reason, profile): (Unprocessable, Option<&ProfileSid>),
        received_at: Timestamp,
        received: Instant,
    ) -> Pending {
        self.submit(Record::dead_letter(raw, reason, profile, received_at), received)
    }

    fn submit(&self, record: serde_json::Result<Record>, received: Instant) -> Pending {
        let now = Instant::now();
        let deadline = (now + self.patience).min(received + BUDGET);
        let acknowledgement = match record {
            Err(_) => Err(PublishFailure::InvalidRecord),
            // A record without a chance would only cost the others theirs, when it is taken back.
            Ok(_) if deadline <= now => Err(PublishFailure::TimedOut),
            Ok(record) => self.sink.enqueue(&record),
        };
        Pending { acknowledgement, sink: Arc::clone(&self.sink), deadline }
    }
}

/// A record that was handed over.
#[must_use = "whether the record became durable is known only by waiting"]
pub struct Pending {
    acknowledgement: Result<Acknowledgement, PublishFailure>,
    sink: Arc<dyn Sink>,
    deadline: Instant,
}

impl Pending {
    /// Waits until the record is durable, at most until its deadline.
    ///
    /// # Errors
    /// The [`PublishFailure`]; then the record is not in the client's queue any more. One that was on its way to the
    /// broker at the deadline may have been written all the same.
    pub async fn durable(self) -> Result<(), PublishFailure> {
        let mut acknowledgement = self.acknowledgement?;
        if let Ok(result) = timeout_at(self.deadline.into(), &mut acknowledgement).await {
            return result;
        }
        self.sink.purge();
        timeout(PURGE_PATIENCE, acknowledgement).await.unwrap_or(Err(PublishFailure::TimedOut))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::oneshot;

    use super::*;
    use crate::domain::Destination;

    type Verdict = Result<(), PublishFailure>;

    /// A sink that acknowledges when told to, and fails what is left when purged.
    #[derive(Default)]
    struct Manual(Mutex<Vec<oneshot::Sender<Verdict>>>);

    impl Sink for Manual {
        fn enqueue(&self, _record: &Record) -> Result<Acknowledgement, PublishFailure> {
            let (sender, receiver) = oneshot::channel();
            self.0.lock().unwrap().push(sender);
            Ok(Box::pin(async { receiver.await.unwrap() }))
        }

        fn purge(&self) {
            for waiting in self.0.lock().unwrap().drain(..) {
                waiting.send(Err(PublishFailure::TimedOut)).unwrap();
            }
        }
    }

    fn record() -> Record {
        Record {
            destination: Destination::Events,
            key: None,
            headers: Vec::new(),
            payload: Vec::new(),
            timestamp: std::time::UNIX_EPOCH.into(),
        }
    }

    #[tokio::test]
    async fn yes_is_said_only_after_the_acknowledgement() {
        let sink = Arc::new(Manual::default());
        let deliver = Deliver::new(Arc::clone(&sink) as Arc<dyn Sink>, Duration::from_secs(60));
        let mut pending = Box::pin(deliver.submit(Ok(record()), Instant::now()).durable());
        let answered = tokio::select! {
            biased;
            _ = &mut pending => true,
            () = std::future::ready(()) => false,
        };
        assert!(!answered, "answered before Kafka did");
        sink.0.lock().unwrap().pop().unwrap().send(Ok(())).unwrap();
        assert_eq!(pending.await, Ok(()));
    }

    #[tokio::test]
    async fn at_the_deadline_the_record_is_taken_back_before_the_answer() {
        let sink = Arc::new(Manual::default());
        let deliver = Deliver::new(Arc::clone(&sink) as Arc<dyn Sink>, Duration::from_millis(10));
        let pending = deliver.submit(Ok(record()), Instant::now());
        assert_eq!(pending.durable().await, Err(PublishFailure::TimedOut));
        assert!(sink.0.lock().unwrap().is_empty(), "the record is still in the queue");
    }

    #[tokio::test]
    async fn what_comes_too_late_for_twilio_is_not_handed_over_and_costs_the_others_nothing() {
        let sink = Arc::new(Manual::default());
        let deliver = Deliver::new(Arc::clone(&sink) as Arc<dyn Sink>, Duration::from_secs(60));
        let _other = deliver.submit(Ok(record()), Instant::now());
        let long_ago = Instant::now().checked_sub(BUDGET).expect("the machine runs for longer");
        assert_eq!(deliver.submit(Ok(record()), long_ago).durable().await, Err(PublishFailure::TimedOut));
        assert_eq!(sink.0.lock().unwrap().len(), 1, "the other is still under way");
    }
}
