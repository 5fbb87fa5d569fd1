//! Exports the spans of the queue, one batch after the other.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    metrics::{SpanLoss, TraceMetrics},
    names, otlp,
    receiver::{Receiver, ReceiverError, SendError},
    recorder::{SpanRecorder, new_trace_id},
    span::Span,
    tracer::Tracer,
};
use crate::config::{ExportConfig, SpanEncoding, TracesConfig};

/// How long the export continues after a stop.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause before the first repetition of a batch. It doubles each time, up to the last one, and a random part of it is used.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// The longest time for which a receiver can ask for no requests at all. The value is our choice.
const MAX_SILENCE: Duration = Duration::from_secs(5 * 60);

/// The shortest time between two log lines about the same failure.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Exports the spans of a [`Tracer`].
pub(crate) struct SpanExporter {
    recorder: Arc<SpanRecorder>,
    receiver: Receiver,
    encoding: SpanEncoding,
    resource: Vec<(String, String)>,
    timeout: Duration,
    delay: Duration,
    /// The receiver asked for no request before this time.
    silent_until: Option<Instant>,
    failures: LoggedFailures,
}

impl SpanExporter {
    /// Creates the exporter of a tracer with the same configuration; `None` if traces are off.
    ///
    /// # Errors
    /// [`ReceiverError`].
    pub(crate) fn new(config: &TracesConfig, tracer: &Tracer) -> Result<Option<Self>, ReceiverError> {
        let (Some(config), Some(recorder)) = (&config.export, tracer.recorder()) else { return Ok(None) };
        Ok(Some(Self {
            recorder: Arc::clone(recorder),
            receiver: Receiver::new(config)?,
            encoding: config.encoding,
            resource: resource(config),
            timeout: config.timeout,
            delay: config.delay,
            silent_until: None,
            failures: LoggedFailures::default(),
        }))
    }

    /// Exports until `stop` is cancelled, and what is then in the queue for at most [`FLUSH_TIMEOUT`].
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let recorder = Arc::clone(&self.recorder);
        let too_late = async {
            stop.cancelled().await;
            sleep(FLUSH_TIMEOUT).await;
        };
        tokio::select! {
            biased;
            () = self.export_until(&stop) => {}
            () = too_late => {}
        }
        recorder.metrics.dropped.of(SpanLoss::Stopped).inc_by(recorder.queue.clear() as u64);
    }

    async fn export_until(&mut self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            if let Some(until) = self.silent_until.take() {
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = stop.cancelled() => {}
                }
            }
            tokio::select! {
                () = self.recorder.queue.wait_for_batch() => {}
                () = sleep(self.delay) => {}
                () = stop.cancelled() => {}
            }
            self.export_batch().await;
        }
        while self.export_batch().await {}
    }

    /// Exports one batch, so that spans that arrive meanwhile wait for others. Returns whether there was one.
    async fn export_batch(&mut self) -> bool {
        let spans = self.recorder.queue.take_batch();
        if spans.is_empty() {
            return false;
        }
        let batch = UnexportedBatch { metrics: Arc::clone(&self.recorder.metrics), spans: spans.len() as u64 };
        let result = self.export(&spans).await;
        if let Err(SendError::Unavailable(_, Some(asked))) = result {
            self.silent_until = Some(Instant::now() + asked.min(MAX_SILENCE));
        }
        self.failures.report(result.as_ref().err(), Instant::now());
        batch.finish(result);
        true
    }

    /// Sends a batch until the receiver has accepted or rejected it, or the time for it has passed.
    async fn export(&self, spans: &[Span]) -> Result<(), SendError> {
        let (media_type, body) = otlp::encode(self.encoding, &self.resource, spans);
        let deadline = Instant::now() + self.timeout;
        let mut pause = RepetitionPause(FIRST_PAUSE);
        let request = self.receiver.request(media_type, body);
        loop {
            // Only a request with a stream as its body cannot be cloned.
            let Some(repeated) = request.try_clone() else {
                return Err(SendError::NoResponse("the request cannot be repeated".to_owned()));
            };
            let sent = timeout_at(deadline, self.receiver.send(repeated)).await;
            let error = match sent.unwrap_or_else(|_| Err(SendError::NoResponse("it did not come in time".to_owned())))
            {
                Ok(()) => return Ok(()),
                Err(error @ (SendError::Rejected(_) | SendError::PartlyRejected(_))) => return Err(error),
                Err(error) => error,
            };
            let wait = pause.next(match error {
                SendError::Unavailable(_, asked) => asked,
                _ => None,
            });
            if wait >= deadline.saturating_duration_since(Instant::now()) {
                return Err(error);
            }
            sleep(wait).await;
        }
    }
}

/// Logs when exports begin to fail, each cause once, and when they succeed again. A receiver that fails now and then has two
/// lines for each cause in [`LOG_INTERVAL`] at most.
#[derive(Debug, Default)]
struct LoggedFailures {
    /// When the statuses of the responses, or their absence, were logged last.
    causes: BTreeMap<Option<u16>, Instant>,
    /// Whether the last line was about a failure.
    is_failing: bool,
}

impl LoggedFailures {
    fn report(&mut self, error: Option<&SendError>, now: Instant) {
        match error {
            Some(error) if self.is_news(error.status(), now) => {
                self.causes.insert(error.status(), now);
                self.is_failing = true;
                tracing::warn!(%error, "spans cannot be exported; they are dropped and counted");
            }
            None if self.is_failing => {
                self.is_failing = false;
                tracing::info!("spans can be exported again");
            }
            Some(_) | None => {}
        }
    }

    /// Whether a failure is not known from a line of this outage, nor from one of the last minute.
    fn is_news(&self, cause: Option<u16>, now: Instant) -> bool {
        let logged = self.causes.get(&cause);
        logged.is_none_or(|logged| !self.is_failing && now.duration_since(*logged) >= LOG_INTERVAL)
    }
}

/// The pause before the next repetition of a batch.
struct RepetitionPause(Duration);

impl RepetitionPause {
    /// The pause, which is at least what the receiver asks for: it may ask for none at all, again and again.
    fn next(&mut self, asked: Option<Duration>) -> Duration {
        let pause = self.0.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.0 = (self.0 * 2).min(LAST_PAUSE);
        asked.unwrap_or_default().max(pause)
    }
}

/// Spans that were taken out of the queue. If their export is interrupted, they are counted as lost by the stop.
struct UnexportedBatch {
    metrics: Arc<TraceMetrics>,
    spans: u64,
}

impl UnexportedBatch {
    fn finish(mut self, result: Result<(), SendError>) {
        let spans = std::mem::take(&mut self.spans);
        match result {
            Ok(()) => self.metrics.exported.inc_by(spans),
            Err(SendError::NoResponse(_) | SendError::Unavailable(..)) => {
                self.metrics.dropped.of(SpanLoss::Unreachable).inc_by(spans);
            }
            Err(SendError::PartlyRejected(rejected)) => {
                let rejected = rejected.min(spans);
                self.metrics.dropped.of(SpanLoss::Rejected).inc_by(rejected);
                self.metrics.exported.inc_by(spans - rejected);
            }
            Err(SendError::Rejected(_)) => self.metrics.dropped.of(SpanLoss::Rejected).inc_by(spans),
        }
    }
}

impl Drop for UnexportedBatch {
    fn drop(&mut self) {
        self.metrics.dropped.of(SpanLoss::Stopped).inc_by(self.spans);
    }
}

/// What all spans say about this process.
fn resource(config: &ExportConfig) -> Vec<(String, String)> {
    let mut attributes = config.resource.clone();
    // It only has to differ from that of other processes, as the id of a trace does.
    let instance = new_trace_id().to_string();
    let version = env!("CARGO_PKG_VERSION");
    for (key, value) in [
        (names::SERVICE_VERSION, version),
        (names::SERVICE_INSTANCE_ID, &instance),
        (names::SDK_NAME, env!("CARGO_PKG_NAME")),
        (names::SDK_LANGUAGE, "rust"),
        (names::SDK_VERSION, version),
    ] {
        if attributes.iter().all(|(known, _)| known != key) {
            attributes.push((key.to_owned(), value.to_owned()));
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_is_news_once_an_outage_and_once_a_minute() {
        let (start, failure, other) = (Instant::now(), SendError::Rejected(400), SendError::Unavailable(503, None));
        let mut failures = LoggedFailures::default();
        let mut is_news = |error: Option<&SendError>, seconds| {
            let now = start + Duration::from_secs(seconds);
            let is_news = error.is_some_and(|error| failures.is_news(error.status(), now));
            failures.report(error, now);
            is_news
        };
        assert!(is_news(Some(&failure), 0));
        assert!(!is_news(Some(&failure), 600), "of the same outage");
        assert!(is_news(Some(&other), 600), "another cause");
        is_news(None, 601);
        assert!(!is_news(Some(&other), 602), "one of the last minute");
        is_news(None, 603);
        assert!(is_news(Some(&other), 660));
    }

    #[test]
    fn pause_is_bounded_for_as_many_repetitions_as_there_may_be() {
        let second = Duration::from_secs(1);
        for (asked, least) in [(None, FIRST_PAUSE / 2), (Some(Duration::ZERO), FIRST_PAUSE / 2), (Some(second), second)]
        {
            let mut pause = RepetitionPause(FIRST_PAUSE);
            let pauses: Vec<_> = (0..100).map(|_| pause.next(asked)).collect();
            assert!(pauses.iter().all(|pause| (least..=LAST_PAUSE).contains(pause)), "{asked:?}: {pauses:?}");
            assert!(pauses[99] >= LAST_PAUSE / 2, "{asked:?}: {pauses:?}");
        }
        let longer = LAST_PAUSE * 2;
        assert_eq!(RepetitionPause(FIRST_PAUSE).next(Some(longer)), longer);
    }
}
