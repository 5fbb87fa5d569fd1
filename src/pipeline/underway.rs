//! An accepted callback that is not finished yet.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use crate::domain::{Outcome, Unkept};

type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Work that comes to its end, whoever waits for it.
///
/// It is done where it is awaited, in the handler of its request, since a task of its own would have to be woken on another
/// thread, and the handler again. When the handler is cancelled, as it is when its connection breaks, the rest becomes
/// such a task.
#[must_use = "work that nobody waits for becomes a task"]
pub(super) struct Underway {
    /// `None` once it is done.
    work: Option<Work>,
    tasks: TaskTracker,
    /// Whoever drains `tasks` waits for this as well.
    _token: TaskTrackerToken,
    runtime: Handle,
}

impl Underway {
    /// What is left of it when nobody waits is done on `runtime`, and until its end `tasks` is not empty.
    pub(super) fn new(
        work: impl Future<Output = Outcome> + Send + 'static,
        tasks: &TaskTracker,
        runtime: &Handle,
    ) -> Self {
        let work: Work = Box::pin(work);
        Self { work: Some(work), tasks: tasks.clone(), _token: tasks.token(), runtime: runtime.clone() }
    }
}

impl Future for Underway {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let this = &mut *self;
        // Taken out while it is polled: work that panics has no rest.
        let Some(mut work) = this.work.take() else { return Poll::Ready(Outcome::Unavailable(Unkept::Abandoned)) };
        // Its timers belong to the runtime that may have to finish it: that of the handler may end before.
        let guard = this.runtime.enter();
        let polled = work.as_mut().poll(context);
        drop(guard);
        if polled.is_pending() {
            this.work = Some(work);
        }
        polled
    }
}

impl Drop for Underway {
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

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn what_is_awaited_is_done_where_it_is_awaited() {
        let (own, tasks) = (runtime(), TaskTracker::new());
        let thread = std::thread::current().id();
        let work = async move {
            sleep(Duration::from_millis(1)).await;
            assert_eq!(std::thread::current().id(), thread);
            Outcome::Published
        };
        let underway = Underway::new(work, &tasks, own.handle());
        assert_eq!(tasks.len(), 1);
        // Somebody has to turn the timers of its runtime.
        let (done, is_done) = oneshot::channel::<()>();
        let turning = std::thread::spawn(move || own.block_on(is_done));
        assert_eq!(runtime().block_on(underway), Outcome::Published);
        assert!(tasks.is_empty());
        done.send(()).unwrap();
        turning.join().unwrap().unwrap();
    }

    #[test]
    fn the_rest_of_what_is_dropped_is_done_on_its_runtime_although_that_of_its_handler_has_ended() {
        let (own, tasks) = (runtime(), TaskTracker::new());
        let (tell, told) = oneshot::channel();
        let work = async move {
            sleep(Duration::from_millis(20)).await;
            tell.send(()).unwrap();
            Outcome::Published
        };
        let handler = runtime();
        let mut underway = Underway::new(work, &tasks, own.handle());
        handler.block_on(async {
            tokio::select! {
                biased;
                _ = &mut underway => panic!("it takes longer"),
                () = std::future::ready(()) => {}
            }
        });
        drop(handler);
        drop(underway);
        assert_eq!(tasks.len(), 1, "a drain waits for it");
        own.block_on(told).unwrap();
        tasks.close();
        own.block_on(tasks.wait());
    }
}
