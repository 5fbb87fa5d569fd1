//! ApiLimits on the effects of a server on the client, and of the client on a server.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Mutex, mpsc},
    time::Duration,
};

use tokio::time::timeout;
use trusthub_client::{ApiLimits, Credentials, Error};

use super::{
    PASSWORD, TIMEOUT, account, basic, credentials, fetch, hub, limits, profile,
    server::{Reply, Server},
    wait_for,
};

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_are_limited_across_all_accounts() {
    const BOUND: usize = 3;
    const REQUESTS: usize = 20;
    let (arrived, arrivals) = mpsc::channel();
    let (let_go, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let server = Server::start(move |_| {
        arrived.send(()).unwrap();
        gate.lock().unwrap().recv_timeout(TIMEOUT).unwrap();
        Reply::json(200, &profile(1))
    });
    let hub = hub(&server.url(), ApiLimits { concurrency: BOUND, ..limits() });
    let calls: Vec<_> = (0..REQUESTS)
        .map(|_| {
            let account = hub.account(credentials());
            tokio::spawn(async move { fetch(&account).await })
        })
        .collect();
    for answered in 0..REQUESTS {
        let expected = REQUESTS.min(answered + BOUND);
        while server.asked().len() < expected {
            arrivals.recv_timeout(TIMEOUT).unwrap();
        }
        assert_eq!(server.asked().len(), expected);
        let_go.send(()).unwrap();
    }
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_waiting_for_a_retry_does_not_count_as_concurrent() {
    let server = Server::start(|asked| match asked.header("authorization") {
        Some(authorization) if authorization == basic("limited", PASSWORD) => {
            Reply::empty(429, "Retry-After: 3600\r\n")
        }
        _ => Reply::json(200, &profile(1)),
    });
    let hub = hub(&server.url(), ApiLimits { concurrency: 1, max_retry_after: Duration::MAX, ..limits() });
    let limited = hub.account(Credentials { user: "limited".to_owned(), ..credentials() });
    let waiting = tokio::spawn(async move { fetch(&limited).await });
    wait_for("the limited one has its answer", || server.asked().pop());
    let other = hub.account(credentials());
    timeout(TIMEOUT, fetch(&other)).await.expect("no request is in progress").unwrap();
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn response_that_is_too_long_is_not_read_to_its_end() {
    const LARGEST: usize = 8 * 1024 * 1024;
    let mut body = profile(1).to_string();
    body.push_str(&" ".repeat(LARGEST - body.len()));
    let server = Server::with_replies([Reply::text(200, &body), Reply::text(200, &format!("{body} "))]);
    let account = account(&server.url());
    fetch(&account).await.unwrap();
    assert_eq!(fetch(&account).await, Err(Error::TooLarge));
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn server_with_an_untrusted_certificate_gets_no_request() {
    let mut server = TlsServer::start();
    let once = ApiLimits { attempts: 1, ..limits() };
    let error = fetch(&hub(&server.url(), once).account(credentials())).await.unwrap_err();
    assert!(
        matches!(&error, Error::Connect { source } if source.to_string().starts_with("invalid peer certificate")),
        "{error}"
    );
    assert!(!server.rest().contains("Authorization"));
}

/// OpenSSL's own server, for one connection, with a self-signed certificate.
struct TlsServer {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl TlsServer {
    fn start() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trusthub-tls");
        fs::create_dir_all(&folder).unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-keyout", "key.pem", "-out", "certificate.pem"])
            .current_dir(&folder)
            .output()
            .expect("openssl starts; scripts/setup installs it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1"])
            .args(["-cert", "certificate.pem", "-key", "key.pem"])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl starts; scripts/setup installs it");
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut lines = output.by_ref().lines().map(Result::unwrap);
        let address =
            lines.find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned)).expect("the server listens");
        Self { process, output, address }
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its output until it exits, which includes everything that it received.
    fn rest(&mut self) -> String {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
