//! The minimal service: what no service can omit that accepts signed callbacks and publishes typed events. It checks one
//! signature, reads the form, writes typed JSON with the headers of CloudEvents, counts, logs a line and awaits `acks=all`. It
//! has no spool, no order, no duplicates, no dead letters, no deadline of its own and no second construction or key.

use std::{
    io,
    sync::mpsc::{SyncSender, sync_channel},
    thread,
    time::{Instant, SystemTime},
};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Bytes},
};
use prometheus::{Histogram, HistogramOpts, IntCounter};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use secrecy::SecretString;
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use tracing_subscriber::fmt::MakeWriter;
use trusthub_bridge::domain::Timestamp;
use twilio_signature::{Signature, SigningKey, decode_form, sign};

use crate::producer::{producer, variable};

const ROUTE: &str = "/callbacks/customer-profiles";
/// Lines that wait to be written; further ones are dropped.
const QUEUED_LINES: usize = 8192;

/// What all workers share.
pub(crate) struct MinimalService {
    key: SigningKey,
    url: String,
    producer: FutureProducer,
    topic: String,
    received: IntCounter,
    refused: IntCounter,
    published: IntCounter,
    seconds: Histogram,
}

/// The value of a record: the fields that the service's events have.
#[derive(Serialize)]
struct StatusChanged<'a> {
    account_sid: &'a str,
    profile_sid: &'a str,
    resource: &'static str,
    status: &'a str,
    raw_status: &'a str,
    failure_reason: Option<&'a str>,
    received_at: &'a str,
    origin: &'static str,
    idempotency_token: Option<&'a str>,
}

impl MinimalService {
    /// Starts the producer and the log.
    pub(crate) fn start() -> Self {
        let writer = QueuedWriter::start();
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(writer).init();
        let counter = |name: &str| IntCounter::new(name, "requests").unwrap();
        Self {
            key: SigningKey::from_auth_token(&SecretString::from(variable("TWILIO_AUTH_TOKEN"))).unwrap(),
            url: format!("{}{ROUTE}", variable("PUBLIC_URL")),
            producer: producer(),
            topic: variable("KAFKA_TOPIC"),
            received: counter("received"),
            refused: counter("refused"),
            published: counter("published"),
            seconds: Histogram::with_opts(HistogramOpts::new("seconds", "duration")).unwrap(),
        }
    }
}

/// Answers a callback.
pub(crate) async fn accept(service: web::Data<MinimalService>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let began = Instant::now();
    service.received.inc();
    let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes());
    let Ok(fields) = decode_form(&body) else { return HttpResponse::BadRequest().finish() };
    let expected = sign(&service.key, &service.url, &fields);
    let given = header("X-Twilio-Signature").and_then(Signature::parse);
    if !given.is_some_and(|given| bool::from(given.as_bytes().ct_eq(expected.as_bytes()))) {
        service.refused.inc();
        return HttpResponse::Forbidden().finish();
    }
    let text = |bytes| std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty());
    let field = |wanted: &str| text(fields.iter().find(|(name, _)| name == wanted.as_bytes())?.1.as_slice());
    let (Some(account), Some(profile), Some(status)) = (field("AccountSid"), field("BundleSid"), field("Status"))
    else {
        return HttpResponse::BadRequest().finish();
    };
    let token = header("I-Twilio-Idempotency-Token").and_then(text);
    let time = Timestamp::from(SystemTime::now()).to_string();
    let value = StatusChanged {
        account_sid: account,
        profile_sid: profile,
        resource: "customer-profile",
        status,
        raw_status: status,
        failure_reason: field("FailureReason"),
        received_at: &time,
        origin: "callback",
        idempotency_token: token,
    };
    let Ok(payload) = serde_json::to_vec(&value) else { return HttpResponse::InternalServerError().finish() };
    let headers = cloud_event_headers(token.unwrap_or_default(), account, profile, &time);
    let record = FutureRecord::to(&service.topic).key(profile).payload(&payload).headers(headers);
    let Ok(delivery) = service.producer.send_result(record) else {
        return HttpResponse::ServiceUnavailable().finish();
    };
    let Ok(Ok(delivered)) = delivery.await else { return HttpResponse::ServiceUnavailable().finish() };
    service.published.inc();
    service.seconds.observe(began.elapsed().as_secs_f64());
    tracing::info!(
        outcome = "published",
        status,
        profile_sid = profile,
        ce_id = token,
        partition = delivered.partition,
        offset = delivered.offset,
        duration_ms = began.elapsed().as_secs_f64() * 1e3,
        "callback"
    );
    HttpResponse::NoContent().finish()
}

fn cloud_event_headers(id: &str, account: &str, profile: &str, time: &str) -> OwnedHeaders {
    let source = format!("//trusthub.twilio.com/accounts/{account}");
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", id),
        ("ce_source", source.as_str()),
        ("ce_type", "io.trusthub-bridge.profile.status-changed.v1"),
        ("ce_subject", profile),
        ("ce_time", time),
        ("ce_dataschema", "urn:trusthub-bridge:profile-status-changed:v1"),
        ("content-type", "application/json"),
    ];
    headers.into_iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |all, (key, value)| {
        all.insert(Header { key, value: Some(value) })
    })
}

/// Hands each line to a thread that writes it to stderr, so that no worker waits for the file.
#[derive(Clone)]
struct QueuedWriter(SyncSender<Vec<u8>>);

impl QueuedWriter {
    fn start() -> Self {
        let (sender, lines) = sync_channel::<Vec<u8>>(QUEUED_LINES);
        thread::spawn(move || {
            let mut stderr = io::stderr().lock();
            let mut batch = Vec::new();
            while let Ok(line) = lines.recv() {
                batch.extend(line);
                batch.extend(lines.try_iter().flatten());
                io::Write::write_all(&mut stderr, &batch).unwrap();
                batch.clear();
            }
        });
        Self(sender)
    }
}

impl io::Write for QueuedWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A full queue drops the line, as it does in the service.
        let _ = self.0.try_send(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for QueuedWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
