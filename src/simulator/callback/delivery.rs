//! One callback's way out: tries, redirects, and a line in the journal for each request.

use std::time::SystemTime;

use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, timeout},
};

use super::{
    Attempt, Ending, Failure, Fault, Subject,
    client::{Answer, Limits},
    lanes::Place,
    office::Office,
    overrides::Overrides,
    request::Request,
};
use crate::domain::ProfileSid;

/// Redirects that Twilio follows.
const MAX_REDIRECTS: u32 = 10;

/// A callback that is to be sent.
pub(super) struct Callback {
    pub(super) request: Request,
    pub(super) overrides: Overrides,
    pub(super) subject: Subject,
    /// Keeps it counted as under way.
    pub(super) _place: Place,
}

impl Callback {
    fn has(&self, fault: Fault) -> bool {
        self.subject.faults.contains(&fault)
    }
}

impl Office {
    /// Sends what is in the lane of a profile, and closes it.
    pub(super) async fn empty(&self, profile: &ProfileSid, mut lane: UnboundedReceiver<Callback>) {
        loop {
            match lane.try_recv() {
                Ok(callback) => self.serve(callback, &mut lane).await,
                Err(_) if self.lanes.close(profile, &lane) => return,
                Err(_) => {}
            }
        }
    }

    /// Sends a callback, but one that is to be late only behind the next one, whatever is to befall that.
    async fn serve(&self, callback: Callback, lane: &mut UnboundedReceiver<Callback>) {
        if callback.has(Fault::Reorder)
            && let Ok(Some(later)) = timeout(self.hold, lane.recv()).await
        {
            self.deliver(&later).await;
        }
        self.deliver(&callback).await;
    }

    async fn deliver(&self, callback: &Callback) {
        // Nobody closes it.
        let _turn = self.turns.acquire().await;
        self.try_until_answered(callback).await;
        if callback.has(Fault::Duplicate) {
            self.try_until_answered(callback).await;
        }
    }

    async fn try_until_answered(&self, callback: &Callback) {
        let deadline = Instant::now() + callback.overrides.total;
        for number in 1..=callback.overrides.retries + 1 {
            let ending = self.follow_redirects(callback, number, deadline).await;
            if !callback.overrides.retry_after(ending) {
                return;
            }
        }
    }

    async fn follow_redirects(&self, callback: &Callback, number: u32, deadline: Instant) -> Ending {
        let Overrides { connect, read, .. } = callback.overrides;
        let limits = Limits { connect, read, deadline };
        let mut request = callback.request.clone();
        let mut redirects = 0;
        loop {
            let (time, began) = (SystemTime::now(), Instant::now());
            let answer = self.client.send(&request, &callback.subject.idempotency_token, limits).await;
            let (ending, next) = judge(answer, &request, redirects);
            self.journal.write(|id| Attempt {
                id,
                time: time.into(),
                callback: callback.subject.clone(),
                verb: request.verb,
                url: request.url,
                number,
                redirects,
                ending,
                milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            });
            let Some(next) = next else { return ending };
            request = next;
            redirects += 1;
        }
    }
}

/// How an attempt ended, and what to send next if it was redirected.
fn judge(answer: Result<Answer, Failure>, request: &Request, redirects: u32) -> (Ending, Option<Request>) {
    match answer {
        Err(failure) => (Ending::Failure(failure), None),
        Ok(Answer { status, location }) => match location.and_then(|location| request.redirected(&location)) {
            Some(_) if redirects == MAX_REDIRECTS => (Ending::Failure(Failure::TooManyRedirects), None),
            next => (Ending::Answer(status), next),
        },
    }
}
