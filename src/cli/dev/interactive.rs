//! `dev` without `--once`: shows what happens until it is dropped.

use std::fmt::Display;

use tokio::sync::broadcast::{Receiver, error::RecvError};
use trusthub_simulator::{AnsweredRequest, Attempt};

use super::{
    super::{
        color::Colors,
        output::{Failure, print, say},
    },
    environment::DevEnvironment,
    format::{self, Lines},
};
use crate::telemetry::LoggedRequest;

/// Everything that is shown.
pub(super) struct Watcher<'e> {
    environment: &'e DevEnvironment,
    lines: Lines,
    attempts: Receiver<Attempt>,
    api: Receiver<AnsweredRequest>,
    requests: Receiver<LoggedRequest>,
}

impl<'e> Watcher<'e> {
    /// Begins to collect what happens. `width` is that of the terminal, if stdout is one.
    pub(super) fn new(environment: &'e DevEnvironment, colors: Colors, width: Option<usize>) -> Self {
        Self {
            environment,
            lines: Lines { colors, width },
            attempts: environment.simulator.sender().subscribe(),
            api: environment.simulator.subscribe_to_requests(),
            requests: environment.subscribe_to_requests(),
        }
    }

    /// Prints what to try, and then what happens.
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        say(&format::welcome(self.environment));
        loop {
            let Self { environment, lines, attempts, api, requests } = &mut self;
            let text = tokio::select! {
                event = environment.next_record() => Some(lines.event(&event)),
                attempt = attempts.recv() => shown(attempt, "callbacks", |attempt| Some(lines.attempt(&attempt, &environment.urls))),
                request = api.recv() => shown(request, "requests", |request| Some(lines.api_request(&request))),
                request = requests.recv() => shown(request, "outcomes", |request| lines.outcome(&request)),
            };
            text.map_or(Ok(()), |text| print(&text))?;
        }
    }
}

/// The text about what was received, or about how many were missed. The senders exist as long as the environment.
fn shown<T>(
    received: Result<T, RecvError>,
    noun: impl Display,
    text: impl FnOnce(T) -> Option<String>,
) -> Option<String> {
    match received {
        Ok(received) => text(received),
        Err(RecvError::Lagged(missed)) => Some(format!("  … {missed} more {noun}, not shown")),
        Err(RecvError::Closed) => None,
    }
}
