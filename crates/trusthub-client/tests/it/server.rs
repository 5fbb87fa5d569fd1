//! A server that answers as a test wants and records the requests.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::Value;

use super::TIMEOUT;

/// A request as received.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method, path and query.
    pub(crate) line: String,
    /// Names are in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// The response to a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Status, header lines and body.
    Answer(u16, String, Vec<u8>),
    /// Announces more bytes than it sends, and then sends nothing more.
    Half(u16),
    /// The connection stays open without a response.
    Silence,
    /// The connection is closed without a response.
    Cut,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Answer(status, "Content-Type: application/json\r\n".to_owned(), body.to_string().into_bytes())
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::Answer(status, String::new(), body.as_bytes().to_owned())
    }

    pub(crate) fn empty(status: u16, headers: &str) -> Self {
        Self::Answer(status, headers.to_owned(), Vec::new())
    }
}

/// Listens until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// Answers each request on a separate thread, so a response may block.
    pub(crate) fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stopped) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let server = Self { address, asked: Arc::clone(&asked), stopped: Arc::clone(&stopped) };
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &asked, &*answer));
            }
        });
        server
    }

    /// Answers with these replies in order, and then with 418.
    pub(crate) fn with_replies(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        Self::start(move |_| replies.lock().unwrap().pop_front().unwrap_or(Reply::empty(418, "")))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers one request and closes the connection. The client may disconnect at any time.
fn serve(stream: TcpStream, asked: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Reply) {
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream) else { return };
    asked.lock().unwrap().push(request.clone());
    let (head, body) = match answer(&request) {
        Reply::Answer(status, headers, body) => {
            (format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n", body.len()), body)
        }
        Reply::Half(status) => (format!("HTTP/1.1 {status} X\r\nContent-Length: 100\r\n"), b"[".to_vec()),
        Reply::Silence => (String::new(), Vec::new()),
        Reply::Cut => return,
    };
    if !head.is_empty() {
        let _ = stream.get_mut().write_all(format!("{head}Connection: close\r\n\r\n").as_bytes());
        let _ = stream.get_mut().write_all(&body);
    }
    // A complete response ends the exchange; otherwise the client waits until it gives up and closes.
    if head.is_empty() || body == b"[" {
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let line = line.trim_end().strip_suffix(" HTTP/1.1")?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let mut asked = Asked { line, headers, body: String::new() };
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).ok()?;
    Some(asked)
}
