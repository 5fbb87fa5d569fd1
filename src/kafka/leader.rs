//! Leader election through a Kafka consumer group. It saves repeated work and is not needed for correctness: two
//! leaders may briefly overlap, so work under a lease must be harmless when it is done twice.
//!
//! The leader is the group member that is assigned partition 0 of the event topic. It does its work in pieces and holds
//! a [`LeaseGuard`] during each; the member gives up its partition only after the lease ends. Kafka reassigns the
//! partition of a member that died or stalled after [`SESSION_TIMEOUT`], even while that member holds a lease.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | list the members of the group | `leader-free` | none | [`DEAD_MEMBER_WAIT`] and [`REQUEST_TIMEOUT`] |
//! | create the consumer, subscribe, poll, receive rebalances | `leader-lock`, for as long as the process leads | that of the [`LeaseGate`], while it waits for a lease; the wait releases it | [`MAX_LEASE_WAIT`] |
//! | leave the group and close the consumer | `leader-lock` | none | none; [`LeaderElection::resign`] waits for [`LEAVE_TIMEOUT`], and dropping a [`LeaderElection`] does not wait |

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance},
    error::{KafkaError, RDKafkaErrorCode},
};
use thiserror::Error;
use tokio::{sync::watch, time::timeout};

use super::{
    client::{ClientSettings, KafkaClient},
    client_config,
    delivery_context::QuietContext,
    leader_task::LeaderTask,
    temporary::TemporaryClient,
};
use crate::{
    blocking::{self, BlockingError},
    config::KafkaConfig,
    telemetry::{Operation, Operations},
};

/// The time without a heartbeat after which Kafka considers a member dead. It is the shortest that brokers allow by
/// default.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);
/// How long to wait for the session of a member that may have died to expire.
const DEAD_MEMBER_WAIT: Duration = Duration::from_secs(9);
const MEMBER_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long the group may take to assign its partitions.
const JOIN_TIMEOUT: Duration = Duration::from_secs(45);
/// How long a leader whose work failed waits to learn whether it was replaced, and by whom.
const TAKEOVER_WAIT: Duration = Duration::from_secs(5);
/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a rebalance waits for a lease to end. It is longer than the time that a piece of work waits for Kafka.
const MAX_LEASE_WAIT: Duration = Duration::from_secs(60);
/// How long [`LeaderElection::resign`] waits until the group is left. If that takes longer, the next leader has to wait
/// until Kafka considers this member dead.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one poll takes, and so how soon a member notices that it should leave.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// The partition whose owner is the leader.
pub(super) const LEADER_PARTITION: i32 = 0;

/// Why it is unknown which process leads.
#[derive(Debug, Error)]
pub(crate) enum LeaderElectionError {
    /// The permission is missing.
    #[error("the Kafka user is not authorized to READ on consumer group {group}; grant the permission with kafka-acls")]
    NotAllowed {
        /// The consumer group.
        group: String,
    },
    /// Kafka does not answer, or rejects a request.
    #[error("cannot join consumer group {group}: {reason}")]
    Kafka {
        /// The consumer group.
        group: String,
        /// The error of the client.
        #[source]
        reason: KafkaError,
    },
    /// The group did not assign its partitions in time.
    #[error("consumer group {group} did not assign its partitions within {} s", JOIN_TIMEOUT.as_secs())]
    Undecided {
        /// The consumer group.
        group: String,
    },
}

/// The state of this member in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leadership {
    /// Kafka has not assigned the partitions yet, or is reassigning them.
    Undecided,
    /// This member owns partition 0.
    Leader,
    /// Another member owns partition 0.
    Standby,
    /// The Kafka user is not authorized for the group.
    NotAllowed,
}

/// How a leader lost its leadership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeadershipLost {
    /// Another member leads now and does the rest of the work.
    ToAnother,
    /// The group has not elected a new leader.
    Undecided,
}

/// Makes a rebalance wait while a lease is held.
#[derive(Debug, Default)]
struct LeaseGate {
    is_leased: Mutex<bool>,
    released: Condvar,
}

impl LeaseGate {
    /// No code that holds the lock can panic.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_leased.lock()
    }
}

/// Keeps the leadership for one piece of work, as long as this process does not stall. Dropping it ends the lease.
#[derive(Debug)]
#[must_use = "dropping the guard ends the lease"]
pub(crate) struct LeaseGuard(Arc<LeaseGate>);

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        *self.0.lock() = false;
        self.0.released.notify_all();
    }
}

/// Completes when the member's thread has ended.
type MemberExit = Pin<Box<dyn Future<Output = Result<Result<(), KafkaError>, BlockingError>> + Send + Sync>>;

/// The leadership of this process, until this is dropped or the group elects another leader.
#[must_use = "dropping it gives up the leadership"]
pub(crate) struct LeaderElection {
    leadership: watch::Receiver<Leadership>,
    gate: Arc<LeaseGate>,
    leave: Arc<AtomicBool>,
    /// Completes when the group is left; `None` once it was awaited.
    member: Option<MemberExit>,
}

impl LeaderElection {
    /// Joins the group. Returns `None` when another member leads. If that member may have died, waits some seconds for
    /// its session to expire first. `operations` counts slow calls.
    ///
    /// # Errors
    /// [`LeaderElectionError`].
    pub(crate) async fn campaign(
        task: LeaderTask,
        kafka: &KafkaConfig,
        operations: &Arc<Operations>,
    ) -> Result<Option<Self>, LeaderElectionError> {
        let group = task.group_id(kafka);
        let failed = |reason| LeaderElectionError::Kafka { group: group.clone(), reason };
        if !is_group_empty_soon(kafka, group.clone(), operations).await.map_err(failed)? {
            return Ok(None);
        }
        let mut election = Self::start_member(kafka, &group, operations);
        let leadership = election.decision().await;
        if let Some(reason) = election.member_error().await {
            return Err(failed(reason));
        }
        match leadership {
            Leadership::Leader => Ok(Some(election)),
            Leadership::Standby => {
                election.resign().await;
                Ok(None)
            }
            Leadership::NotAllowed => Err(LeaderElectionError::NotAllowed { group }),
            Leadership::Undecided => Err(LeaderElectionError::Undecided { group }),
        }
    }

    /// Acquires a lease for one piece of work. Waits while the group reassigns its partitions. At most one lease may be
    /// held at a time.
    ///
    /// # Errors
    /// [`LeadershipLost`] when this process does not lead any more.
    pub(crate) async fn acquire_lease(&self) -> Result<LeaseGuard, LeadershipLost> {
        loop {
            match self.decision().await {
                Leadership::Leader => {}
                Leadership::Standby => return Err(LeadershipLost::ToAnother),
                Leadership::NotAllowed | Leadership::Undecided => return Err(LeadershipLost::Undecided),
            }
            let mut is_leased = self.gate.lock();
            // The leadership may have been lost since, but it cannot be lost while the gate is locked.
            if *self.leadership.borrow() == Leadership::Leader {
                *is_leased = true;
                return Ok(LeaseGuard(Arc::clone(&self.gate)));
            }
        }
    }

    /// Whether another member leads now. A process that was suspended learns this only from its next heartbeat, so this
    /// waits for it, and then for the group to assign its partitions: [`TAKEOVER_WAIT`] each at most.
    pub(crate) async fn is_taken_over(&self) -> bool {
        let mut leadership = self.leadership.clone();
        if timeout(TAKEOVER_WAIT, leadership.wait_for(|now| *now != Leadership::Leader)).await.is_err() {
            return false;
        }
        let standby = timeout(TAKEOVER_WAIT, leadership.wait_for(|now| *now == Leadership::Standby)).await;
        matches!(standby, Ok(Ok(_)))
    }

    /// Leaves the group, so that the next leader need not wait until Kafka considers this member dead.
    pub(crate) async fn resign(mut self) {
        self.leave.store(true, Ordering::Relaxed);
        if let Some(left) = self.member.take() {
            let _ = timeout(LEAVE_TIMEOUT, left).await;
        }
    }

    /// Returns the error that ended the member's thread, if that thread has ended.
    async fn member_error(&mut self) -> Option<KafkaError> {
        // Only the member's thread holds a sender, so the channel is closed when that thread has ended.
        self.leadership.has_changed().err()?;
        let exit = self.member.take()?.await;
        Some(exit.unwrap_or(Err(KafkaError::Canceled)).err().unwrap_or(KafkaError::Canceled))
    }

    /// Waits until the group has assigned its partitions, at most [`JOIN_TIMEOUT`].
    async fn decision(&self) -> Leadership {
        let mut leadership = self.leadership.clone();
        let decision =
            timeout(JOIN_TIMEOUT, leadership.wait_for(|leadership| *leadership != Leadership::Undecided)).await;
        match decision {
            Ok(Ok(leadership)) => *leadership,
            Ok(Err(_)) | Err(_) => Leadership::Undecided,
        }
    }

    fn start_member(kafka: &KafkaConfig, group: &str, operations: &Arc<Operations>) -> Self {
        let (sender, leadership) = watch::channel(Leadership::Undecided);
        let gate = Arc::<LeaseGate>::default();
        let leave = Arc::new(AtomicBool::new(false));
        let member = GroupMember {
            config: member_config(kafka, group),
            topic: kafka.topic.clone(),
            listener: RebalanceListener { log: QuietContext, leadership: sender, gate: Arc::clone(&gate) },
            leave: Arc::clone(&leave),
            operations: Arc::clone(operations),
        };
        let member = blocking::run("leader-lock", move || member.run());
        Self { leadership, gate, leave, member: Some(Box::pin(member)) }
    }
}

impl Drop for LeaderElection {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Relaxed);
    }
}

/// A member of the group. It runs on its own thread.
struct GroupMember {
    config: ClientSettings,
    topic: String,
    listener: RebalanceListener,
    leave: Arc<AtomicBool>,
    operations: Arc<Operations>,
}

impl GroupMember {
    /// Polls, because Kafka removes a member that does not poll. Returns after the member was asked to leave and has
    /// left.
    fn run(self) -> Result<(), KafkaError> {
        let leadership = self.listener.leadership.clone();
        let consumer: KafkaClient<BaseConsumer<RebalanceListener>> = self.config.create_with_context(self.listener)?;
        consumer.subscribe(&[&self.topic])?;
        while !self.leave.load(Ordering::Relaxed) {
            if let Some(Err(error)) = consumer.poll(POLL_TIMEOUT) {
                tracing::debug!(%error, "librdkafka");
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
                    leadership.send_replace(Leadership::NotAllowed);
                }
            }
        }
        let _operation = self.operations.begin(Operation::KafkaClose);
        drop(consumer);
        Ok(())
    }
}

fn member_config(kafka: &KafkaConfig, group: &str) -> ClientSettings {
    let mut config = client_config::common(kafka);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false")
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", SESSION_TIMEOUT.as_millis().to_string())
        .set("heartbeat.interval.ms", HEARTBEAT_INTERVAL.as_millis().to_string());
    config
}

/// Whether the group is empty now, or becomes empty when the sessions of dead members expire. A process that joins while
/// another one works could be assigned its partition, so it does not join a group that has members.
async fn is_group_empty_soon(
    kafka: &KafkaConfig,
    group: String,
    operations: &Arc<Operations>,
) -> Result<bool, KafkaError> {
    let (config, operations) = (client_config::common(kafka), Arc::clone(operations));
    let listed = blocking::run("leader-free", move || {
        let deadline = Instant::now() + DEAD_MEMBER_WAIT;
        let consumer: TemporaryClient<KafkaClient<BaseConsumer<_>>> =
            TemporaryClient::create(Some(&operations), || config.create_with_context(QuietContext))?;
        loop {
            let operation = operations.begin(Operation::KafkaMetadata);
            let groups = match consumer.fetch_group_list(Some(&group), REQUEST_TIMEOUT) {
                // The embedded Kafka of `dev` has groups, but does not list them. Two leaders would only repeat work.
                Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnsupportedFeature) => {
                    return Ok(true);
                }
                listed => listed?,
            };
            drop(operation);
            if groups.groups().iter().all(|group| group.members().is_empty()) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            thread::sleep(MEMBER_POLL_INTERVAL);
        }
    });
    listed.await.unwrap_or(Err(KafkaError::Canceled))
}

/// Receives the rebalances of the group. Its callbacks run on the member's thread.
struct RebalanceListener {
    log: QuietContext,
    leadership: watch::Sender<Leadership>,
    gate: Arc<LeaseGate>,
}

impl RebalanceListener {
    /// Prevents new leases, and waits for the current one to end. Kafka reassigns the partition only after this returns.
    fn revoke(&self) {
        let mut is_leased = self.gate.lock();
        self.leadership.send_replace(Leadership::Undecided);
        self.gate.released.wait_while_for(&mut is_leased, |is_leased| *is_leased, MAX_LEASE_WAIT);
    }
}

impl ClientContext for RebalanceListener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.log.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, detail: &str) {
        self.log.error(error, detail);
    }
}

impl ConsumerContext for RebalanceListener {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(assigned) => {
                let is_leader = assigned.elements().iter().any(|one| one.partition() == LEADER_PARTITION);
                self.leadership.send_replace(if is_leader { Leadership::Leader } else { Leadership::Standby });
            }
            Rebalance::Revoke(_) | Rebalance::Error(_) => self.revoke(),
        }
    }

    /// Pauses the partitions, because only their assignment matters and not their records.
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(assigned) = rebalance
            && let Err(error) = consumer.pause(assigned)
        {
            tracing::debug!(%error, "librdkafka");
        }
    }
}
