//! What an append is waited for with.

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

/// How long an append is waited for. Twilio waits 15 seconds, and a slow disk is not to cost a callback that it would have
/// stored in that time.
const PATIENCE: Duration = Duration::from_secs(13);

/// Ready once what was appended is durable, or is known not to be, or 13 seconds after the append, when the disk hangs.
#[derive(Debug)]
#[must_use = "entries are stored only when this says so"]
pub struct Appended {
    stored: oneshot::Receiver<Result<(), AppendError>>,
    deadline: Instant,
    /// Made when it is first needed: nearly all appends are stored before.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Appended {
    pub(super) fn new(stored: oneshot::Receiver<Result<(), AppendError>>) -> Self {
        Self { stored, deadline: Instant::now() + PATIENCE, timer: None }
    }
}

impl Future for Appended {
    type Output = Result<(), AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(answer) = Pin::new(&mut self.stored).poll(context) {
            return Poll::Ready(answer.unwrap_or(Err(AppendError::Failed)));
        }
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(context).map(|()| Err(AppendError::Failed))
    }
}
