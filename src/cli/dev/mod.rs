//! `dev`: the whole system in one process, without installing anything.
//!
//! | Module | Does |
//! | --- | --- |
//! | `environment` | starts everything, with `ports` and `folder` |
//! | `scenario` | changes the profile of `dev --once` |
//! | `events` | `dev --once` in a pipe: one JSON line for each event |
//! | `story` | `dev --once` on a terminal: what happens, step by step, with `page` and `reconciliation` |
//! | `interactive` | `dev`: shows what happens until Ctrl-C, with `format` |

mod arguments;
mod environment;
mod events;
mod folder;
mod format;
mod interactive;
mod page;
mod ports;
mod reconciliation;
mod scenario;
mod story;

use std::sync::Arc;

pub(super) use self::arguments::Arguments;
use self::{environment::DevEnvironment, interactive::Watcher, page::Page, story::Story};
use super::{color::Colors, output::Failure, terminal, variables::Variables};
use crate::{app, shutdown::StopSignals};

/// What `dev --help` says.
pub(super) const LONG: &str = "Run the bridge, a Trust Hub simulator and Kafka in one process, without installing anything

It listens on loopback, at HTTP_BIND (port 8080), ADMIN_BIND (9090), SIMULATOR_BIND (8090) and KAFKA_BIND (19092), prints the
commands to try, and shows every request, every callback and every event until Ctrl-C. Port 0 is a free port. Nothing is kept
when it exits. It writes a file with the settings with which the other commands work beside it.

With --once it listens on free ports. On a terminal it then tells what happens to one profile, step by step, also while Kafka
is stopped and when a callback is lost. Elsewhere it prints each event as one JSON line.";

pub(super) fn run(arguments: &Arguments, variables: &Variables) -> Result<(), Failure> {
    app::block_on(run_until_stopped(arguments, variables)).map_err(Failure::failed)?
}

async fn run_until_stopped(arguments: &Arguments, variables: &Variables) -> Result<(), Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    let (environment, api) = DevEnvironment::start(arguments, variables).await?;
    let result = tokio::select! {
        result = work(arguments, variables, &environment) => result,
        () = Arc::clone(&environment.simulator).run_timers() => Ok(()),
        ended = api => ended.map_err(Failure::failed),
        signal = signals.next() => match arguments.once {
            true => Err(Failure::Interrupted(signal.exit_code())),
            false => Ok(()),
        },
    };
    let stopped = environment.stop(&mut signals).await;
    stopped.and(result)
}

async fn work(arguments: &Arguments, variables: &Variables, environment: &DevEnvironment) -> Result<(), Failure> {
    let (colors, width) = (Colors::of_stdout(variables), terminal::line_width(variables));
    match (arguments.once, width) {
        (false, _) => Watcher::new(environment, colors, width).run().await,
        (true, None) => events::run(environment, Colors::of_stderr(variables)).await,
        (true, Some(width)) => Story::new(environment, Page::new(width, colors))?.tell().await,
    }
}
