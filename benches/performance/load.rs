//! Sends prepared callbacks and measures the time of each answer. Every answer must be 204, because a measurement with
//! failures is meaningless.
//!
//! *Full* load: each connection sends its next callback as soon as it has an answer. *Paced* load: callbacks are due at a
//! constant rate, independent of earlier ones, and the time of each counts from when it was due.

use std::{
    cell::{Cell, RefCell},
    io::ErrorKind,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::{JoinSet, LocalSet},
};

use crate::callbacks::{Callbacks, Shape};

/// The answers to a load.
pub(crate) struct Answers {
    /// The answer times in ascending order.
    times: Vec<Duration>,
    /// The time from the first callback to the last answer.
    elapsed: Duration,
}

impl Answers {
    fn of(mut times: Vec<Duration>, elapsed: Duration) -> Self {
        times.sort_unstable();
        Self { times, elapsed }
    }

    pub(crate) fn count(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The time that this share of the answers did not exceed, in milliseconds.
    pub(crate) fn milliseconds(&self, share: f64) -> f64 {
        let last = self.times.len() - 1;
        self.times[((last as f64 * share) as usize).min(last)].as_secs_f64() * 1000.0
    }
}

/// Clients, each with a connection that has already received an answer: servers close a connection that sends nothing, and
/// the measurement excludes connecting.
pub(crate) struct Clients {
    runtime: Runtime,
    streams: Vec<Arc<TcpStream>>,
}

impl Clients {
    pub(crate) fn connect(address: SocketAddr, connections: usize) -> Self {
        const AT_ONCE: usize = 64;
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let first_callbacks = Shape::USUAL.prepare(connections as u64);
        let streams =
            stream::iter(0..connections).map(|number| connect_and_call(address, first_callbacks.get(number).unwrap()));
        let streams = runtime.block_on(streams.buffer_unordered(AT_ONCE).collect());
        Self { runtime, streams }
    }

    /// Sends full load until the time is over or all callbacks are sent.
    pub(crate) fn full(&self, callbacks: Callbacks, limit: Duration) -> Answers {
        let end = Instant::now() + limit;
        let shared = Rc::new(Full { callbacks, next: Cell::new(0), times: RefCell::default(), end });
        let began = Instant::now();
        LocalSet::new().block_on(&self.runtime, async {
            let mut callers = JoinSet::new();
            for stream in &self.streams {
                callers.spawn_local(Rc::clone(&shared).call(Arc::clone(stream)));
            }
            callers.join_all().await;
        });
        Answers::of(shared.times.take(), began.elapsed())
    }

    /// Sends all callbacks at this rate.
    pub(crate) fn paced(&self, callbacks: Callbacks, per_second: f64) -> Answers {
        let (free, next_free) = std::sync::mpsc::channel();
        let (due, dues): (Vec<_>, Vec<_>) = self.streams.iter().map(|_| mpsc::unbounded_channel()).unzip();
        (0..self.streams.len()).for_each(|stream| free.send(stream).unwrap());
        let count = callbacks.len();
        let streams = self.streams.clone();
        let began = Instant::now();
        let sender = thread::spawn(move || send_at_pace(&streams, &next_free, &due, &callbacks, per_second));
        let times = self.runtime.block_on(async {
            let mut readers = JoinSet::new();
            for (number, (stream, dues)) in self.streams.iter().zip(dues).enumerate() {
                readers.spawn(read_answers(Arc::clone(stream), dues, number, free.clone()));
            }
            readers.join_all().await.concat()
        });
        sender.join().unwrap();
        assert_eq!(times.len(), count);
        Answers::of(times, began.elapsed())
    }
}

async fn connect_and_call(address: SocketAddr, request: &[u8]) -> Arc<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    write(&stream, request).await;
    read_answer(&stream).await;
    Arc::new(stream)
}

struct Full {
    callbacks: Callbacks,
    next: Cell<usize>,
    times: RefCell<Vec<Duration>>,
    end: Instant,
}

impl Full {
    async fn call(self: Rc<Self>, stream: Arc<TcpStream>) {
        while let Some(request) = self.callbacks.get(self.next.replace(self.next.get() + 1)) {
            let sent = Instant::now();
            if sent >= self.end {
                return;
            }
            write(&stream, request).await;
            read_answer(&stream).await;
            self.times.borrow_mut().push(sent.elapsed());
        }
    }
}

fn send_at_pace(
    streams: &[Arc<TcpStream>],
    free: &Receiver<usize>,
    due: &[UnboundedSender<Instant>],
    callbacks: &Callbacks,
    per_second: f64,
) {
    let began = Instant::now();
    for number in 0..callbacks.len() {
        let moment = began + Duration::from_secs_f64(number as f64 / per_second);
        thread::sleep(moment.saturating_duration_since(Instant::now()));
        // If all connections are busy, the callback waits for one, and its time counts.
        let stream = free.recv().unwrap();
        due[stream].send(moment).unwrap();
        write_now(&streams[stream], callbacks.get(number).unwrap());
    }
}

async fn read_answers(
    stream: Arc<TcpStream>,
    mut dues: UnboundedReceiver<Instant>,
    number: usize,
    free: Sender<usize>,
) -> Vec<Duration> {
    let mut times = Vec::new();
    while let Some(due) = dues.recv().await {
        read_answer(&stream).await;
        times.push(due.elapsed());
        // The receiver is gone after the last callback.
        let _ = free.send(number);
    }
    times
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => stream.writable().await.unwrap(),
            Err(error) => panic!("the connection broke: {error}"),
        }
    }
}

/// Writes from a thread that may block. A usual callback fits into the send buffer of an idle connection.
fn write_now(stream: &TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => panic!("the connection broke: {error}"),
        }
    }
}

/// Reads up to the end of the head: a 204 has no body.
async fn read_answer(stream: &TcpStream) {
    const STATUS: &[u8] = b"HTTP/1.1 204";
    let mut answer = [0; 1024];
    let mut length = 0;
    while !answer[..length].ends_with(b"\r\n\r\n") {
        stream.readable().await.unwrap();
        match stream.try_read(&mut answer[length..]) {
            Ok(0) => panic!("the connection was closed"),
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("the connection broke: {error}"),
        }
        let status = &answer[..length.min(STATUS.len())];
        assert!(STATUS.starts_with(status), "{}", String::from_utf8_lossy(&answer[..length]));
    }
}
