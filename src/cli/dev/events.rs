//! `dev --once` without a terminal: each event as a JSON line.

use trusthub_simulator::AttemptOutcome;

use super::{
    super::{
        activity,
        color::Colors,
        json,
        output::{Failure, print, say},
    },
    environment::{DevEnvironment, in_time},
    scenario,
};
use crate::domain::{Label as _, Status};

/// Runs the scenario. Every announced status must arrive as an event, and a forged callback must be rejected. `colors` are
/// those of stderr.
pub(super) async fn run(environment: &DevEnvironment, colors: Colors) -> Result<(), Failure> {
    let DevEnvironment { simulator, account, urls, .. } = environment;
    let profile = scenario::create_profile(simulator, *account, urls.callbacks.clone());
    let profile = profile.map_err(Failure::failed)?;
    let mut printed = Vec::new();
    for step in &scenario::STEPS {
        say(&format!("  {}", step.description));
        step.run(simulator, &profile).map_err(Failure::failed)?;
        for status in step.announced {
            print_event(environment, *status, &mut printed).await?;
        }
    }
    in_time("answer", simulator.sender().wait_until_idle()).await?;
    let mut attempts = simulator.sender().subscribe();
    scenario::send_forged_callback(simulator, *account, profile, urls.callbacks.clone());
    let attempt = in_time("answer", attempts.recv()).await?.map_err(Failure::failed)?;
    say(&format!("  a forged callback, not signed with the token, is sent: {}", activity::outcome(&attempt, colors)));
    match attempt.outcome {
        AttemptOutcome::Answer(403) => Ok(()),
        _ => Err(Failure::failed("the forged callback should have been answered 403")),
    }
}

/// Waits for the next event, which must have this status, and prints it. `printed` has the ids so far.
async fn print_event(environment: &DevEnvironment, status: Status, printed: &mut Vec<String>) -> Result<(), Failure> {
    let (id, event) = environment.next_new_record(printed).await?;
    if event.value.get("status").is_none_or(|consumed| consumed != status.as_str()) {
        return Err(Failure::failed(format!("expected an event with status {status}, but consumed {event:?}")));
    }
    printed.push(id);
    print(&json::line(&event)?)
}
