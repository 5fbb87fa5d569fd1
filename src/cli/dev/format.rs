//! The texts that `dev` prints while it runs.

use serde_json::Value;
use trusthub_simulator::{AnsweredRequest, Attempt};

use super::{
    super::{
        activity,
        color::Colors,
        layout::{indented, joined},
        text::escaped,
    },
    environment::{DevEnvironment, DevUrls, EVENTS, TOKEN},
    folder::shell_word,
    scenario::{ACCOUNT, POLICY},
};
use crate::{
    domain::{Label as _, Status},
    kafka::ConsumedRecord,
    telemetry::LoggedRequest,
};

/// What continues a line.
const INDENT: &str = "           ";

/// Formats the addresses of all parts, and the commands to try. No line has more than 80 columns.
pub(super) fn welcome(environment: &DevEnvironment) -> String {
    let DevUrls { callbacks, trust_hub, admin, console } = &environment.urls;
    let console = console.iter().map(|console| format!("  console    {console}   CONSOLE_BIND\n")).collect::<String>();
    let brokers = environment.kafka.bootstrap_servers();
    let settings = shell_word(&environment.settings.display().to_string());
    format!(
        "Everything runs in this process; Ctrl-C stops it, and nothing is kept.

  Trust Hub  {trust_hub}   SIMULATOR_BIND sets the address
  account    {ACCOUNT}, auth token {TOKEN}
  callbacks  {callbacks}   HTTP_BIND
  metrics    http://{admin}/metrics   ADMIN_BIND
{console}  Kafka      {brokers}   KAFKA_BIND
             kcat -b {brokers} -C -t {EVENTS}

In another terminal, create a profile and submit it for review:

  SID=$(curl -s {trust_hub}/v1/CustomerProfiles \\
    -u {ACCOUNT}:{TOKEN} \\
    -d FriendlyName=Shop -d Email=shop@example.com \\
    -d PolicySid={POLICY} \\
    -d StatusCallback={callbacks} |
    grep -o 'BU[0-9a-f]*' | head -1)
  curl {trust_hub}/v1/CustomerProfiles/$SID \\
    -u {ACCOUNT}:{TOKEN} \\
    -d Status=pending-review

Read the settings for the other commands, and run these beside it:

  . {settings}
  trusthub-bridge reconcile        # publish changes whose callbacks were lost
  trusthub-bridge profiles ls      # the present state of each profile
  trusthub-bridge dead-letters ls  # callbacks that could not become events
  trusthub-bridge spool ls         # records that wait for Kafka

Lose callbacks, forge them, or stop Kafka and start it again:

  curl -d drop=30 -d wrong_signature=10 {trust_hub}/simulator/settings
  curl -X POST {trust_hub}/simulator/kafka/down
  curl -X POST {trust_hub}/simulator/kafka/up

All requests: {trust_hub}/openapi.json

Requests, callbacks and events:
"
    )
}

/// How the lines look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    pub(super) colors: Colors,
    /// The columns of the terminal, if stdout is one.
    pub(super) width: Option<usize>,
}

impl Lines {
    /// Formats a request to Trust Hub.
    pub(super) fn api_request(self, request: &AnsweredRequest) -> String {
        let line = format!("  request  {}", activity::request_line(request, self.colors));
        match activity::refusal(request) {
            Some(refusal) => format!("{line}\n{}", self.below(&refusal)),
            None => line,
        }
    }

    /// Formats a callback with its answer, and the commands to try after it.
    pub(super) fn attempt(self, attempt: &Attempt, urls: &DevUrls) -> String {
        let line = format!(
            "  callback {} {} {} {}{}",
            activity::outcome(attempt, self.colors),
            attempt.verb.as_str(),
            attempt.callback.profile_sid,
            attempt.callback.status,
            activity::peculiarities(attempt)
        );
        match self.next_step(attempt, &urls.trust_hub) {
            Some(commands) => format!("{line}\n{commands}"),
            None => line,
        }
    }

    /// Formats the outcome of a request to the bridge. Its event says that a callback was published.
    pub(super) fn outcome(self, request: &LoggedRequest) -> Option<String> {
        if let Some((method, path)) = &request.other_path {
            let line = format!("  bridge   {} {} {}", self.colors.red("404"), escaped(method), escaped(path));
            return Some(format!("{line}\n{}", self.below("this is not the path of a callback")));
        }
        let subject: Vec<_> =
            [&request.profile_sid, &request.resource, &request.status].into_iter().flatten().collect();
        let subject = subject.iter().map(|text| escaped(text)).collect::<Vec<_>>().join(" ");
        let line = |outcome: String| format!("  bridge   {outcome} {subject}");
        let reason = request.reason.as_deref().unwrap_or_default();
        match request.outcome.as_str() {
            "published" | "dead_lettered" => None,
            "spooled" => Some(line(self.colors.yellow("spooled until Kafka accepts it:"))),
            "duplicate" => Some(line(self.colors.yellow("repeat of a published callback:"))),
            outcome => {
                let mut text = line(self.colors.red(&format!("{outcome}, {reason}:")));
                if let Some(diagnosis) = &request.diagnosis {
                    text.push_str(&format!("\n{}", self.below(diagnosis)));
                }
                Some(text)
            }
        }
    }

    /// Formats the essential fields of an event, or the reason of a dead letter.
    pub(super) fn event(self, event: &ConsumedRecord) -> String {
        let field = |name: &str| event.value.get(name).and_then(Value::as_str).unwrap_or("–");
        let position = format!("{}[{}]@{}", event.topic, event.partition, event.offset);
        if event.headers.contains_key("reason") {
            let reason = event.headers.get("reason").and_then(Value::as_str).unwrap_or("–");
            let head = format!("    dead letter: {}", self.colors.red(&escaped(reason)));
            return joined(&head, &position, self.width, INDENT);
        }
        let status = field("status");
        let painted = self.colors.status(Status::from_name(status), &escaped(status));
        let codes: Vec<String> = errors(event).filter_map(|error| error.get("code")).map(Value::to_string).collect();
        let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
        let head =
            format!("    {} {} {painted}{codes}", activity::clock(field("received_at")), escaped(field("profile_sid")));
        joined(&head, &position, self.width, INDENT)
    }

    /// Formats the commands to try after this status was announced.
    fn next_step(self, attempt: &Attempt, trust_hub: &str) -> Option<String> {
        let sid = &attempt.callback.profile_sid;
        let control = |action: &str| format!("{}/simulator/profiles/{sid}/{action}", without_scheme(trust_hub));
        match attempt.callback.status {
            Status::InReview => Some(format!(
                "{}\n{}",
                self.command("reject it:   curl -d code=18602", &[&control("reject")]),
                self.command("approve it:  curl -X POST", &[&control("approve")])
            )),
            Status::TwilioRejected => {
                let url = format!("{}/v1/CustomerProfiles/{sid}", without_scheme(trust_hub));
                let credentials = format!("-u {ACCOUNT}:{TOKEN}");
                Some(self.command("submit it again:  curl -d Status=pending-review", &[&credentials, &url]))
            }
            Status::TwilioApproved => Some(self.command("let it expire:  curl -X POST", &[&control("expire")])),
            _ => None,
        }
    }

    /// A command of these parts, in several lines if the terminal would break it.
    fn command(self, head: &str, parts: &[&str]) -> String {
        let line = format!("      {head} {}", parts.join(" "));
        let is_wide = self.width.is_some_and(|width| line.len() > width);
        if is_wide { format!("      {head} \\\n  {}", parts.join(" \\\n  ")) } else { line }
    }

    /// A text from outside below a line.
    fn below(self, text: &str) -> String {
        match self.width {
            Some(width) => indented(&escaped(text), width, INDENT),
            None => format!("{INDENT}{}", escaped(text)),
        }
    }
}

/// curl adds the scheme itself, and a line of 80 columns has no place for it.
fn without_scheme(url: &str) -> &str {
    url.strip_prefix("http://").unwrap_or(url)
}

fn errors(event: &ConsumedRecord) -> impl Iterator<Item = &Value> {
    event.value.get("errors").and_then(Value::as_array).into_iter().flatten()
}
