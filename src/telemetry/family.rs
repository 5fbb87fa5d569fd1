//! Metrics with labels from closed sets: every series exists from the start and none can be added.

use std::marker::PhantomData;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, core::Collector};

use crate::domain::Label;

/// One series for each value of a closed set, looked up by index and never by text.
#[derive(Debug)]
pub struct Family<L, S> {
    series: Vec<S>,
    label: PhantomData<L>,
}

/// Counters by one label.
pub type Counters<L> = Family<L, IntCounter>;
/// Gauges by one label.
pub type Gauges<L> = Family<L, IntGauge>;
/// Counters by two labels.
pub type PairedCounters<A, B> = Family<(A, B), IntCounter>;
/// Gauges by two labels.
pub type PairedGauges<A, B> = Family<(A, B), IntGauge>;

impl<L: Label, S> Family<L, S> {
    /// The series of this value.
    ///
    /// # Panics
    /// Never: a family is made with one series for each value of its label.
    #[must_use]
    pub fn of(&self, label: L) -> &S {
        at(&self.series, label.index())
    }
}

impl<A: Label, B: Label, S> Family<(A, B), S> {
    /// The series of this pair.
    ///
    /// # Panics
    /// Never: a family is made with one series for each pair of its labels.
    #[must_use]
    pub fn of(&self, first: A, second: B) -> &S {
        at(&self.series, first.index() * B::ALL.len() + second.index())
    }
}

// INVARIANT: `from_vector` and `paired` push one series for each label, in the order of the labels' indexes.
#[allow(clippy::indexing_slicing)]
fn at<S>(series: &[S], index: usize) -> &S {
    &series[index]
}

/// A metric with label names, which gives a series for label values.
pub(super) trait Vector: Collector + Clone + Sized + 'static {
    type Series;
    fn create(opts: Opts, labels: &[&str]) -> prometheus::Result<Self>;
    fn series(&self, values: &[&str]) -> Self::Series;
}

impl Vector for IntCounterVec {
    type Series = IntCounter;

    fn create(opts: Opts, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(opts, labels)
    }

    fn series(&self, values: &[&str]) -> Self::Series {
        self.with_label_values(values)
    }
}

impl Vector for IntGaugeVec {
    type Series = IntGauge;

    fn create(opts: Opts, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(opts, labels)
    }

    fn series(&self, values: &[&str]) -> Self::Series {
        self.with_label_values(values)
    }
}

impl<L: Label, S> Family<L, S> {
    /// A series for each label; `text` gives the label's value.
    pub(super) fn from_vector<V: Vector<Series = S>>(vector: &V, text: impl Fn(L) -> String) -> Self {
        let series = L::ALL.iter().map(|value| vector.series(&[&text(*value)])).collect();
        Self { series, label: PhantomData }
    }
}

/// Registers a family with one label; `text` gives the label's value.
pub(super) fn family<L: Label, V: Vector>(
    registry: &Registry,
    name: &str,
    help: &str,
    label: &str,
    text: impl Fn(L) -> String,
) -> prometheus::Result<Family<L, V::Series>> {
    Ok(Family::from_vector(&register::<V>(registry, name, help, &[label])?, text))
}

/// Registers a family with two labels; `text` gives the first label's value.
pub(super) fn paired<A: Label, B: Label, V: Vector>(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: [&str; 2],
    text: impl Fn(A) -> String,
) -> prometheus::Result<Family<(A, B), V::Series>> {
    let vector = register::<V>(registry, name, help, &labels)?;
    let pairs = A::ALL.iter().flat_map(|first| B::ALL.iter().map(move |second| (*first, *second)));
    let series = pairs.map(|(first, second)| vector.series(&[&text(first), second.as_str()])).collect();
    Ok(Family { series, label: PhantomData })
}

pub(super) fn register<V: Vector>(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<V> {
    let vector = V::create(Opts::new(name, help), labels)?;
    registry.register(Box::new(vector.clone()))?;
    Ok(vector)
}
