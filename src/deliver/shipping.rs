//! Records → Kafka, within a deadline of our own: several at once, or one with everything that may take its place.

use std::{
    borrow::Cow,
    iter,
    time::{Duration, Instant},
};

use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    desk::{Desk, PURGE_PATIENCE},
    parcel::Parcel,
};
use crate::{
    domain::{Durable, FailureClass, PublishFailure},
    publish::{Acknowledgement, Record},
};

/// What became of one parcel.
pub(super) enum Shipped {
    Durable(Durable),
    /// No topic takes it in any form.
    Refused,
    /// Kafka takes nothing now.
    Outage(PublishFailure),
}

/// Publishes one parcel, alone: as what it is, or else as what may take its place.
pub(super) async fn ship(desk: &Desk, parcel: &Parcel, patience: Duration, stop: &CancellationToken) -> Shipped {
    let record = iter::once((Cow::Borrowed(&parcel.record), Durable::Published));
    // Made only when the record itself is refused.
    let substitutes = iter::once_with(|| parcel.substitutes()).flatten();
    let forms = record.chain(substitutes.map(|record| (Cow::Owned(record), Durable::DeadLettered)));
    for (record, durable) in forms {
        match publish(desk, [record.as_ref()], patience, stop).await.1 {
            None => return Shipped::Durable(durable),
            Some(reason) if reason.class() == FailureClass::Record => {}
            Some(reason) => return Shipped::Outage(reason),
        }
    }
    Shipped::Refused
}

/// Publishes records in their order and says how many, from the first on, Kafka has acknowledged, and why not the next.
///
/// When this returns Kafka holds none of them any more, so that they can be published again without a later one
/// overtaking an earlier one.
pub(super) async fn publish<'r>(
    desk: &Desk,
    records: impl IntoIterator<Item = &'r Record>,
    patience: Duration,
    stop: &CancellationToken,
) -> (usize, Option<PublishFailure>) {
    let mut failure = None;
    let mut underway = Vec::new();
    for record in records {
        match desk.sink.enqueue(record) {
            Ok(acknowledgement) => underway.push(acknowledgement),
            Err(reason) => {
                failure = Some(reason);
                break;
            }
        }
    }
    let deadline = desk.deadline(patience);
    let mut acknowledged = 0;
    let mut in_order = true;
    for acknowledgement in underway {
        match wait(desk, acknowledgement, deadline, stop).await {
            Ok(()) if in_order => acknowledged += 1,
            // It will be published again, behind the one that failed.
            Ok(()) => {}
            Err(reason) => {
                if in_order {
                    failure = Some(reason);
                    desk.sink.purge();
                }
                in_order = false;
            }
        }
    }
    (acknowledged, failure)
}

async fn wait(
    desk: &Desk,
    mut acknowledgement: Acknowledgement,
    deadline: Instant,
    stop: &CancellationToken,
) -> Result<(), PublishFailure> {
    tokio::select! {
        biased;
        result = &mut acknowledgement => return result,
        () = sleep_until(deadline.into()) => {}
        () = stop.cancelled() => {}
        () = desk.last_call.cancelled() => {}
    }
    desk.sink.purge();
    timeout(PURGE_PATIENCE, acknowledgement).await.unwrap_or(Err(PublishFailure::TimedOut))
}
