//! Joins the stages: every request to a callback path gets exactly one [`Outcome`].

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::task::TaskTracker;

use crate::{
    deliver::{Deliver, Pending},
    domain::{
        Event, FailureClass, Label as _, Outcome, ProfileSid, PublishFailure, RawCallback, Refusal, Resource, Status,
        Unprocessable,
    },
    normalize::normalize,
    telemetry::Metrics,
    verify::{VerifiedCallback, Verifier},
};

/// The stages and what they share.
pub struct Pipeline {
    verifier: Verifier,
    deliver: Deliver,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    runtime: Handle,
}

impl Pipeline {
    /// Work that was accepted runs on `runtime`, where nobody cancels it.
    #[must_use]
    pub fn new(verifier: Verifier, deliver: Deliver, metrics: Arc<Metrics>, runtime: Handle) -> Self {
        Self { verifier, deliver, metrics, tasks: TaskTracker::new(), runtime }
    }

    /// Opens the case of one request to a callback path, when its head was read.
    pub fn open(&self, resource: Resource, received: Instant) -> Case {
        self.metrics.received.of(resource).inc();
        Case {
            metrics: Arc::clone(&self.metrics),
            resource,
            received,
            handed_over: None,
            status: None,
            profile: None,
            if_abandoned: Some(Outcome::Rejected(Refusal::Incomplete)),
        }
    }

    /// Takes a callback through the stages.
    ///
    /// Once this is called the callback reaches its outcome even if the caller stops waiting: an HTTP handler is
    /// cancelled when its connection breaks, and what Twilio sent must not be lost with it.
    pub async fn accept(self: &Arc<Self>, case: Case, raw: RawCallback) -> Outcome {
        match self.begin(case, raw) {
            Ok(underway) => underway.await.unwrap_or(Outcome::Unavailable(PublishFailure::Other)),
            Err(refused) => refused,
        }
    }

    /// Everything up to the hand-over happens here, without a pause, so that order of receipt is order of hand-over.
    fn begin(self: &Arc<Self>, mut case: Case, raw: RawCallback) -> Result<JoinHandle<Outcome>, Outcome> {
        let verified = match self.verifier.verify(raw) {
            Ok(verified) => verified,
            Err(refusal) => return Err(case.conclude(Outcome::Rejected(refusal))),
        };
        case.if_abandoned = Some(Outcome::Unavailable(PublishFailure::Other));
        self.count_verified(&verified);
        let work = self.submit(&mut case, verified);
        case.handed_over = Some(Instant::now());
        let this = Arc::clone(self);
        let task = async move {
            let outcome = this.finish(case.profile.as_ref(), work).await;
            case.conclude(outcome)
        };
        Ok(self.tasks.spawn_on(task, &self.runtime))
    }

    fn count_verified(&self, verified: &VerifiedCallback) {
        let matched = verified.matched();
        self.metrics.signatures.of(matched.construction, matched.key).inc();
        self.metrics.last_callback.set(verified.raw().received_at.unix_seconds());
    }

    fn submit(&self, case: &mut Case, verified: VerifiedCallback) -> Work {
        let understood = normalize(&verified);
        case.profile = match &understood {
            Ok(event) => Some(event.data.profile_sid.clone()),
            Err(unclear) => unclear.profile.clone(),
        };
        case.status = understood.as_ref().ok().map(|event| event.data.status);
        let pending = match &understood {
            Ok(event) => self.deliver.event(event, case.received),
            Err(unclear) => self.deliver.dead_letter(verified.raw(), unclear.reason, case.profile.as_ref()),
        };
        Work { verified, understood: understood.map(Box::new).map_err(|unclear| unclear.reason), pending }
    }

    async fn finish(&self, profile: Option<&ProfileSid>, work: Work) -> Outcome {
        let Work { verified, understood, pending } = work;
        match (understood, pending.durable().await) {
            (Ok(event), Ok(())) => {
                self.count_durable(&event);
                Outcome::Published
            }
            (Err(reason), Ok(())) => Outcome::DeadLettered(reason),
            (Ok(_), Err(failure)) if failure.class() == FailureClass::Record => {
                let reason = Unprocessable::RefusedByTopic;
                let letter = self.deliver.dead_letter(verified.raw(), reason, profile).durable().await;
                letter.map_or_else(Outcome::Unavailable, |()| Outcome::DeadLettered(reason))
            }
            (_, Err(failure)) => Outcome::Unavailable(failure),
        }
    }

    fn count_durable(&self, event: &Event) {
        let data = &event.data;
        self.metrics.status_changes.of(data.resource, data.status).inc();
        for label in data.rejection_labels() {
            self.metrics.rejections.of(data.resource, label).inc();
        }
    }

    /// Waits until every accepted callback has its outcome, at most `patience`.
    pub async fn drain(&self, patience: Duration) {
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::error!(callbacks = self.tasks.len(), "stopped before these callbacks had an outcome");
        }
    }
}

/// What was handed over for a callback.
struct Work {
    verified: VerifiedCallback,
    understood: Result<Box<Event>, Unprocessable>,
    pending: Pending,
}

/// One request to a callback path, from its head to its outcome. Dropping it is an outcome, too.
#[must_use = "a dropped case counts as abandoned"]
pub struct Case {
    metrics: Arc<Metrics>,
    resource: Resource,
    received: Instant,
    handed_over: Option<Instant>,
    status: Option<Status>,
    profile: Option<ProfileSid>,
    /// The outcome if nobody concludes the case; `None` once it is concluded.
    if_abandoned: Option<Outcome>,
}

impl Case {
    /// When the head of the request was read.
    #[must_use]
    pub fn received(&self) -> Instant {
        self.received
    }

    /// Counts and logs the outcome.
    pub fn conclude(mut self, outcome: Outcome) -> Outcome {
        self.if_abandoned = None;
        self.record(outcome);
        outcome
    }

    fn record(&self, outcome: Outcome) {
        let duration = self.received.elapsed();
        self.metrics.outcome.of(outcome.kind()).inc();
        self.metrics.callback_seconds.observe(duration.as_secs_f64());
        match outcome {
            Outcome::Published | Outcome::DeadLettered(_) => {}
            Outcome::Rejected(refusal) => self.metrics.rejected.of(refusal).inc(),
            Outcome::Unavailable(_) => self.metrics.rejected_unavailable.inc(),
        }
        self.log(outcome, duration);
    }

    /// One line for each callback. Nothing in it comes from outside but the profile's SID, which was parsed.
    fn log(&self, outcome: Outcome, duration: Duration) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    outcome = outcome.kind().as_str(),
                    resource = self.resource.as_str(),
                    status = self.status.map(|status| status.as_str()),
                    profile_sid = self.profile.as_ref().map(ProfileSid::as_str),
                    reason = outcome.reason(),
                    duration_ms = milliseconds(duration),
                    delivery_ms = self.handed_over.map(|since| milliseconds(since.elapsed())),
                    "callback"
                )
            };
        }
        match outcome {
            Outcome::Published => line!(info),
            Outcome::DeadLettered(_) | Outcome::Rejected(_) => line!(warn),
            Outcome::Unavailable(_) => line!(error),
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Drop for Case {
    fn drop(&mut self) {
        if let Some(outcome) = self.if_abandoned.take() {
            self.record(outcome);
        }
    }
}
