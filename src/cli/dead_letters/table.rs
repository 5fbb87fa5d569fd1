//! Prints dead letters as a table or as JSON lines.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    cli::{
        json,
        output::{Failure, Rows},
        text::{escaped, fitted, padded},
    },
    domain::{Label as _, RecordPosition, Timestamp},
    replay::{KeepReason, LetterObserver, LetterStatus, SurveyProgress, SurveyedLetter},
};

/// What the rows say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LetterFormat {
    /// Every letter in the columns of `ls`.
    List,
    /// Every letter with the result of a replay.
    Results,
    /// One JSON object a line.
    Json,
}

/// Prints letters as they are decided, and the progress on a terminal.
pub(super) struct LetterTable {
    rows: Rows,
    format: LetterFormat,
    totals: LetterTotals,
    /// The requested positions at which no letter was seen.
    missing: Vec<RecordPosition>,
}

impl LetterTable {
    /// `requested` are the positions of letters that have to exist.
    pub(super) fn new(format: LetterFormat, requested: &[RecordPosition]) -> Self {
        let rows = match format {
            LetterFormat::List => Rows::below(list_row(["POSITION", "TIME", "REASON", "PROFILE", "REPLAY"])),
            LetterFormat::Results => Rows::below(result_row(["POSITION", "PROFILE", "RESULT"])),
            LetterFormat::Json => Rows::plain(),
        };
        Self { rows, format, totals: LetterTotals::default(), missing: requested.to_vec() }
    }

    /// Returns the totals and the requested positions without a letter, or the first error of printing.
    pub(super) fn finish(self) -> Result<(LetterTotals, Vec<RecordPosition>), Failure> {
        self.rows.finish().map(|()| (self.totals, self.missing))
    }
}

impl LetterObserver for LetterTable {
    fn letter(&mut self, letter: &SurveyedLetter) {
        self.totals.count(&letter.status);
        let SurveyedLetter { letter: record, status, profile, .. } = letter;
        self.missing.retain(|missing| *missing != record.position);
        let position = record.position.to_string();
        let profile = escaped(profile.as_deref().unwrap_or("-"));
        match self.format {
            LetterFormat::List => {
                let cells = [&position, &minute(record.time), &escaped(&record.reason), &profile, status.label()];
                self.rows.print(heading(letter), &list_row(cells));
            }
            LetterFormat::Results => {
                self.rows.print(heading(letter), &result_row([&position, &profile, &status.summary()]));
            }
            LetterFormat::Json => self.rows.print(String::new(), &json_line(letter)),
        }
    }

    fn progress(&mut self, progress: SurveyProgress) {
        self.rows.progress(|| match progress {
            SurveyProgress::Letters(read, total) => format!("read {read} of {total} dead letters"),
            SurveyProgress::Events(read, total) => format!("read {read} of {total} events"),
        });
    }
}

/// What successive rows have in common: the day, in UTC, and the kind of profile.
fn heading(letter: &SurveyedLetter) -> String {
    let day: String = letter.letter.time.to_string().chars().take(10).collect();
    let resource = letter.resource.map_or("no callback path", |resource| resource.as_str());
    format!("{day} (UTC), {resource}")
}

/// At most 80 columns, unless a position has more than eight characters.
fn list_row([position, time, reason, profile, replay]: [&str; 5]) -> String {
    format!("{position:8} {time:5} {} {} {replay}", cell(reason, 23), cell(profile, 34))
}

/// At most 80 columns, unless a position has more than eight characters.
fn result_row([position, profile, result]: [&str; 3]) -> String {
    format!("{position:8} {} {result}", cell(profile, 34))
}

fn cell(text: &str, columns: usize) -> String {
    padded(&fitted(text, columns), columns)
}

/// Hour and minute in UTC.
fn minute(time: Timestamp) -> String {
    time.to_string().chars().skip(11).take(5).collect()
}

/// A letter for programs.
#[derive(Serialize)]
struct LetterLine<'l> {
    partition: i32,
    offset: i64,
    received_at: Timestamp,
    reason: &'l str,
    resource: Option<&'static str>,
    profile_sid: Option<&'l str>,
    ce_id: &'l str,
    replay: &'static str,
    /// Why it stays.
    detail: Option<&'static str>,
    /// Where its event is.
    event: Option<PositionFields>,
    /// The letter that it repeats.
    repeats: Option<PositionFields>,
}

#[derive(Serialize)]
struct PositionFields {
    partition: i32,
    offset: i64,
}

fn json_line(letter: &SurveyedLetter) -> String {
    let SurveyedLetter { letter: record, resource, status, profile } = letter;
    let fields = |RecordPosition { partition, offset }: RecordPosition| PositionFields { partition, offset };
    let (detail, event) = match status {
        LetterStatus::Replayed(position) | LetterStatus::Published(position) => (None, Some(fields(*position))),
        LetterStatus::Kept(reason) => (Some(reason.label()), None),
        LetterStatus::Replayable(_) | LetterStatus::Repeat(_) => (None, None),
    };
    let repeats = match status {
        LetterStatus::Repeat(position) => Some(fields(*position)),
        _ => None,
    };
    let line = LetterLine {
        partition: record.position.partition,
        offset: record.position.offset,
        received_at: record.time,
        reason: &record.reason,
        resource: resource.map(|resource| resource.as_str()),
        profile_sid: profile.as_deref(),
        ce_id: &record.event_id,
        replay: status.label(),
        detail,
        event,
        repeats,
    };
    // A structure of texts and numbers is always JSON.
    json::line(&line).unwrap_or_default()
}

/// How many letters have each status.
#[derive(Debug, Default)]
pub(super) struct LetterTotals {
    letters: u64,
    replayable: u64,
    replayed: u64,
    published: u64,
    repeats: u64,
    cut: u64,
    kept: BTreeMap<&'static str, u64>,
}

impl LetterTotals {
    fn count(&mut self, status: &LetterStatus) {
        let count = match status {
            LetterStatus::Replayable(_) => &mut self.replayable,
            LetterStatus::Replayed(_) => &mut self.replayed,
            LetterStatus::Published(_) => &mut self.published,
            LetterStatus::Repeat(_) => &mut self.repeats,
            LetterStatus::Kept(KeepReason::Cut(_)) => &mut self.cut,
            LetterStatus::Kept(reason) => self.kept.entry(reason.label()).or_default(),
        };
        *count = count.saturating_add(1);
        self.letters = self.letters.saturating_add(1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.letters == 0
    }

    /// The totals in one sentence.
    pub(super) fn text(&self) -> String {
        let kept: u64 = self.kept.values().sum();
        let reasons: Vec<_> = self.kept.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let stay = format!("stay ({})", reasons.join(", "));
        let parts = [
            (self.replayable, "would become an event", "would become events"),
            (self.replayed, "became an event", "became events"),
            (self.published, "is an event already", "are events already"),
            (self.repeats, "repeats another letter", "repeat other letters"),
            (self.cut, "was cut, so it stays", "were cut, so they stay"),
            (kept, &stay.replacen("stay", "stays", 1), &stay),
        ];
        let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
        let parts: Vec<_> =
            parts.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many })).collect();
        match self.letters {
            0 => "no dead letters".to_owned(),
            1 => format!("1 dead letter: {}", parts.join(", ")),
            letters => format!("{letters} dead letters: {}", parts.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::text::width,
        domain::{DeadLetterReason, RejectReason},
    };

    #[test]
    fn totals_say_what_becomes_of_the_letters() {
        let position = RecordPosition { partition: 0, offset: 1 };
        let mut totals = LetterTotals::default();
        assert_eq!(totals.text(), "no dead letters");
        totals.count(&LetterStatus::Kept(KeepReason::Cut(7)));
        assert_eq!(totals.text(), "1 dead letter: 1 was cut, so it stays");
        for status in [
            LetterStatus::Replayed(position),
            LetterStatus::Replayed(position),
            LetterStatus::Published(position),
            LetterStatus::Kept(KeepReason::Unreadable(DeadLetterReason::MissingStatus)),
            LetterStatus::Kept(KeepReason::SignatureInvalid(RejectReason::SignatureMismatch)),
        ] {
            totals.count(&status);
        }
        let expected = "6 dead letters: 2 became events, 1 is an event already, 1 was cut, so it stays, \
                        2 stay (1 missing_status, 1 signature_mismatch)";
        assert_eq!(totals.text(), expected);
    }

    #[test]
    fn rows_fit_eighty_columns() {
        let sid = "BU0123456789abcdef0123456789abcdef";
        let longest =
            DeadLetterReason::ALL.iter().map(|reason| reason.as_str()).max_by_key(|label| label.len()).unwrap();
        let row = list_row(["12/12345", "11:04", longest, sid, "repeat"]);
        assert_eq!(row.len(), 80, "{row}");
        let wide = list_row(["12/12345", "11:04", &"株".repeat(40), &"x".repeat(40), "repeat"]);
        assert_eq!(width(&wide), 80, "{wide}");
        let kept = LetterStatus::Kept(KeepReason::Unreadable(DeadLetterReason::ConflictingAccountSid));
        for status in [kept, LetterStatus::Published(RecordPosition { partition: 12, offset: 123_456 })] {
            let row = result_row(["12/12345", sid, &status.summary()]);
            assert!(row.len() <= 80, "{row}");
        }
    }
}
