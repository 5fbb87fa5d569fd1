//! The steps in which the service starts, see [`Service::start`](super::Service::start).

use std::{
    io,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use durable_spool::Spool;
use tokio::runtime::Handle;
use twilio_signature::Verifier;

use super::{
    registry_password,
    reload::CredentialReloader,
    running::{BackgroundTask, RunningServer},
};
use crate::{
    admin::{self, AdminState},
    config::{Config, KafkaConfig},
    deliver::{Deliver, FailoverController},
    kafka::{self, KafkaSink},
    liveness::Liveness,
    pipeline::{EventClock, EventTimeWriter, Pipeline, PipelineConfig, PipelineMetrics, ProcessId, RecentCallbacks},
    profiles::ProfileFollower,
    projector::Projector,
    receive::{self, CallbackHandler},
    reconcile::Schedule,
    shutdown::ShutdownFlag,
    telemetry::Metrics,
    traces::{SpanExporter, Tracer},
};

/// Creates the pipeline, with a clock that continues where the previous process stopped, and the writer of its time.
///
/// # Errors
/// When the system has no random numbers.
pub(super) fn connect_pipeline(
    config: &Config,
    verifier: Verifier,
    deliver: Deliver,
    (metrics, recent, tracer): (&Arc<PipelineMetrics>, Option<Arc<RecentCallbacks>>, Tracer),
) -> io::Result<(Arc<Pipeline>, EventTimeWriter)> {
    let pipeline_config = PipelineConfig {
        signature_mode: config.callbacks.signature_mode,
        dedup_window: config.callbacks.dedup_window,
        callbacks_in_progress: config.http.max_in_flight,
        process: ProcessId::random()?,
    };
    let (clock, writer) = EventClock::open(&config.spool.folder, SystemTime::now().into(), Arc::clone(metrics));
    let pipeline = Pipeline::new(pipeline_config, verifier, deliver, clock, Arc::clone(metrics), Handle::current());
    Ok((Arc::new(pipeline.recording(recent).traced_by(tracer)), writer))
}

/// Serves the admin port.
pub(super) fn serve_admin(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    (sink, spool): (&Arc<KafkaSink>, &Spool),
    shutdown_flag: &ShutdownFlag,
    liveness: &Liveness,
) -> io::Result<RunningServer> {
    let (health, spool, shutdown_flag) = (Arc::clone(sink.health()), spool.clone(), shutdown_flag.clone());
    let ready = Arc::new(move || (spool.has_space() || health.is_up()) && !shutdown_flag.has_begun());
    let state = AdminState { metrics, ready, liveness: liveness.clone() };
    RunningServer::start(listener, |listener| admin::server(listener, state))
}

/// Serves the public port.
pub(super) fn serve_callbacks(
    listener: TcpListener,
    config: &Config,
    pipeline: &Arc<Pipeline>,
    shutdown_flag: &ShutdownFlag,
    liveness: &Liveness,
) -> io::Result<RunningServer> {
    let handler = CallbackHandler::new(Arc::clone(pipeline), &config.public_urls, &config.http, shutdown_flag.clone());
    RunningServer::start(listener, |listener| {
        receive::server(listener, &config.http, config.shutdown.timeout, handler, liveness.clone())
    })
}

/// Reports once a second which blocking calls have become slow.
pub(super) fn report_slow_operations(liveness: &Liveness, metrics: &Metrics) -> BackgroundTask {
    let operations = Arc::clone(&metrics.operations);
    BackgroundTask::start(liveness, "the slow-operation reporter", |stop| async move {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        while stop.run_until_cancelled(seconds.tick()).await.is_some() {
            operations.report(Instant::now());
        }
    })
}

/// Learns the ids of the schemas from the registry, if there is one.
pub(super) fn learn_schema_ids(liveness: &Liveness, sink: &KafkaSink) -> BackgroundTask {
    let encoder = sink.encoder().clone();
    BackgroundTask::start(liveness, "the client of the schema registry", |stop| encoder.run(stop))
}

/// Probes Kafka, and creates and checks the topics.
pub(super) fn probe_kafka(liveness: &Liveness, sink: &Arc<KafkaSink>, config: KafkaConfig) -> BackgroundTask {
    let sink = Arc::clone(sink);
    BackgroundTask::start(liveness, "the Kafka probe", |stop| kafka::monitor_topics(sink, config, stop))
}

/// Reads the password of the schema registry again when its file changes; `None` without a registry that needs one.
pub(super) fn reload_registry_password(liveness: &Liveness, config: &KafkaConfig) -> Option<BackgroundTask> {
    let user = config.values.registry.as_ref().and_then(|registry| registry.user.as_ref())?;
    let password = user.password.clone();
    Some(BackgroundTask::start(liveness, "the reloader of the registry's password", |stop| async move {
        stop.run_until_cancelled(registry_password::reload(password)).await;
    }))
}

/// Renews the Kafka credentials when their files change.
pub(super) fn renew_kafka_credentials(
    liveness: &Liveness,
    sink: &Arc<KafkaSink>,
    config: &KafkaConfig,
) -> BackgroundTask {
    let (sink, config) = (Arc::clone(sink), config.clone());
    BackgroundTask::start(liveness, "the renewal of Kafka credentials", |stop| {
        kafka::renew_credentials(sink, config, stop)
    })
}

/// Watches the thread that renews the tokens of Amazon MSK, if the login has them.
pub(super) fn watch_msk_login(liveness: &Liveness, config: &KafkaConfig) -> io::Result<()> {
    kafka::beat_with_msk_login(config, || {
        let heartbeat = liveness.register("the login to Amazon MSK");
        Box::new(move || heartbeat.beat())
    })
}

/// Changes between Kafka and the spool.
pub(super) fn control_failover(liveness: &Liveness, failover: FailoverController) -> BackgroundTask {
    BackgroundTask::start(liveness, "the failover controller", |stop| failover.run(stop))
}

/// Reloads the credential files when they change.
pub(super) fn reload_credentials(liveness: &Liveness, reloader: CredentialReloader) -> BackgroundTask {
    BackgroundTask::start(liveness, "the credential reloader", |stop| async move {
        stop.run_until_cancelled(reloader.run()).await;
    })
}

/// Exports the spans of callbacks.
pub(super) fn export_traces(liveness: &Liveness, exporter: SpanExporter) -> BackgroundTask {
    BackgroundTask::start(liveness, "the exporter of traces", |stop| exporter.run(stop))
}

/// Saves the time of the last event.
pub(super) fn write_event_time(liveness: &Liveness, writer: EventTimeWriter) -> BackgroundTask {
    BackgroundTask::start(liveness, "the event-time writer", |stop| writer.run(stop))
}

/// Reconciles after each interval.
pub(super) fn reconcile_periodically(liveness: &Liveness, schedule: Schedule) -> BackgroundTask {
    BackgroundTask::start(liveness, "reconciliation", |stop| async move {
        stop.run_until_cancelled(schedule.run()).await;
    })
}

/// Keeps the index of profiles up to date, for the console.
pub(super) fn follow_states(liveness: &Liveness, follower: ProfileFollower) -> BackgroundTask {
    BackgroundTask::start(liveness, "the reader of the states of profiles", |stop| follower.run(stop))
}

/// Projects the events to the states of profiles.
pub(super) fn project_profiles(liveness: &Liveness, projector: Projector) -> BackgroundTask {
    BackgroundTask::start(liveness, "the projection of profiles", |stop| projector.run(stop))
}
