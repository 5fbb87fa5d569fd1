//! Measures what traces cost callbacks: with a receiver that accepts spans, and with one that hangs.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use test_support::kafka::Broker;

use crate::{
    callbacks::Shape,
    compare::{Measured, Settings, interleaved, ratio, spread},
    contender::{Contender, Kind},
    load::Clients,
    process::peak_mib,
    report::{Cell, Report},
    setting,
};

/// The connections that send callbacks.
const CONNECTIONS: usize = 64;

/// What becomes of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Export {
    Off,
    Accepted,
    Hanging,
}

const CASES: [(&str, Export); 3] = [
    ("without traces", Export::Off),
    ("with a receiver", Export::Accepted),
    ("with a receiver that hangs", Export::Hanging),
];

pub(crate) fn run() {
    let settings = Settings::read();
    let rate = setting("BENCH_TRACES_RATE", 10_000.0);
    let kafka = Broker::start("bench", &[]);
    let mut report = Report::new("traces");
    let cases = CASES.map(|(name, export)| start(name, export, &kafka));
    let rounds = interleaved(settings.rounds, &cases, |service| {
        let callbacks = Shape::USUAL.prepare((rate * settings.time.as_secs_f64()) as u64);
        let clients = Clients::connect(service.address, CONNECTIONS);
        Measured::of(service.at_work(|| clients.paced(callbacks, rate)))
    });
    let rows = cases.iter().zip(&rounds).map(|(service, measured)| {
        [
            Cell::text(&service.name),
            Cell::Spread(spread(measured, |round| round.cpu_micros), 1),
            Cell::Spread(ratio(measured, &rounds[0], |round| round.cpu_micros), 2),
            Cell::Spread(spread(measured, |round| round.p50), 2),
            Cell::Spread(spread(measured, |round| round.p99), 2),
            Cell::Spread(ratio(measured, &rounds[0], |round| round.p99), 2),
            Cell::Number(peak_mib(service.process()), 1),
        ]
    });
    let columns =
        ["Service", "CPU µs per callback", "of that without", "p50 ms", "p99 ms", "p99 of that without", "Peak MiB"];
    report.table(&format!("{rate} callbacks a second on {CONNECTIONS} connections"), columns, rows.collect());
    report.finish();
}

fn start(name: &str, export: Export, kafka: &Broker) -> Contender {
    let endpoint = match export {
        Export::Off => String::new(),
        Export::Accepted | Export::Hanging => format!("http://{}", receiver(export)),
    };
    Contender::start_with(name, Kind::Bridge, kafka, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)])
}

/// A receiver that reads everything, and answers or not.
fn receiver(export: Export) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || serve(stream.unwrap(), export));
        }
    });
    address
}

fn serve(mut stream: TcpStream, export: Export) {
    let mut bytes = Vec::new();
    while let Some(length) = request_length(&bytes) {
        let mut chunk = [0; 64 * 1024];
        if bytes.len() >= length {
            bytes.drain(..length);
            // The client may have closed the connection.
            if export == Export::Accepted && stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err()
            {
                return;
            }
            continue;
        }
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    }
}

/// The length of the first request; more than there is while its head is incomplete.
fn request_length(bytes: &[u8]) -> Option<usize> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(head) = bytes.windows(END.len()).position(|window| window == END) else { return Some(usize::MAX) };
    let text = std::str::from_utf8(&bytes[..head]).ok()?.to_ascii_lowercase();
    let body: usize = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
    Some(head + END.len() + body)
}
