//! Receivers of OTLP over HTTP, which keep what they get: one that the tests implement, and the OpenTelemetry Collector.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use serde_json::{Value, json};

use super::{
    executable::temporary_folder,
    kafka::{free_port, unique_topic},
    oracle::otel_collector,
    wait_for,
};

/// How a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It accepts the spans.
    Accept,
    /// It reads requests and does not answer.
    Hang,
    /// This status; with it, `Retry-After: 0`.
    Status(u16),
    /// It asks for no request for this many seconds.
    Busy(u32),
}

/// An export request.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The path.
    pub path: String,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// A span with what it inherits.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedSpan {
    /// The members of the span in OTLP's JSON, but its attributes.
    pub members: Value,
    /// Its attributes.
    pub attributes: BTreeMap<String, Value>,
    /// The attributes of the process.
    pub resource: BTreeMap<String, Value>,
    /// The version of the semantic conventions.
    pub schema: String,
}

impl ReceivedSpan {
    /// A member that is a text, such as `name`; empty if it is absent.
    pub fn text(&self, member: &str) -> &str {
        self.members[member].as_str().unwrap_or_default()
    }

    /// The number of the kind of the span in OTLP.
    pub fn kind(&self) -> u64 {
        self.members["kind"].as_u64().unwrap()
    }

    /// The value of an attribute as text; `None` if it is absent.
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// The `traceparent` of the span, if it is recorded.
    pub fn trace_parent(&self) -> String {
        let flags = self.members["flags"].as_u64().unwrap() & 0xff;
        format!("00-{}-{}-{flags:02x}", self.text("traceId"), self.text("spanId"))
    }
}

/// A receiver on a port of its own. It runs until the process ends.
pub struct OtlpReceiver {
    address: SocketAddr,
    state: Arc<Mutex<ReceiverState>>,
}

struct ReceiverState {
    reply: Reply,
    requests: Vec<ExportRequest>,
}

impl OtlpReceiver {
    /// Starts a receiver that accepts all spans.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(ReceiverState { reply: Reply::Accept, requests: Vec::new() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(&stream.unwrap(), &state));
            }
        });
        Self { address, state }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables of a program that exports JSON to this receiver at once.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.url()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json".to_owned()),
            ("OTEL_BSP_SCHEDULE_DELAY", "20".to_owned()),
        ]
    }

    /// Changes the answers to later requests.
    pub fn reply_with(&self, reply: Reply) {
        self.state().reply = reply;
    }

    /// All requests so far, whatever the answers.
    pub fn requests(&self) -> Vec<ExportRequest> {
        self.state().requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, ReceiverState> {
        self.state.lock().unwrap()
    }

    /// All spans that were sent in JSON so far.
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        let requests = self.requests().into_iter();
        let json = requests.filter(|request| request.headers["content-type"] == "application/json");
        json.flat_map(|request| spans_of(&serde_json::from_slice(&request.body).unwrap())).collect()
    }

    /// Waits until there are this many spans.
    pub fn wait_for_spans(&self, at_least: usize) -> Vec<ReceivedSpan> {
        wait_for(&format!("{at_least} spans"), || Some(self.spans()).filter(|spans| spans.len() >= at_least))
    }
}

/// An OpenTelemetry Collector as a process, which receives OTLP over HTTP.
pub struct Collector {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Collector {
    /// Starts a collector, and waits until it listens.
    pub fn start() -> Self {
        let folder = temporary_folder().join(unique_topic("collector"));
        fs::create_dir(&folder).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let settings = json!({
            "receivers": { "otlp": { "protocols": { "http": { "endpoint": address.to_string() } } } },
            "exporters": { "file": { "path": folder.join("spans.json"), "flush_interval": "100ms" } },
            "service": {
                "telemetry": { "metrics": { "level": "none" } },
                "pipelines": { "traces": { "receivers": ["otlp"], "exporters": ["file"] } },
            },
        });
        // YAML includes JSON.
        fs::write(folder.join("settings.yaml"), settings.to_string()).unwrap();
        let mut collector = Command::new(otel_collector());
        collector.arg("--config").arg(folder.join("settings.yaml"));
        let log = File::create(folder.join("log")).unwrap();
        let child = collector.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let collector = Self { child, address, folder };
        wait_for(&format!("the collector of {} listens", collector.folder.display()), || {
            TcpStream::connect(address).ok()
        });
        collector
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans that it has written so far.
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        let written = fs::read_to_string(self.folder.join("spans.json")).unwrap_or_default();
        // The last line may not be complete yet.
        let lines = written.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines.flat_map(|line| spans_of(&serde_json::from_str(line).unwrap())).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The log of a collector stays if its test failed.
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The spans of an export request in OTLP's JSON.
pub fn spans_of(request: &Value) -> Vec<ReceivedSpan> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut spans = Vec::new();
    for resource in list(&request["resourceSpans"]) {
        for scope in list(&resource["scopeSpans"]) {
            for mut span in list(&scope["spans"]) {
                let attributes = attributes_of(&span["attributes"]);
                span.as_object_mut().unwrap().remove("attributes");
                spans.push(ReceivedSpan {
                    members: span,
                    attributes,
                    resource: attributes_of(&resource["resource"]["attributes"]),
                    schema: scope["schemaUrl"].as_str().unwrap_or_default().to_owned(),
                });
            }
        }
    }
    spans
}

fn attributes_of(list: &Value) -> BTreeMap<String, Value> {
    let pairs = list.as_array().into_iter().flatten().map(|pair| {
        let value = pair["value"].as_object().unwrap().values().next().unwrap();
        (pair["key"].as_str().unwrap().to_owned(), value.clone())
    });
    pairs.collect()
}

/// Answers the requests of one connection, one after the other.
fn serve(stream: &TcpStream, state: &Mutex<ReceiverState>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let content_type = request.headers["content-type"].clone();
        let mut state = state.lock().unwrap();
        let reply = state.reply;
        state.requests.push(request);
        drop(state);
        let (status, pause, body) = match reply {
            // The client gives up.
            Reply::Hang => continue,
            Reply::Accept => (200, 0, if content_type == "application/json" { "{}" } else { "" }),
            Reply::Status(status) => (status, 0, ""),
            Reply::Busy(seconds) => (429, seconds, ""),
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: {content_type}\r\nRetry-After: {pause}\r\nContent-Length: {length}"
        );
        let mut writer = stream;
        if write!(writer, "{head}\r\n\r\n{body}").is_err() {
            return;
        }
    }
}

/// The next request; `None` if the connection ends.
fn read(reader: &mut BufReader<&TcpStream>) -> Option<ExportRequest> {
    let mut line = String::new();
    let mut next = || {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_owned();
        (!line.is_empty()).then_some(line)
    };
    let path = next()?.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    while let Some(header) = next() {
        let (name, value) = header.split_once(": ")?;
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(ExportRequest { path, headers, body })
}
