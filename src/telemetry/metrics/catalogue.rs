//! Helpers that create and register metrics.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::super::family::{Counters, Gauges, PairedCounters, family, paired};
use crate::domain::Label;

/// Histogram buckets in seconds, from 1 ms to Twilio's limit of 15 s.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0, 15.0];

/// Creates metrics and registers them with the registry.
pub(super) struct Catalogue<'a>(pub(super) &'a Registry);

impl Catalogue<'_> {
    pub(super) fn counters<L: Label>(&self, name: &str, help: &str, label: &str) -> prometheus::Result<Counters<L>> {
        family::<_, IntCounterVec>(self.0, name, help, label, |value: L| value.as_str().to_owned())
    }

    pub(super) fn gauges<L: Label>(&self, name: &str, help: &str, label: &str) -> prometheus::Result<Gauges<L>> {
        family::<_, IntGaugeVec>(self.0, name, help, label, |value: L| value.as_str().to_owned())
    }

    pub(super) fn paired_counters<A: Label, B: Label>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; 2],
    ) -> prometheus::Result<PairedCounters<A, B>> {
        paired::<_, _, IntCounterVec>(self.0, name, help, labels, |value: A| value.as_str().to_owned())
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.register_counter(IntCounter::new(name, help)?)
    }

    /// Registers a counter that was created elsewhere.
    pub(super) fn register_counter(&self, counter: IntCounter) -> prometheus::Result<IntCounter> {
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let gauge = IntGauge::new(name, help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    pub(super) fn histogram(&self, name: &str, help: &str) -> prometheus::Result<Histogram> {
        let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()))?;
        self.0.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }
}
