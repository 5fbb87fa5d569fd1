//! One at a time: a consumer group of which only the member that is given partition 0 of the topic of events works.
//!
//! Kafka watches over it. While a member works it holds a [`Turn`], and Kafka is not told that it gives its partition away
//! before the turn is over. The partition of a member that died, or that stands still, is given to another one after
//! [`SESSION`] all the same. So what is done under the lock must be harmless when it is done twice.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
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
/// The longest that a turn is waited for when the partition is to be given away: longer than Kafka is waited for.
const LONGEST_TURN: Duration = Duration::from_secs(30);
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

/// How a lock that was held was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Another member has it, who does the rest.
    ToAnother,
    /// Nobody knows.
    Undecided,
}

/// Whether a turn is under way, which the group waits for.
#[derive(Debug, Default)]
struct Desk {
    is_taken: Mutex<bool>,
    is_left: Condvar,
}

impl Desk {
    /// Nothing that holds the lock can panic.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A piece of work that nobody else does meanwhile. It is over when this is dropped.
#[derive(Debug)]
#[must_use = "a turn that is dropped is over"]
pub struct Turn(Arc<Desk>);

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.lock() = false;
        self.0.is_left.notify_all();
    }
}

/// The lock, held until this is dropped or the group gives it to another.
#[must_use = "a lock that is dropped is not held"]
pub struct Lock {
    standing: watch::Receiver<Standing>,
    desk: Arc<Desk>,
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

    /// Takes a turn. Waits while the partitions are being given out anew. One turn at a time.
    ///
    /// # Errors
    /// [`Lost`] when the lock is not held any more.
    pub async fn turn(&self) -> Result<Turn, Lost> {
        loop {
            match self.decided().await {
                Standing::Owner => {}
                Standing::Bystander => return Err(Lost::ToAnother),
                Standing::NotAllowed | Standing::Undecided => return Err(Lost::Undecided),
            }
            let mut is_taken = self.desk.lock();
            // It may have been lost since, but not while the desk is looked at.
            if *self.standing.borrow() == Standing::Owner {
                *is_taken = true;
                return Ok(Turn(Arc::clone(&self.desk)));
            }
        }
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
        let desk = Arc::<Desk>::default();
        let watch = Watch { log: Context::quiet(), standing: tell.clone(), desk: Arc::clone(&desk) };
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
        Ok(Self { standing, desk, leave, member: Some(member) })
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
    desk: Arc<Desk>,
}

impl Watch {
    /// No turn begins from here on, and the one that is under way is waited for: before that Kafka gives nothing away.
    fn give_up(&self) {
        let is_taken = self.desk.lock();
        self.standing.send_replace(Standing::Undecided);
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
                self.standing.send_replace(if has_it { Standing::Owner } else { Standing::Bystander });
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
