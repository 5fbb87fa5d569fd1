//! What `dev` shows a person.

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
};

use serde_json::Value;

use super::life::{ACCOUNT, POLICY};
use crate::{
    domain::{Label as _, Status},
    kafka::Consumed,
    simulator::{Attempt, Ending},
};

/// Where everything is, and what to type next.
pub(super) fn welcome(
    trust_hub: &str,
    callbacks: &str,
    admin: SocketAddr,
    brokers: &str,
    topic: &str,
    token: &str,
) -> String {
    format!(
        "Everything runs in this process; Ctrl-C ends it.

  Trust Hub  {trust_hub}   account {ACCOUNT}, auth token {token}
  callbacks  {callbacks}
  metrics    http://{admin}/metrics
  Kafka      {brokers}   kcat -b {brokers} -C -t {topic}

In another terminal, create a profile and submit it for review:

  SID=$(curl -s -u {ACCOUNT}:{token} {trust_hub}/v1/CustomerProfiles \\
    -d FriendlyName=Shop -d Email=shop@example.com -d PolicySid={POLICY} \\
    -d StatusCallback={callbacks} | grep -o 'BU[0-9a-f]*' | head -1)
  curl -u {ACCOUNT}:{token} {trust_hub}/v1/CustomerProfiles/$SID -d Status=pending-review

Or let callbacks go wrong, as Twilio's do; {trust_hub}/openapi.json describes everything:

  curl -d drop=30 -d duplicate=20 -d wrong_signature=10 {trust_hub}/simulator/settings

What passes:
"
    )
}

/// A callback and what came of it.
pub(super) fn attempt(attempt: &Attempt) -> String {
    let callback = &attempt.callback;
    let faults: Vec<_> = callback.faults.iter().map(ToString::to_string).collect();
    let faults = if faults.is_empty() { String::new() } else { format!("  [{}]", faults.join(", ")) };
    format!("  {} {} {} {}{faults}", ending(attempt), attempt.verb.as_str(), callback.profile_sid, callback.status)
}

/// How it ended: a status code, or why there is none.
pub(super) fn ending(attempt: &Attempt) -> String {
    match attempt.ending {
        Ending::Answer(status @ 200..300) => painted(&status.to_string(), GREEN),
        Ending::Answer(status) => painted(&status.to_string(), RED),
        Ending::Failure(failure) => painted(failure.as_str(), RED),
    }
}

/// What a person may type after this was announced.
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

/// One line for one record: what a person wants to see first.
pub(super) fn event(event: &Consumed) -> String {
    let field = |name: &str| event.value.get(name).and_then(Value::as_str).unwrap_or("–");
    if event.headers.contains_key("reason") {
        let reason = event.headers.get("reason").and_then(Value::as_str).unwrap_or("–");
        return format!("    dead letter: {}", painted(reason, RED));
    }
    let status = field("status");
    let codes: Vec<String> = errors(event).filter_map(|error| error.get("code")).map(Value::to_string).collect();
    let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
    format!(
        "    {} {} {}{codes}  {}[{}]@{}",
        field("received_at"),
        field("profile_sid"),
        painted(status, colour(status)),
        event.topic,
        event.partition,
        event.offset
    )
}

fn errors(event: &Consumed) -> impl Iterator<Item = &Value> {
    event.value.get("errors").and_then(Value::as_array).into_iter().flatten()
}

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;

fn colour(status: &str) -> u8 {
    match status {
        "twilio-rejected" => RED,
        "twilio-approved" => GREEN,
        _ => YELLOW,
    }
}

fn painted(text: &str, colour: u8) -> String {
    if io::stdout().is_terminal() { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}
