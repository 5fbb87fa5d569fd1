//! A receiver of callbacks over plain sockets that answers as a test wants.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use twilio_signature::{
    Encoding, Headers, Keyring, PublicUrl, SIGNATURE_HEADER, SignatureMatch, Verifier, VerifyError, WebhookRequest,
};

use super::{NEWER, OLDER, account};

const ROUTE: &str = "/callbacks/customer-profiles";

/// A request as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) verb: String,
    pub(super) target: String,
    /// In their original spelling.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Received {
    /// Reads one request; `None` when the connection closes first.
    fn read(stream: &mut BufReader<&TcpStream>) -> Option<Self> {
        let mut line = String::new();
        let mut next = |stream: &mut BufReader<&TcpStream>| {
            line.clear();
            stream.read_line(&mut line).ok()?;
            line.strip_suffix("\r\n").map(str::to_owned)
        };
        let start = next(stream)?;
        let [verb, target, "HTTP/1.1"] = start.split(' ').collect::<Vec<_>>()[..] else { return None };
        let mut headers = Vec::new();
        while let Some((name, value)) = next(stream)?.split_once(": ") {
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut request = Self { verb: verb.to_owned(), target: target.to_owned(), headers, body: String::new() };
        let length = request.header("Content-Length").map_or(0, |length| length.parse().unwrap());
        stream.take(length).read_to_string(&mut request.body).ok()?;
        Some(request)
    }

    /// The header with exactly this spelling.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn status(&self) -> &str {
        let fields = if self.body.is_empty() { &self.target } else { &self.body };
        fields.split(['?', '&']).find_map(|field| field.strip_prefix("Status=")).unwrap()
    }

    /// The result of the service's verifier, with these tokens.
    fn verify(&self, base: &str, tokens: &[&str]) -> Result<SignatureMatch, VerifyError> {
        let tokens: Vec<_> = tokens.iter().map(|token| (*token).into()).collect();
        self.verify_with(base, Keyring::new(Some(account().as_str()), &tokens).unwrap())
    }

    /// The result of the service's verifier, with these keys.
    pub(super) fn verify_with(&self, base: &str, keyring: Keyring) -> Result<SignatureMatch, VerifyError> {
        let (path, query) = self.target.split_once('?').map_or((self.target.as_str(), None), |(p, q)| (p, Some(q)));
        assert_eq!(path, ROUTE);
        let headers: Headers = self.headers.iter().cloned().collect();
        assert_eq!(headers.values(SIGNATURE_HEADER).count(), 1);
        let request = WebhookRequest {
            path,
            route: ROUTE,
            query,
            encoding: if self.verb == "GET" { Encoding::Query } else { Encoding::Form },
            headers: &headers,
            body: self.body.as_bytes(),
        };
        let verifier = Verifier::new(vec![PublicUrl::parse(base).unwrap()], keyring);
        verifier.verify(&request).map(|verified| verified.matched())
    }
}

/// The response to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Status(u16),
    Redirect(u16, String),
    /// No response until the caller gives up.
    Silence,
    /// The connection is closed.
    HangUp,
}

pub(super) struct Receiver {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Answers by the number of the connection, counted from 0: an impatient caller may have disconnected before its
    /// request is read.
    pub(super) fn start(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let kept = Arc::clone(&received);
        let address = serve(move |number, stream| {
            if let Some(request) = Received::read(&mut BufReader::new(stream)) {
                kept.lock().unwrap().push(request);
                answer(stream, reply(number));
            }
        });
        Self { address, received }
    }

    pub(super) fn answering(status: u16) -> Self {
        Self::start(move |_| Reply::Status(status))
    }

    pub(super) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its callback URL, with `rest` after the path.
    pub(super) fn url(&self, rest: &str) -> String {
        format!("{}{ROUTE}{rest}", self.base())
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The announced statuses, in order.
    pub(super) fn statuses(&self) -> Vec<String> {
        self.received().iter().map(|request| request.status().to_owned()).collect()
    }

    /// The result of the service's verifier for the only request.
    pub(super) fn verify(&self) -> Result<SignatureMatch, VerifyError> {
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received[0].verify(&self.base(), &[NEWER, OLDER])
    }
}

fn answer(mut stream: &TcpStream, reply: Reply) {
    let head = match reply {
        Reply::Status(status) => format!("{status} x\r\n"),
        Reply::Redirect(status, location) => format!("{status} x\r\nLocation: {location}\r\n"),
        Reply::Silence => return drain(stream),
        Reply::HangUp => return,
    };
    // The caller may have disconnected.
    let _ = write!(stream, "HTTP/1.1 {head}Content-Length: 0\r\n\r\n");
    drain(stream);
}

/// Waits until the caller closes the connection.
pub(super) fn drain(mut stream: &TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// Serves each connection on a separate thread, until the process ends.
pub(super) fn serve(handle: impl Fn(usize, &TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let handle = Arc::clone(&handle);
            thread::spawn(move || handle(number, &stream.unwrap()));
        }
    });
    address
}
