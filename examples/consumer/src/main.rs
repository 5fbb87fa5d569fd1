//! A consumer of the events: keeps the latest status of every profile and prints its decision about each record.
//!
//! ```text
//! KAFKA_BOOTSTRAP_SERVERS=localhost:9092 KAFKA_GROUP_ID=profile-view cargo run --package example-consumer
//! ```
//!
//! `KAFKA_TOPIC` is `trusthub.profile-status-changed` unless set. docs/events.md explains the rules and
//! [`trusthub_events::view`] implements them; this program only passes records from Kafka to them.

use std::{
    env,
    error::Error,
    io::{self, Write as _},
    pin::pin,
};

use rdkafka::{
    ClientConfig,
    consumer::{CommitMode, Consumer as _, StreamConsumer},
    message::{BorrowedMessage, Headers as _, Message as _},
};
use tokio::signal::unix::{SignalKind, signal};
use trusthub_events::{
    cloud_events::{ID_HEADER, TIME_HEADER, TYPE_HEADER},
    view::{Decision, Reason, Record, View},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut stop = pin!(shutdown_signal()?);
    let consumer = subscribe()?;
    let mut view = View::default();
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
        let record = record(&message);
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

fn record<'a>(message: &'a BorrowedMessage<'_>) -> Record<'a> {
    Record {
        ce_id: header(message, ID_HEADER),
        ce_type: header(message, TYPE_HEADER),
        ce_time: header(message, TIME_HEADER),
        value: message.payload(),
    }
}

fn header<'a>(message: &'a BorrowedMessage<'_>, name: &str) -> Option<&'a str> {
    let header = message.headers()?.iter().find(|header| header.key == name)?;
    std::str::from_utf8(header.value?).ok()
}

/// Prints one JSON line to stdout for every record, and one line to stderr for a record that an operator should check.
fn report(message: &BorrowedMessage<'_>, record: &Record<'_>, decision: &Decision) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", decision.outcome(record))?;
    let problem = match decision {
        Decision::Skipped(Reason::Unreadable(what)) => what.clone(),
        Decision::Skipped(Reason::UnknownType) => format!("is of the type {:?}", record.ce_type.unwrap_or_default()),
        Decision::Skipped(Reason::Repeat | Reason::Older) | Decision::Applied(..) => return Ok(()),
    };
    let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
    log(&format!("skipped: the record at {topic}[{partition}]@{offset} {problem}"))
}

fn log(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{text}")
}
