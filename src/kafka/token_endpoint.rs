//! A token endpoint on loopback, from which librdkafka gets tokens that it cannot get itself.
//!
//! librdkafka's own OAuth method works for clients of every kind, and before their first poll, but requests tokens only
//! by HTTP. The alternative, a callback, never reaches the admin client. So a token that this process has, such as one in
//! a file, is offered to librdkafka on 127.0.0.1. Other processes of the machine can connect, so a request must
//! have a random path and a random client secret, which only this process knows.
//!
//! A failure is answered 400 with the reason as text: librdkafka makes it part of its error, and asks again after 10 s. It
//! would hide the reason of a 5xx for almost a minute, while it retries.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | accept a connection | `kafka-token`, for as long as the process lives | none | none |
//! | read a request, ask the provider, answer | its own, `kafka-token-req`, at most [`MAX_CONNECTIONS`] | none | [`REQUEST_TIMEOUT`] for the request and for the answer each; the provider's |

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::domain::{Timestamp, encode_hex};

/// The client id that librdkafka sends, which it requires.
const CLIENT_ID: &str = "trusthub-bridge";
/// How many connections are answered at the same time. Further ones are closed.
const MAX_CONNECTIONS: usize = 16;
/// How long a client may take to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest head of a request; librdkafka's has less than 500 bytes.
const MAX_HEAD_BYTES: usize = 4096;
/// The largest body of a request; librdkafka's is the grant type.
const MAX_BODY_BYTES: usize = 4096;
/// The pause after an error of the listener, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Gives the current token.
pub(super) trait TokenProvider: Send + Sync + 'static {
    /// Why there is no token. Its text is logged, so it contains no secret.
    type Error: fmt::Display;

    /// Returns a JSON Web Token that is valid at this time. May block.
    ///
    /// # Errors
    /// When there is none.
    fn token(&self, now: Timestamp) -> Result<SecretString, Self::Error>;
}

/// A running endpoint, as a client must be configured to use it.
#[derive(Debug)]
pub(super) struct TokenEndpoint {
    address: SocketAddr,
    path: SecretString,
    client_secret: SecretString,
}

impl TokenEndpoint {
    /// Starts the endpoint, which runs for as long as the process.
    ///
    /// # Errors
    /// When no port of 127.0.0.1 can be bound, no thread started, or the system has no random numbers.
    pub(super) fn start(provider: impl TokenProvider) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (path, client_secret) = (random_text()?, random_text()?);
        let basic = STANDARD.encode(format!("{CLIENT_ID}:{client_secret}"));
        let responder = Arc::new(Responder {
            request_line: format!("POST /{path} HTTP/1.1").into(),
            authorization: format!("Basic {basic}").into(),
            provider,
            connections: AtomicUsize::new(0),
        });
        thread::Builder::new().name("kafka-token".to_owned()).spawn(move || responder.accept(&listener))?;
        Ok(Self { address, path: path.into(), client_secret: client_secret.into() })
    }

    /// The URL for librdkafka. It is a secret.
    pub(super) fn url(&self) -> SecretString {
        format!("http://{}/{}", self.address, self.path.expose_secret()).into()
    }

    /// The client id for librdkafka.
    pub(super) fn client_id(&self) -> &'static str {
        CLIENT_ID
    }

    /// The client secret for librdkafka.
    pub(super) fn client_secret(&self) -> &SecretString {
        &self.client_secret
    }
}

/// 256 random bits as hexadecimal digits.
fn random_text() -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::getrandom(&mut bytes)?;
    Ok(encode_hex(&bytes))
}

struct Responder<P> {
    request_line: SecretString,
    authorization: SecretString,
    provider: P,
    connections: AtomicUsize,
}

/// The parts of an answer.
struct TokenAnswer {
    status: &'static str,
    content_type: &'static str,
    body: String,
}

impl<P: TokenProvider> Responder<P> {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        loop {
            match listener.accept() {
                Ok((stream, _)) => self.start(stream),
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a connection to the token endpoint");
                    thread::sleep(ACCEPT_PAUSE);
                }
            }
        }
    }

    /// Answers on a thread of its own, so that a client that sends nothing delays no other.
    fn start(self: &Arc<Self>, stream: TcpStream) {
        if self.connections.fetch_add(1, Relaxed) >= MAX_CONNECTIONS {
            self.connections.fetch_sub(1, Relaxed);
            return;
        }
        let responder = Arc::clone(self);
        let started = thread::Builder::new().name("kafka-token-req".to_owned()).spawn(move || {
            let mut stream = stream;
            if let Err(error) = responder.serve(&mut stream) {
                tracing::debug!(%error, "cannot answer a request for a token");
            }
            // Before the connection closes, so that the client can open another one then.
            responder.connections.fetch_sub(1, Relaxed);
            drop(stream);
        });
        if let Err(error) = started {
            self.connections.fetch_sub(1, Relaxed);
            tracing::debug!(%error, "cannot start a thread for a request for a token");
        }
    }

    fn serve(&self, stream: &mut TcpStream) -> io::Result<()> {
        let answer = match read_request(stream)? {
            Some(head) if self.is_authentic(&head) => self.token(),
            _ => TokenAnswer { status: "404 Not Found", content_type: "text/plain", body: "not found\n".to_owned() },
        };
        stream.set_write_timeout(Some(REQUEST_TIMEOUT))?;
        let TokenAnswer { status, content_type, body } = answer;
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())
    }

    fn is_authentic(&self, head: &str) -> bool {
        let mut lines = head.split("\r\n");
        let request_line = lines.next().unwrap_or_default();
        let authorization = lines.find_map(|line| header(line, "authorization")).unwrap_or_default();
        // Both are compared in every case, so that the time does not tell which one is wrong.
        let is_path_right = is_equal(request_line, self.request_line.expose_secret());
        let is_secret_right = is_equal(authorization, self.authorization.expose_secret());
        is_path_right & is_secret_right
    }

    fn token(&self) -> TokenAnswer {
        let token = self.provider.token(SystemTime::now().into());
        match token {
            Ok(token) => {
                let body = json!({ "access_token": token.expose_secret(), "token_type": "Bearer" }).to_string();
                TokenAnswer { status: "200 OK", content_type: "application/json", body }
            }
            Err(error) => {
                TokenAnswer { status: "400 Bad Request", content_type: "text/plain", body: error.to_string() }
            }
        }
    }
}

/// Compares without revealing by its time where the texts differ.
fn is_equal(given: &str, expected: &str) -> bool {
    let differences = given.bytes().zip(expected.bytes()).fold(0, |all, (one, other)| all | (one ^ other));
    given.len() == expected.len() && differences == 0
}

fn header<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = line.split_once(':')?;
    found.eq_ignore_ascii_case(name).then(|| value.trim())
}

/// Reads a request with its body, and returns its head; `None` if it is too large or not text. Reading the body first
/// avoids that the system resets the connection, and the client loses the answer.
fn read_request(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    let mut received = Vec::new();
    loop {
        if let Some((head, body)) = split_head(&received) {
            let Ok(head) = str::from_utf8(head) else { return Ok(None) };
            let length = head.split("\r\n").find_map(|line| header(line, "content-length")).unwrap_or("0");
            match length.parse::<usize>() {
                Ok(length) if length <= body.len() => return Ok(Some(head.to_owned())),
                Ok(length) if length <= MAX_BODY_BYTES => {}
                _ => return Ok(None),
            }
        } else if received.len() > MAX_HEAD_BYTES {
            return Ok(None);
        }
        let remaining = deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(remaining))?;
        let mut buffer = [0; 2048];
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        received.extend(buffer.iter().take(count));
    }
}

fn split_head(received: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((received.get(..end)?, received.get(end + 4..)?))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Has a token, until it is told to fail.
    #[derive(Default)]
    struct Provider(Arc<AtomicBool>);

    impl TokenProvider for Provider {
        type Error = &'static str;

        fn token(&self, _now: Timestamp) -> Result<SecretString, &'static str> {
            if self.0.load(Relaxed) { Err("the reason") } else { Ok("a.b.c".into()) }
        }
    }

    fn send(endpoint: &TokenEndpoint, request: &str) -> String {
        let mut stream = TcpStream::connect(endpoint.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn request(path: &str, client_secret: &str) -> String {
        let basic = STANDARD.encode(format!("trusthub-bridge:{client_secret}"));
        format!(
            "POST /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {basic}\r\nContent-Length: 29\r\n\r\n\
             grant_type=client_credentials"
        )
    }

    #[test]
    fn token_or_the_reason_is_answered_to_a_request_with_path_and_secret() {
        let fails = Arc::new(AtomicBool::new(false));
        let endpoint = TokenEndpoint::start(Provider(Arc::clone(&fails))).unwrap();
        let request = request(endpoint.path.expose_secret(), endpoint.client_secret.expose_secret());
        let answer = send(&endpoint, &request);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n{\"access_token\":\"a.b.c\",\"token_type\":\"Bearer\"}"), "{answer}");
        fails.store(true, Relaxed);
        let answer = send(&endpoint, &request);
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("\r\n\r\nthe reason"), "{answer}");
    }

    #[test]
    fn request_of_another_process_gets_no_token() {
        let endpoint = TokenEndpoint::start(Provider::default()).unwrap();
        let (path, secret) = (endpoint.path.expose_secret(), endpoint.client_secret.expose_secret());
        let right = request(path, secret);
        let wrong = [
            request("", secret),
            request(path.split_at(1).1, secret),
            request(&format!("{path}/"), secret),
            request(path, ""),
            request(path, &secret.to_uppercase()),
            request(path, path),
            right.replace("POST", "GET"),
            right.replace("Authorization", "X"),
            right.replace("Content-Length: 29", "Content-Length: 4097"),
            right.replace("Content-Length: 29", "Content-Length: -1"),
            format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(MAX_HEAD_BYTES)),
        ];
        for request in wrong {
            let answer = send(&endpoint, &request);
            assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("a.b.c"), "{request}\n{answer}");
        }
    }

    #[test]
    fn idle_connections_are_limited_and_delay_no_request() {
        let endpoint = TokenEndpoint::start(Provider::default()).unwrap();
        let request = request(endpoint.path.expose_secret(), endpoint.client_secret.expose_secret());
        let connect = |_| TcpStream::connect(endpoint.address).unwrap();
        let idle: Vec<_> = (1..MAX_CONNECTIONS).map(connect).collect();
        assert!(send(&endpoint, &request).starts_with("HTTP/1.1 200 "));
        let mut last = connect(0);
        let mut refused = connect(0);
        assert_eq!(refused.read(&mut [0]).unwrap_or_default(), 0, "one more is closed at once");
        drop(idle);
        last.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        last.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[test]
    fn secrets_are_long_and_random_and_do_not_print() {
        let [one, other] = [(); 2].map(|()| TokenEndpoint::start(Provider::default()).unwrap());
        let (path, secret) = (one.path.expose_secret(), one.client_secret.expose_secret());
        assert_eq!((path.len(), secret.len()), (64, 64));
        assert!(path != other.path.expose_secret() && path != secret);
        assert!(!format!("{one:?} {:?}", one.url()).contains(path) && !format!("{one:?}").contains(secret));
    }
}
