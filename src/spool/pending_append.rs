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

use super::AppendError;

/// How long an append may take. Twilio waits 15 seconds; a slow disk should not fail a callback that it could still have
/// stored in that time.
const TIMEOUT: Duration = Duration::from_secs(13);

/// Resolves when the appended entries are durable, when they are known not to be, or after 13 seconds when the disk hangs.
#[derive(Debug)]
#[must_use = "the entries are durable only when this resolves to Ok"]
pub struct PendingAppend {
    stored: oneshot::Receiver<Result<(), AppendError>>,
    deadline: Instant,
    /// Created on the first pending poll: nearly all appends are stored before.
    timer: Option<Pin<Box<Sleep>>>,
}

impl PendingAppend {
    pub(super) fn new(stored: oneshot::Receiver<Result<(), AppendError>>) -> Self {
        Self { stored, deadline: Instant::now() + TIMEOUT, timer: None }
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
