//! `probe`: checks that a running service rejects forged callbacks and accepts signed ones.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use twilio_signature::{Pair, SigningKey, decode_form, sign};

use super::{
    http::send,
    output::{Failure, print},
    variables::Variables,
};
use crate::{
    config::{self, KafkaConfig, ProbeConfig, ProbeKey},
    domain::{AccountSid, Label as _, RecordPosition, Resource, TEST_EVENT_TYPE, TopicPosition, callback_route},
    kafka::{FoundRecord, RecordSearch, TopicReadError},
};

/// The text of `probe --help`.
pub(super) const LONG: &str = "Send a forged callback to a running service, which must reject it

With --publish the command then sends a signed callback, and waits until its event comes out of the event topic. The
callback is marked as a test, so it becomes an event of the type io.trusthub-bridge.test.v1, which consumers ignore and the
profile metrics do not count.

The callback is signed for the first PUBLIC_URL with the first token, or with the first SharedKey if there is no token, and
the topic is read with the KAFKA_ variables, so the command needs the service's variables. Its Kafka user needs READ on the
event topic. With READ on the dead-letter topic, too, the command says if the event became a dead letter.

Exit codes: 0 the service works; 1 it rejected the callback, or the test event did not come out of Kafka; 2 invalid usage
or configuration.";

const TIMEOUT: Duration = Duration::from_secs(20);

/// How long an accepted test event may take to come out of Kafka. The service has an acknowledgement already when it answers,
/// unless it spooled the event.
const EVENT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long reading a dead letter that is already in its topic may take.
const DEAD_LETTER_TIMEOUT: Duration = Duration::from_secs(3);

/// A signature of the right length that matches no request.
const FORGED_SIGNATURE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const UNKNOWN_ACCOUNT: &str = "AC00000000000000000000000000000000";
const UNKNOWN_PROFILE: &str = "BU00000000000000000000000000000000";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The callback URL of the service, such as http://localhost:8080/callbacks/customer-profiles
    #[arg(long)]
    url: String,
    /// Also send a signed callback, whose test event must come out of Kafka
    #[arg(long)]
    publish: bool,
    /// With --publish: also succeed if the service may have spooled the test event, and Kafka does not have it yet
    #[arg(long, requires = "publish")]
    allow_spooled: bool,
    /// With --publish: sign with this SharedKey, one of TWILIO_SHARED_KEYS or of the accounts file
    #[arg(long, value_name = "ID", requires = "publish")]
    shared_key: Option<String>,
}

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let target = ProbeTarget::parse(&arguments.url).map_err(|error| Failure::usage(format!("--url: {error}")))?;
    let forged = CallbackHeaders::signature(FORGED_SIGNATURE);
    let forged = target.post(&body(UNKNOWN_ACCOUNT), &forged, &idempotency_token())?;
    if forged != 403 {
        return Err(Failure::failed(format!("the service answered a forged callback with {forged} instead of 403")));
    }
    print("the service rejected a forged callback: 403")?;
    if !arguments.publish {
        return Ok(());
    }
    let config = config::load_probe(variables, !arguments.allow_spooled, arguments.shared_key.as_deref());
    let config = config.map_err(Failure::usage)?;
    publish(&target, &config, arguments.allow_spooled)
}

/// Sends a signed callback, and says what became of it.
fn publish(target: &ProbeTarget, config: &ProbeConfig, allow_spooled: bool) -> Result<(), Failure> {
    let token = idempotency_token();
    let search = config.kafka.as_ref().map(ProbeSearch::start);
    let signed = target.post_signed(config, &token)?;
    if signed != 204 {
        return Err(Failure::failed(format!(
            "the service answered a signed callback with {signed} instead of 204: {}",
            cure(signed)
        )));
    }
    print(&format!("the service accepted a signed callback as {TEST_EVENT_TYPE}: 204"))?;
    let found = search.map(|search| search?.find(&token));
    let missing = match found {
        Some(Ok(ProbeFinding::Event(record))) => return print(&came_out(&record)),
        Some(Ok(ProbeFinding::DeadLetter(record))) => return Err(Failure::failed(dead_letter(&record))),
        Some(Err(error @ TopicReadError::NotAllowed { .. })) => return Err(Failure::failed(cannot_tell(&error))),
        Some(Ok(ProbeFinding::Nothing)) => {
            let seconds = EVENT_TIMEOUT.as_secs();
            format!(
                "the test event did not come out of Kafka within {seconds} s: the service has spooled it, or kept it as a \
                 dead letter; its log says why"
            )
        }
        Some(Err(error)) => cannot_tell(&error),
        None => {
            "KAFKA_BOOTSTRAP_SERVERS is not set, so whether the test event came out of Kafka was not checked".to_owned()
        }
    };
    if allow_spooled { print(&missing) } else { Err(Failure::failed(missing)) }
}

/// Searches both topics of the service for the test event.
struct ProbeSearch {
    events: RecordSearch,
    /// `None` if this command cannot read the topic, which it does not need to.
    dead_letters: Option<RecordSearch>,
}

enum ProbeFinding {
    Event(FoundRecord),
    DeadLetter(FoundRecord),
    Nothing,
}

impl ProbeSearch {
    fn start(kafka: &KafkaConfig) -> Result<Self, TopicReadError> {
        let events = RecordSearch::start(kafka, &kafka.topic)?;
        Ok(Self { events, dead_letters: RecordSearch::start(kafka, &kafka.dead_letter_topic).ok() })
    }

    /// Waits for the event. The service answers when a dead letter is in its topic, so it is there already after that time.
    fn find(self, token: &str) -> Result<ProbeFinding, TopicReadError> {
        if let Some(event) = self.events.find(token, EVENT_TIMEOUT)? {
            return Ok(ProbeFinding::Event(event));
        }
        let dead_letter = self.dead_letters.map(|search| search.find(token, DEAD_LETTER_TIMEOUT));
        Ok(dead_letter.and_then(Result::ok).flatten().map_or(ProbeFinding::Nothing, ProbeFinding::DeadLetter))
    }
}

fn cannot_tell(error: &TopicReadError) -> String {
    format!("cannot tell whether the test event came out of Kafka or was only spooled: {error}")
}

fn dead_letter(record: &FoundRecord) -> String {
    let TopicPosition { topic, position: RecordPosition { partition, offset } } = &record.written;
    format!(
        "the test event became a dead letter: topic {topic}, partition {partition}, offset \
         {offset}; its header reason says why"
    )
}

fn came_out(record: &FoundRecord) -> String {
    let TopicPosition { topic, position: RecordPosition { partition, offset } } = &record.written;
    let id = record.event_id.as_deref().unwrap_or("unknown");
    format!("the test event came out of Kafka: topic {topic}, partition {partition}, offset {offset}, ce_id {id}")
}

/// What to do about an answer to the signed callback. The service itself tells the caller nothing but the status.
fn cure(status: u16) -> &'static str {
    match status {
        403 => {
            "PUBLIC_URL, the key or the account of this command is not that of the service; the line `callback` of its log \
             says which"
        }
        404 | 405 => "no callback path is routed there; check --url and the prefix of PUBLIC_URL",
        503 => {
            "it could make the event durable neither in Kafka nor in the spool, or was overloaded; the line `callback` of \
                its log says why"
        }
        _ => "another server may have answered; check --url, and the line `callback` of the service's log",
    }
}

/// The parsed URL of a callback path.
struct ProbeTarget {
    authority: String,
    path: String,
    route: &'static str,
}

impl ProbeTarget {
    fn parse(url: &str) -> Result<Self, &'static str> {
        let usage = "write it as http://localhost:8080/callbacks/customer-profiles";
        let rest = url.strip_prefix("http://").ok_or(usage)?;
        let (authority, path) = rest.split_once('/').ok_or(usage)?;
        let path = format!("/{path}");
        let route =
            Resource::ALL.iter().filter_map(|resource| callback_route(*resource)).find(|route| path.ends_with(route));
        let authority = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        Ok(Self { authority, path, route: route.ok_or(usage)? })
    }

    fn post_signed(&self, config: &ProbeConfig, idempotency_token: &str) -> Result<u16, Failure> {
        let account = config.signer.account.as_ref().map_or(UNKNOWN_ACCOUNT, AccountSid::as_str);
        let body = format!("{}&TrusthubBridgeTest=true", body(account));
        let form = decode_form(body.as_bytes()).map_err(|_| Failure::failed("cannot decode the form"))?;
        let url = format!("{}{}", config.public_url.as_str(), self.route);
        self.post(&body, &CallbackHeaders::signed(&config.signer.key, &url, &form)?, idempotency_token)
    }

    /// Sends the callback, and returns the status of the response.
    fn post(&self, body: &str, headers: &CallbackHeaders, idempotency_token: &str) -> Result<u16, Failure> {
        let Self { authority, path, .. } = self;
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
             {}I-Twilio-Idempotency-Token: {idempotency_token}\r\n\r\n{body}",
            body.len(),
            headers.0,
        );
        let failed = |reason: &dyn std::fmt::Display| Failure::failed(format!("http://{authority}{path}: {reason}"));
        let line = send(authority.as_str(), &request, TIMEOUT).map_err(|error| failed(&error))?;
        line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| failed(&"the response is not HTTP"))
    }
}

/// The header lines with the signature of a callback.
struct CallbackHeaders(String);

impl CallbackHeaders {
    fn signature(signature: &str) -> Self {
        Self(format!("X-Twilio-Signature: {signature}\r\n"))
    }

    /// Signs a callback as Twilio does, which names the SharedKey in a header of its own.
    fn signed(key: &ProbeKey, url: &str, form: &[Pair]) -> Result<Self, Failure> {
        match key {
            ProbeKey::AuthToken(token) => {
                let key = SigningKey::from_auth_token(token).map_err(Failure::usage)?;
                Ok(Self::signature(&sign(&key, url, form).to_string()))
            }
            ProbeKey::SharedKey(key) => {
                let algorithm = key.default_algorithm();
                let Self(signature) = Self::signature(&sign(key.signing_key(algorithm), url, form).to_string());
                let settings = key.settings(algorithm);
                Ok(Self(format!("{signature}X-Twilio-Webhooks-Signature-Settings: {settings}\r\n")))
            }
        }
    }
}

fn body(account: &str) -> String {
    format!("AccountSid={account}&BundleSid={UNKNOWN_PROFILE}&Status=draft")
}

/// A new token each time. With the same one, the service would treat the next probe as a duplicate.
fn idempotency_token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("probe-{}", now.as_nanos())
}
