//! A record that is not durable yet, with the channel to its callback.

use std::{collections::BTreeMap, time::Instant};

use durable_spool::Spool;
use tokio::sync::oneshot;

use super::{
    delivery::{Handoff, HandoffState},
    outbound::OutboundRecord,
};
use crate::domain::{DeliveryError, Receipt};

/// A record that is neither durable nor in the spool, and the channel to its callback. This is its only owner.
pub(super) struct InFlightRecord {
    pub(super) outbound: Box<OutboundRecord>,
    pub(super) state: RecordState,
    /// Until when the record may wait for Kafka.
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Handoff>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordState {
    /// The Kafka client has it, and Kafka has not acknowledged it.
    InFlight,
    /// Kafka did not accept it.
    Failed,
    /// It arrived during a change of mode.
    Buffered,
}

/// Records by number, in the order of receipt.
pub(super) type Records = BTreeMap<u64, InFlightRecord>;

impl InFlightRecord {
    pub(super) fn settle(self, result: Result<Receipt, DeliveryError>) {
        self.hand_off(HandoffState::Settled(result));
    }

    /// Appends the record to the spool. Only queues it: the callback waits for the disk.
    pub(super) fn spool(self, spool: &Spool) {
        match self.outbound.encode() {
            Ok(bytes) => self.hand_off(HandoffState::Spooling(spool.append(vec![bytes]))),
            Err(_never) => self.settle(Err(DeliveryError::Abandoned)),
        }
    }

    /// Parks the record in the spool, outside the queue, where it blocks no other record.
    pub(super) fn park(self, spool: &Spool) {
        match self.outbound.encode() {
            Ok(bytes) => self.hand_off(HandoffState::Spooling(spool.append_parked(vec![bytes]))),
            Err(_never) => self.settle(Err(DeliveryError::Abandoned)),
        }
    }

    fn hand_off(self, state: HandoffState) {
        // The receiver is gone if the callback has stopped waiting.
        let _ = self.reply.send(Handoff { state, record: self.outbound });
    }
}
