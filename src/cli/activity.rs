//! The requests and callbacks of the simulator, as lines for a terminal.
//!
//! The lines contain text from outside, so all characters that a terminal would interpret are escaped. They contain
//! neither queries nor user names, which may be secret.

use std::{
    io::{self, IsTerminal as _},
    iter,
    sync::Arc,
};

use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};
use trusthub_simulator::{AnsweredRequest, Attempt, AttemptOutcome, CallbackSigner, Simulator};

use super::{color::Colors, layout, text::escaped, variables::Variables};
use crate::{domain::Label as _, telemetry::write_line};

/// The width of the lines on a terminal.
const WIDTH: usize = 80;
/// The longest path that fits into a line together with the other columns.
const MAX_PATH: usize = 55;
/// The columns of time and status code, below which the rest of a line that does not fit is indented.
const INDENT: &str = "              ";

/// Writes a line about each request and each attempt to send a callback to stderr, without waiting for its reader.
pub(super) struct ActivityLog {
    requests: Receiver<AnsweredRequest>,
    attempts: Receiver<Attempt>,
    lines: ActivityLines,
}

impl ActivityLog {
    /// Begins to collect what happens.
    pub(super) fn of(simulator: &Arc<Simulator>, variables: &Variables) -> Self {
        let lines = ActivityLines { is_terminal: io::stderr().is_terminal(), colors: Colors::of_stderr(variables) };
        Self { requests: simulator.subscribe_to_requests(), attempts: simulator.sender().subscribe(), lines }
    }

    /// Writes lines until it is dropped, or until the simulator is.
    pub(super) async fn run(&mut self) {
        loop {
            let line = tokio::select! {
                biased;
                request = self.requests.recv() => described(request, "requests", |request| self.lines.request(request)),
                attempt = self.attempts.recv() => described(attempt, "callbacks", |attempt| self.lines.callback(attempt)),
            };
            match line {
                Some(line) => write_line(&line),
                None => return,
            }
        }
    }

    /// Writes the lines about what has happened already.
    pub(super) fn finish(mut self) {
        let lines = self.lines;
        write_waiting(&mut self.requests, "requests", |request| lines.request(request));
        write_waiting(&mut self.attempts, "callbacks", |attempt| lines.callback(attempt));
    }
}

/// Writes a line about each of those that wait in the queue, and about how many were missed.
fn write_waiting<T: Clone>(queue: &mut Receiver<T>, noun: &str, line: impl Fn(&T) -> String) {
    waiting(queue, noun, line).for_each(|line| write_line(&line));
}

fn waiting<T: Clone>(queue: &mut Receiver<T>, noun: &str, line: impl Fn(&T) -> String) -> impl Iterator<Item = String> {
    iter::from_fn(move || {
        let received = queue.try_recv().map_err(|error| match error {
            TryRecvError::Lagged(missed) => RecvError::Lagged(missed),
            TryRecvError::Empty | TryRecvError::Closed => RecvError::Closed,
        });
        described(received, noun, &line)
    })
}

/// Returns the line about what was received, or about how many were missed; `None` if there are no more.
fn described<T>(received: Result<T, RecvError>, noun: &str, line: impl FnOnce(&T) -> String) -> Option<String> {
    match received {
        Ok(received) => Some(line(&received)),
        Err(RecvError::Lagged(missed)) => Some(format!("… {missed} more {noun}, not shown")),
        Err(RecvError::Closed) => None,
    }
}

/// How the lines look.
#[derive(Debug, Clone, Copy)]
struct ActivityLines {
    is_terminal: bool,
    colors: Colors,
}

impl ActivityLines {
    fn request(self, request: &AnsweredRequest) -> String {
        let AnsweredRequest { time, milliseconds, .. } = request;
        let head = format!("{} {} {milliseconds} ms", clock(&time.to_string()), request_line(request, self.colors));
        self.joined(head, refusal(request))
    }

    fn callback(self, attempt: &Attempt) -> String {
        let Attempt { callback, milliseconds, .. } = attempt;
        let mut head = format!(
            "{} {} callback {} {} {milliseconds} ms",
            clock(&attempt.time.to_string()),
            outcome(attempt, self.colors),
            callback.status,
            callback.profile_sid
        );
        if attempt.number > 1 {
            head.push_str(&format!(" attempt {}", attempt.number));
        }
        let url = escaped(&without_secrets(&attempt.url));
        let tail = format!("{} {url}{}", attempt.verb.as_str(), peculiarities(attempt));
        self.joined(head, Some(tail))
    }

    /// Appends the tail, on a line of its own if a terminal would break the line.
    fn joined(self, head: String, tail: Option<String>) -> String {
        let Some(tail) = tail else { return head };
        layout::joined(&head, &tail, self.is_terminal.then_some(WIDTH), INDENT)
    }
}

/// Formats the status code, the method and the path of a request.
pub(super) fn request_line(request: &AnsweredRequest, colors: Colors) -> String {
    let code = request.status.to_string();
    let code = match request.status {
        200..400 => colors.green(&code),
        _ => colors.red(&code),
    };
    format!("{code} {:4} {}", escaped(&request.method), escaped(&fitting(&request.path)))
}

/// Formats Twilio's code and message of a refused request.
pub(super) fn refusal(request: &AnsweredRequest) -> Option<String> {
    request.refusal.as_ref().map(|refusal| format!("{}: {}", refusal.code, escaped(&refusal.message)))
}

/// Formats the outcome: a status code, or the reason why there is none.
pub(super) fn outcome(attempt: &Attempt, colors: Colors) -> String {
    match attempt.outcome {
        AttemptOutcome::Answer(status @ 200..300) => colors.green(&status.to_string()),
        AttemptOutcome::Answer(status) => colors.red(&status.to_string()),
        AttemptOutcome::Failure(failure) => colors.red(failure.as_str()),
    }
}

/// Formats what is not usual about a callback: another signer than the auth token, and faults.
pub(super) fn peculiarities(attempt: &Attempt) -> String {
    let callback = &attempt.callback;
    let signer = callback.signed_by.as_ref().filter(|signer| **signer != CallbackSigner::AUTH_TOKEN);
    let signer = signer.map(|signer| format!("  signed by {signer}")).unwrap_or_default();
    let faults: Vec<_> = callback.faults.iter().map(ToString::to_string).collect();
    if faults.is_empty() { signer } else { format!("{signer}  [{}]", faults.join(", ")) }
}

/// Returns the time of day in a timestamp, which is in UTC.
pub(super) fn clock(timestamp: &str) -> String {
    let seconds = timestamp.split_once('.').map_or(timestamp, |(seconds, _)| seconds);
    format!("{}Z", seconds.split_once('T').map_or(seconds, |(_, time)| time))
}

/// Shortens the SIDs in a path that would not fit into a line.
fn fitting(path: &str) -> String {
    const SID_LENGTH: usize = 34;
    const KEPT: usize = 10;
    if path.len() <= MAX_PATH {
        return path.to_owned();
    }
    let is_sid =
        |segment: &str| segment.len() == SID_LENGTH && segment.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let shortened = |segment: &str| match segment.get(..KEPT) {
        Some(beginning) if is_sid(segment) => format!("{beginning}…"),
        _ => segment.to_owned(),
    };
    path.split('/').map(shortened).collect::<Vec<_>>().join("/")
}

/// Removes the user info and the query of a URL.
fn without_secrets(url: &str) -> String {
    let (base, query) = match url.split_once('?') {
        Some((base, _)) => (base, "?…"),
        None => (url, ""),
    };
    let Some((scheme, rest)) = base.split_once("://") else { return format!("{base}{query}") };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, time::UNIX_EPOCH};

    use tokio::sync::broadcast;
    use trusthub_simulator::Refusal;

    use super::*;

    const SID: &str = "BU0123456789abcdef0123456789abcdef";

    fn lines(is_terminal: bool) -> ActivityLines {
        let variables = vec![(OsString::from("NO_COLOR"), OsString::from("1"))];
        ActivityLines { is_terminal, colors: Colors::of_stderr(&variables) }
    }

    fn request(method: &str, path: &str, refusal: Option<&str>) -> AnsweredRequest {
        let refusal = refusal.map(|message| Refusal { code: 22207, message: message.to_owned() });
        let (method, path) = (method.to_owned(), path.to_owned());
        let status = if refusal.is_some() { 400 } else { 200 };
        AnsweredRequest { time: UNIX_EPOCH.into(), method, path, status, refusal, milliseconds: 12 }
    }

    #[test]
    fn lines_that_were_missed_at_the_end_are_counted_and_the_others_written() {
        let sender = broadcast::Sender::new(2);
        let mut queue = sender.subscribe();
        for number in 1..=5 {
            sender.send(number).unwrap();
        }
        let lines: Vec<_> = waiting(&mut queue, "requests", u32::to_string).collect();
        assert_eq!(lines, ["… 3 more requests, not shown", "4", "5"]);
    }

    #[test]
    fn usual_requests_fit_into_80_columns() {
        for (path, shown) in [
            (format!("/v1/CustomerProfiles/{SID}"), format!("/v1/CustomerProfiles/{SID}")),
            (format!("/simulator/profiles/{SID}/approve"), "/simulator/profiles/BU01234567…/approve".to_owned()),
            (
                format!("/v1/CustomerProfiles/{SID}/EntityAssignments/{SID}"),
                "/v1/CustomerProfiles/BU01234567…/EntityAssignments/BU01234567…".to_owned(),
            ),
        ] {
            let line = lines(true).request(&request("POST", &path, None));
            assert_eq!(line, format!("00:00:00Z 200 POST {shown} 12 ms"));
            assert!(line.chars().count() <= WIDTH || path.matches(SID).count() > 1, "{line}");
        }
    }

    #[test]
    fn refusal_is_below_its_request_on_a_terminal_and_beside_it_elsewhere() {
        let refused = request("GET", "/v1/EndUsers", Some("Attributes: write a JSON object, such as {\"a\":\"Ada\"}"));
        let message = "22207: Attributes: write a JSON object, such as {\"a\":\"Ada\"}";
        assert_eq!(lines(false).request(&refused), format!("00:00:00Z 400 GET  /v1/EndUsers 12 ms {message}"));
        assert_eq!(lines(true).request(&refused), format!("00:00:00Z 400 GET  /v1/EndUsers 12 ms\n{INDENT}{message}"));
    }

    #[test]
    fn control_characters_from_outside_are_escaped() {
        let hostile = request("G\x1b[2JT", "/a\r\nb\u{9b}31m\u{202e}", Some("\x07\u{2028}it's \"ü\"\t"));
        let line = lines(false).request(&hostile);
        assert!(!line.contains(|c: char| c.is_control() || ['\u{202e}', '\u{2028}'].contains(&c)), "{line:?}");
        assert!(line.ends_with(r#"22207: \u{7}\u{2028}it's "ü"\t"#), "{line}");
    }

    #[test]
    fn url_is_shown_without_its_user_and_query() {
        for (url, shown) in [
            ("http://127.0.0.1:8080/callbacks/x", "http://127.0.0.1:8080/callbacks/x"),
            ("https://ada:secret@h/x@y?token=secret", "https://h/x@y?…"),
            ("https://h?a=http://u@h", "https://h?…"),
            ("no url", "no url"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
