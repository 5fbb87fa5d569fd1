//! The latest e-mails.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde::{Serialize, Serializer};
use trusthub_events::{AccountSid, ProfileSid, Status, closed_set, serialize_label};

use crate::model::SimTime;

/// The address that the e-mails come from. Nobody can have it.
pub(super) const SENDER: &str = "trust-hub@simulator.invalid";

/// The limit on kept e-mails.
const MAX_EMAILS: usize = 10_000;

/// The limit on the size of all kept e-mails together: names and reasons can be long.
const MAX_BYTES: usize = 32 * 1024 * 1024;

closed_set! {
    /// What became of an e-mail.
    pub enum DeliveryStatus {
        /// Kept only: there is no SMTP server.
        Kept => "kept",
        /// Waiting for the SMTP server.
        Queued => "queued",
        /// The SMTP server has it.
        Delivered => "delivered",
        /// The SMTP server does not have it.
        Failed => "failed",
        /// No mail can be sent to the `Email` of the profile.
        Unmailable => "unmailable",
    }
}

/// An e-mail about a decision.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Email {
    /// The number, counted from 1.
    pub(crate) id: u64,
    /// The simulated time of the decision.
    #[serde(serialize_with = "serialize_time")]
    pub(super) time: SimTime,
    pub(super) account_sid: AccountSid,
    pub(super) profile_sid: ProfileSid,
    /// The status that the decision led to.
    pub(super) status: Status,
    pub(super) from: &'static str,
    /// The `Email` of the profile, which can be any text.
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) text: String,
    /// Without the angle brackets.
    pub(super) message_id: String,
    #[serde(serialize_with = "serialize_label")]
    pub(super) delivery: DeliveryStatus,
    /// Why it was not delivered.
    pub(super) delivery_error: Option<String>,
}

fn serialize_time<S: Serializer>(time: &SimTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

impl Email {
    /// Returns the size of the parts that can be long.
    fn size(&self) -> usize {
        self.to.len().saturating_add(self.subject.len()).saturating_add(self.text.len())
    }
}

/// Which e-mails to list. An e-mail must match every criterion that is set.
#[derive(Debug, Default)]
pub(crate) struct EmailFilter {
    pub(crate) profile: Option<ProfileSid>,
    /// The recipient, in any case.
    pub(crate) to: Option<String>,
    /// Only e-mails with a smaller number than this one.
    pub(crate) before: Option<u64>,
}

impl EmailFilter {
    fn matches(&self, email: &Email) -> bool {
        self.profile.as_ref().is_none_or(|profile| *profile == email.profile_sid)
            && self.to.as_ref().is_none_or(|to| to.eq_ignore_ascii_case(&email.to))
            && self.before.is_none_or(|before| email.id < before)
    }
}

/// The latest e-mails, up to a number and a size.
#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<MailboxEntries>);

#[derive(Debug, Default)]
struct MailboxEntries {
    last_id: u64,
    bytes: usize,
    /// In the order of their numbers.
    emails: VecDeque<Email>,
}

impl Mailbox {
    /// Adds an e-mail under the next number, and removes the oldest ones if there are too many.
    pub(super) fn add(&self, email: Email) -> u64 {
        let mut entries = self.0.lock();
        entries.last_id = entries.last_id.saturating_add(1);
        let email = Email { id: entries.last_id, ..email };
        entries.bytes = entries.bytes.saturating_add(email.size());
        entries.emails.push_back(email);
        while entries.emails.len() > MAX_EMAILS || entries.bytes > MAX_BYTES {
            let Some(oldest) = entries.emails.pop_front() else { break };
            entries.bytes = entries.bytes.saturating_sub(oldest.size());
        }
        entries.last_id
    }

    pub(super) fn get(&self, id: u64) -> Option<Email> {
        let entries = self.0.lock();
        let index = entries.emails.binary_search_by_key(&id, |email| email.id).ok()?;
        entries.emails.get(index).cloned()
    }

    /// Returns at most `limit` e-mails, newest first, and whether there are more.
    pub(super) fn list(&self, filter: &EmailFilter, limit: usize) -> (Vec<Email>, bool) {
        let entries = self.0.lock();
        let mut matching = entries.emails.iter().rev().filter(|email| filter.matches(email));
        let page = matching.by_ref().take(limit).cloned().collect();
        (page, matching.next().is_some())
    }

    /// Removes the e-mails that match.
    pub(super) fn clear(&self, filter: &EmailFilter) {
        let mut entries = self.0.lock();
        entries.emails.retain(|email| !filter.matches(email));
        entries.bytes = entries.emails.iter().fold(0, |bytes, email| bytes.saturating_add(email.size()));
    }

    /// Records what became of an e-mail, if it is still there.
    pub(super) fn set_delivery(&self, id: u64, delivery: DeliveryStatus, error: Option<String>) {
        let mut entries = self.0.lock();
        let Ok(index) = entries.emails.binary_search_by_key(&id, |email| email.id) else { return };
        if let Some(email) = entries.emails.get_mut(index) {
            email.delivery = delivery;
            email.delivery_error = error;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::email::fixture::email;

    fn ids(mailbox: &Mailbox, filter: &EmailFilter, limit: usize) -> Vec<u64> {
        mailbox.list(filter, limit).0.iter().map(|email| email.id).collect()
    }

    #[test]
    fn full_mailbox_removes_its_oldest_e_mails() {
        let mailbox = Mailbox::default();
        for _ in 0..MAX_EMAILS + 5 {
            mailbox.add(email("a@example.com", "", ""));
        }
        let all = ids(&mailbox, &EmailFilter::default(), usize::MAX);
        assert_eq!((all.len(), all.first(), all.last()), (MAX_EMAILS, Some(&10_005), Some(&6)));
        assert!(mailbox.get(5).is_none() && mailbox.get(6).is_some());
    }

    #[test]
    fn mailbox_has_a_limit_on_its_size() {
        let (mailbox, large) = (Mailbox::default(), "x".repeat(1024 * 1024));
        for _ in 0..40 {
            mailbox.add(email("", "", &large));
        }
        assert_eq!(ids(&mailbox, &EmailFilter::default(), usize::MAX), (9..=40).rev().collect::<Vec<_>>());
        mailbox.clear(&EmailFilter::default());
        assert_eq!(mailbox.add(email("", "", &large)), 41);
        assert_eq!(ids(&mailbox, &EmailFilter::default(), usize::MAX), [41], "the size is counted from zero again");
    }

    #[test]
    fn e_mails_are_listed_newest_first_by_filter_and_page() {
        let mailbox = Mailbox::default();
        for to in ["a@example.com", "b@example.com", "A@example.com", "a@example.com"] {
            mailbox.add(email(to, "", ""));
        }
        let to = |to: &str| EmailFilter { to: Some(to.to_owned()), ..EmailFilter::default() };
        assert_eq!(ids(&mailbox, &to("a@EXAMPLE.com"), 9), [4, 3, 1]);
        let (page, has_more) = mailbox.list(&to("a@example.com"), 2);
        assert_eq!((page.len(), has_more), (2, true));
        let (page, has_more) = mailbox.list(&EmailFilter { before: Some(3), ..to("a@example.com") }, 2);
        assert_eq!((page[0].id, page.len(), has_more), (1, 1, false));
        let other = ProfileSid::parse(&format!("BU{}", "1".repeat(32))).unwrap();
        assert!(ids(&mailbox, &EmailFilter { profile: Some(other), ..EmailFilter::default() }, 9).is_empty());
    }

    #[test]
    fn delivery_of_a_removed_e_mail_is_ignored() {
        let mailbox = Mailbox::default();
        let (first, second) = (mailbox.add(email("", "", "")), mailbox.add(email("", "", "")));
        mailbox.set_delivery(second, DeliveryStatus::Failed, Some("why".to_owned()));
        mailbox.set_delivery(7, DeliveryStatus::Delivered, None);
        assert_eq!(mailbox.get(first).unwrap().delivery, DeliveryStatus::Kept);
        let failed = mailbox.get(second).unwrap();
        assert_eq!((failed.delivery, failed.delivery_error.as_deref()), (DeliveryStatus::Failed, Some("why")));
    }
}
