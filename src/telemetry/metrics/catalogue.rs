//! Helpers that create and register metrics. Labels come from closed sets only, so no request can create a series.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::super::family::{Counters, Gauges, PairedCounters, PairedGauges, family, paired, register};
use crate::domain::{Destination, Label};

/// Histogram buckets in seconds, from 1 ms to Twilio's limit of 15 s.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0, 15.0];

/// Creates metrics and registers them with the registry.
#[derive(Clone, Copy)]
pub(crate) struct Catalogue<'a> {
    pub(super) registry: &'a Registry,
    topics: &'a [String],
}

impl<'a> Catalogue<'a> {
    /// `topics` has the name of each topic, by the index of its destination.
    pub(super) fn new(registry: &'a Registry, topics: &'a [String]) -> Self {
        Self { registry, topics }
    }

    fn topic(self, destination: Destination) -> String {
        self.topics.get(destination.index()).cloned().unwrap_or_default()
    }

    /// Counters with one series for each topic.
    pub(crate) fn topic_counters(self, name: &str, help: &str) -> prometheus::Result<Counters<Destination>> {
        family::<_, IntCounterVec>(self.registry, name, help, "topic", |destination| self.topic(destination))
    }

    /// Gauges with one series for each topic.
    pub(crate) fn topic_gauges(self, name: &str, help: &str) -> prometheus::Result<Gauges<Destination>> {
        family::<_, IntGaugeVec>(self.registry, name, help, "topic", |destination| self.topic(destination))
    }

    /// Gauges with one series for each topic and value of the label.
    pub(crate) fn paired_topic_gauges<B: Label>(
        self,
        name: &str,
        help: &str,
        label: &str,
    ) -> prometheus::Result<PairedGauges<Destination, B>> {
        paired::<_, _, IntGaugeVec>(self.registry, name, help, ["topic", label], |destination| self.topic(destination))
    }

    /// Counters with one label, and one more series of the same metric, whose value is not in the set of the label.
    pub(crate) fn counters_and_one<L: Label>(
        self,
        name: &str,
        help: &str,
        label: &str,
        one: &'static str,
    ) -> prometheus::Result<(Counters<L>, IntCounter)> {
        let vector: IntCounterVec = register(self.registry, name, help, &[label])?;
        let one = vector.with_label_values(&[one]);
        Ok((Counters::from_vector(&vector, |value: L| value.as_str().to_owned()), one))
    }

    /// Counters with one label.
    pub(crate) fn counters<L: Label>(self, name: &str, help: &str, label: &str) -> prometheus::Result<Counters<L>> {
        family::<_, IntCounterVec>(self.registry, name, help, label, |value: L| value.as_str().to_owned())
    }

    /// Gauges with one label.
    pub(crate) fn gauges<L: Label>(self, name: &str, help: &str, label: &str) -> prometheus::Result<Gauges<L>> {
        family::<_, IntGaugeVec>(self.registry, name, help, label, |value: L| value.as_str().to_owned())
    }

    /// Gauges with two labels.
    pub(crate) fn paired_gauges<A: Label, B: Label>(
        self,
        name: &str,
        help: &str,
        labels: [&str; 2],
    ) -> prometheus::Result<PairedGauges<A, B>> {
        paired::<_, _, IntGaugeVec>(self.registry, name, help, labels, |value: A| value.as_str().to_owned())
    }

    /// Counters with two labels.
    pub(crate) fn paired_counters<A: Label, B: Label>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; 2],
    ) -> prometheus::Result<PairedCounters<A, B>> {
        paired::<_, _, IntCounterVec>(self.registry, name, help, labels, |value: A| value.as_str().to_owned())
    }

    /// Counters with one label and two more, whose combinations are a closed set. `texts` returns the two values of a
    /// combination.
    pub(crate) fn split_counters<A: Label, B: Label>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; 3],
        texts: impl Fn(B) -> [&'static str; 2],
    ) -> prometheus::Result<PairedCounters<A, B>> {
        let vector: IntCounterVec = register(self.registry, name, help, &labels)?;
        Ok(PairedCounters::from_pairs(|first: A, second| {
            let [second, third] = texts(second);
            vector.with_label_values(&[first.as_str(), second, third])
        }))
    }

    /// A counter without labels.
    pub(crate) fn counter(self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.register_counter(IntCounter::new(name, help)?)
    }

    /// Registers a counter that was created elsewhere.
    pub(super) fn register_counter(self, counter: IntCounter) -> prometheus::Result<IntCounter> {
        self.registry.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    /// A gauge without labels.
    pub(crate) fn gauge(self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let gauge = IntGauge::new(name, help)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    /// A histogram of seconds.
    pub(crate) fn histogram(self, name: &str, help: &str) -> prometheus::Result<Histogram> {
        let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()))?;
        self.registry.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }
}
