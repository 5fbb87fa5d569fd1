//! `profiles show`: shows a profile with its history.

mod page;

use std::time::SystemTime;

use super::notes::{note, states_failure};
use crate::{
    app::block_on,
    cli::{
        color::Colors,
        json,
        output::{Failure, print, say},
        terminal::text_width,
        variables::Variables,
    },
    config,
    domain::{ProfileSid, Timestamp},
    profiles::{Lookup, find_profile},
};

/// The text of `profiles show --help`.
pub(super) const LONG: &str = "Show a profile with its history, and what to do about its error codes

Reads the state from KAFKA_PROFILES_TOPIC, so no service needs to be running. Only the KAFKA_ variables are needed. The history
has the last ten changes of the status; the event topic has them all. Times are in UTC.

Exit codes: 0 done; 1 failed, or there is no such profile; 2 invalid usage or configuration.";

pub(super) fn run(profile: &ProfileSid, json: bool, variables: Variables) -> Result<(), Failure> {
    let (columns, colors) = (text_width(&variables), Colors::of_stdout(&variables));
    let kafka = config::load_kafka(variables).map_err(Failure::usage)?;
    let found = block_on(find_profile(&kafka, *profile)).map_err(Failure::failed)?.map_err(states_failure)?;
    let topic = kafka.profiles_topic.as_deref().unwrap_or_default();
    match found {
        Lookup::Found(state, completeness) => {
            let now = Timestamp::from(SystemTime::now());
            print(&if json { json::indented(&state)? } else { page::of(&state, now, (columns, colors)) })?;
            note(&completeness, &kafka).iter().for_each(|note| say(note));
            Ok(())
        }
        Lookup::Unreadable => Err(Failure::failed(format!(
            "this version cannot read the state of {profile} in topic {topic}; use the version of the service"
        ))),
        Lookup::Missing(completeness) => {
            let note = note(&completeness, &kafka).map(|note| format!("\n{note}")).unwrap_or_default();
            Err(Failure::failed(format!(
                "topic {topic} has no state of {profile}; check the SID and the Kafka cluster. A profile without callbacks gets a \
                 state by `trusthub-bridge reconcile --baseline`, and one that Trust Hub has deleted has none{note}"
            )))
        }
    }
}
