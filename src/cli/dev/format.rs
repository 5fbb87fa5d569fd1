//! The texts that `dev` prints on a terminal.

use std::net::SocketAddr;

use serde_json::Value;
use trusthub_simulator::{AnsweredRequest, Attempt};

use super::{
    super::{activity, color::Colors},
    scenario::{ACCOUNT, POLICY},
};
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

Requests, callbacks and events:
"
    )
}

/// Formats a request to Trust Hub.
pub(super) fn request(request: &AnsweredRequest, colors: Colors) -> String {
    let line = format!("  request  {}", activity::request_line(request, colors));
    match activity::refusal(request) {
        Some(refusal) => format!("{line}\n           {refusal}"),
        None => line,
    }
}

/// Formats a callback and its outcome.
pub(super) fn attempt(attempt: &Attempt, colors: Colors) -> String {
    format!(
        "  callback {} {} {} {}{}",
        activity::outcome(attempt, colors),
        attempt.verb.as_str(),
        attempt.callback.profile_sid,
        attempt.callback.status,
        activity::peculiarities(attempt)
    )
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
pub(super) fn event(event: &ConsumedRecord, colors: Colors) -> String {
    let field = |name: &str| event.value.get(name).and_then(Value::as_str).unwrap_or("–");
    if event.headers.contains_key("reason") {
        let reason = event.headers.get("reason").and_then(Value::as_str).unwrap_or("–");
        return format!("    dead letter: {}", colors.red(reason));
    }
    let status = field("status");
    let codes: Vec<String> = errors(event).filter_map(|error| error.get("code")).map(Value::to_string).collect();
    let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
    format!(
        "    {} {} {}{codes}  {}[{}]@{}",
        field("received_at"),
        field("profile_sid"),
        colors.status(Status::from_name(status), status),
        event.topic,
        event.partition,
        event.offset
    )
}

fn errors(event: &ConsumedRecord) -> impl Iterator<Item = &Value> {
    event.value.get("errors").and_then(Value::as_array).into_iter().flatten()
}
