//! One at a time: a consumer group of which only the member that is given partition 0 of the topic of events works.
//!
//! Kafka watches over it: the partition of a member that died is given to another one after [`SESSION`]. A member that
//! lost its partition learns of it, but not at once. So what is done under the lock must be harmless when it is done twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance},
    error::{KafkaError, RDKafkaErrorCode},
};
use thiserror::Error;
use tokio::{sync::watch, task::spawn_blocking, time::timeout};

use super::{client, producer::Context};
use crate::config::Kafka;

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
enum Standing {
    /// Nothing yet, or the partitions are being given out anew.
    Undecided,
    /// The partition is ours.
    Owner,
    /// It is another member's.
    Bystander,
    /// The group takes no such member.
    NotAllowed,
}

/// The lock, held until this is dropped or the group gives it to another.
#[must_use = "a lock that is dropped is not held"]
pub struct Lock {
    standing: watch::Receiver<Standing>,
    leave: Arc<AtomicBool>,
    member: Option<JoinHandle<()>>,
}

impl Lock {
    /// Joins the group. `None` when another member works; one that has died is outlived first, which takes some seconds.
    ///
    /// # Errors
    /// [`LockError`].
    pub async fn acquire(kafka: &Kafka) -> Result<Option<Self>, LockError> {
        let group = group(kafka);
        let failed = |reason| LockError::Kafka { group: group.clone(), reason };
        if !is_free_soon(kafka, group.clone()).await.map_err(failed)? {
            return Ok(None);
        }
        let lock = Self::join(kafka, &group).map_err(failed)?;
        match lock.decided().await {
            Standing::Owner => Ok(Some(lock)),
            Standing::Bystander => {
                lock.release().await;
                Ok(None)
            }
            Standing::NotAllowed => Err(LockError::NotAllowed { group }),
            Standing::Undecided => Err(LockError::Undecided { group }),
        }
    }

    /// Whether it is still held. Waits while the partitions are being given out anew.
    pub async fn is_held(&self) -> bool {
        self.decided().await == Standing::Owner
    }

    /// Leaves the group, so that the next one need not wait until this one counts as dead.
    pub async fn release(mut self) {
        self.leave.store(true, Ordering::Relaxed);
        if let Some(member) = self.member.take() {
            let _ = spawn_blocking(move || member.join()).await;
        }
    }

    async fn decided(&self) -> Standing {
        let mut standing = self.standing.clone();
        let decided = timeout(TO_JOIN, standing.wait_for(|standing| *standing != Standing::Undecided)).await;
        match decided {
            Ok(Ok(standing)) => *standing,
            Ok(Err(_)) | Err(_) => Standing::Undecided,
        }
    }

    fn join(kafka: &Kafka, group: &str) -> Result<Self, KafkaError> {
        let (tell, standing) = watch::channel(Standing::Undecided);
        let watch = Watch { log: Context::quiet(), standing: tell.clone() };
        let consumer: BaseConsumer<Watch> = settings(kafka, group).create_with_context(watch)?;
        consumer.subscribe(&[&kafka.topic])?;
        let leave = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&leave);
        // Membership lasts only while somebody asks for records. Leaving waits for the broker, so it has its own thread.
        let member = thread::Builder::new().name("reconcile-lock".to_owned()).spawn(move || {
            while !told.load(Ordering::Relaxed) {
                if let Some(Err(error)) = consumer.poll(POLL) {
                    tracing::debug!(%error, "librdkafka");
                    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
                        tell.send_replace(Standing::NotAllowed);
                    }
                }
            }
        });
        let member = member.map_err(|_no_thread| KafkaError::Canceled)?;
        Ok(Self { standing, leave, member: Some(member) })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.leave.store(true, Ordering::Relaxed);
    }
}

/// There is one lock for each topic.
fn group(kafka: &Kafka) -> String {
    format!("trusthub-bridge-reconcile.{}", kafka.topic)
}

fn settings(kafka: &Kafka, group: &str) -> ClientConfig {
    let mut config = client::common(kafka);
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
async fn is_free_soon(kafka: &Kafka, group: String) -> Result<bool, KafkaError> {
    let until = Instant::now() + TO_OUTLIVE_THE_DEAD;
    let config = client::common(kafka);
    let asked = spawn_blocking(move || {
        let consumer: BaseConsumer<Context> = config.create_with_context(Context::quiet())?;
        loop {
            let groups = consumer.fetch_group_list(Some(&group), PATIENCE)?;
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
    standing: watch::Sender<Standing>,
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
        let standing = match rebalance {
            Rebalance::Assign(given) if given.elements().iter().any(|one| one.partition() == THE_PARTITION) => {
                Standing::Owner
            }
            Rebalance::Assign(_) => Standing::Bystander,
            Rebalance::Revoke(_) | Rebalance::Error(_) => Standing::Undecided,
        };
        self.standing.send_replace(standing);
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
