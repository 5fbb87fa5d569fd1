//! A profile as a page for a person.

use std::time::Duration;

use super::super::table::{name_of, status_text};
use crate::{
    cli::{
        color::Colors,
        text::{escaped, padded, width, wrapped},
    },
    domain::{
        Label as _, RejectionReason, Timestamp, error_code,
        state::{ProfileState, StatusChange},
    },
    text::{minute, shortest},
};

/// The width of the names of facts.
const FACT: usize = 9;
const INDENT: usize = 2;

/// The page about a profile at this time. Texts from outside are escaped.
pub(super) fn of(state: &ProfileState, now: Timestamp, (columns, colors): (usize, Colors)) -> String {
    let status = colors.status(state.status, &status_text(state.status, &state.raw_status));
    let mut page = vec![format!("{}  {status} for {}", state.profile_sid, shortest(state.since.until(now)))];
    page.extend(facts(state, now).into_iter().flat_map(|(name, text)| fact(name, &text, columns)));
    page.push(String::new());
    page.extend(timeline(state, now, colors));
    if let Some(reason) = &state.failure_reason {
        page.extend([String::new(), "REASON, in Twilio's words".to_owned()]);
        page.extend(indented(&escaped(reason), columns));
    }
    for error in &state.errors {
        page.push(String::new());
        page.extend(code(error, columns));
    }
    page.join("\n")
}

fn facts(state: &ProfileState, now: Timestamp) -> Vec<(&'static str, String)> {
    let ProfileState { profile, changes, rejections, position, .. } = state;
    let details = profile.as_ref();
    let owner = if details.is_some() { "confirmed by Trust Hub" } else { "not confirmed by Trust Hub yet" };
    let facts = [
        ("name", details.and_then(name_of)),
        ("kind", Some(kind(state))),
        ("account", Some(format!("{}, {owner}", state.account_sid))),
        ("policy", details.and_then(|details| details.policy_sid.as_deref()).map(escaped)),
        ("expires", expiry(state, now)),
        ("first", Some(moment(state.first_seen_at, now))),
        ("last", Some(moment(state.updated_at, now))),
        ("changes", Some(format!("{changes}, of which {rejections} to twilio-rejected"))),
        (
            "event",
            Some(format!(
                "partition {}, offset {}, last ce_id {}",
                position.partition,
                position.offset,
                escaped(&state.last_event_id)
            )),
        ),
    ];
    facts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

fn kind(state: &ProfileState) -> String {
    let details = state.profile.iter().flat_map(|details| [&details.profile_type, &details.tier]);
    let details = details.flatten().map(|text| escaped(text));
    std::iter::once(state.resource.as_str().to_owned()).chain(details).collect::<Vec<_>>().join(", ")
}

/// When the approval expires, in Twilio's words, and how soon that is.
fn expiry(state: &ProfileState, now: Timestamp) -> Option<String> {
    let text = escaped(state.valid_until.as_deref()?);
    Some(match state.expires_at().map(|expiry| (now.until(expiry), expiry.until(now))) {
        None => text,
        Some((Duration::ZERO, ago)) => format!("{text}, {} ago", shortest(ago)),
        Some((left, _)) => format!("{text}, in {}", shortest(left)),
    })
}

/// The time of an event, and how long ago it was.
fn moment(time: Timestamp, now: Timestamp) -> String {
    format!("event of {}, {} ago", minute(time), shortest(time.until(now)))
}

fn fact(name: &str, text: &str, columns: usize) -> Vec<String> {
    let lines = wrapped(text.trim(), columns.saturating_sub(INDENT + FACT));
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    lines.lines().zip(names).map(|(line, name)| format!("{:INDENT$}{name:FACT$}{line}", "")).collect()
}

/// The changes, the oldest one first, each with its age and with how long its status lasted.
fn timeline(state: &ProfileState, now: Timestamp, colors: Colors) -> Vec<String> {
    let texts: Vec<_> = state.history.iter().map(|change| status_text(change.status, &change.raw_status)).collect();
    let column = texts.iter().map(|text| width(text)).max().unwrap_or_default();
    let ends = state.history.iter().skip(1).map(|next| Some(next.since)).chain([None]);
    let changes = state.history.iter().zip(&texts).zip(ends).map(|((change, text), end)| {
        let StatusChange { status, since, .. } = change;
        let lasted = shortest(since.until(end.unwrap_or(now)));
        let lasted = if end.is_some() { lasted } else { format!("{lasted} so far") };
        let status = colors.status(*status, &padded(text, column));
        format!("  {}  {:>5}  {status}  {lasted}", minute(*since), shortest(since.until(now)))
    });
    let earlier = state.changes.saturating_sub(u64::try_from(state.history.len()).unwrap_or(u64::MAX));
    let earlier = match earlier {
        0 => None,
        1 => Some("  1 earlier change is in the event topic".to_owned()),
        _ => Some(format!("  {earlier} earlier changes are in the event topic")),
    };
    let heading = format!("HISTORY, UTC          AGO  {}  LASTED", padded("STATUS", column));
    [heading].into_iter().chain(earlier).chain(changes).collect()
}

/// An error code with its meaning, its cause and its cure.
fn code(error: &RejectionReason, columns: usize) -> Vec<String> {
    let RejectionReason { code, meaning, message } = error;
    let own = [meaning, message].into_iter().flatten().map(|text| escaped(text));
    let (heading, texts) = match error_code::entry(*code) {
        Some(entry) => (
            entry.meaning.to_owned(),
            vec![entry.message.to_owned(), format!("Why: {}", entry.cause), format!("What to do: {}", entry.cure)],
        ),
        None => {
            let page =
                format!("This version does not know the code; see https://www.twilio.com/docs/api/errors/{code}");
            (String::new(), own.chain([page]).collect())
        }
    };
    let heading = format!("CODE {code}  {heading}").trim_end().to_owned();
    std::iter::once(heading).chain(texts.iter().flat_map(|text| indented(text, columns))).collect()
}

/// The lines of a text, wrapped and indented.
fn indented(text: &str, columns: usize) -> Vec<String> {
    wrapped(text, columns.saturating_sub(INDENT)).lines().map(|line| format!("{:INDENT$}{line}", "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{ProfileType, Status},
        profiles::fixtures::{details, state, time},
    };

    fn page(state: &ProfileState) -> String {
        of(state, time(13, 30), (80, Colors::of_stdout(&vec![("NO_COLOR".into(), "1".into())])))
    }

    #[test]
    fn rejected_profile_shows_its_history_and_what_to_do() {
        let mut history = state(1).history;
        let rejected = Status::TwilioRejected;
        history.push(StatusChange { status: rejected, raw_status: rejected.as_str().to_owned(), since: time(12, 30) });
        let mut state = ProfileState {
            status: rejected,
            since: time(12, 30),
            updated_at: time(12, 30),
            changes: 3,
            rejections: 1,
            errors: vec![RejectionReason::from(18602), RejectionReason::from(99999)],
            failure_reason: Some("The number is not in the register.\x07".to_owned()),
            profile: Some(details("Shop Ltd", ProfileType::Business)),
            history,
            ..state(1)
        };
        let expected = r"
BU00000000000000000000000000000001  twilio-rejected for 1h
  name     Shop Ltd
  kind     customer-profile, business, secondary
  account  AC00000000000000000000000000000001, confirmed by Trust Hub
  policy   RNdfbf3fae0e1107f8aded0e7cead80bf5
  first    event of 2026-11-20 10:30, 3h ago
  last     event of 2026-11-20 12:30, 1h ago
  changes  3, of which 1 to twilio-rejected
  event    partition 0, offset 7, last ce_id e2

HISTORY, UTC          AGO  STATUS           LASTED
  2026-11-20 10:30     3h  pending-review   30m
  2026-11-20 11:00     2h  in-review        1h
  2026-11-20 12:30     1h  twilio-rejected  1h so far

REASON, in Twilio's words
  The number is not in the register.\u{7}

CODE 18602  business_registration_number_not_verified
  The registration number of the business could not be verified.
  Why: The number, its type, or the legal name differs from the entry in the
  public register.
  What to do: Copy number, type and legal name from the register, such as the
  IRS letter for an EIN, and submit again.

CODE 99999
  This version does not know the code; see
  https://www.twilio.com/docs/api/errors/99999";
        assert_eq!(page(&state), expected.trim_start());
        state.errors.pop();
        state.failure_reason = Some("The number is not in the register.".to_owned());
        let sample = format!("```text\n{}\n```\n", page(&state));
        assert!(
            include_str!("../../../../docs/operations.md").contains(&sample),
            "copy into docs/operations.md\n{sample}"
        );
    }

    #[test]
    fn history_that_is_not_complete_says_so() {
        assert!(!page(&state(1)).contains("earlier changes"));
        let one_more = page(&ProfileState { changes: 3, ..state(1) });
        assert!(one_more.contains("\n  1 earlier change is in the event topic\n"), "{one_more}");
        let long = page(&ProfileState { changes: 14, ..state(1) });
        assert!(long.contains("\n  12 earlier changes are in the event topic\n  2026-11-20 10:30  "), "{long}");
    }

    #[test]
    fn text_of_any_length_stays_within_the_columns() {
        let name = format!("  Shop {}", "x".repeat(200));
        let shop = page(&ProfileState { profile: Some(details(&name, ProfileType::Business)), ..state(1) });
        assert!(shop.contains(&format!("\n  name     Shop\n           {}\n", "x".repeat(69))), "{shop}");
        assert!(shop.lines().all(|line| width(line) <= 80), "{shop}");
    }

    #[test]
    fn expiry_is_in_twilios_words_with_the_time_until_then() {
        let expiring = |valid_until: &str| {
            let approved =
                ProfileState { status: Status::TwilioApproved, valid_until: Some(valid_until.to_owned()), ..state(1) };
            page(&approved).lines().find_map(|line| line.strip_prefix("  expires  ").map(str::to_owned)).unwrap()
        };
        assert_eq!(expiring("2026-12-20"), "2026-12-20, in 29d");
        assert_eq!(expiring("2026-11-10"), "2026-11-10, 10d ago");
        assert_eq!(expiring("next\tyear"), r"next\tyear");
    }
}
