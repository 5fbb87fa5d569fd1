//! Exports the spans of the queue, one batch after the other.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};
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

/// Exports the spans of a [`Tracer`].
pub(crate) struct SpanExporter {
    recorder: Arc<SpanRecorder>,
    receiver: Receiver,
    encoding: SpanEncoding,
    resource: Vec<(String, String)>,
    timeout: Duration,
    delay: Duration,
    /// The statuses of the responses, or their absence, that were logged since the last successful export.
    logged: BTreeSet<Option<u16>>,
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
            logged: BTreeSet::new(),
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
            tokio::select! {
                () = self.recorder.queue.wait_for_batch() => {}
                () = sleep(self.delay) => {}
                () = stop.cancelled() => {}
            }
            self.export_queue().await;
        }
    }

    async fn export_queue(&mut self) {
        loop {
            let spans = self.recorder.queue.take_batch();
            if spans.is_empty() {
                return;
            }
            let batch = UnexportedBatch { metrics: Arc::clone(&self.recorder.metrics), spans: spans.len() as u64 };
            let result = self.export(&spans).await;
            self.report(result.as_ref().err());
            batch.finish(result);
        }
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

    /// Logs when exports begin to fail, each cause once, and when they succeed again.
    fn report(&mut self, error: Option<&SendError>) {
        match error {
            Some(error) if self.logged.insert(error.status()) => {
                tracing::warn!(%error, "spans cannot be exported; they are dropped and counted");
            }
            None if !self.logged.is_empty() => {
                self.logged.clear();
                tracing::info!("spans can be exported again");
            }
            Some(_) | None => {}
        }
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
