//! Shows how many profiles have a status callback that does not lead to this service.
//!
//! All instances reconcile in turns. Only the one that made the last run shows what it found, so that the sum over all
//! instances is right. The others learn from Kafka that a later run was made.

use std::{future, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{metrics::ReconcileMetrics, report::ProfilesByResource};
use crate::{
    domain::{Label as _, Resource},
    kafka::{ClientError, LastRun},
};

/// How often an instance that shows a number asks whether another one has made a later run. Less often if it is more than a
/// small part of the interval between runs.
const MAX_ASK_INTERVAL: Duration = Duration::from_secs(15);
const MIN_ASK_INTERVAL: Duration = Duration::from_millis(500);
const ASKS_PER_RUN: u32 = 8;

/// Remembers for all instances which run was the last one.
pub(super) trait RunRegister {
    /// Makes this run the last one. Returns false if another process makes a run now.
    async fn set(&self, run: String) -> Result<bool, ClientError>;

    /// The last run; `None` if it is not known.
    async fn get(&self) -> Result<Option<String>, ClientError>;
}

impl RunRegister for LastRun {
    async fn set(&self, run: String) -> Result<bool, ClientError> {
        LastRun::set(self, run).await
    }

    async fn get(&self) -> Result<Option<String>, ClientError> {
        LastRun::get(self).await
    }
}

/// The number of profiles whose status callback does not lead to this service, as this instance shows it.
pub(crate) struct WithoutCallback<R = LastRun> {
    register: R,
    metrics: Arc<ReconcileMetrics>,
    ask_interval: Duration,
    /// The run whose number is shown until another one is the last; `None` if the number is 0, or other instances cannot know
    /// of the run.
    shown: Option<String>,
}

impl<R: RunRegister> WithoutCallback<R> {
    /// Shows 0 at first. A run follows after each `interval`.
    #[must_use]
    pub(super) fn new(register: R, metrics: Arc<ReconcileMetrics>, interval: Duration) -> Self {
        let ask_interval = (interval / ASKS_PER_RUN).clamp(MIN_ASK_INTERVAL, MAX_ASK_INTERVAL);
        Self { register, metrics, ask_interval, shown: None }
    }

    /// Shows what a run of this instance found, and makes it the last one.
    pub(super) async fn found(&mut self, profiles: &ProfilesByResource) {
        let run = format!("run={:032x}", fastrand::u128(..));
        self.show(profiles);
        self.shown = None;
        match self.register.set(run.clone()).await {
            Ok(true) => self.shown = (!profiles.is_empty()).then_some(run),
            Ok(false) => self.clear(),
            Err(error) => tracing::debug!(%error, "cannot tell other instances about this run"),
        }
    }

    /// Shows 0, because another process makes a run.
    pub(super) fn clear(&mut self) {
        self.show(&ProfilesByResource::new());
        self.shown = None;
    }

    /// Shows 0 as soon as another instance has made a later run. Never returns.
    pub(super) async fn watch(&mut self) {
        while self.shown.is_some() {
            sleep(self.ask_interval).await;
            self.check().await;
        }
        future::pending().await
    }

    async fn check(&mut self) {
        match self.register.get().await {
            Ok(Some(last)) if self.shown.as_ref().is_some_and(|shown| *shown != last) => self.clear(),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "cannot ask for the last reconciliation"),
        }
    }

    fn show(&self, profiles: &ProfilesByResource) {
        for resource in Resource::ALL {
            let count = profiles.get(resource.as_str()).copied().unwrap_or_default();
            self.metrics.without_callback.of(*resource).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::telemetry::Metrics;

    /// What all instances share.
    #[derive(Default)]
    struct FakeRegister {
        last: RefCell<Option<String>>,
        is_elsewhere: Cell<bool>,
        is_reachable: Cell<bool>,
    }

    impl FakeRegister {
        fn answer<T>(&self, answer: T) -> Result<T, ClientError> {
            if self.is_reachable.get() { Ok(answer) } else { Err(ClientError::Canceled) }
        }
    }

    impl RunRegister for &FakeRegister {
        async fn set(&self, run: String) -> Result<bool, ClientError> {
            if self.is_reachable.get() && !self.is_elsewhere.get() {
                self.last.replace(Some(run));
            }
            self.answer(!self.is_elsewhere.get())
        }

        async fn get(&self) -> Result<Option<String>, ClientError> {
            self.answer(self.last.borrow().clone())
        }
    }

    fn reachable() -> FakeRegister {
        FakeRegister { is_reachable: Cell::new(true), ..FakeRegister::default() }
    }

    fn instance(register: &FakeRegister) -> WithoutCallback<&FakeRegister> {
        let metrics = Metrics::new(|destination| destination.to_string()).unwrap();
        WithoutCallback::new(register, ReconcileMetrics::register(&metrics).unwrap(), Duration::from_secs(1))
    }

    fn shown<const N: usize>(instances: [&WithoutCallback<&FakeRegister>; N]) -> [i64; N] {
        instances.map(|instance| instance.metrics.without_callback.of(Resource::TrustProduct).get())
    }

    fn some(profiles: u64) -> ProfilesByResource {
        ProfilesByResource::from([("trust-product", profiles)])
    }

    #[tokio::test]
    async fn only_the_instance_that_made_the_last_run_shows_a_number() {
        let register = reachable();
        let (mut first, mut second) = (instance(&register), instance(&register));
        first.found(&some(3)).await;
        first.check().await;
        assert_eq!(shown([&first, &second]), [3, 0]);
        second.found(&some(2)).await;
        first.check().await;
        second.check().await;
        assert_eq!(shown([&first, &second]), [0, 2]);
        first.found(&some(0)).await;
        second.check().await;
        assert_eq!(shown([&first, &second]), [0, 0], "all were corrected");
    }

    #[tokio::test]
    async fn run_of_another_process_ends_the_number_of_this_one() {
        let register = reachable();
        let mut instance = instance(&register);
        instance.found(&some(3)).await;
        instance.clear();
        assert_eq!(shown([&instance]), [0]);
        register.is_elsewhere.set(true);
        instance.found(&some(3)).await;
        assert_eq!(shown([&instance]), [0], "it had begun before this run was recorded");
    }

    #[tokio::test]
    async fn number_stays_while_kafka_does_not_tell_whether_it_is_the_last() {
        let register = reachable();
        let mut instance = instance(&register);
        instance.found(&some(3)).await;
        register.is_reachable.set(false);
        instance.check().await;
        assert_eq!(shown([&instance]), [3]);
        instance.found(&some(2)).await;
        register.is_reachable.set(true);
        instance.check().await;
        assert_eq!(shown([&instance]), [2], "Kafka knows an earlier run only");
        register.last.replace(None);
        instance.check().await;
        assert_eq!(shown([&instance]), [2], "Kafka has forgotten the run");
    }
}
