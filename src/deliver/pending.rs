//! A record that was handed over, as its callback waits for it.

use std::{sync::Arc, time::Instant};

use tokio::{
    sync::oneshot,
    time::{timeout, timeout_at},
};

use super::desk::{Desk, PURGE_PATIENCE};
use crate::{
    domain::{Durable, PublishFailure, Unkept},
    publish::Acknowledgement,
    spool::{AppendError, Appended},
};

/// A record that was handed over.
#[must_use = "whether the record became durable is known only by waiting"]
pub struct Pending(Place);

/// Where the record is.
enum Place {
    /// With Kafka.
    Flight(Flight),
    /// With the desk, which decides where it goes.
    Desk(oneshot::Receiver<News>),
    /// On its way into the spool.
    Spool(Appended),
    Settled(Result<Durable, Unkept>),
}

/// A record that Kafka has not acknowledged yet.
pub(super) struct Flight {
    pub(super) desk: Arc<Desk>,
    pub(super) number: u64,
    pub(super) acknowledgement: Acknowledgement,
    pub(super) deadline: Instant,
    /// What the desk decides if Kafka does not acknowledge it.
    pub(super) news: oneshot::Receiver<News>,
}

/// What the desk has decided.
pub(super) enum News {
    HandedOver(Flight),
    Settled(Result<Durable, Unkept>),
}

impl Pending {
    pub(super) fn in_flight(flight: Flight) -> Self {
        Self(Place::Flight(flight))
    }

    pub(super) fn held(news: oneshot::Receiver<News>) -> Self {
        Self(Place::Desk(news))
    }

    pub(super) fn spooling(appended: Appended) -> Self {
        Self(Place::Spool(appended))
    }

    /// Never for the types of this crate; serde's signature asks for it.
    pub(super) fn not_encoded(error: &serde_json::Error) -> Self {
        tracing::error!(%error, "a record could not be encoded");
        Self(Place::Settled(Err(Unkept::Abandoned)))
    }

    /// Waits until the record is durable.
    ///
    /// # Errors
    /// Why it is not. One that was on its way to the broker or to the disk may be there all the same.
    pub async fn durable(self) -> Result<Durable, Unkept> {
        let Self(mut place) = self;
        loop {
            place = match place {
                Place::Flight(flight) => flight.land().await,
                Place::Desk(news) => match news.await {
                    Ok(News::HandedOver(flight)) => Place::Flight(flight),
                    Ok(News::Settled(result)) => Place::Settled(result),
                    Err(_stopped) => Place::Settled(Err(Unkept::Abandoned)),
                },
                Place::Spool(appended) => Place::Settled(spooled(appended.await)),
                Place::Settled(result) => return result,
            }
        }
    }
}

impl Flight {
    /// Waits for Kafka until the deadline. What it does not acknowledge goes back to the desk.
    async fn land(self) -> Place {
        let Self { desk, number, mut acknowledgement, deadline, news } = self;
        let result = match timeout_at(deadline.into(), &mut acknowledgement).await {
            Ok(result) => result,
            Err(_late) => {
                desk.trouble(PublishFailure::TimedOut);
                // It was taken back just now, or was acknowledged in the same moment.
                timeout(PURGE_PATIENCE, acknowledgement).await.unwrap_or(Err(PublishFailure::TimedOut))
            }
        };
        desk.landed(number, result);
        match result {
            Ok(()) => Place::Settled(Ok(Durable::Published)),
            Err(_) => Place::Desk(news),
        }
    }
}

/// What an answer of the spool means for the callback.
pub(super) fn spooled(result: Result<(), AppendError>) -> Result<Durable, Unkept> {
    match result {
        Ok(()) => Ok(Durable::Spooled),
        Err(AppendError::Full) => Err(Unkept::SpoolFull),
        Err(AppendError::Failed) => Err(Unkept::SpoolFailed),
    }
}
