//! The texts that `dev` prints on a terminal.

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
};

use serde_json::Value;
use trusthub_simulator::{Attempt, AttemptOutcome, CallbackSigner};

use super::scenario::{ACCOUNT, POLICY};
use crate::{
    domain::{Label as _, Status},
    kafka::ConsumedRecord,
};

/// Formats the addresses of all parts, and the commands to try.
pub(super) fn welcome(
    trust_hub: &str,
    callbacks: &str,
    admin: SocketAddr,
    brokers: &str,
    topic: &str,
    token: &str,
) -> String {
    format!(
        "Everything runs in this process; Ctrl-C stops it.

  Trust Hub  {trust_hub}   account {ACCOUNT}, auth token {token}
  callbacks  {callbacks}
  metrics    http://{admin}/metrics
  Kafka      {brokers}   kcat -b {brokers} -C -t {topic}

In another terminal, create a profile and submit it for review:

  SID=$(curl -s -u {ACCOUNT}:{token} {trust_hub}/v1/CustomerProfiles \\
    -d FriendlyName=Shop -d Email=shop@example.com -d PolicySid={POLICY} \\
    -d StatusCallback={callbacks} | grep -o 'BU[0-9a-f]*' | head -1)
  curl -u {ACCOUNT}:{token} {trust_hub}/v1/CustomerProfiles/$SID -d Status=pending-review

Or add the faults that Twilio's callbacks have; {trust_hub}/openapi.json describes all requests:

  curl -d drop=30 -d duplicate=20 -d wrong_signature=10 {trust_hub}/simulator/settings

Callbacks and events:
"
    )
}

/// Formats a callback and its outcome.
pub(super) fn attempt(attempt: &Attempt) -> String {
    let callback = &attempt.callback;
    let faults: Vec<_> = callback.faults.iter().map(ToString::to_string).collect();
    let faults = if faults.is_empty() { String::new() } else { format!("  [{}]", faults.join(", ")) };
    let signer = callback.signed_by.as_ref().filter(|signer| **signer != CallbackSigner::AUTH_TOKEN);
    let signer = signer.map(|signer| format!("  signed by {signer}")).unwrap_or_default();
    format!(
        "  {} {} {} {}{signer}{faults}",
        outcome(attempt),
        attempt.verb.as_str(),
        callback.profile_sid,
        callback.status
    )
}

/// Formats the outcome: a status code, or the reason why there is none.
pub(super) fn outcome(attempt: &Attempt) -> String {
    match attempt.outcome {
        AttemptOutcome::Answer(status @ 200..300) => colored(&status.to_string(), GREEN),
        AttemptOutcome::Answer(status) => colored(&status.to_string(), RED),
        AttemptOutcome::Failure(failure) => colored(failure.as_str(), RED),
    }
}

/// Formats the commands to try after this status was announced.
pub(super) fn next_step(attempt: &Attempt, trust_hub: &str, token: &str) -> Option<String> {
    let sid = &attempt.callback.profile_sid;
    match attempt.callback.status {
        Status::InReview => Some(format!(
            "      reject it:   curl -d code=18602 {trust_hub}/simulator/profiles/{sid}/reject
      approve it:  curl -X POST {trust_hub}/simulator/profiles/{sid}/approve"
        )),
        Status::TwilioRejected => Some(format!(
            "      correct and submit it again:  curl -u {ACCOUNT}:{token} {trust_hub}/v1/CustomerProfiles/{sid} \\
        -d FriendlyName='Shop Ltd' -d Status=pending-review"
        )),
        Status::TwilioApproved => {
            Some(format!("      let it expire:  curl -X POST {trust_hub}/simulator/profiles/{sid}/expire"))
        }
        _ => None,
    }
}

/// Formats the essential fields of an event, or the reason of a dead letter, as one line.
pub(super) fn event(event: &ConsumedRecord) -> String {
    let field = |name: &str| event.value.get(name).and_then(Value::as_str).unwrap_or("–");
    if event.headers.contains_key("reason") {
        let reason = event.headers.get("reason").and_then(Value::as_str).unwrap_or("–");
        return format!("    dead letter: {}", colored(reason, RED));
    }
    let status = field("status");
    let codes: Vec<String> = errors(event).filter_map(|error| error.get("code")).map(Value::to_string).collect();
    let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
    format!(
        "    {} {} {}{codes}  {}[{}]@{}",
        field("received_at"),
        field("profile_sid"),
        colored(status, color(status)),
        event.topic,
        event.partition,
        event.offset
    )
}

fn errors(event: &ConsumedRecord) -> impl Iterator<Item = &Value> {
    event.value.get("errors").and_then(Value::as_array).into_iter().flatten()
}

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;

fn color(status: &str) -> u8 {
    match status {
        "twilio-rejected" => RED,
        "twilio-approved" => GREEN,
        _ => YELLOW,
    }
}

fn colored(text: &str, color: u8) -> String {
    if io::stdout().is_terminal() { format!("\x1b[{color}m{text}\x1b[0m") } else { text.to_owned() }
}
