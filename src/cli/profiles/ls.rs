//! `profiles ls`: lists profiles by their present state.

use std::time::SystemTime;

use super::{
    arguments::Arguments,
    notes::{note, states_failure},
    table::{ProfileCells, TableLayout},
};
use crate::{
    app::block_on,
    cli::{
        color::Colors,
        json,
        output::{Failure, ProgressLine, print, say},
        terminal::table_width,
        text::grouped,
        variables::Variables,
    },
    config::{self, KafkaConfig},
    domain::{Timestamp, state::ProfileState},
    profiles::{ListedProfile, ProfileList, list_profiles},
};

/// The text of `profiles ls --help`.
pub(super) const LONG: &str = "List profiles by their present state

Reads the states from KAFKA_PROFILES_TOPIC, so no service needs to be running. Only the KAFKA_ variables are needed. A profile
is listed when it matches every option, and one of the values of an option that is repeated. The oldest change comes first:

  trusthub-bridge profiles ls --status in-review --older-than 5d
  trusthub-bridge profiles ls --expiring-within 30d --sort expires
  trusthub-bridge profiles ls --code 18602 --json

SINCE is how long a profile has had its status, and EXPIRES how soon its approval expires. Names and types are known once
`reconcile` has read them from Trust Hub. If stdout is no terminal, no column is left out or cut,
whatever COLUMNS says.

Exit codes: 0 done; 1 failed; 2 invalid usage or configuration; 3 only with --exit-code, if a profile matches.";

pub(super) fn run(arguments: &Arguments, variables: Variables) -> Result<(), Failure> {
    let (columns, colors) = (table_width(&variables), Colors::of_stdout(&variables));
    let kafka = config::load_kafka(variables).map_err(Failure::usage)?;
    let now = Timestamp::from(SystemTime::now());
    let mut line = ProgressLine::default();
    let progress = move |records| line.show_with(|| format!("records of the topic read: {records}"));
    let list = block_on(list_profiles(&kafka, arguments.query(now), progress)).map_err(Failure::failed)?;
    let list = list.map_err(states_failure)?;
    if arguments.json {
        print_json(&list.profiles)?;
    } else {
        print_table(&list.profiles, now, (columns, colors))?;
    }
    say(&summary(&list, &kafka));
    if arguments.exit_code && list.matching > 0 { Err(Failure::Found) } else { Ok(()) }
}

fn states(profiles: &[ListedProfile]) -> impl Iterator<Item = ProfileState> {
    profiles.iter().filter_map(ListedProfile::state)
}

fn print_json(profiles: &[ListedProfile]) -> Result<(), Failure> {
    states(profiles).try_for_each(|state| print(&json::line(&state)?))
}

fn print_table(
    profiles: &[ListedProfile],
    now: Timestamp,
    (columns, colors): (Option<usize>, Colors),
) -> Result<(), Failure> {
    if profiles.is_empty() {
        return Ok(());
    }
    let cells = || states(profiles).map(|state| ProfileCells::of(&state, now));
    let layout = TableLayout::of(cells(), columns);
    print(&layout.headings())?;
    cells().try_for_each(|cells| print(&layout.row(cells, colors)))
}

/// How many profiles match, and what the list may lack.
fn summary(list: &ProfileList, kafka: &KafkaConfig) -> String {
    let ProfileList { profiles, matching, total, unreadable, completeness } = list;
    let of_total = format!("{} {}", grouped(*total), if *total == 1 { "profile" } else { "profiles" });
    let count = match (profiles.len(), *matching) {
        (_, 0) if *total == 0 => "there are no profiles".to_owned(),
        (_, 0) => format!("none of {of_total}"),
        (listed, matching) if listed < matching => {
            format!("the first {} of {} that match, of {of_total}", grouped(listed), grouped(matching))
        }
        (listed, _) => format!("{} of {of_total}", grouped(listed)),
    };
    let unreadable = (*unreadable > 0).then(|| {
        let profiles = grouped(*unreadable);
        format!("not listed, because this version cannot read their states: {profiles}; use that of the service")
    });
    [Some(count), unreadable, note(completeness, kafka)].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles::Completeness;

    fn counted(matching: usize, total: usize) -> ProfileList {
        let completeness: Completeness = Ok(0);
        ProfileList { profiles: Vec::new(), matching, total, unreadable: 0, completeness }
    }

    fn kafka() -> KafkaConfig {
        config::load_kafka([("KAFKA_BOOTSTRAP_SERVERS".into(), "kafka:9092".into())]).unwrap()
    }

    #[test]
    fn summary_counts_profiles_and_names_what_is_lacking() {
        assert_eq!(summary(&counted(0, 0), &kafka()), "there are no profiles");
        assert_eq!(summary(&counted(0, 1), &kafka()), "none of 1 profile");
        assert_eq!(summary(&counted(57, 1_204), &kafka()), "the first 0 of 57 that match, of 1,204 profiles");
        let list = ProfileList { unreadable: 2, completeness: Ok(7), ..counted(0, 1_204) };
        let lines: Vec<_> = summary(&list, &kafka()).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], "none of 1,204 profiles");
        assert!(lines[1].ends_with(": 2; use that of the service"), "{lines:?}");
        assert!(lines[2].contains("trusthub.profile-status-changed not applied yet: 7;"), "{lines:?}");
    }
}
