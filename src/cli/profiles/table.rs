//! A list of profiles as a table that fits the terminal.

use std::time::Duration;

use crate::{
    cli::{
        color::Colors,
        text::{escaped, fitted, padded, width},
    },
    domain::{Label as _, ProfileDetails, Status, Timestamp, state::ProfileState},
    text::shortest,
};

const HEADINGS: [&str; 7] = ["PROFILE", "STATUS", "SINCE", "EXPIRES", "KIND", "ACCOUNT", "CODES AND NAME"];

/// The least width of the last column with which columns that may be left out are shown.
const COMFORTABLE: usize = 24;
/// The least width of the last column.
const MIN_LAST: usize = 8;

/// A profile as the cells of a row.
pub(super) struct ProfileCells {
    status: Status,
    cells: [String; 7],
}

impl ProfileCells {
    /// The cells of a profile at this time. Texts from outside are escaped.
    pub(super) fn of(state: &ProfileState, now: Timestamp) -> Self {
        let expires = state.expires_at().map(|expiry| match now.until(expiry) {
            Duration::ZERO => "expired".to_owned(),
            left => shortest(left),
        });
        let cells = [
            state.profile_sid.to_string(),
            status_text(state.status, &state.raw_status),
            shortest(state.since.until(now)),
            expires.unwrap_or_else(|| "-".to_owned()),
            kind(state),
            state.account_sid.to_string(),
            codes_and_name(state),
        ];
        Self { status: state.status, cells }
    }
}

/// The status; for one that this version does not know, Twilio's text.
pub(super) fn status_text(status: Status, raw: &str) -> String {
    match status {
        Status::Unknown => escaped(raw),
        known => known.as_str().to_owned(),
    }
}

/// The type of a profile, as far as it is known, otherwise its resource.
fn kind(state: &ProfileState) -> String {
    let known = state.profile.as_ref().and_then(|details| details.profile_type.as_deref());
    known.map_or_else(|| state.resource.as_str().to_owned(), escaped)
}

fn codes_and_name(state: &ProfileState) -> String {
    let codes: Vec<_> = state.errors.iter().map(|error| error.code.to_string()).collect();
    let name = state.profile.as_ref().and_then(name_of).unwrap_or_default();
    let both = format!("{} {name}", codes.join(","));
    if both.trim().is_empty() { "-".to_owned() } else { both.trim().to_owned() }
}

/// The name of a profile, escaped.
pub(super) fn name_of(details: &ProfileDetails) -> Option<String> {
    details.friendly_name.as_deref().map(escaped).filter(|name| !name.trim().is_empty())
}

/// The width of each column; `None` for a column that is left out.
pub(super) struct TableLayout {
    widths: [Option<usize>; 7],
}

impl TableLayout {
    /// The layout of these rows for a terminal with so many columns, or with all columns in full.
    pub(super) fn of(rows: impl Iterator<Item = ProfileCells>, columns: Option<usize>) -> Self {
        let mut needed = HEADINGS.map(width);
        let (mut has_expiry, mut first_account, mut has_accounts) = (false, None, false);
        for ProfileCells { cells, .. } in rows {
            needed.iter_mut().zip(&cells).for_each(|(needed, cell)| *needed = (*needed).max(width(cell)));
            let [_, _, _, expires, _, account, _] = cells;
            has_expiry |= expires != "-";
            has_accounts |= first_account.get_or_insert_with(|| account.clone()) != &account;
        }
        let Some(columns) = columns else { return Self { widths: needed.map(Some) } };
        let [profile, status, since, expires, kind, account, last] = needed;
        let mut left = columns.saturating_sub(profile + status + since + 3);
        let mut optional = |is_useful: bool, needed: usize, least_left: usize| {
            let is_shown = is_useful && left > needed + least_left;
            left = left.saturating_sub(if is_shown { needed + 1 } else { 0 });
            is_shown.then_some(needed)
        };
        let expires = optional(has_expiry, expires, MIN_LAST);
        let kind = optional(true, kind, COMFORTABLE);
        let account = optional(has_accounts, account, COMFORTABLE);
        let last = Some(last.min(left.max(MIN_LAST)));
        Self { widths: [Some(profile), Some(status), Some(since), expires, kind, account, last] }
    }

    /// The header line.
    pub(super) fn headings(&self) -> String {
        self.joined(HEADINGS.map(str::to_owned), |_, cell| cell)
    }

    /// The line of a profile.
    pub(super) fn row(&self, profile: ProfileCells, colors: Colors) -> String {
        let status = profile.status;
        self.joined(profile.cells, |heading, cell| match heading {
            "STATUS" => colors.status(status, &cell),
            _ => cell,
        })
    }

    fn joined(&self, cells: [String; 7], paint: impl Fn(&str, String) -> String) -> String {
        let columns = HEADINGS.into_iter().zip(&self.widths).zip(cells);
        let shown = columns.filter_map(|((heading, width), cell)| {
            let cell = fitted(&cell, (*width)?);
            Some(paint(heading, padded(&cell, (*width)?)))
        });
        shown.collect::<Vec<_>>().join(" ").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::variables::Variables,
        domain::{ProfileType, RejectionReason, Resource},
        profiles::fixtures::{account, details, state, time},
    };

    fn states() -> [ProfileState; 4] {
        let named = |name| Some(details(name, ProfileType::Business));
        [
            ProfileState {
                status: Status::TwilioRejected,
                errors: vec![RejectionReason::from(18602), RejectionReason::from(22215)],
                profile: named("Café \u{202e}株式会社 of many words"),
                since: time(9, 0),
                ..state(1)
            },
            ProfileState {
                status: Status::TwilioApproved,
                valid_until: Some("2026-12-20".to_owned()),
                profile: named("Shop Ltd"),
                ..state(2)
            },
            ProfileState { resource: Resource::TrustProduct, account_sid: account(2), ..state(3) },
            ProfileState { status: Status::Unknown, raw_status: "on\x1bhold".to_owned(), ..state(4) },
        ]
    }

    fn table(states: &[ProfileState], columns: Option<usize>) -> Vec<String> {
        let now = time(12, 0);
        let no_color: Variables = vec![("NO_COLOR".into(), "1".into())];
        let layout = TableLayout::of(states.iter().map(|state| ProfileCells::of(state, now)), columns);
        let rows = states.iter().map(|state| layout.row(ProfileCells::of(state, now), Colors::of_stdout(&no_color)));
        std::iter::once(layout.headings()).chain(rows).collect()
    }

    #[test]
    fn table_fits_80_columns() {
        let expected = [
            "PROFILE                            STATUS          SINCE EXPIRES CODES AND NAME",
            r"BU00000000000000000000000000000001 twilio-rejected 3h    -       18602,22215 Ca…",
            "BU00000000000000000000000000000002 twilio-approved 1h    29d     Shop Ltd",
            "BU00000000000000000000000000000003 in-review       1h    -       -",
            r"BU00000000000000000000000000000004 on\u{1b}hold    1h    -       -",
        ];
        let lines = table(&states(), Some(80));
        assert_eq!(lines, expected);
        assert!(lines.iter().all(|line| width(line) <= 80));
    }

    #[test]
    fn wide_table_also_has_kinds_and_accounts() {
        let lines = table(&states(), Some(200));
        let expected = [
            "PROFILE                            STATUS          SINCE EXPIRES KIND             ACCOUNT                            \
             CODES AND NAME",
            "BU00000000000000000000000000000001 twilio-rejected 3h    -       business         AC00000000000000000000000000000001 \
             18602,22215 Café \\u{202e}株式会社 of many words",
            "BU00000000000000000000000000000002 twilio-approved 1h    29d     business         AC00000000000000000000000000000001 \
             Shop Ltd",
            "BU00000000000000000000000000000003 in-review       1h    -       trust-product    AC00000000000000000000000000000002 -",
            "BU00000000000000000000000000000004 on\\u{1b}hold    1h    -       customer-profile AC00000000000000000000000000000001 -",
        ];
        assert_eq!(lines, expected);
        assert_eq!(table(&states(), None), expected, "a pipe gets every column");
    }

    #[test]
    fn handbook_shows_a_table_of_80_columns() {
        let shop = |number: u32, hour: u8, status: Status| ProfileState {
            status,
            since: time(hour, 0),
            profile: Some(details(&format!("Shop {number}"), ProfileType::Business)),
            ..state(number)
        };
        let states = [
            ProfileState { errors: vec![RejectionReason::from(18602)], ..shop(4, 3, Status::TwilioRejected) },
            shop(2, 5, Status::InReview),
            ProfileState { valid_until: Some("2026-12-20".to_owned()), ..shop(1, 9, Status::TwilioApproved) },
            shop(7, 11, Status::PendingReview),
        ];
        let sample = format!("```text\n{}\n```\n", table(&states, Some(80)).join("\n"));
        assert!(
            include_str!("../../../docs/operations.md").contains(&sample),
            "copy into docs/operations.md\n{sample}"
        );
    }

    #[test]
    fn column_that_says_nothing_is_left_out() {
        let [rejected, _, _, _] = states();
        let lines = table(&[rejected], Some(80));
        assert_eq!(lines[0], "PROFILE                            STATUS          SINCE CODES AND NAME");
        assert!(lines[1].ends_with(r" 3h    18602,22215 Café \u{20…"), "{lines:?}");
    }

    #[test]
    fn approval_that_has_expired_says_so() {
        let expired =
            ProfileState { status: Status::TwilioApproved, valid_until: Some("2026-11-19".to_owned()), ..state(2) };
        assert!(table(&[expired], Some(80))[1].contains(" expired "));
    }
}
