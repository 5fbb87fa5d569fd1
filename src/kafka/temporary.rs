//! Short-lived clients of librdkafka that never block the thread that drops them.
//!
//! Dropping a client waits for its threads, and a thread that connects can be in a name lookup until the name server
//! answers. So a [`TemporaryClient`] is closed on a thread of its own. While [`MAX_CLOSING`] clients are being closed, no
//! further client is created: the request to Kafka fails and is retried later, so threads do not accumulate.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create a client (reads key and certificate files) | the caller's, which may block | none | none |
//! | close a client | `kafka-close`, one per client, at most [`MAX_CLOSING`] | none | none; [`TemporaryClient::close`] waits at most for its `limit` |

use std::{
    mem::ManuallyDrop,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use rdkafka::error::KafkaError;
use tokio::time::timeout;

use crate::{
    blocking::{self, BlockingError},
    telemetry::{Operation, Operations},
};

/// How many clients of the process may be closing at the same time.
const MAX_CLOSING: usize = 8;

/// The clients of this process that are being closed.
static CLOSING: ClosingClients = ClosingClients::new(MAX_CLOSING);

/// Counts the clients that are being closed, and limits their number.
struct ClosingClients {
    count: AtomicUsize,
    max: usize,
}

impl ClosingClients {
    const fn new(max: usize) -> Self {
        Self { count: AtomicUsize::new(0), max }
    }

    fn add(&'static self) -> ClosingSlot {
        self.count.fetch_add(1, Relaxed);
        ClosingSlot(self)
    }

    /// Fails while too many clients are being closed.
    fn check_capacity(&self) -> Result<(), KafkaError> {
        if self.count.load(Relaxed) < self.max {
            return Ok(());
        }
        let reason = "too many earlier clients are still closing, because a name server or a broker does not answer";
        Err(KafkaError::ClientCreation(reason.to_owned()))
    }
}

/// Counts one client as closing until it is dropped.
struct ClosingSlot(&'static ClosingClients);

impl Drop for ClosingSlot {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Relaxed);
    }
}

/// A client that is closed on another thread when it is dropped.
pub(super) struct TemporaryClient<T: Send + Sync + 'static> {
    /// Dropped before `closer`, which therefore holds the last reference.
    client: Arc<T>,
    closer: ClientCloser<T>,
}

impl<T: Send + Sync + 'static> TemporaryClient<T> {
    /// Creates a client. `operations` counts a slow close. Blocks while `create` reads files.
    ///
    /// # Errors
    /// The error of `create`, or an error when too many earlier clients are still closing.
    pub(super) fn create(
        operations: Option<&Arc<Operations>>,
        create: impl FnOnce() -> Result<T, KafkaError>,
    ) -> Result<Self, KafkaError> {
        Self::create_limited(&CLOSING, operations, create)
    }

    fn create_limited(
        closing: &'static ClosingClients,
        operations: Option<&Arc<Operations>>,
        create: impl FnOnce() -> Result<T, KafkaError>,
    ) -> Result<Self, KafkaError> {
        closing.check_capacity()?;
        let client = Arc::new(create()?);
        let closer = ClientCloser { client: Some(Arc::clone(&client)), closing, operations: operations.cloned() };
        Ok(Self { client, closer })
    }

    /// Closes the client, and waits for at most `limit`. A close that takes longer continues in the background.
    pub(super) async fn close(self, limit: Duration) {
        let Self { client, mut closer } = self;
        drop(client);
        if let Some(closed) = closer.start_close() {
            let _ = timeout(limit, closed).await;
        }
    }
}

impl<T: Send + Sync + 'static> Deref for TemporaryClient<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.client
    }
}

/// Holds the last reference to a client, and closes the client.
struct ClientCloser<T: Send + Sync + 'static> {
    /// `None` once the close has started.
    client: Option<Arc<T>>,
    closing: &'static ClosingClients,
    operations: Option<Arc<Operations>>,
}

impl<T: Send + Sync + 'static> ClientCloser<T> {
    /// Starts the thread that closes the client. If no thread can be started, the client is leaked, because closing it
    /// here would block.
    fn start_close(&mut self) -> Option<impl Future<Output = Result<(), BlockingError>> + use<T>> {
        let client = ManuallyDrop::new(self.client.take()?);
        let (closing, operation) = (self.closing, self.operations.as_ref().map(|all| all.begin(Operation::KafkaClose)));
        let slot = closing.add();
        Some(blocking::run("kafka-close", move || {
            drop(ManuallyDrop::into_inner(client));
            drop((slot, operation));
        }))
    }
}

impl<T: Send + Sync + 'static> Drop for ClientCloser<T> {
    fn drop(&mut self) {
        drop(self.start_close());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, mpsc},
        time::Instant,
    };

    use super::*;

    /// A client whose close hangs until the test releases it, as in a name lookup.
    struct HangingClient(Mutex<mpsc::Receiver<()>>);

    impl Drop for HangingClient {
        fn drop(&mut self) {
            let _ = self.0.lock().unwrap().recv();
        }
    }

    fn hanging(closing: &'static ClosingClients) -> (TemporaryClient<HangingClient>, mpsc::Sender<()>) {
        let (release, held) = mpsc::channel();
        (TemporaryClient::create_limited(closing, None, || Ok(HangingClient(Mutex::new(held)))).unwrap(), release)
    }

    fn wait_until_closed(closing: &ClosingClients) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while closing.count.load(Relaxed) > 0 {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
    }

    #[test]
    fn drop_does_not_wait_for_a_client_that_hangs() {
        static CLOSING: ClosingClients = ClosingClients::new(1);
        let (client, release) = hanging(&CLOSING);
        drop(client);
        assert_eq!(CLOSING.count.load(Relaxed), 1, "the client is still closing");
        drop(release);
        wait_until_closed(&CLOSING);
    }

    #[tokio::test]
    async fn close_waits_for_the_client_up_to_the_limit() {
        static CLOSING: ClosingClients = ClosingClients::new(2);
        let (client, release) = hanging(&CLOSING);
        let began = Instant::now();
        client.close(Duration::from_millis(10)).await;
        assert!(began.elapsed() < Duration::from_secs(20));
        assert_eq!(CLOSING.count.load(Relaxed), 1);
        drop(release);
        let (client, release) = hanging(&CLOSING);
        drop(release);
        client.close(Duration::from_secs(30)).await;
        wait_until_closed(&CLOSING);
    }

    #[test]
    fn hanging_clients_do_not_accumulate() {
        static CLOSING: ClosingClients = ClosingClients::new(2);
        let releases = [hanging(&CLOSING), hanging(&CLOSING)].map(|(client, release)| {
            drop(client);
            release
        });
        let rejected = TemporaryClient::create_limited(&CLOSING, None, || -> Result<(), KafkaError> {
            panic!("the client was created")
        });
        assert!(matches!(rejected.err(), Some(KafkaError::ClientCreation(_))));
        drop(releases);
        wait_until_closed(&CLOSING);
        assert!(TemporaryClient::create_limited(&CLOSING, None, || Ok(())).is_ok());
    }
}
