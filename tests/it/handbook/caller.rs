//! A client that sends callbacks all the time while an operator works.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use test_support::{ACCOUNT, PROFILE, PUBLIC_URL, Request, wait_for};

/// The pause between two callbacks.
const PACE: Duration = Duration::from_millis(5);

/// Enough callbacks to have reached every thread of the program.
const SOME: usize = 20;

/// A single client, so that its callbacks are answered in order.
pub(super) struct Caller {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    stop: AtomicBool,
    token: Mutex<String>,
    /// The idempotency tokens and the status codes of the answers.
    answers: Mutex<Vec<(String, u16)>>,
}

impl Caller {
    pub(super) fn to(public: SocketAddr, token: &str) -> Self {
        let shared =
            Shared { stop: AtomicBool::new(false), token: Mutex::new(token.to_owned()), answers: Mutex::default() };
        let shared = Arc::new(shared);
        let own = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for number in 0.. {
                if own.stop.load(Ordering::Relaxed) {
                    break;
                }
                let id = format!("callback-{number}");
                let token = own.token.lock().unwrap().clone();
                let answer = change(&token).with("I-Twilio-Idempotency-Token", &id).send(public).status;
                own.answers.lock().unwrap().push((id, answer));
                thread::sleep(PACE);
            }
        });
        Self { shared, thread }
    }

    /// Signs all further callbacks with this token.
    pub(super) fn sign_with(&self, token: &str) {
        token.clone_into(&mut self.shared.token.lock().unwrap());
    }

    /// Waits until some more callbacks were answered.
    pub(super) fn wait_for_more_answers(&self) {
        let answered = || self.shared.answers.lock().unwrap().len();
        let so_far = answered();
        wait_for("more answers", || (self.thread.is_finished() || answered() > so_far + SOME).then_some(()));
    }

    /// Stops, and returns the idempotency tokens of all callbacks. Panics unless every one was answered 204.
    pub(super) fn end(self) -> BTreeSet<String> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        let answers = std::mem::take(&mut *self.shared.answers.lock().unwrap());
        let rejected: Vec<_> = answers.iter().filter(|(_, status)| *status != 204).collect();
        assert!(rejected.is_empty(), "{} of {}: {rejected:?}", rejected.len(), answers.len());
        answers.into_iter().map(|(id, _)| id).collect()
    }
}

/// A callback about a status change, signed with this token.
pub(super) fn change(token: &str) -> Request {
    let body = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=in-review");
    Request::form("/callbacks/customer-profiles", &body).signed_with(token, PUBLIC_URL)
}
