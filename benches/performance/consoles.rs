//! Measures what open consoles cost callbacks, and what the service holds for browsers that read nothing.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType, connect_any, socket, sockopt::set_socket_recv_buffer_size};
use test_support::kafka::{Broker, free_port};

use crate::{
    callbacks::Shape,
    compare::{Measured, Settings, interleaved, ratio, spread},
    contender::{Contender, Kind},
    load::Clients,
    process::{peak_mib, resident_mib},
    report::{Cell, Report},
};

/// Callbacks a second.
const RATE: f64 = 1_000.0;
/// The connections that send them.
const CONNECTIONS: usize = 64;
/// Browsers, every other one of which shows Live, and the others Now.
const OPEN: usize = 100;
const PAGES: [&str; 2] = ["/events?page=live", "/events?page=now"];

/// What browsers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Viewers {
    /// There is no console.
    Off,
    /// No browser has the console open.
    None,
    /// They show what they get.
    Reading,
    /// They ask for events, and read none.
    Silent,
}

const CASES: [(&str, Viewers); 4] = [
    ("without a console", Viewers::Off),
    ("with a console that is not open", Viewers::None),
    ("with 100 browsers", Viewers::Reading),
    ("with 100 browsers that read nothing", Viewers::Silent),
];

/// A service, and the address of its console.
struct Case {
    service: Contender,
    console: SocketAddr,
    viewers: Viewers,
}

pub(crate) fn run() {
    let settings = Settings::read();
    let kafka = Broker::start("bench", &[]);
    let mut report = Report::new("consoles");
    let cases = CASES.map(|(name, viewers)| Case::start(name, viewers, &kafka));
    let received = AtomicU64::new(0);
    let rounds = interleaved(settings.rounds, &cases, |case| case.measure(settings.time, &received));
    let rows = cases.iter().zip(&rounds).map(|(case, measured)| {
        [
            Cell::text(&case.service.name),
            Cell::Spread(spread(measured, |round| round.cpu_micros), 1),
            Cell::Spread(ratio(measured, &rounds[0], |round| round.cpu_micros), 2),
            Cell::Spread(spread(measured, |round| round.p50), 2),
            Cell::Spread(spread(measured, |round| round.p99), 2),
            Cell::Spread(ratio(measured, &rounds[0], |round| round.p99), 2),
            Cell::Number(resident_mib(case.service.process()), 1),
            Cell::Number(peak_mib(case.service.process()), 1),
        ]
    });
    let columns = [
        "Service",
        "CPU µs per callback",
        "of that without",
        "p50 ms",
        "p99 ms",
        "p99 of that without",
        "Memory MiB",
        "Peak MiB",
    ];
    let seconds = settings.time.as_secs_f64() * settings.rounds as f64;
    let rate = received.into_inner() as f64 / seconds / f64::from(1 << 20);
    let title = format!(
        "{RATE} callbacks a second on {CONNECTIONS} connections; {OPEN} reading browsers receive {rate:.1} MiB a second"
    );
    report.table(&title, columns, rows.collect());
    report.finish();
}

impl Case {
    fn start(name: &str, viewers: Viewers, kafka: &Broker) -> Self {
        let console = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let bind = if viewers == Viewers::Off { String::new() } else { console.to_string() };
        let service = Contender::start_with(name, Kind::StatefulBridge, kafka, &[("CONSOLE_BIND", &bind)]);
        Self { service, console, viewers }
    }

    /// Sends callbacks while browsers have the console open. Adds the bytes that they get to `received`.
    fn measure(&self, time: Duration, received: &AtomicU64) -> Measured {
        let callbacks = Shape::USUAL.prepare((RATE * time.as_secs_f64()) as u64);
        let clients = Clients::connect(self.service.address, CONNECTIONS);
        let browsers = match self.viewers {
            Viewers::Off | Viewers::None => Vec::new(),
            Viewers::Reading => (0..OPEN).map(|number| Browser::open(self.console, number, true)).collect(),
            Viewers::Silent => (0..OPEN).map(|number| Browser::open(self.console, number, false)).collect(),
        };
        let measured = Measured::of(self.service.at_work(|| clients.paced(callbacks, RATE)));
        let bytes: u64 = browsers.into_iter().map(Browser::close).sum();
        received.fetch_add(bytes, Ordering::Relaxed);
        measured
    }
}

/// An open event stream.
struct Browser {
    stream: TcpStream,
    received: Arc<AtomicU64>,
    reader: Option<JoinHandle<()>>,
}

impl Browser {
    /// Opens the stream of a page. One that reads nothing has a small receive buffer, too.
    fn open(console: SocketAddr, number: usize, reads: bool) -> Self {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        if !reads {
            set_socket_recv_buffer_size(&socket, 4_096).unwrap();
        }
        connect_any(&socket, &console.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        write!(stream, "GET {} HTTP/1.1\r\nHost: {console}\r\n\r\n", PAGES[number % PAGES.len()]).unwrap();
        let received = Arc::new(AtomicU64::new(0));
        let reader = reads.then(|| {
            let (mut stream, received) = (stream.try_clone().unwrap(), Arc::clone(&received));
            thread::spawn(move || {
                let mut bytes = [0; 64 * 1024];
                while let Ok(read) = stream.read(&mut bytes)
                    && read > 0
                {
                    received.fetch_add(read as u64, Ordering::Relaxed);
                }
            })
        });
        Self { stream, received, reader }
    }

    /// Closes the stream. Returns the number of bytes that it has received.
    fn close(self) -> u64 {
        // The service may have closed it already.
        let _ = self.stream.shutdown(Shutdown::Both);
        let received = || self.received.load(Ordering::Relaxed);
        let Some(reader) = self.reader else { return 0 };
        reader.join().unwrap();
        assert!(received() > 0, "a browser got no event");
        received()
    }
}
