//! The arguments of `dead-letters`.

use std::time::SystemTime;

use clap::{Args, Subcommand};

use crate::{
    domain::{DeadLetterReason, Label as _, ProfileSid, RecordPosition, Timestamp},
    replay::LetterFilter,
};

/// The text of `dead-letters replay --help`.
const REPLAY: &str = "Publish the events of the dead letters that can become events now

A dead letter becomes an event if this version can read it as one. If its reason is signature_failed, its signature also has
to match the URLs and keys that are configured now. The event has the ce_id and the ce_time that it would have had, so
consumers skip it if they have applied a later event of the profile. A replay removes nothing from the dead-letter topic.

No letter becomes an event twice, even if a replay is interrupted: the events in KAFKA_TOPIC are read first. One process
replays at a time. Apart from signature_failed, no letter has a signature that could be verified again, so only the service
may write to the topic.

Prints one line for each letter. Exit codes: 0 done, even if letters stay; 1 not done; 2 invalid usage or configuration.";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DeadLettersCommand {
    /// List the dead letters, and say what a replay would make of each
    Ls {
        #[command(flatten)]
        filters: FilterArguments,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one dead letter: its request, and why it can or cannot become an event now
    Show {
        /// The dead letter: PARTITION/OFFSET, as shown by `ls`, or its ce_id
        #[arg(value_parser = parse_letter_name)]
        letter: LetterName,
    },
    /// Publish the events of the dead letters that can become events now
    #[command(long_about = REPLAY)]
    Replay {
        /// Say what would be published, and publish nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        filters: FilterArguments,
        /// Only these dead letters, by PARTITION/OFFSET [default: all]
        #[arg(value_name = "PARTITION/OFFSET", value_parser = parse_position)]
        letters: Vec<RecordPosition>,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// Which dead letters are selected.
#[derive(Debug, Args)]
pub(in crate::cli) struct FilterArguments {
    /// Only dead letters with this reason; may be repeated
    #[arg(long = "reason", value_name = "REASON", value_parser = parse_reason)]
    reasons: Vec<DeadLetterReason>,
    /// Only dead letters received since then: an age, such as 90m, 12h or 7d, or a time, such as 2026-11-20T11:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Only dead letters of this profile
    #[arg(long, value_name = "SID", value_parser = parse_profile)]
    profile: Option<ProfileSid>,
}

impl FilterArguments {
    pub(super) fn filter(&self, positions: &[RecordPosition]) -> LetterFilter {
        LetterFilter {
            reasons: self.reasons.clone(),
            since: self.since,
            profile: self.profile,
            positions: positions.to_vec(),
            event_id: None,
        }
    }
}

/// What names one dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum LetterName {
    Position(RecordPosition),
    EventId(String),
}

impl LetterName {
    pub(super) fn filter(&self) -> LetterFilter {
        match self {
            Self::Position(position) => LetterFilter { positions: vec![*position], ..LetterFilter::default() },
            Self::EventId(id) => LetterFilter { event_id: Some(id.clone()), ..LetterFilter::default() },
        }
    }
}

fn parse_letter_name(text: &str) -> Result<LetterName, String> {
    if text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(LetterName::EventId(text.to_ascii_lowercase()));
    }
    let position = parse_position(text).map_err(|error| format!("{error}, or a ce_id of 32 hexadecimal digits"))?;
    Ok(LetterName::Position(position))
}

fn parse_position(text: &str) -> Result<RecordPosition, String> {
    let parsed = text.split_once('/').and_then(|(partition, offset)| {
        let (partition, offset) = (partition.parse::<u16>().ok()?, offset.parse::<u32>().ok()?);
        Some(RecordPosition { partition: partition.into(), offset: offset.into() })
    });
    parsed.ok_or_else(|| "write a partition and an offset, such as 0/17".to_owned())
}

fn parse_reason(text: &str) -> Result<DeadLetterReason, String> {
    DeadLetterReason::named(text)
        .ok_or_else(|| format!("write one of {}", DeadLetterReason::list(DeadLetterReason::ALL)))
}

fn parse_profile(text: &str) -> Result<ProfileSid, String> {
    ProfileSid::parse(text).map_err(|error| format!("{error}; write BU and 32 hexadecimal digits"))
}

fn parse_since(text: &str) -> Result<Timestamp, String> {
    parse_time(text, SystemTime::now().into())
        .ok_or_else(|| "write an age, such as 90m, 12h or 7d, or a time, such as 2026-11-20T11:00:00Z".to_owned())
}

fn parse_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let unit = text.chars().next_back()?;
    let millis = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    // An age that is older than any time is a mistake.
    let earliest =
        now.unix_millis().checked_sub(i64::from(count).checked_mul(millis)?).filter(|millis| *millis >= 0)?;
    Timestamp::from_unix_millis(earliest)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn letter_is_named_by_its_position_or_by_its_event() {
        let position = RecordPosition { partition: 3, offset: 17 };
        assert_eq!(parse_letter_name("3/17"), Ok(LetterName::Position(position)));
        let id = "0123456789ABCDEF0123456789abcdef";
        assert_eq!(parse_letter_name(id), Ok(LetterName::EventId(id.to_ascii_lowercase())));
        for wrong in ["", "3", "3/", "/17", "-1/2", "3/17/1", "x"] {
            assert!(parse_letter_name(wrong).unwrap_err().contains("such as 0/17"), "{wrong}");
        }
    }

    #[test]
    fn time_is_given_as_an_age_or_as_such() {
        let after = |seconds: u64| Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds));
        let (now, at) = (after(1_000_000), |seconds| Some(after(seconds)));
        assert_eq!(parse_time("90m", now), at(994_600));
        assert_eq!(parse_time("2d", now), at(827_200));
        assert_eq!(parse_time("1970-01-01T00:00:07Z", now), at(7));
        for wrong in ["", "m", "7", "7w", "-1h", "yesterday", "99999999d"] {
            assert_eq!(parse_time(wrong, now), None, "{wrong}");
        }
    }
}
