//! Work that was accepted and is not finished yet.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work that comes to its end, whether or not its caller waits for it. Its output is `None` when it panicked.
///
/// It is done where it is awaited, in the handler of its request, since a task of its own would have to be woken on another
/// thread, and the handler again. When the handler is cancelled, as it is when its connection breaks, the rest becomes
/// such a task. What the work owns, such as its place among the active requests, it owns until its end.
#[must_use = "work that is not awaited becomes a task"]
pub(super) struct DetachOnDrop<T: Send + 'static> {
    /// `None` once it is done.
    work: Option<Work<T>>,
    tasks: TaskTracker,
    /// Draining `tasks` waits for this as well.
    _token: TaskTrackerToken,
    runtime: Handle,
}

impl<T: Send + 'static> DetachOnDrop<T> {
    /// What is left of it when it is dropped is done on `runtime`, and until its end `tasks` is not empty.
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static, tasks: &TaskTracker, runtime: &Handle) -> Self {
        let work: Work<T> = Box::pin(work);
        Self { work: Some(work), tasks: tasks.clone(), _token: tasks.token(), runtime: runtime.clone() }
    }
}

impl<T: Send + 'static> Future for DetachOnDrop<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        // Taken out while it is polled: work that panics has no rest.
        let Some(mut work) = this.work.take() else { return Poll::Ready(None) };
        // Its timers belong to the runtime that may have to finish it: that of the handler may end before.
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
            drop(self.tasks.spawn_on(rest, &self.runtime));
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
    fn awaited_work_is_done_where_it_is_awaited() {
        let (own, tasks) = (runtime(), TaskTracker::new());
        let thread = std::thread::current().id();
        let work = async move {
            sleep(Duration::from_millis(1)).await;
            assert_eq!(std::thread::current().id(), thread);
            Outcome::Published
        };
        let work = DetachOnDrop::new(work, &tasks, own.handle());
        assert_eq!(tasks.len(), 1);
        // The timers of its runtime have to be turned.
        let (done, is_done) = oneshot::channel::<()>();
        let turning = std::thread::spawn(move || own.block_on(is_done));
        assert_eq!(runtime().block_on(work), Some(Outcome::Published));
        assert!(tasks.is_empty());
        done.send(()).unwrap();
        turning.join().unwrap().unwrap();
    }

    #[test]
    fn dropped_work_is_finished_on_its_own_runtime() {
        let (own, tasks) = (runtime(), TaskTracker::new());
        let (tell, told) = oneshot::channel();
        let work = async move {
            sleep(Duration::from_millis(20)).await;
            tell.send(()).unwrap();
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
        own.block_on(told).unwrap();
        tasks.close();
        own.block_on(tasks.wait());
    }
}
