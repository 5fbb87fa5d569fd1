//! One at a time: a consumer group of which only the member that is given partition 0 of the topic of events works.
//!
//! Kafka watches over it. While a member works it holds a [`LeaseGuard`], and Kafka is not told that it gives its partition away
//! before the turn is over. The partition of a member that died, or that stands still, is given to another one after
//! [`SESSION`] all the same. So what is done under the lock must be harmless when it is done twice.
//!
//! | Call | Thread | LeaderElection | Bound |
//! | --- | --- | --- | --- |
//! | list the members of the group | `reconcile-free` | none | [`TO_OUTLIVE_THE_DEAD`] and [`PATIENCE`] |
//! | create the consumer, subscribe, poll, hear the group's decisions | `reconcile-lock`, for as long as the lock is held | that of the turn while it is waited for; it is released meanwhile | [`LONGEST_TURN`] |
//! | leave the group and close the consumer | `reconcile-lock` | none | none; the end of a run waits for [`TO_LEAVE`], and a lock that is dropped for nothing |

use std::{
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance},
    error::{KafkaError, RDKafkaErrorCode},
};
use thiserror::Error;
use tokio::{sync::watch, time::timeout};

use super::{client_config, producer::Context, temporary::Temporary};
use crate::{
    blocking::{self, BlockingError},
    config::KafkaConfig,
    telemetry::{Operation, Operations},
};

/// After this time without a sign of life a member counts as dead. It is the shortest that Kafka allows by default.
const SESSION: Duration = Duration::from_secs(6);
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long somebody who may be dead is waited for.
const TO_OUTLIVE_THE_DEAD: Duration = Duration::from_secs(9);
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// The longest that a group may take to find itself.
const TO_JOIN: Duration = Duration::from_secs(45);
/// The longest that one question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that a turn is waited for when the partition is to be given away: longer than Kafka is waited for.
const LONGEST_TURN: Duration = Duration::from_secs(30);
/// The longest that the end of a run waits for the group to be left. Then the next one waits until this one counts as dead.
const TO_LEAVE: Duration = Duration::from_secs(10);
/// How soon a member that is told to leave notices.
const POLL: Duration = Duration::from_millis(100);

/// The partition that is the lock.
const THE_PARTITION: i32 = 0;

/// Why it is not known whose turn it is.
#[derive(Debug, Error)]
pub enum LockError {
    /// The right is missing.
    #[error("the Kafka user lacks the right READ on the consumer group {group}; grant it with kafka-acls")]
    NotAllowed {
        /// The group that is the lock.
        group: String,
    },
    /// Kafka does not answer, or refuses.
    #[error("the consumer group {group} cannot be joined: {reason}")]
    Kafka {
        /// The group that is the lock.
        group: String,
        /// In the client's words.
        reason: KafkaError,
    },
    /// The group did not find itself in time.
    #[error("the consumer group {group} did not give out its partitions in {} s", TO_JOIN.as_secs())]
    Undecided {
        /// The group that is the lock.
        group: String,
    },
}

/// What Kafka has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leadership {
    /// Nothing yet, or the partitions are being given out anew.
    Undecided,
    /// The partition is ours.
    Owner,
    /// It is another member's.
    Bystander,
    /// The group takes no such member.
    NotAllowed,
}

/// How a lock that was held was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadershipLost {
    /// Another member has it, who does the rest.
    ToAnother,
    /// Nobody knows.
    Undecided,
}

/// Whether a turn is under way, which the group waits for.
#[derive(Debug, Default)]
struct LeaseGate {
    is_taken: Mutex<bool>,
    is_left: Condvar,
}

impl LeaseGate {
    /// Nothing that holds the lock can panic.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A piece of work that nobody else does meanwhile. It is over when this is dropped.
#[derive(Debug)]
#[must_use = "a turn that is dropped is over"]
pub struct LeaseGuard(Arc<LeaseGate>);

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        *self.0.lock() = false;
        self.0.is_left.notify_all();
    }
}

/// The end of a thread of librdkafka's calls.
type Ended = Pin<Box<dyn Future<Output = Result<Result<(), KafkaError>, BlockingError>> + Send + Sync>>;

/// The lock, held until this is dropped or the group gives it to another.
#[must_use = "a lock that is dropped is not held"]
pub struct LeaderElection {
    standing: watch::Receiver<Leadership>,
    desk: Arc<LeaseGate>,
    leave: Arc<AtomicBool>,
    /// Ready when the group is left.
    member: Option<Ended>,
}

impl LeaderElection {
    /// Joins the group. `None` when another member works; one that has died is outlived first, which takes some seconds.
    /// `operations` count what is slow.
    ///
    /// # Errors
    /// [`LockError`].
    pub async fn acquire(kafka: &KafkaConfig, operations: &Arc<Operations>) -> Result<Option<Self>, LockError> {
        let group = group(kafka);
        let failed = |reason| LockError::Kafka { group: group.clone(), reason };
        if !is_free_soon(kafka, group.clone(), operations).await.map_err(failed)? {
            return Ok(None);
        }
        let mut lock = Self::join(kafka, &group, operations);
        let standing = lock.decided().await;
        if let Some(reason) = lock.failure().await {
            return Err(failed(reason));
        }
        match standing {
            Leadership::Owner => Ok(Some(lock)),
            Leadership::Bystander => {
                lock.release().await;
                Ok(None)
            }
            Leadership::NotAllowed => Err(LockError::NotAllowed { group }),
            Leadership::Undecided => Err(LockError::Undecided { group }),
        }
    }

    /// Takes a turn. Waits while the partitions are being given out anew. One turn at a time.
    ///
    /// # Errors
    /// [`LeadershipLost`] when the lock is not held any more.
    pub async fn turn(&self) -> Result<LeaseGuard, LeadershipLost> {
        loop {
            match self.decided().await {
                Leadership::Owner => {}
                Leadership::Bystander => return Err(LeadershipLost::ToAnother),
                Leadership::NotAllowed | Leadership::Undecided => return Err(LeadershipLost::Undecided),
            }
            let mut is_taken = self.desk.lock();
            // It may have been lost since, but not while the desk is looked at.
            if *self.standing.borrow() == Leadership::Owner {
                *is_taken = true;
                return Ok(LeaseGuard(Arc::clone(&self.desk)));
            }
        }
    }

    /// Leaves the group, so that the next one need not wait until this one counts as dead.
    pub async fn release(mut self) {
        self.leave.store(true, Ordering::Relaxed);
        if let Some(left) = self.member.take() {
            let _ = timeout(TO_LEAVE, left).await;
        }
    }

    /// Why there is no member, if there is none.
    async fn failure(&mut self) -> Option<KafkaError> {
        // Only the member's thread tells what the group decides, so the channel is closed when that thread ends.
        self.standing.has_changed().err()?;
        let ended = self.member.take()?.await;
        Some(ended.unwrap_or(Err(KafkaError::Canceled)).err().unwrap_or(KafkaError::Canceled))
    }

    async fn decided(&self) -> Leadership {
        let mut standing = self.standing.clone();
        let decided = timeout(TO_JOIN, standing.wait_for(|standing| *standing != Leadership::Undecided)).await;
        match decided {
            Ok(Ok(standing)) => *standing,
            Ok(Err(_)) | Err(_) => Leadership::Undecided,
        }
    }

    fn join(kafka: &KafkaConfig, group: &str, operations: &Arc<Operations>) -> Self {
        let (tell, standing) = watch::channel(Leadership::Undecided);
        let desk = Arc::<LeaseGate>::default();
        let leave = Arc::new(AtomicBool::new(false));
        let member = Member {
            settings: settings(kafka, group),
            topic: kafka.topic.clone(),
            watch: Watch { log: Context::quiet(), standing: tell, desk: Arc::clone(&desk) },
            leave: Arc::clone(&leave),
            operations: Arc::clone(operations),
        };
        let member = blocking::run("reconcile-lock", move || member.run());
        Self { standing, desk, leave, member: Some(Box::pin(member)) }
    }
}

impl Drop for LeaderElection {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Relaxed);
    }
}

/// A member of the group, on its own thread.
struct Member {
    settings: ClientConfig,
    topic: String,
    watch: Watch,
    leave: Arc<AtomicBool>,
    operations: Arc<Operations>,
}

impl Member {
    /// Membership lasts only while records are asked for. Ends when it is told to leave, after it has left.
    fn run(self) -> Result<(), KafkaError> {
        let tell = self.watch.standing.clone();
        let consumer: BaseConsumer<Watch> = self.settings.create_with_context(self.watch)?;
        consumer.subscribe(&[&self.topic])?;
        while !self.leave.load(Ordering::Relaxed) {
            if let Some(Err(error)) = consumer.poll(POLL) {
                tracing::debug!(%error, "librdkafka");
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
                    tell.send_replace(Leadership::NotAllowed);
                }
            }
        }
        let _operation = self.operations.begin(Operation::KafkaClose);
        drop(consumer);
        Ok(())
    }
}

/// There is one lock for each topic.
fn group(kafka: &KafkaConfig) -> String {
    format!("trusthub-bridge-reconcile.{}", kafka.topic)
}

fn settings(kafka: &KafkaConfig, group: &str) -> ClientConfig {
    let mut config = client_config::common(kafka);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false")
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", SESSION.as_millis().to_string())
        .set("heartbeat.interval.ms", HEARTBEAT.as_millis().to_string());
    config
}

/// Whether the group is empty, or will be when those of its members who are dead count as such. Who joins while another
/// one works could be given its partition, so nobody joins who can see that.
async fn is_free_soon(kafka: &KafkaConfig, group: String, operations: &Arc<Operations>) -> Result<bool, KafkaError> {
    let (config, operations) = (client_config::common(kafka), Arc::clone(operations));
    let asked = blocking::run("reconcile-free", move || {
        let until = Instant::now() + TO_OUTLIVE_THE_DEAD;
        let consumer: Temporary<BaseConsumer<_>> =
            Temporary::create(Some(&operations), || config.create_with_context(Context::quiet()))?;
        loop {
            let operation = operations.begin(Operation::KafkaMetadata);
            let groups = consumer.fetch_group_list(Some(&group), PATIENCE)?;
            drop(operation);
            if groups.groups().iter().all(|group| group.members().is_empty()) {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    });
    asked.await.unwrap_or(Err(KafkaError::Canceled))
}

/// Hears what the group decides. Its callbacks run on the member's thread.
struct Watch {
    log: Context,
    standing: watch::Sender<Leadership>,
    desk: Arc<LeaseGate>,
}

impl Watch {
    /// No turn begins from here on, and the one that is under way is waited for: before that Kafka gives nothing away.
    fn give_up(&self) {
        let is_taken = self.desk.lock();
        self.standing.send_replace(Leadership::Undecided);
        let left = self.desk.is_left.wait_timeout_while(is_taken, LONGEST_TURN, |is_taken| *is_taken);
        drop(left.unwrap_or_else(PoisonError::into_inner));
    }
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.log.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, detail: &str) {
        self.log.error(error, detail);
    }
}

impl ConsumerContext for Watch {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(given) => {
                let has_it = given.elements().iter().any(|one| one.partition() == THE_PARTITION);
                self.standing.send_replace(if has_it { Leadership::Owner } else { Leadership::Bystander });
            }
            Rebalance::Revoke(_) | Rebalance::Error(_) => self.give_up(),
        }
    }

    /// Nobody wants the records of the partitions.
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(given) = rebalance
            && let Err(error) = consumer.pause(given)
        {
            tracing::debug!(%error, "librdkafka");
        }
    }
}
