//! What the console shows of the other modules, read from memory.

use std::{
    io,
    net::TcpListener,
    sync::Arc,
    time::{Duration, SystemTime},
};

use durable_spool::Spool;
use tokio::sync::watch;
use twilio_signature::Verifier;

use super::{metrics::ServiceMetrics, reload::KeysInUse, running::RunningServer};
use crate::{
    config::Config,
    console::{
        self, Console, ConsoleSources, ExpiringCount, KafkaOverview, KeysOverview, ProfilesOverview,
        ReconciliationOverview, RecordSources, ServiceOverview, SpoolOverview, StatusCount,
    },
    domain::{Label as _, ReconcileResult, Resource, SignatureMode, Timestamp},
    kafka::{Availability, KafkaHealth},
    liveness::Liveness,
    pipeline::{PipelineMetrics, RecentCallbacks},
    profiles::ProfileFollower,
    projector::ProjectorMetrics,
    reconcile::ReconcileMetrics,
    replay::LetterClassifier,
    shutdown::ShutdownFlag,
    telemetry::{IntGauge, Metrics},
};

/// What the overview is read from.
pub(super) struct OverviewSources {
    shared: Arc<Metrics>,
    pipeline: Arc<PipelineMetrics>,
    reconcile: Arc<ReconcileMetrics>,
    /// `None` if the states of profiles are turned off.
    projector: Option<Arc<ProjectorMetrics>>,
    reload_failed: IntGauge,
    keys: watch::Receiver<KeysInUse>,
    kafka: Arc<KafkaHealth>,
    spool: Spool,
    signature_mode: SignatureMode,
    shutdown_flag: ShutdownFlag,
}

impl OverviewSources {
    pub(super) fn new(
        config: &Config,
        metrics: &ServiceMetrics,
        keys: watch::Receiver<KeysInUse>,
        (kafka, spool): (&Arc<KafkaHealth>, &Spool),
        shutdown_flag: &ShutdownFlag,
    ) -> Self {
        Self {
            shared: Arc::clone(&metrics.shared),
            pipeline: Arc::clone(&metrics.pipeline),
            reconcile: Arc::clone(&metrics.reconcile),
            projector: config.kafka.profiles_topic.as_ref().map(|_| Arc::clone(&metrics.projector)),
            reload_failed: metrics.accounts_reload_failed.clone(),
            keys,
            kafka: Arc::clone(kafka),
            spool: spool.clone(),
            signature_mode: config.callbacks.signature_mode,
            shutdown_flag: shutdown_flag.clone(),
        }
    }

    fn overview(&self) -> ServiceOverview {
        ServiceOverview {
            at: SystemTime::now().into(),
            is_stopping: self.shutdown_flag.has_begun(),
            kafka: kafka(self.kafka.availability()),
            spool: self.spool(),
            keys: self.keys(),
            signature_mode: self.signature_mode,
            reconciliation: self.reconciliation(),
            profiles: self.projector.as_deref().map(profiles),
            last_callback: time(&self.pipeline.last_callback),
        }
    }

    fn spool(&self) -> SpoolOverview {
        let metrics = &self.shared.spool;
        SpoolOverview {
            records: self.spool.queued(),
            bytes: count(&metrics.bytes),
            capacity_bytes: count(&metrics.capacity),
            oldest: metrics.oldest.age(),
            parked: count(&metrics.parked),
            has_space: self.spool.has_space(),
        }
    }

    fn keys(&self) -> KeysOverview {
        let keys = self.keys.borrow();
        KeysOverview {
            auth_tokens: keys.twilio.auth_tokens.len(),
            shared_keys: keys.twilio.shared_keys.len(),
            accounts: keys.twilio.accounts.as_ref().map(|accounts| accounts.list.len()),
            reloaded_at: keys.reloaded_at,
            reload_failed: self.reload_failed.get() != 0,
        }
    }

    fn reconciliation(&self) -> Option<ReconciliationOverview> {
        let metrics = &self.reconcile;
        let interval = Some(count(&metrics.interval)).filter(|seconds| *seconds > 0)?;
        Some(ReconciliationOverview {
            interval: Duration::from_secs(interval),
            last_success: time(&metrics.last_success),
            missed: Resource::ALL.iter().map(|resource| metrics.missed.of(*resource).get()).sum(),
            failures: metrics.runs.of(ReconcileResult::Failure).get(),
        })
    }
}

fn kafka(availability: Availability) -> KafkaOverview {
    match availability {
        Availability::Unknown => KafkaOverview::Unknown,
        Availability::Up => KafkaOverview::Up,
        Availability::Down { reason, detail } => {
            KafkaOverview::Down { reason: reason.as_str(), detail: detail.to_string() }
        }
    }
}

fn profiles(metrics: &ProjectorMetrics) -> ProfilesOverview {
    let statuses = metrics.statuses().map(|(resource, status, profiles, oldest)| {
        let (profiles, oldest) = (unsigned(profiles), Duration::from_secs(unsigned(oldest)));
        StatusCount { resource, status, profiles, oldest }
    });
    let expiring = metrics.expiring();
    let expiring =
        expiring.map(|(resource, within, profiles)| ExpiringCount { resource, within, profiles: unsigned(profiles) });
    ProfilesOverview {
        owned_partitions: count(&metrics.owned),
        partitions: count(&metrics.partitions),
        lag: count(&metrics.lag),
        statuses: statuses.filter(|count| count.profiles > 0).collect(),
        expiring: expiring.filter(|count| count.profiles > 0).collect(),
    }
}

fn count(gauge: &IntGauge) -> u64 {
    unsigned(gauge.get())
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

/// The time of a gauge of seconds since the Unix epoch, in which 0 means never.
fn time(gauge: &IntGauge) -> Option<Timestamp> {
    let seconds = Some(gauge.get()).filter(|seconds| *seconds > 0)?;
    Timestamp::from_unix_millis(seconds.saturating_mul(1_000))
}

/// What the console reads from Kafka. The verifier has the keys that are in use.
pub(super) fn records(config: &Config, follower: Option<&ProfileFollower>, verifier: Verifier) -> RecordSources {
    let classifier = LetterClassifier::new(&config.public_urls, verifier);
    RecordSources::new(&config.kafka, follower.map(ProfileFollower::profiles), classifier)
}

/// Serves the console.
///
/// # Errors
/// An I/O error if the listener cannot be used.
pub(super) fn serve(
    listener: TcpListener,
    config: &Config,
    (sources, recent, records): (OverviewSources, Arc<RecentCallbacks>, RecordSources),
    liveness: &Liveness,
) -> io::Result<RunningServer> {
    let sources = ConsoleSources { overview: Box::new(move || sources.overview()), recent, records };
    let console = Console::new(&config.console, sources);
    RunningServer::start(listener, |listener| console::server(listener, console, liveness.clone()))
}
