//! The journal: the latest attempts to send a callback, and their outcomes.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::broadcast;
use trusthub_events::{AccountSid, ProfileSid, Status, Timestamp, closed_set, serialize_label};
use twilio_signature::Construction;

use super::{faults::CallbackFault, request::CallbackMethod, signers::CallbackSigner};

/// The number of attempts that a subscriber can lag behind before it misses some.
const MAX_LAG: usize = 1024;

closed_set! {
    /// Why a callback got no response.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum CallbackFailure {
        /// The connection failed.
        Connect => "connect",
        /// The connection was not established in time.
        ConnectTimeout => "connect_timeout",
        /// The host name has no address.
        Dns => "dns",
        /// The TLS handshake failed, as with an invalid certificate.
        Tls => "tls",
        /// The response did not arrive in time.
        ReadTimeout => "read_timeout",
        /// The connection broke before the response, or the response is not HTTP.
        Read => "read",
        /// The time for all attempts together is over.
        TotalTimeout => "total_timeout",
        /// There were more redirects than Twilio follows; Twilio's error 11215.
        TooManyRedirects => "too_many_redirects",
        /// Not sent: the fault `drop` was set.
        Dropped => "dropped",
        /// Not sent: too many callbacks are pending.
        QueueFull => "queue_full",
        /// Not sent: the URL is not a valid HTTP URL.
        InvalidUrl => "invalid_url",
        /// Not sent: the URL's `rp` names an unknown kind of failure; Twilio's error 11243.
        InvalidRetryPolicy => "invalid_retry_policy",
        /// Not sent: the simulator has no key of this account.
        UnknownAccount => "unknown_account",
    }
}

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The receiver answered with this status code.
    Answer(u16),
    /// There was no response.
    Failure(CallbackFailure),
}

/// The properties that all attempts at one callback share.
#[derive(Debug, Clone, Serialize)]
pub struct CallbackInfo {
    /// The account of the profile.
    pub account_sid: AccountSid,
    /// The profile whose status changed.
    pub profile_sid: ProfileSid,
    /// The announced status.
    pub status: Status,
    /// How the signed message was built.
    pub construction: Construction,
    /// What signed it, unless a fault chose another key; `None` if the simulator has no key of the account.
    pub signed_by: Option<CallbackSigner>,
    /// The UUID that identifies this callback; a duplicate has the same one.
    pub idempotency_token: String,
    /// The faults that this callback has on purpose.
    pub faults: Vec<CallbackFault>,
    /// The connection overrides in the URL's fragment that are unknown or out of range.
    pub ignored_overrides: Vec<String>,
}

/// An attempt to send a callback: one request, or the reason why none was sent.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// The number of the attempt in this journal, counted from 1.
    pub id: u64,
    /// The time at which it started.
    pub time: Timestamp,
    /// The callback that it belongs to.
    #[serde(flatten)]
    pub callback: CallbackInfo,
    /// The HTTP method.
    #[serde(serialize_with = "serialize_label")]
    pub verb: CallbackMethod,
    /// The URL without its fragment.
    pub url: String,
    /// 1 for the first try, more for retries; 0 if nothing was sent.
    pub number: u32,
    /// The number of redirects that led to this request.
    pub redirects: u32,
    /// The outcome, which is serialized as `answer` or `failure`.
    #[serde(flatten)]
    pub outcome: AttemptOutcome,
    /// The duration of the request.
    pub milliseconds: u64,
}

/// The latest attempts, up to a fixed number.
pub(super) struct Journal {
    capacity: usize,
    entries: Mutex<JournalEntries>,
    subscribers: broadcast::Sender<Attempt>,
}

#[derive(Default)]
struct JournalEntries {
    last_id: u64,
    /// The oldest first.
    attempts: VecDeque<Attempt>,
}

impl Journal {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::default(), subscribers: broadcast::Sender::new(MAX_LAG) }
    }

    /// Records an attempt under the next id, and removes the oldest one if the journal is full.
    pub(super) fn write(&self, attempt: impl FnOnce(u64) -> Attempt) {
        let mut entries = self.entries.lock();
        entries.last_id += 1;
        let attempt = attempt(entries.last_id);
        // This fails if there are no subscribers, which is fine.
        let _ = self.subscribers.send(attempt.clone());
        entries.attempts.push_back(attempt);
        if entries.attempts.len() > self.capacity {
            entries.attempts.pop_front();
        }
    }

    pub(super) fn latest(&self, profile: Option<&ProfileSid>, limit: usize) -> Vec<Attempt> {
        let entries = self.entries.lock();
        let of_profile = |attempt: &&Attempt| profile.is_none_or(|profile| attempt.callback.profile_sid == *profile);
        entries.attempts.iter().rev().filter(of_profile).take(limit).cloned().collect()
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Attempt> {
        self.subscribers.subscribe()
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

    fn attempt(id: u64, profile_sid: ProfileSid, outcome: AttemptOutcome) -> Attempt {
        let callback = CallbackInfo {
            account_sid: AccountSid::parse(&format!("AC{}", "0".repeat(32))).unwrap(),
            profile_sid,
            status: Status::TwilioRejected,
            construction: Construction::BodyHash,
            signed_by: Some(CallbackSigner::AUTH_TOKEN),
            idempotency_token: "t".to_owned(),
            faults: vec![CallbackFault::OldToken],
            ignored_overrides: vec!["rc=9".to_owned()],
        };
        Attempt {
            id,
            time: UNIX_EPOCH.into(),
            callback,
            verb: CallbackMethod::Post,
            url: "https://h/".to_owned(),
            number: 1,
            redirects: 0,
            outcome,
            milliseconds: 12,
        }
    }

    fn ids(attempts: &[Attempt]) -> Vec<u64> {
        attempts.iter().map(|attempt| attempt.id).collect()
    }

    #[test]
    fn a_full_journal_removes_its_oldest_attempts() {
        let journal = Journal::new(3);
        for _ in 0..5 {
            journal.write(|id| attempt(id, profile('1'), AttemptOutcome::Answer(204)));
        }
        assert_eq!(ids(&journal.latest(None, 100)), [5, 4, 3]);
        assert_eq!(ids(&journal.latest(None, 2)), [5, 4]);
    }

    #[test]
    fn attempts_can_be_filtered_by_profile() {
        let journal = Journal::new(10);
        for digit in ['1', '2', '1', '3'] {
            journal.write(|id| attempt(id, profile(digit), AttemptOutcome::Answer(204)));
        }
        assert_eq!(ids(&journal.latest(Some(&profile('1')), 100)), [3, 1]);
        assert_eq!(ids(&journal.latest(Some(&profile('4')), 100)), Vec::<u64>::new());
    }

    #[test]
    fn an_attempt_is_serialized_with_its_answer_or_its_failure() {
        let answered = serde_json::to_value(attempt(1, profile('1'), AttemptOutcome::Answer(204))).unwrap();
        let expected = json!({
            "id": 1, "time": "1970-01-01T00:00:00.000Z", "account_sid": format!("AC{}", "0".repeat(32)),
            "profile_sid": profile('1'), "status": "twilio-rejected", "verb": "POST", "url": "https://h/",
            "construction": "body_hash", "signed_by": "auth_token", "idempotency_token": "t", "faults": ["old_token"],
            "ignored_overrides": ["rc=9"], "number": 1, "redirects": 0, "answer": 204, "milliseconds": 12,
        });
        assert_eq!(answered, expected);
        let failed =
            serde_json::to_value(attempt(1, profile('1'), AttemptOutcome::Failure(CallbackFailure::ReadTimeout)))
                .unwrap();
        assert_eq!((failed.get("answer"), &failed["failure"]), (None, &json!("read_timeout")));
    }
}
