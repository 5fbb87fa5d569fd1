//! The future that an append returns.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep_until},
};

use crate::error::AppendError;

/// Resolves when the appended entries are durable, when they are known not to be, or after
/// [`SpoolLimits::append_timeout`](crate::SpoolLimits::append_timeout) when the disk hangs.
#[derive(Debug)]
#[must_use = "the entries are durable only when this resolves to Ok"]
pub struct PendingAppend {
    stored: oneshot::Receiver<Result<(), AppendError>>,
    deadline: Instant,
    /// Created on the first pending poll: nearly all appends are stored before.
    timer: Option<Pin<Box<Sleep>>>,
}

impl PendingAppend {
    pub(crate) fn new(stored: oneshot::Receiver<Result<(), AppendError>>, timeout: Duration) -> Self {
        Self { stored, deadline: Instant::now() + timeout, timer: None }
    }
}

impl Future for PendingAppend {
    type Output = Result<(), AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(result) = Pin::new(&mut self.stored).poll(context) {
            return Poll::Ready(result.unwrap_or(Err(AppendError::Failed)));
        }
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(context).map(|()| Err(AppendError::Failed))
    }
}
