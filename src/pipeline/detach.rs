//! Finishes accepted work even if its caller stops waiting.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tokio::runtime::Handle;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

tokio::task_local! {
    /// When the caller stopped waiting for the work that this task finishes.
    static DETACHED: Instant;
}

/// When the caller of this work stopped waiting for it; `None` while it waits.
pub(super) fn detached_at() -> Option<Instant> {
    DETACHED.try_with(|at| *at).ok()
}

type BoxedWork<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work that is finished whether or not its caller waits for it. Its output is `None` if it panicked.
///
/// The work runs where it is awaited, in the handler of its request: a task for each request would cost two more wake-ups,
/// of the task's thread and of the handler. When the handler is cancelled, because its connection broke, the rest of the
/// work becomes a task. The work keeps what it owns, such as its place among the active requests, until it is finished.
#[must_use = "work that is not awaited becomes a task"]
pub(super) struct DetachOnDrop<T: Send + 'static> {
    /// `None` once it is finished.
    work: Option<BoxedWork<T>>,
    /// Makes a drain of the tasks wait for this work.
    token: TaskTrackerToken,
    runtime: Handle,
}

impl<T: Send + 'static> DetachOnDrop<T> {
    /// Wraps `work`. If this is dropped early, the rest of the work runs on `runtime`. `tasks` is not empty until the work is
    /// finished.
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static, tasks: &TaskTracker, runtime: &Handle) -> Self {
        let work: BoxedWork<T> = Box::pin(work);
        Self { work: Some(work), token: tasks.token(), runtime: runtime.clone() }
    }
}

impl<T: Send + 'static> Future for DetachOnDrop<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        // Taken out while it is polled, so that work that panics is not polled again.
        let Some(mut work) = this.work.take() else { return Poll::Ready(None) };
        // The timers of the work must belong to the runtime that may have to finish it: the handler's may end earlier.
        let guard = this.runtime.enter();
        let polled = work.as_mut().poll(context);
        drop(guard);
        if polled.is_pending() {
            this.work = Some(work);
        }
        polled.map(Some)
    }
}

impl<T: Send + 'static> Drop for DetachOnDrop<T> {
    fn drop(&mut self) {
        if let Some(rest) = self.work.take() {
            drop(self.token.task_tracker().spawn_on(DETACHED.scope(Instant::now(), rest), &self.runtime));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        runtime::{Builder, Runtime},
        sync::oneshot,
        time::sleep,
    };

    use super::*;
    use crate::domain::Outcome;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn awaited_work_runs_where_it_is_awaited() {
        let (own, tasks) = (runtime(), TaskTracker::new());
        let thread = std::thread::current().id();
        let work = async move {
            sleep(Duration::from_millis(1)).await;
            assert_eq!(std::thread::current().id(), thread);
            Outcome::Published
        };
        let work = DetachOnDrop::new(work, &tasks, own.handle());
        assert_eq!(tasks.len(), 1);
        // A thread has to drive the timers of the work's runtime.
        let (done, is_done) = oneshot::channel::<()>();
        let driver = std::thread::spawn(move || own.block_on(is_done));
        assert_eq!(runtime().block_on(work), Some(Outcome::Published));
        assert!(tasks.is_empty());
        done.send(()).unwrap();
        driver.join().unwrap().unwrap();
    }

    #[test]
    fn dropped_work_is_finished_on_its_own_runtime() {
        let (own, tasks) = (runtime(), TaskTracker::new());
        let (sender, finished) = oneshot::channel();
        let work = async move {
            assert_eq!(detached_at(), None, "the caller waits");
            sleep(Duration::from_millis(20)).await;
            sender.send(detached_at()).unwrap();
            Outcome::Published
        };
        let handler = runtime();
        let mut work = DetachOnDrop::new(work, &tasks, own.handle());
        handler.block_on(async {
            tokio::select! {
                biased;
                _ = &mut work => panic!("it takes longer"),
                () = std::future::ready(()) => {}
            }
        });
        drop(handler);
        drop(work);
        assert_eq!(tasks.len(), 1, "a drain waits for it");
        assert!(own.block_on(finished).unwrap().is_some(), "the caller waits no longer");
        tasks.close();
        own.block_on(tasks.wait());
    }
}
