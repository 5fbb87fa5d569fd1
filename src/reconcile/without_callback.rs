//! Shows how many profiles have a status callback that does not lead to this service.
//!
//! All instances reconcile in turns. Only the one that made the last complete run shows what it found. The others learn from
//! Kafka that a later run was made. Until they do, two instances show a number, so the maximum over all instances counts.

use std::{future, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    metrics::ReconcileMetrics,
    report::{ProfilesByResource, ReconcileSummary},
};
use crate::{
    domain::{Label as _, Resource},
    kafka::{ClientError, LastRun},
};

/// How often an instance that shows a number asks whether another one has made a later run, and how often it tries again to
/// tell the others about its own. More often if this is more than a small part of the interval between runs.
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
    /// The run of this instance that needs attention; `None` if its number is 0 and Kafka knows it, or if another run followed.
    run: Option<OwnRun>,
}

/// A run of this instance, by its id.
enum OwnRun {
    /// Kafka does not know it, so other instances may still show the number of an earlier run.
    Unregistered(String),
    /// Its number is shown until another run is the last.
    Registered(String),
}

impl<R: RunRegister> WithoutCallback<R> {
    /// Shows 0 at first. A run follows after each `interval`.
    #[must_use]
    pub(super) fn new(register: R, metrics: Arc<ReconcileMetrics>, interval: Duration) -> Self {
        let ask_interval = (interval / ASKS_PER_RUN).clamp(MIN_ASK_INTERVAL, MAX_ASK_INTERVAL);
        Self { register, metrics, ask_interval, run: None }
    }

    /// Shows what a run of this instance found, and makes it the last one. A run that could not read every list does not know
    /// the number, so the former one stays.
    pub(super) async fn found(&mut self, summary: &ReconcileSummary) {
        if summary.lists_failed > 0 {
            return;
        }
        self.show(&summary.without_callback);
        if let Err(error) = self.register(format!("run={:032x}", fastrand::u128(..))).await {
            tracing::warn!(
                %error,
                "cannot tell other instances about this reconciliation, which may still show what an earlier one found; \
                 trying again"
            );
        }
    }

    /// Shows 0 as soon as another instance has made a later run, and tells the others about the run of this one. Never returns.
    pub(super) async fn watch(&mut self) {
        while self.run.is_some() {
            sleep(self.ask_interval).await;
            if let Err(error) = self.check().await {
                tracing::debug!(%error, "cannot ask Kafka about the last reconciliation");
            }
        }
        future::pending().await
    }

    async fn check(&mut self) -> Result<(), ClientError> {
        match &self.run {
            Some(OwnRun::Unregistered(run)) => self.register(run.clone()).await,
            Some(OwnRun::Registered(run)) => {
                if self.register.get().await?.is_some_and(|last| last != *run) {
                    self.clear();
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Makes this run the last one.
    async fn register(&mut self, run: String) -> Result<(), ClientError> {
        self.run = Some(OwnRun::Unregistered(run.clone()));
        if self.register.set(run.clone()).await? {
            self.run = self.shows_some().then_some(OwnRun::Registered(run));
        } else {
            self.clear();
        }
        Ok(())
    }

    /// Shows 0, because another process made a later run or makes one.
    fn clear(&mut self) {
        self.show(&ProfilesByResource::new());
        self.run = None;
    }

    fn shows_some(&self) -> bool {
        Resource::ALL.iter().any(|resource| self.metrics.without_callback.of(*resource).get() > 0)
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

    fn some(profiles: u64) -> ReconcileSummary {
        let without_callback = ProfilesByResource::from([("trust-product", profiles)]);
        ReconcileSummary { without_callback, ..ReconcileSummary::default() }
    }

    #[tokio::test]
    async fn only_the_instance_that_made_the_last_run_shows_a_number() {
        let register = reachable();
        let (mut first, mut second) = (instance(&register), instance(&register));
        first.found(&some(3)).await;
        first.check().await.unwrap();
        assert_eq!(shown([&first, &second]), [3, 0]);
        second.found(&some(2)).await;
        first.check().await.unwrap();
        second.check().await.unwrap();
        assert_eq!(shown([&first, &second]), [0, 2]);
        first.found(&some(0)).await;
        second.check().await.unwrap();
        assert_eq!(shown([&first, &second]), [0, 0], "all were corrected");
    }

    #[tokio::test]
    async fn run_that_another_process_makes_now_ends_the_number_of_this_one() {
        let register = reachable();
        let mut instance = instance(&register);
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
        assert!(instance.check().await.is_err());
        assert_eq!(shown([&instance]), [3]);
        register.is_reachable.set(true);
        register.last.replace(None);
        instance.check().await.unwrap();
        assert_eq!(shown([&instance]), [3], "Kafka has forgotten the run");
    }

    #[tokio::test(start_paused = true)]
    async fn run_that_kafka_did_not_take_is_told_again_even_if_it_found_none() {
        for (found, expected) in [(2, [2, 0]), (0, [0, 0])] {
            let register = reachable();
            let (mut first, mut second) = (instance(&register), instance(&register));
            second.found(&some(3)).await;
            register.is_reachable.set(false);
            first.found(&some(found)).await;
            register.is_reachable.set(true);
            second.check().await.unwrap();
            assert_eq!(shown([&second]), [3], "it does not know of the later run");
            assert!(tokio::time::timeout(Duration::from_secs(1), first.watch()).await.is_err());
            second.check().await.unwrap();
            assert_eq!(shown([&first, &second]), expected);
        }
    }

    #[tokio::test]
    async fn run_that_could_not_read_every_list_changes_no_number() {
        let register = reachable();
        let (mut first, mut second) = (instance(&register), instance(&register));
        first.found(&some(3)).await;
        let incomplete = ReconcileSummary { lists_failed: 1, ..some(1) };
        for instance in [&mut first, &mut second] {
            instance.found(&incomplete).await;
        }
        first.check().await.unwrap();
        assert_eq!(shown([&first, &second]), [3, 0]);
    }
}
