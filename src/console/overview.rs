//! What the console shows of the other modules, as plain values. `app` fills them in from memory.

use std::time::Duration;

use crate::domain::{PublishFailure, Resource, SignatureMode, Status, Timestamp};

/// The state of the service at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceOverview {
    /// When it was read.
    pub at: Timestamp,
    /// Whether the service is stopping.
    pub is_stopping: bool,
    /// Kafka.
    pub kafka: KafkaOverview,
    /// Why records are not published now, also for another reason than Kafka: until a record is published again.
    pub outage: Option<PublishFailure>,
    /// The durable queue on disk.
    pub spool: SpoolOverview,
    /// The keys that verify callbacks.
    pub keys: KeysOverview,
    /// What happens to a callback whose signature does not match.
    pub signature_mode: SignatureMode,
    /// The comparison with Trust Hub.
    pub reconciliation: Option<ReconciliationOverview>,
    /// The states of profiles; `None` if they are turned off.
    pub profiles: Option<ProfilesOverview>,
    /// When the last callback with a valid signature was received.
    pub last_callback: Option<Timestamp>,
}

/// Whether Kafka accepts records now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KafkaOverview {
    /// Not known yet.
    Unknown,
    /// It does.
    Up,
    /// It does not.
    Down {
        /// The reason, as in the metrics.
        reason: &'static str,
        /// The message of the Kafka client.
        detail: String,
    },
}

/// What the spool holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpoolOverview {
    /// The number of records that wait for Kafka.
    pub records: u64,
    /// Their size.
    pub bytes: u64,
    /// The size that they may reach.
    pub capacity_bytes: u64,
    /// The age of the oldest of them.
    pub oldest: Option<Duration>,
    /// The number of records that neither topic accepts.
    pub parked: u64,
    /// Whether it takes another record.
    pub has_space: bool,
}

/// Which keys verify callbacks, without their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeysOverview {
    /// Auth tokens that are not in an accounts file.
    pub auth_tokens: usize,
    /// SharedKeys that are not in an accounts file.
    pub shared_keys: usize,
    /// Accounts in the accounts file, if there is one.
    pub accounts: Option<usize>,
    /// When the files were last read again successfully.
    pub reloaded_at: Option<Timestamp>,
    /// Whether the last change of a file could not be used.
    pub reload_failed: bool,
}

/// When Trust Hub was compared with the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReconciliationOverview {
    /// The time between two comparisons.
    pub interval: Duration,
    /// When this process started.
    pub started: Timestamp,
    /// The last successful one of this process.
    pub last_success: Option<Timestamp>,
    /// Changes that no callback had announced, since the start.
    pub missed: u64,
    /// Comparisons that failed, since the start.
    pub failures: u64,
}

/// The states of the profiles in the partitions that this instance owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProfilesOverview {
    /// How many profiles there are in them.
    pub profiles: u64,
    /// How many partitions these are.
    pub partitions: u64,
    /// How many events are not in the states yet.
    pub lag: u64,
    /// How many profiles are in each status; those with none are left out.
    pub statuses: Vec<StatusCount>,
    /// How many approvals end within the time; those with none are left out.
    pub expiring: Vec<ExpiringCount>,
}

/// The profiles of a resource in a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StatusCount {
    /// The resource.
    pub resource: Resource,
    /// The status.
    pub status: Status,
    /// How many profiles.
    pub profiles: u64,
    /// For how long the first of them has been in it.
    pub oldest: Duration,
}

/// The approvals of a resource that end soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExpiringCount {
    /// The resource.
    pub resource: Resource,
    /// Within which time, as in the metrics.
    pub within: &'static str,
    /// How many profiles.
    pub profiles: u64,
}
