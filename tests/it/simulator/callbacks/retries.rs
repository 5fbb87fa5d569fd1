//! When Twilio retries a callback, and when it gives up.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use rustls::{
    ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};

use test_support::kafka::unique_topic;

use super::{
    call, endings,
    receiver::{Receiver, Reply, drain, serve},
    sender,
};

/// A URL with a port on which no process listens.
const CLOSED_PORT: &str = "http://127.0.0.1:1/x";

/// The endings of the attempts at a receiver that gives these answers in order and then repeats the last one.
async fn endings_with(answers: &'static [Reply], fragment: &str) -> Vec<String> {
    let receiver = Receiver::start(|number| answers[number.min(answers.len() - 1)].clone());
    let attempts = call(&sender(), &receiver.url(fragment)).await;
    assert!(attempts.iter().map(|attempt| attempt.number).eq((1..).take(attempts.len())));
    let first = &attempts[0].callback.idempotency_token;
    for request in receiver.received() {
        assert_eq!(request.header("I-Twilio-Idempotency-Token"), Some(first.as_str()), "retries share the token");
    }
    endings(&attempts)
}

#[tokio::test]
async fn failed_connection_is_retried_once() {
    let attempts = call(&sender(), CLOSED_PORT).await;
    assert_eq!(endings(&attempts), ["connect", "connect"]);
    assert_eq!(attempts[0].callback.idempotency_token, attempts[1].callback.idempotency_token);
}

#[tokio::test]
async fn retry_count_is_the_number_of_retries() {
    for (fragment, tries) in [("#rc=0", 1), ("#rc=1", 2), ("#rc=5", 6), ("#rc=6", 2)] {
        assert_eq!(call(&sender(), &format!("{CLOSED_PORT}{fragment}")).await.len(), tries, "{fragment}");
    }
}

#[tokio::test]
async fn host_without_an_address_counts_as_a_failed_connection() {
    // A label that is too long fails without a query to a name server.
    let attempts = call(&sender(), &format!("http://{}.invalid/", "x".repeat(64))).await;
    assert_eq!(endings(&attempts), ["dns", "dns"]);
}

#[tokio::test]
async fn failed_tls_handshake_is_retried_once() {
    let plaintext = serve(|_, mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        drain(stream);
    });
    assert_eq!(endings(&call(&sender(), &format!("https://{plaintext}/")).await), ["tls", "tls"]);
    let closing = serve(|_, mut stream| {
        let _ = stream.read(&mut [0; 4096]);
    });
    assert_eq!(endings(&call(&sender(), &format!("https://{closing}/")).await), ["tls", "tls"]);
}

#[tokio::test]
async fn certificates_are_verified() {
    let address = serve_tls();
    assert_eq!(endings(&call(&sender(), &format!("https://{address}/")).await), ["tls", "tls"]);
}

/// Serves with a self-signed certificate for its own address.
fn serve_tls() -> SocketAddr {
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x \
        -addext subjectAltName=IP:127.0.0.1 -outform DER -out certificate -keyout /dev/stdout \
        | openssl pkcs8 -topk8 -nocrypt -outform DER -out key";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("tls"));
    fs::create_dir(&folder).unwrap();
    let status = Command::new("sh").args(["-c", script]).current_dir(&folder).stderr(Stdio::null()).status();
    assert!(status.expect("sh starts").success());
    let read = |name| fs::read(folder.join(name)).unwrap();
    let (certificate, key) = (CertificateDer::from(read("certificate")), PrivatePkcs8KeyDer::from(read("key")));
    fs::remove_dir_all(&folder).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    let config = Arc::new(config);
    serve(move |_, stream| answer_over_tls(Arc::clone(&config), stream))
}

fn answer_over_tls(config: Arc<ServerConfig>, mut stream: &TcpStream) {
    let mut connection = ServerConnection::new(config).unwrap();
    let _ = rustls::Stream::new(&mut connection, &mut stream).write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
    drain(stream);
}

#[tokio::test]
async fn error_of_the_receiver_is_final() {
    assert_eq!(endings_with(&[Reply::Status(503)], "").await, ["503"]);
    assert_eq!(endings_with(&[Reply::Status(404)], "#rc=5").await, ["404"]);
}

#[tokio::test]
async fn error_of_the_receiver_is_retried_if_the_policy_says_so() {
    const RECOVERING: &[Reply] = &[Reply::Status(503), Reply::Status(500), Reply::Status(204)];
    assert_eq!(endings_with(RECOVERING, "#rc=5&rp=ct,rt,5xx").await, ["503", "500", "204"]);
    assert_eq!(endings_with(RECOVERING, "#rp=5xx").await, ["503", "500"]);
    assert_eq!(endings_with(RECOVERING, "#rp=4xx").await, ["503"]);
    assert_eq!(endings_with(&[Reply::Status(429), Reply::Status(204)], "#rp=4xx").await, ["429", "204"]);
    assert_eq!(endings_with(&[Reply::Status(403), Reply::Status(503)], "#rc=2&rp=all").await, ["403", "503", "503"]);
}

#[tokio::test]
async fn slow_answer_is_not_retried() {
    assert_eq!(endings_with(&[Reply::Silence], "#rt=100").await, ["read_timeout"]);
}

#[tokio::test]
async fn slow_answer_is_retried_if_the_policy_says_so() {
    const SLOW_ONCE: &[Reply] = &[Reply::Silence, Reply::Status(204)];
    assert_eq!(endings_with(SLOW_ONCE, "#rt=6000&rp=rt").await, ["read_timeout", "204"]);
    assert_eq!(endings_with(SLOW_ONCE, "#rt=100&rp=ct").await, ["read_timeout"]);
}

#[tokio::test]
async fn connection_broken_before_the_answer_is_never_retried() {
    assert_eq!(endings_with(&[Reply::HangUp], "#rc=5&rp=all").await, ["read"]);
}

#[tokio::test]
async fn read_timeout_begins_when_the_connection_is_established() {
    let silent = serve(|_, stream| drain(stream));
    let attempts = call(&sender(), &format!("https://{silent}/#ct=300&rt=100")).await;
    assert_eq!(endings(&attempts), ["connect_timeout", "connect_timeout"]);
    assert!(attempts.iter().all(|attempt| attempt.milliseconds >= 300), "{attempts:?}");
}

#[tokio::test]
async fn all_attempts_share_one_total_timeout() {
    let receiver = Receiver::start(|_| Reply::Silence);
    let attempts = call(&sender(), &receiver.url("#tt=250&rt=100&rc=5&rp=rt")).await;
    assert!((1..=3).contains(&attempts.len()), "{attempts:?}");
    assert_eq!(endings(&attempts).last().unwrap(), "total_timeout");
    let silent = serve(|_, stream| drain(stream));
    assert_eq!(endings(&call(&sender(), &format!("https://{silent}/#tt=100")).await), ["total_timeout"]);
}

#[tokio::test]
async fn unknown_retry_policy_prevents_the_callback() {
    let receiver = Receiver::answering(204);
    let attempts = call(&sender(), &receiver.url("#rp=5xx,often")).await;
    assert_eq!(endings(&attempts), ["invalid_retry_policy"]);
    assert_eq!((attempts[0].url.as_str(), attempts[0].number), (receiver.url("").as_str(), 0));
    assert_eq!(receiver.received(), []);
}

#[tokio::test]
async fn ignored_overrides_are_in_the_journal() {
    let receiver = Receiver::answering(204);
    let attempts = call(&sender(), &receiver.url("#rc=99&ct=1000&zz=1&e=dublin&sni=n")).await;
    assert_eq!(endings(&attempts), ["204"]);
    assert_eq!(attempts[0].callback.ignored_overrides, ["rc=99", "zz=1"]);
}
