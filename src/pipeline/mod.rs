//! Joins the stages: every request to a callback path gets exactly one [`Outcome`].

mod clock;
mod dedup;
mod detach;
mod outcome_guard;
mod rejected;
mod rejection_log;
mod unverified;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

pub use self::{
    clock::{EventClock, EventTimeWriter},
    outcome_guard::OutcomeGuard,
};
use self::{
    dedup::{Claim, DedupWindow, FirstClaim, Repeat},
    detach::DetachOnDrop,
    rejected::Diagnoses,
    rejection_log::RejectionLog,
    unverified::Unverified,
};
use crate::{
    deliver::{Deliver, Delivery},
    domain::{
        DeadLetterReason, DeliveryError, Durability, Event, Outcome, RawCallback, RecordPosition, Resource,
        SignatureMode, Timestamp,
    },
    normalize::{event_from_profile, normalize},
    telemetry::Metrics,
    trusthub::Fetched,
    verify::{VerifiedCallback, Verifier},
};

/// How the pipeline treats callbacks.
#[derive(Debug, Clone, Copy)]
pub struct PipelineConfig {
    /// What is done with a callback whose signature does not match.
    pub signature_mode: SignatureMode,
    /// How long a callback is remembered as a duplicate of later ones.
    pub dedup_window: Duration,
    /// How many callbacks may be in progress at the same time.
    pub callbacks_in_progress: usize,
}

/// The stages and what they share.
pub struct Pipeline {
    rules: PipelineConfig,
    verifier: Verifier,
    duplicates: DedupWindow,
    deliver: Deliver,
    metrics: Arc<Metrics>,
    /// Held from the moment that an event's time is taken until it is handed over: the order of the topic is the
    /// order of `ce_time`, and consumers may skip what is older than what they have.
    order: Mutex<EventClock>,
    diagnoses: Diagnoses,
    unverified: Unverified,
    refusals: Arc<RejectionLog>,
    tasks: TaskTracker,
    runtime: Handle,
}

impl Pipeline {
    /// Events have the time of `clock`. Work that was accepted is finished on `runtime` once its caller has stopped waiting.
    #[must_use]
    pub fn new(
        rules: PipelineConfig,
        verifier: Verifier,
        deliver: Deliver,
        clock: EventClock,
        metrics: Arc<Metrics>,
        runtime: Handle,
    ) -> Self {
        let now = Instant::now();
        Self {
            rules,
            verifier,
            duplicates: DedupWindow::new(rules.dedup_window),
            deliver,
            diagnoses: Diagnoses::new(now),
            unverified: Unverified::new(Arc::clone(&metrics), rules.callbacks_in_progress, now),
            refusals: RejectionLog::new(runtime.clone()),
            metrics,
            order: Mutex::new(clock),
            tasks: TaskTracker::new(),
            runtime,
        }
    }

    /// The verifier, whose keys can be exchanged.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Opens the case of one request to a callback path, when its head was read.
    pub fn open(&self, resource: Resource, received: Instant) -> OutcomeGuard {
        OutcomeGuard::open(Arc::clone(&self.metrics), Arc::clone(&self.refusals), resource, received)
    }

    /// Takes a callback through the stages.
    ///
    /// Once this is called the callback reaches its outcome even if the caller stops waiting: an HTTP handler is
    /// cancelled when its connection breaks, and what Twilio sent must not be lost with it. `permit` bounds how many
    /// callbacks are in progress. It is dropped when this callback has its outcome, whether or not its caller still waits.
    pub async fn accept(
        self: &Arc<Self>,
        case: OutcomeGuard,
        raw: RawCallback,
        permit: impl Send + 'static,
    ) -> Outcome {
        match self.begin(case, raw, permit) {
            Ok(work) => work.await.unwrap_or(Outcome::Unavailable(DeliveryError::Abandoned)),
            Err(refused) => refused,
        }
    }

    /// Everything up to the hand-over happens here, without a pause.
    fn begin(
        self: &Arc<Self>,
        mut case: OutcomeGuard,
        raw: RawCallback,
        permit: impl Send + 'static,
    ) -> Result<DetachOnDrop<Outcome>, Outcome> {
        let raw = Arc::new(raw);
        let work = match self.verifier.verify(Arc::clone(&raw)) {
            Ok(verified) => self.hand_over(&mut case, verified),
            Err(refusal) => return self.refuse(case, raw, refusal, permit),
        };
        let this = Arc::clone(self);
        let rest = async move {
            let _permit = permit;
            let outcome = this.finish(work).await;
            case.conclude(outcome)
        };
        Ok(DetachOnDrop::new(rest, &self.tasks, &self.runtime))
    }

    fn hand_over(&self, case: &mut OutcomeGuard, verified: VerifiedCallback) -> Work {
        case.verified();
        let matched = verified.matched();
        self.metrics.signatures.of(matched.construction, matched.key).inc();
        let normalized = normalize(&verified);
        // The lock protects no value that a panic could leave half-changed.
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let received_at = order.time(SystemTime::now().into());
        self.metrics.last_callback.set(received_at.unix_seconds());
        let work = match normalized {
            Ok(event_at) => self.hand_over_event(case, &verified, event_at(received_at)),
            Err(unclear) => {
                let why = (unclear.reason, unclear.profile.as_ref());
                let pending = self.deliver.dead_letter(verified.raw(), why, received_at, case.received());
                case.about(unclear.profile, None);
                Work::NormalizeError(unclear.reason, pending)
            }
        };
        drop(order);
        case.handed_over();
        work
    }

    fn hand_over_event(&self, case: &mut OutcomeGuard, verified: &VerifiedCallback, event: Event) -> Work {
        case.about(Some(event.data.profile_sid.clone()), Some(event.data.status));
        match self.duplicates.claim(event.fingerprint, Instant::now()) {
            Claim::Repeat(repeat) => Work::Repeat(repeat),
            Claim::First(ticket) => {
                let pending = self.deliver.event(&event, verified.raw(), case.received());
                Work::Event(Box::new(EventWork { event, ticket }), pending)
            }
        }
    }

    async fn finish(&self, work: Work) -> Outcome {
        match work {
            Work::Event(work, pending) => self.finish_event(work, pending).await,
            Work::Repeat(repeat) => {
                repeat.first_outcome().await.map_or_else(Outcome::Unavailable, |()| Outcome::Duplicate)
            }
            Work::NormalizeError(reason, pending) => dead_lettered(reason, pending).await,
        }
    }

    async fn finish_event(&self, work: Box<EventWork>, delivery: Delivery) -> Outcome {
        let result = delivery.durable().await;
        let EventWork { event, ticket } = *work;
        match result {
            Ok(durable) => {
                ticket.durable();
                self.conclude_event(&event, durable)
            }
            Err(reason) => {
                ticket.failed(reason);
                Outcome::Unavailable(reason)
            }
        }
    }

    fn conclude_event(&self, event: &Event, durable: Durability) -> Outcome {
        let outcome = match durable {
            Durability::Published => Outcome::Published,
            Durability::Spooled => Outcome::Spooled,
            Durability::DeadLettered => return Outcome::DeadLettered(DeadLetterReason::RefusedByTopic),
        };
        self.count_durable(event);
        outcome
    }

    /// The time of an event that is made now. Questions whose answers become events take their time before they ask.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.order.lock().unwrap_or_else(PoisonError::into_inner).time(SystemTime::now().into())
    }

    /// Publishes what Trust Hub told of a profile, and no callback: the event of [`event_from_profile`]. Returns its id.
    ///
    /// It has the time of the question, so a callback that arrived since then counts as newer wherever it stands. Once this
    /// is polled the event comes to its end, also when reconciliation is cancelled: callbacks behind it wait for that end
    /// when the way to Kafka changes.
    ///
    /// # Errors
    /// Why it is not durable.
    pub async fn publish_found(
        self: &Arc<Self>,
        found: &Fetched,
        asked_at: Timestamp,
        last: Option<RecordPosition>,
    ) -> Result<String, DeliveryError> {
        let event = event_from_profile(found, asked_at, last);
        let pending = self.deliver.found(&event);
        let this = Arc::clone(self);
        let rest = async move {
            match pending.durable().await? {
                Durability::Published | Durability::Spooled => {
                    this.count_durable(&event);
                    Ok(event.id)
                }
                Durability::DeadLettered => Err(DeliveryError::RefusedByTopics),
            }
        };
        DetachOnDrop::new(rest, &self.tasks, &self.runtime).await.unwrap_or(Err(DeliveryError::Abandoned))
    }

    fn count_durable(&self, event: &Event) {
        let Event { data, is_test: false, .. } = event else { return };
        self.metrics.status_changes.of(data.resource, data.status).inc();
        for label in data.rejection_labels() {
            self.metrics.rejections.of(data.resource, label).inc();
        }
    }

    /// Stops waiting for Kafka: what it has not acknowledged goes to the spool.
    pub fn stop_waiting(&self) {
        self.deliver.stop_waiting();
    }

    /// Waits until every accepted callback has its outcome, at most `patience`.
    pub async fn drain(&self, patience: Duration) {
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::error!(callbacks = self.tasks.len(), "stopped before these callbacks had an outcome");
        }
        self.refusals.report();
    }
}

/// What is under way for a callback.
enum Work {
    Event(Box<EventWork>, Delivery),
    Repeat(Repeat),
    NormalizeError(DeadLetterReason, Delivery),
}

struct EventWork {
    event: Event,
    ticket: FirstClaim,
}

async fn dead_lettered(reason: DeadLetterReason, delivery: Delivery) -> Outcome {
    match delivery.durable().await {
        Ok(Durability::Published | Durability::DeadLettered) => Outcome::DeadLettered(reason),
        Ok(Durability::Spooled) => Outcome::Spooled,
        Err(unkept) => Outcome::Unavailable(unkept),
    }
}
