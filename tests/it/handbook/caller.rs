//! A client that sends callbacks all the time while an operator works.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use twilio_signature::SharedKey;

use test_support::{ACCOUNT, PROFILE, PUBLIC_URL, Request, wait_for};

/// The pause between two callbacks.
const PACE: Duration = Duration::from_millis(5);

/// Enough callbacks to have reached every thread of the program.
const SOME: usize = 20;

/// The number of callers so far. Each has idempotency tokens of its own.
static CALLERS: AtomicUsize = AtomicUsize::new(0);

/// A key that signs callbacks.
#[derive(Debug, Clone)]
pub(super) enum CallbackKey {
    AuthToken(&'static str),
    SharedKey(Box<SharedKey>),
}

impl CallbackKey {
    /// A callback about a status change that this key signs.
    pub(super) fn change(&self) -> Request {
        let body = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=in-review");
        let request = Request::form("/callbacks/customer-profiles", &body);
        match self {
            Self::AuthToken(token) => request.signed_with(token, PUBLIC_URL),
            Self::SharedKey(key) => request.signed_with_shared_key(key, key.default_algorithm()),
        }
    }
}

/// A single client, so that its callbacks are answered in order.
pub(super) struct Caller {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    stop: AtomicBool,
    /// The keys that sign in turn.
    keys: Mutex<Vec<CallbackKey>>,
    /// The idempotency tokens and the status codes of the answers.
    answers: Mutex<Vec<(String, u16)>>,
}

impl Shared {
    fn sign_with(&self, keys: &[&CallbackKey]) {
        *self.keys.lock().unwrap() = keys.iter().map(|key| (*key).clone()).collect();
    }
}

impl Caller {
    pub(super) fn to(public: SocketAddr, keys: &[&CallbackKey]) -> Self {
        let shared = Shared { stop: AtomicBool::new(false), keys: Mutex::default(), answers: Mutex::default() };
        shared.sign_with(keys);
        let shared = Arc::new(shared);
        let own = Arc::clone(&shared);
        let caller = CALLERS.fetch_add(1, Ordering::Relaxed);
        let thread = thread::spawn(move || {
            for number in 0_usize.. {
                if own.stop.load(Ordering::Relaxed) {
                    break;
                }
                let id = format!("callback-{caller}-{number}");
                let keys = own.keys.lock().unwrap().clone();
                let answer =
                    keys[number % keys.len()].change().with("I-Twilio-Idempotency-Token", &id).send(public).status;
                own.answers.lock().unwrap().push((id, answer));
                thread::sleep(PACE);
            }
        });
        Self { shared, thread }
    }

    /// Signs all further callbacks with these keys in turn.
    pub(super) fn sign_with(&self, keys: &[&CallbackKey]) {
        self.shared.sign_with(keys);
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
