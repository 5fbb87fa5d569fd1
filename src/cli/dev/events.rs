//! `dev --once` without a terminal: each event as a JSON line.

use std::collections::BTreeSet;

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
use crate::{
    domain::{Label as _, Status},
    kafka::ConsumedRecord,
};

/// Runs the scenario. Every announced status must arrive as an event, and a forged callback must be rejected. `colors` are
/// those of stderr.
pub(super) async fn run(environment: &DevEnvironment, colors: Colors) -> Result<(), Failure> {
    let DevEnvironment { simulator, account, urls, .. } = environment;
    let profile = scenario::create_profile(simulator, *account, urls.callbacks.clone());
    let profile = profile.map_err(Failure::failed)?;
    let mut printed = BTreeSet::new();
    for step in &scenario::STEPS {
        say(&format!("  {}", step.description));
        step.run(simulator, &profile).map_err(Failure::failed)?;
        for status in step.announced {
            let event = next_event(environment, *status, &mut printed).await?;
            print(&json::line(&event)?)?;
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

/// Waits for the next event, which must have this status. A slow machine may need the spool, and the event may then arrive
/// twice with one id; `printed` has the ids so far.
async fn next_event(
    environment: &DevEnvironment,
    status: Status,
    printed: &mut BTreeSet<String>,
) -> Result<ConsumedRecord, Failure> {
    loop {
        let event = in_time("event", environment.next_record()).await?;
        let id = event.headers.get("ce_id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
        if printed.contains(&id) {
            continue;
        }
        if event.value.get("status").is_none_or(|consumed| consumed != status.as_str()) {
            return Err(Failure::failed(format!("expected an event with status {status}, but consumed {event:?}")));
        }
        printed.insert(id);
        return Ok(event);
    }
}
