//! What `dev` shows a person.

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
};

use serde_json::Value;

use crate::{
    publish::Consumed,
    simulator::{ACCOUNT_SID, PROFILE_SID},
};

/// Where everything is, and what to type next.
pub(super) fn welcome(url: &str, admin: SocketAddr, brokers: &str, topic: &str, token: &str) -> String {
    let body = format!("AccountSid={ACCOUNT_SID}&BundleSid={PROFILE_SID}&Status=draft");
    format!(
        "Everything runs in this process; Ctrl-C ends it.

  callbacks  {url}
  metrics    http://{admin}/metrics
  Kafka      {brokers}   kcat -b {brokers} -C -t {topic}

Send a callback of your own:

  curl -i -d '{body}' \\
    -H \"$(trusthub-bridge sign --token {token} --url {url} --body '{body}')\" \\
    {url}

What happens, and what comes out of Kafka:
"
    )
}

/// A callback and its answer.
pub(super) fn call(what: &str, answer: u16) -> String {
    format!("  {answer} {what}")
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
