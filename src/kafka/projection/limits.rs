//! The time limits of the projection's requests.

use std::time::Duration;

/// How long one request may take.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the client may take to begin reading a partition. It is tried again, and every partition may take as long.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the coordinator of transactions may take to answer a new producer. It may have to create its own topic first.
pub(super) const INIT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long each step of a transaction may take, and how long Kafka keeps the transaction of a process that died.
pub(super) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
