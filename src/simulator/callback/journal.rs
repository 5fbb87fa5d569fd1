//! What was tried, and how it ended.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Serialize, Serializer};
use tokio::sync::broadcast;

use super::Fault;
use crate::domain::{AccountSid, Construction, ProfileSid, Status, Timestamp, Verb, closed_set, serialize_label};

/// Attempts that a follower may be behind before it misses some.
const FOLLOWERS_LAG: usize = 1024;

closed_set! {
    /// Why a callback got no answer.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Failure {
        /// No connection.
        Connect => "connect",
        /// No connection in time.
        ConnectTimeout => "connect_timeout",
        /// The host has no address.
        Dns => "dns",
        /// No TLS handshake; perhaps the certificate is not valid.
        Tls => "tls",
        /// No answer in time.
        ReadTimeout => "read_timeout",
        /// The connection broke before the answer, or the answer is not HTTP.
        Read => "read",
        /// The time for all tries together is over.
        TotalTimeout => "total_timeout",
        /// One redirect more than Twilio follows; its error 11215.
        TooManyRedirects => "too_many_redirects",
        /// Not sent: a fault that was asked for.
        Dropped => "dropped",
        /// Not sent: too many callbacks are under way.
        QueueFull => "queue_full",
        /// Not sent: the URL is none that can be called.
        InvalidUrl => "invalid_url",
        /// Not sent: the URL's `rp` names no kind of failure; Twilio's error 11243.
        InvalidRetryPolicy => "invalid_retry_policy",
        /// Not sent: there is no token to sign with.
        UnknownAccount => "unknown_account",
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With this status code.
    Answer(u16),
    /// Without an answer.
    Failure(Failure),
}

/// What all attempts at one callback have in common.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    /// The account of the profile.
    pub account_sid: AccountSid,
    /// The profile.
    pub profile_sid: ProfileSid,
    /// The status that is announced.
    pub status: Status,
    /// What was signed.
    #[serde(serialize_with = "serialize_label")]
    pub construction: Construction,
    /// Tells this callback apart from others.
    pub idempotency_token: String,
    /// What goes wrong on purpose.
    pub faults: Vec<Fault>,
    /// Overrides in the URL's fragment that mean nothing.
    pub ignored_overrides: Vec<String>,
}

/// One request, or one that was not made.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// Ascends with each attempt.
    pub id: u64,
    /// When it began.
    pub time: Timestamp,
    /// What it is about.
    #[serde(flatten)]
    pub callback: Subject,
    /// The verb.
    #[serde(serialize_with = "verb")]
    pub verb: Verb,
    /// The URL without its fragment.
    pub url: String,
    /// The number of the try; 0 when nothing was sent.
    pub number: u32,
    /// How many redirects were followed to get there.
    pub redirects: u32,
    /// How it ended: `answer` or `failure`.
    #[serde(flatten)]
    pub ending: Ending,
    /// How long it took.
    pub milliseconds: u64,
}

fn verb<S: Serializer>(verb: &Verb, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verb.as_str())
}

/// The latest attempts.
pub(super) struct Journal {
    capacity: usize,
    pages: Mutex<Pages>,
    followers: broadcast::Sender<Attempt>,
}

#[derive(Default)]
struct Pages {
    last_id: u64,
    /// The oldest first.
    attempts: VecDeque<Attempt>,
}

impl Journal {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, pages: Mutex::default(), followers: broadcast::Sender::new(FOLLOWERS_LAG) }
    }

    /// Writes down an attempt under the next id. The oldest one is forgotten when there are too many.
    pub(super) fn write(&self, attempt: impl FnOnce(u64) -> Attempt) {
        let mut pages = self.lock();
        pages.last_id += 1;
        let attempt = attempt(pages.last_id);
        // Nobody need be following.
        let _ = self.followers.send(attempt.clone());
        pages.attempts.push_back(attempt);
        if pages.attempts.len() > self.capacity {
            pages.attempts.pop_front();
        }
    }

    pub(super) fn latest(&self, profile: Option<&ProfileSid>, limit: usize) -> Vec<Attempt> {
        let pages = self.lock();
        let of_profile = |attempt: &&Attempt| profile.is_none_or(|profile| attempt.callback.profile_sid == *profile);
        pages.attempts.iter().rev().filter(of_profile).take(limit).cloned().collect()
    }

    pub(super) fn follow(&self) -> broadcast::Receiver<Attempt> {
        self.followers.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;

    fn profile(digit: char) -> ProfileSid {
        ProfileSid::parse(&format!("BU{}", digit.to_string().repeat(32))).unwrap()
    }

    fn attempt(id: u64, profile_sid: ProfileSid, ending: Ending) -> Attempt {
        let callback = Subject {
            account_sid: AccountSid::parse(&format!("AC{}", "0".repeat(32))).unwrap(),
            profile_sid,
            status: Status::TwilioRejected,
            construction: Construction::BodyHash,
            idempotency_token: "t".to_owned(),
            faults: vec![Fault::OldToken],
            ignored_overrides: vec!["rc=9".to_owned()],
        };
        Attempt {
            id,
            time: UNIX_EPOCH.into(),
            callback,
            verb: Verb::Post,
            url: "https://h/".to_owned(),
            number: 1,
            redirects: 0,
            ending,
            milliseconds: 12,
        }
    }

    fn ids(attempts: &[Attempt]) -> Vec<u64> {
        attempts.iter().map(|attempt| attempt.id).collect()
    }

    #[test]
    fn the_journal_is_bounded_and_forgets_the_oldest() {
        let journal = Journal::new(3);
        for _ in 0..5 {
            journal.write(|id| attempt(id, profile('1'), Ending::Answer(204)));
        }
        assert_eq!(ids(&journal.latest(None, 100)), [5, 4, 3]);
        assert_eq!(ids(&journal.latest(None, 2)), [5, 4]);
    }

    #[test]
    fn the_attempts_of_one_profile_are_found_among_others() {
        let journal = Journal::new(10);
        for digit in ['1', '2', '1', '3'] {
            journal.write(|id| attempt(id, profile(digit), Ending::Answer(204)));
        }
        assert_eq!(ids(&journal.latest(Some(&profile('1')), 100)), [3, 1]);
        assert_eq!(ids(&journal.latest(Some(&profile('4')), 100)), Vec::<u64>::new());
    }

    #[test]
    fn an_attempt_is_json_with_its_answer_or_its_failure() {
        let answered = serde_json::to_value(attempt(1, profile('1'), Ending::Answer(204))).unwrap();
        let expected = json!({
            "id": 1, "time": "1970-01-01T00:00:00.000Z", "account_sid": format!("AC{}", "0".repeat(32)),
            "profile_sid": profile('1'), "status": "twilio-rejected", "verb": "POST", "url": "https://h/",
            "construction": "body_hash", "idempotency_token": "t", "faults": ["old_token"],
            "ignored_overrides": ["rc=9"], "number": 1, "redirects": 0, "answer": 204, "milliseconds": 12,
        });
        assert_eq!(answered, expected);
        let failed = serde_json::to_value(attempt(1, profile('1'), Ending::Failure(Failure::ReadTimeout))).unwrap();
        assert_eq!((failed.get("answer"), &failed["failure"]), (None, &json!("read_timeout")));
    }
}
