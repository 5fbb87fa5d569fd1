//! The registry of all metrics, and the metrics that several modules share.
//!
//! Each module defines its own metrics next to its code, with the helpers of [`Catalogue`].

mod catalogue;
mod log;
mod operations;
mod spool;

use std::sync::Arc;

use prometheus::{IntGauge, Opts, Registry, TextEncoder};

pub(crate) use self::catalogue::Catalogue;
pub(super) use self::log::dropped_log_lines;
pub use self::{
    operations::{Operation, OperationGuard, Operations},
    spool::{AgeGauge, SpoolMetrics},
};
use crate::domain::{Destination, Label as _};

/// The registry of all metrics, and the metrics that several modules share.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// The name of each topic, by the index of its destination.
    topics: Vec<String>,
    /// Metrics of the spool.
    pub spool: SpoolMetrics,
    /// Tracks the calls out of the process, and counts the slow ones.
    pub operations: Arc<Operations>,
}

impl Metrics {
    /// Registers the shared metrics, with each series at 0. `topic` returns the topic name of a destination.
    ///
    /// # Errors
    /// When two metrics share a name, which a test excludes.
    pub fn new(topic: impl Fn(Destination) -> String) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let topics: Vec<_> = Destination::ALL.iter().copied().map(topic).collect();
        register_process(&registry)?;
        let catalogue = Catalogue::new(&registry, &topics);
        let spool = SpoolMetrics::new(&catalogue)?;
        let operations = Arc::new(Operations::new(catalogue.counters(
            "trusthub_slow_operations_total",
            "Calls to Kafka, the disk or another part of the machine that took longer than a second.",
            "operation",
        )?));
        catalogue.register_counter(dropped_log_lines()?)?;
        Ok(Self { registry, topics, spool, operations })
    }

    /// The helpers with which a module registers its own metrics. A module registers them once.
    pub(crate) fn catalogue(&self) -> Catalogue<'_> {
        Catalogue::new(&self.registry, &self.topics)
    }

    /// Renders all registered metrics in the Prometheus text format.
    ///
    /// # Errors
    /// When a metric cannot be encoded.
    pub fn render(&self) -> prometheus::Result<String> {
        self.spool.oldest.refresh();
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn register_process(registry: &Registry) -> prometheus::Result<()> {
    registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
    let opts = Opts::new("trusthub_build_info", "Always 1; the label names the version.")
        .const_label("version", env!("CARGO_PKG_VERSION"));
    let build = IntGauge::with_opts(opts)?;
    build.set(1);
    registry.register(Box::new(build))
}
