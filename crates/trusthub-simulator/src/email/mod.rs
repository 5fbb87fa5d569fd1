//! The e-mails that Twilio sends to the `Email` of a profile when its review or its approval has ended.
//!
//! The latest ones are kept. An SMTP server on this machine can receive them, too. Nothing waits for it: a queue with a
//! limit is between the decision and the delivery.

mod address;
mod compose;
mod delivery;
#[cfg(test)]
mod fixture;
mod mailbox;
mod mime;
mod smtp;

pub(crate) use self::{delivery::EmailSender, mailbox::EmailFilter, mime::rendered};
pub use smtp::{SmtpServer, SmtpServerError};
