//! A consumer of the events: keeps the latest status of every profile and says what it did with each record.
//!
//! ```text
//! KAFKA_BOOTSTRAP_SERVERS=localhost:9092 KAFKA_GROUP_ID=profile-view cargo run --example consumer
//! ```
//!
//! `KAFKA_TOPIC` is `trusthub.profile-status-changed` unless set. The rules that it follows stand in docs/events.md,
//! and in view.rs as code; this file only carries records from Kafka to them.

mod view;

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

use self::view::{Decision, Reason, Record, View};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut stop = pin!(asked_to_stop()?);
    let consumer = subscribe()?;
    let mut view = View::default();
    loop {
        let message = tokio::select! {
            () = &mut stop => return Ok(()),
            received = consumer.recv() => match received {
                Ok(message) => message,
                // The client reconnects by itself.
                Err(error) => {
                    complain(&error.to_string())?;
                    continue;
                }
            },
        };
        let record = record(&message);
        let decision = view.apply(&record);
        report(&message, &record, &decision)?;
        // Only now: what is read but not applied must come again after a crash. If this commit is lost, the event
        // comes again as well, and the view that has it recognises its ce_id.
        consumer.commit_message(&message, CommitMode::Async)?;
    }
}

/// A member of a consumer group that commits nothing by itself.
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

/// Resolves at SIGTERM or SIGINT.
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
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
        ce_id: header(message, "ce_id"),
        ce_type: header(message, "ce_type"),
        ce_time: header(message, "ce_time"),
        value: message.payload(),
    }
}

fn header<'a>(message: &'a BorrowedMessage<'_>, name: &str) -> Option<&'a str> {
    let header = message.headers()?.iter().find(|header| header.key == name)?;
    std::str::from_utf8(header.value?).ok()
}

/// One JSON line on stdout for every record; one more on stderr for a record that somebody should look at.
fn report(message: &BorrowedMessage<'_>, record: &Record<'_>, decision: &Decision) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", decision.outcome(record))?;
    let complaint = match decision {
        Decision::Skipped(Reason::Unreadable(what)) => what.clone(),
        Decision::Skipped(Reason::UnknownType) => format!("is of the type {:?}", record.ce_type.unwrap_or_default()),
        Decision::Skipped(Reason::Repeat | Reason::Older) | Decision::Applied(..) => return Ok(()),
    };
    let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
    complain(&format!("skipped: the record at {topic}[{partition}]@{offset} {complaint}"))
}

fn complain(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{text}")
}
