//! Metrics whose labels come from closed sets. Every series exists from the start, and no series can be added.

use std::marker::PhantomData;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, core::Collector};

use crate::domain::Label;

/// One series per value of a closed set, looked up by index and never by text.
#[derive(Debug)]
pub struct Family<L, S> {
    series: Vec<S>,
    label: PhantomData<L>,
}

/// Counters with one label.
pub type Counters<L> = Family<L, IntCounter>;
/// Gauges with one label.
pub type Gauges<L> = Family<L, IntGauge>;
/// Counters with two labels.
pub type PairedCounters<A, B> = Family<LabelPair<A, B>, IntCounter>;
/// Gauges with two labels.
pub type PairedGauges<A, B> = Family<LabelPair<A, B>, IntGauge>;

/// Two labels of one family. A type of this crate, which no other crate can make a [`Label`].
#[derive(Debug)]
pub struct LabelPair<A, B>(PhantomData<(A, B)>);

impl<L: Label, S> Family<L, S> {
    /// The series of this label value.
    ///
    /// # Panics
    /// Never: a family is created with one series per label value.
    #[must_use]
    pub fn of(&self, label: L) -> &S {
        at(&self.series, label.index())
    }
}

impl<A: Label, B: Label, S> Family<LabelPair<A, B>, S> {
    /// The series of this pair of label values.
    ///
    /// # Panics
    /// Never: a family is created with one series per pair of label values.
    #[must_use]
    pub fn of(&self, first: A, second: B) -> &S {
        at(&self.series, first.index() * B::ALL.len() + second.index())
    }
}

// INVARIANT: `from_vector` and `from_pairs` push one series per label value, in the order of the values' indexes.
#[allow(clippy::indexing_slicing)]
fn at<S>(series: &[S], index: usize) -> &S {
    &series[index]
}

/// A metric with label names, which returns the series of given label values.
pub(super) trait MetricVec: Collector + Clone + Sized + 'static {
    type Series;
    fn create(opts: Opts, labels: &[&str]) -> prometheus::Result<Self>;
    fn series(&self, values: &[&str]) -> Self::Series;
}

impl MetricVec for IntCounterVec {
    type Series = IntCounter;

    fn create(opts: Opts, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(opts, labels)
    }

    fn series(&self, values: &[&str]) -> Self::Series {
        self.with_label_values(values)
    }
}

impl MetricVec for IntGaugeVec {
    type Series = IntGauge;

    fn create(opts: Opts, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(opts, labels)
    }

    fn series(&self, values: &[&str]) -> Self::Series {
        self.with_label_values(values)
    }
}

impl<L: Label, S> Family<L, S> {
    /// Creates the series of each label value. `text` returns the text of a value.
    pub(super) fn from_vector<V: MetricVec<Series = S>>(vector: &V, text: impl Fn(L) -> String) -> Self {
        let series = L::ALL.iter().map(|value| vector.series(&[&text(*value)])).collect();
        Self { series, label: PhantomData }
    }
}

impl<A: Label, B: Label, S> Family<LabelPair<A, B>, S> {
    /// Creates the series of each pair of label values.
    pub(super) fn from_pairs(series: impl Fn(A, B) -> S) -> Self {
        let pairs = A::ALL.iter().flat_map(|first| B::ALL.iter().map(move |second| (*first, *second)));
        Self { series: pairs.map(|(first, second)| series(first, second)).collect(), label: PhantomData }
    }
}

/// Registers a family with one label. `text` returns the text of a label value.
pub(super) fn family<L: Label, V: MetricVec>(
    registry: &Registry,
    name: &str,
    help: &str,
    label: &str,
    text: impl Fn(L) -> String,
) -> prometheus::Result<Family<L, V::Series>> {
    Ok(Family::from_vector(&register::<V>(registry, name, help, &[label])?, text))
}

/// Registers a family with two labels. `text` returns the text of a value of the first label.
pub(super) fn paired<A: Label, B: Label, V: MetricVec>(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: [&str; 2],
    text: impl Fn(A) -> String,
) -> prometheus::Result<Family<LabelPair<A, B>, V::Series>> {
    let vector = register::<V>(registry, name, help, &labels)?;
    Ok(Family::from_pairs(|first: A, second: B| vector.series(&[&text(first), second.as_str()])))
}

pub(super) fn register<V: MetricVec>(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<V> {
    let vector = V::create(Opts::new(name, help), labels)?;
    registry.register(Box::new(vector.clone()))?;
    Ok(vector)
}
