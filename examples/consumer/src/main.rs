//! A consumer of the events: keeps the latest status of every profile and prints its decision about each record.
//!
//! ```text
//! KAFKA_BOOTSTRAP_SERVERS=localhost:9092 KAFKA_GROUP_ID=profile-view cargo run --package example-consumer
//! ```
//!
//! `KAFKA_TOPIC` is `trusthub.profile-status-changed` unless set. `SCHEMA_REGISTRY_URL` is needed if the topic has records in Avro.
//! docs/events.md explains the rules and [`trusthub_events::view`] implements them; this program only passes records from Kafka to
//! them.

mod registry;

use std::{
    env,
    error::Error,
    io::{self, Write as _},
    pin::pin,
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    consumer::{CommitMode, Consumer as _, StreamConsumer},
    message::{BorrowedMessage, Headers as _, Message as _},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use trusthub_events::{
    DataSchema,
    content::{ContentError, EventContent, read},
    view::{Decision, Record, View},
};

use registry::Registry;

/// How long to wait before a record is read again, if its schema is not available.
const RETRY_DELAY: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut stop = pin!(shutdown_signal()?);
    let consumer = subscribe()?;
    // In memory, and so empty at each start: docs/consume/offsets.md says where a real consumer keeps it.
    let mut view = View::default();
    let mut registry = Registry::from_environment();
    loop {
        let message = tokio::select! {
            () = &mut stop => return Ok(()),
            received = consumer.recv() => match received {
                Ok(message) => message,
                // The client reconnects automatically.
                Err(error) => {
                    log(&error.to_string())?;
                    continue;
                }
            },
        };
        let content = tokio::select! {
            () = &mut stop => return Ok(()),
            content = content(&message, &mut registry) => content?,
        };
        let record = Record::from(&content);
        let decision = view.apply(&record);
        report(&message, &record, &decision)?;
        // Only after the record is applied: otherwise a crash would lose it. If this commit is lost, the event is
        // read again, and a view that has it recognizes its ce_id.
        consumer.commit_message(&message, CommitMode::Async)?;
    }
}

/// Joins the consumer group, without automatic commits.
fn subscribe() -> Result<StreamConsumer, Box<dyn Error>> {
    let topic = env::var("KAFKA_TOPIC").unwrap_or_else(|_| "trusthub.profile-status-changed".to_owned());
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", required("KAFKA_BOOTSTRAP_SERVERS")?)
        .set("group.id", required("KAFKA_GROUP_ID")?)
        .set("enable.auto.commit", "false")
        // A new group reads the whole history, from which the view is built.
        .set("auto.offset.reset", "earliest")
        .create()?;
    consumer.subscribe(&[&topic])?;
    Ok(consumer)
}

fn required(variable: &str) -> Result<String, String> {
    env::var(variable).map_err(|_| format!("{variable} is required"))
}

/// Resolves on SIGTERM or SIGINT.
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Finds the event in a record. As long as its schema is not available, the record is neither applied nor skipped.
async fn content<'a>(message: &'a BorrowedMessage<'_>, registry: &mut Registry) -> io::Result<EventContent<'a>> {
    loop {
        let types = [DataSchema::ProfileStatusChanged];
        let problem = match read(|name| header(message, name), message.payload(), &types, |id| registry.known(id)) {
            Ok(content) => return Ok(content),
            Err(ContentError::UnknownSchema(id)) => match registry.fetch(id).await {
                Ok(()) => continue,
                Err(error) => error.to_string(),
            },
            Err(error @ ContentError::OtherSchema(_)) => error.to_string(),
        };
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        log(&format!("waiting at the record at {topic}[{partition}]@{offset}: {problem}"))?;
        sleep(RETRY_DELAY).await;
    }
}

fn header<'a>(message: &'a BorrowedMessage<'_>, name: &str) -> Option<&'a [u8]> {
    message.headers()?.iter().find(|header| header.key == name)?.value
}

/// Prints one JSON line to stdout for every record, and one line to stderr for a record that an operator should check.
fn report(message: &BorrowedMessage<'_>, record: &Record<'_>, decision: &Decision) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", decision.outcome(record))?;
    let Some(problem) = decision.problem(record) else { return Ok(()) };
    let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
    log(&format!("skipped: the record at {topic}[{partition}]@{offset} {problem}"))
}

fn log(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{text}")
}
