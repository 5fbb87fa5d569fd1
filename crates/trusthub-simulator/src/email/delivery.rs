//! Writes e-mails, and hands them to an SMTP server.

use std::sync::{Arc, OnceLock};

use tokio::{
    runtime::{Handle, TryCurrentError},
    sync::mpsc::{Receiver, Sender, channel},
};
use tracing::warn;

use super::{
    address::is_mailable,
    compose::{Letter, compose},
    mailbox::{DeliveryStatus, Email, EmailFilter, Mailbox, SENDER},
    mime::rendered,
    smtp::{SmtpServer, TIMEOUT, deliver},
};
use crate::model::{SimulatedProfile, StatusChange};

/// The limit on e-mails that wait for the SMTP server.
const MAX_QUEUED: usize = 1_000;

/// Writes the e-mails about decisions and keeps them.
#[derive(Default)]
pub(crate) struct EmailSender {
    mailbox: Arc<Mailbox>,
    /// The numbers of the e-mails to deliver, if there is an SMTP server.
    queue: OnceLock<Sender<u64>>,
}

impl EmailSender {
    /// Also delivers each further e-mail to this server, on the current tokio runtime and until the sender is dropped. Only
    /// the first call has an effect.
    ///
    /// # Errors
    /// [`TryCurrentError`] if there is no tokio runtime.
    pub(crate) fn deliver_to(&self, server: SmtpServer) -> Result<(), TryCurrentError> {
        let runtime = Handle::try_current()?;
        let (queue, ids) = channel(MAX_QUEUED);
        if self.queue.set(queue).is_ok() {
            runtime.spawn(deliver_each(Arc::clone(&self.mailbox), ids, server));
        }
        Ok(())
    }

    /// Writes the e-mails about these changes of a profile. Returns immediately.
    pub(crate) fn notify(&self, profile: &SimulatedProfile, changes: &[StatusChange]) {
        for change in changes {
            if let Some(letter) = compose(profile, change) {
                self.send(profile, change, letter);
            }
        }
    }

    fn send(&self, profile: &SimulatedProfile, change: &StatusChange, letter: Letter) {
        let Letter { subject, text } = letter;
        let queue = self.queue.get().filter(|_| is_mailable(&profile.email));
        let (delivery, delivery_error) = match queue {
            Some(_) => (DeliveryStatus::Queued, None),
            None if is_mailable(&profile.email) => (DeliveryStatus::Kept, None),
            None => (DeliveryStatus::Unmailable, Some("no mail can be sent to this address".to_owned())),
        };
        let id = self.mailbox.add(Email {
            id: 0,
            time: profile.updated,
            account_sid: profile.account,
            profile_sid: profile.sid,
            status: change.status,
            from: SENDER,
            to: profile.email.clone(),
            subject,
            text,
            // Not from the seed: two runs with one seed must not have the same identifiers.
            message_id: format!("{:032x}@simulator.invalid", fastrand::u128(..)),
            delivery,
            delivery_error,
        });
        if queue.is_some_and(|queue| queue.try_send(id).is_err()) {
            let reason = format!("{MAX_QUEUED} e-mails are waiting for the SMTP server already");
            self.mailbox.set_delivery(id, DeliveryStatus::Failed, Some(reason));
        }
    }

    /// Returns an e-mail that is kept.
    pub(crate) fn get(&self, id: u64) -> Option<Email> {
        self.mailbox.get(id)
    }

    /// Returns at most `limit` e-mails, newest first, and whether there are more.
    pub(crate) fn list(&self, filter: &EmailFilter, limit: usize) -> (Vec<Email>, bool) {
        self.mailbox.list(filter, limit)
    }

    /// Removes the e-mails that match; those of them that wait for the SMTP server are not delivered.
    pub(crate) fn clear(&self, filter: &EmailFilter) {
        self.mailbox.clear(filter);
    }
}

/// Delivers one e-mail after another until the queue is closed.
async fn deliver_each(mailbox: Arc<Mailbox>, mut ids: Receiver<u64>, server: SmtpServer) {
    let mut was_failing = false;
    while let Some(id) = ids.recv().await {
        let Some(email) = mailbox.get(id) else { continue };
        let result = deliver(server, [SENDER, &email.to], &rendered(&email), TIMEOUT).await;
        if result.is_err() && !was_failing {
            warn!(%server, "e-mails cannot be delivered; the list of e-mails says why, and each further one is tried");
        }
        was_failing = result.is_err();
        match result {
            Ok(()) => mailbox.set_delivery(id, DeliveryStatus::Delivered, None),
            Err(error) => mailbox.set_delivery(id, DeliveryStatus::Failed, Some(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::{email::fixture::approved, model::ProfileUpdate};

    fn notify(emails: &EmailSender, email: &str) -> Email {
        let ProfileUpdate { profile, changes } = approved(email);
        emails.notify(&profile, &changes);
        emails.list(&EmailFilter::default(), 1).0.remove(0)
    }

    #[test]
    fn e_mail_without_a_server_or_to_no_address_is_only_kept() {
        let emails = EmailSender::default();
        let kept = notify(&emails, "a@example.com");
        assert_eq!((kept.delivery, kept.delivery_error), (DeliveryStatus::Kept, None));
        let unmailable = notify(&emails, "a@b\r\nRCPT TO:<c@d>");
        assert_eq!((unmailable.delivery, unmailable.to.as_str()), (DeliveryStatus::Unmailable, "a@b\r\nRCPT TO:<c@d>"));
        assert_eq!(unmailable.delivery_error.as_deref(), Some("no mail can be sent to this address"));
    }

    // The tasks of this runtime run only while a test waits, so the queue is not emptied.
    #[tokio::test]
    async fn full_queue_refuses_further_e_mails_and_nothing_waits() {
        let emails = EmailSender::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        emails.deliver_to(listener.local_addr().unwrap().to_string().parse().unwrap()).unwrap();
        let ProfileUpdate { profile, changes } = approved("a@example.com");
        for _ in 0..MAX_QUEUED {
            emails.notify(&profile, &changes);
        }
        assert_eq!(emails.list(&EmailFilter::default(), 1).0[0].delivery, DeliveryStatus::Queued);
        let surplus = notify(&emails, "a@example.com");
        let reason = "1000 e-mails are waiting for the SMTP server already";
        assert_eq!((surplus.delivery, surplus.delivery_error.as_deref()), (DeliveryStatus::Failed, Some(reason)));
    }

    #[test]
    fn delivery_needs_a_runtime() {
        assert!(EmailSender::default().deliver_to("127.0.0.1:1025".parse().unwrap()).is_err());
    }
}
