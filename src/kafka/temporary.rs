//! Clients of librdkafka that live for one question or one run, and that never hold up the thread that drops them.
//!
//! Dropping a client waits for its threads, and one that connects sits in a name look-up for as long as the name server
//! likes. So a [`Temporary`] client is closed on a thread of its own. When [`MOST_CLOSING`] are being closed already, no
//! other client is made: what asks Kafka fails and asks again later, and threads do not pile up.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create a client (reads key and certificate files) | that of the caller, which may block | none | none |
//! | close a client | `kafka-close`, one for each client, at most [`MOST_CLOSING`] | none | none; [`Temporary::close`] waits as long as its caller says |

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

/// Clients of one process that may be closing at a time.
const MOST_CLOSING: usize = 8;

/// Clients of this process that are being closed.
static CLOSING: Closing = Closing::new(MOST_CLOSING);

/// Clients that are being closed, out of so many.
struct Closing {
    count: AtomicUsize,
    most: usize,
}

impl Closing {
    const fn new(most: usize) -> Self {
        Self { count: AtomicUsize::new(0), most }
    }

    fn enter(&'static self) -> Place {
        self.count.fetch_add(1, Relaxed);
        Place(self)
    }

    /// A client may be made.
    fn admit(&self) -> Result<(), KafkaError> {
        if self.count.load(Relaxed) < self.most {
            return Ok(());
        }
        let reason = "earlier clients are still being closed, because a name server or a broker does not answer";
        Err(KafkaError::ClientCreation(reason.to_owned()))
    }
}

/// One client that is being closed.
struct Place(&'static Closing);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Relaxed);
    }
}

/// A client that is closed on another thread when this is dropped.
pub(super) struct Temporary<T: Send + Sync + 'static> {
    /// Dropped before `closer`, which therefore has the last reference.
    client: Arc<T>,
    closer: Closer<T>,
}

impl<T: Send + Sync + 'static> Temporary<T> {
    /// Makes a client; `operations` count a close that is slow. Blocks while it reads files.
    ///
    /// # Errors
    /// What `create` says, or that too many earlier clients are not closed yet.
    pub(super) fn create(
        operations: Option<&Arc<Operations>>,
        create: impl FnOnce() -> Result<T, KafkaError>,
    ) -> Result<Self, KafkaError> {
        Self::create_among(&CLOSING, operations, create)
    }

    fn create_among(
        closing: &'static Closing,
        operations: Option<&Arc<Operations>>,
        create: impl FnOnce() -> Result<T, KafkaError>,
    ) -> Result<Self, KafkaError> {
        closing.admit()?;
        let client = Arc::new(create()?);
        let closer = Closer { client: Some(Arc::clone(&client)), closing, operations: operations.cloned() };
        Ok(Self { client, closer })
    }

    /// Closes the client and waits for that, at most `patience`. A close that takes longer comes to its end unwatched.
    pub(super) async fn close(self, patience: Duration) {
        let Self { client, mut closer } = self;
        drop(client);
        if let Some(closed) = closer.begin() {
            let _ = timeout(patience, closed).await;
        }
    }
}

impl<T: Send + Sync + 'static> Deref for Temporary<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.client
    }
}

/// The last reference to a client.
struct Closer<T: Send + Sync + 'static> {
    /// `None` once the close has begun.
    client: Option<Arc<T>>,
    closing: &'static Closing,
    operations: Option<Arc<Operations>>,
}

impl<T: Send + Sync + 'static> Closer<T> {
    /// Starts the thread that closes the client. Without a thread the client is leaked: it must not be closed here.
    fn begin(&mut self) -> Option<impl Future<Output = Result<(), BlockingError>> + use<T>> {
        let client = ManuallyDrop::new(self.client.take()?);
        let (closing, operation) = (self.closing, self.operations.as_ref().map(|all| all.begin(Operation::KafkaClose)));
        let place = closing.enter();
        Some(blocking::run("kafka-close", move || {
            drop(ManuallyDrop::into_inner(client));
            drop((place, operation));
        }))
    }
}

impl<T: Send + Sync + 'static> Drop for Closer<T> {
    fn drop(&mut self) {
        drop(self.begin());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, mpsc},
        time::Instant,
    };

    use super::*;

    /// A client whose threads sit in a name look-up until the test lets them go on.
    struct Hanging(Mutex<mpsc::Receiver<()>>);

    impl Drop for Hanging {
        fn drop(&mut self) {
            let _ = self.0.lock().unwrap().recv();
        }
    }

    fn hanging(closing: &'static Closing) -> (Temporary<Hanging>, mpsc::Sender<()>) {
        let (release, held) = mpsc::channel();
        (Temporary::create_among(closing, None, || Ok(Hanging(Mutex::new(held)))).unwrap(), release)
    }

    fn wait_until_closed(closing: &Closing) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while closing.count.load(Relaxed) > 0 {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
    }

    #[test]
    fn drop_does_not_wait_for_a_client_that_hangs() {
        static CLOSING: Closing = Closing::new(1);
        let (client, release) = hanging(&CLOSING);
        drop(client);
        assert_eq!(CLOSING.count.load(Relaxed), 1, "it is being closed");
        drop(release);
        wait_until_closed(&CLOSING);
    }

    #[tokio::test]
    async fn close_waits_for_the_client_and_not_longer_than_it_may() {
        static CLOSING: Closing = Closing::new(2);
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
    fn clients_that_hang_do_not_pile_up() {
        static CLOSING: Closing = Closing::new(2);
        let releases = [hanging(&CLOSING), hanging(&CLOSING)].map(|(client, release)| {
            drop(client);
            release
        });
        let refused = Temporary::create_among(&CLOSING, None, || -> Result<(), KafkaError> { panic!("it is made") });
        assert!(matches!(refused.err(), Some(KafkaError::ClientCreation(_))));
        drop(releases);
        wait_until_closed(&CLOSING);
        assert!(Temporary::create_among(&CLOSING, None, || Ok(())).is_ok());
    }
}
