//! Compares the whole topic with the ledger, using four bytes of memory per callback.

use std::{
    hash::{DefaultHasher, Hash, Hasher as _},
    iter,
    path::Path,
    time::Duration,
};

use serde_json::Value;

use test_support::{kafka::Record, ledger::PROFILES_PER_CALLER};

use crate::recorder;

/// How many problems of a kind are listed.
const FEW: usize = 5;

/// The content of the topic.
#[derive(Debug, Default)]
pub(crate) struct Topic {
    records: usize,
    callers: Vec<Caller>,
    problems: Vec<String>,
    overtaken: usize,
    with_another_id: usize,
}

/// The records of one caller.
#[derive(Default)]
struct Caller {
    /// The shortened id of each number; 0 if the number is missing.
    ids: Vec<u32>,
    /// The highest number of each profile so far.
    highest: [usize; PROFILES_PER_CALLER as usize],
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "numbers up to {:?}", self.highest)
    }
}

impl Extend<Record> for Topic {
    fn extend<I: IntoIterator<Item = Record>>(&mut self, records: I) {
        records.into_iter().for_each(|record| self.take(&record));
    }
}

impl Topic {
    fn take(&mut self, record: &Record) {
        let event: Value = serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap();
        // Callbacks of hostile clients have no number and are not checked.
        let Some(number) = event["extra"]["Number"][0].as_str() else { return };
        let number: usize = number.parse().unwrap();
        let profile = event["profile_sid"].as_str().unwrap();
        let name = usize::from_str_radix(&profile[2..18], 16).unwrap();
        let id = short(record);
        if self.callers.len() <= name {
            self.callers.resize_with(name + 1, Caller::default);
        }
        let caller = &mut self.callers[name];
        if caller.ids.len() <= number {
            caller.ids.resize(number + 1, 0);
        }
        let highest = &mut caller.highest[number % PROFILES_PER_CALLER as usize];
        self.records += 1;
        if caller.ids[number] == 0 {
            if *highest > number {
                self.overtaken += 1;
                let place = (record.partition, record.offset);
                self.problems.push(format!("{profile}: {number} after {highest} at {place:?}"));
            }
            caller.ids[number] = id;
        } else if caller.ids[number] != id {
            self.with_another_id += 1;
            self.problems.push(format!("{profile}: {number} again with another id"));
        }
        self.problems.truncate(2 * FEW);
        *highest = number.max(*highest);
    }

    fn has(&self, caller: usize, number: usize) -> bool {
        self.callers.get(caller).and_then(|caller| caller.ids.get(number)).is_some_and(|id| *id != 0)
    }

    /// Compares the topic with the recorded calls of all callers.
    pub(crate) fn compare_with_ledger(self, folder: &Path, callers: u64, measured: Measured) -> Findings {
        let mut calls = Calls::default();
        let (mut lost, mut late) = (Vec::new(), Vec::new());
        for caller in 0..callers {
            for line in recorder::lines(folder, caller) {
                calls.take(&line);
                if Duration::from_micros(line.took_us.into()) > measured.patience {
                    late.push(format!("number {} of caller {caller}, sent at {} ms", line.number, line.sent_ms));
                }
                if line.status == 204 && !self.has(caller as usize, line.number) {
                    lost.push(format!("number {} of caller {caller}, sent at {} ms", line.number, line.sent_ms));
                }
            }
        }
        Findings { topic: self, calls, lost, late, measured }
    }
}

/// A short hash of the event id, never 0.
fn short(record: &Record) -> u32 {
    let (_, id) = record.headers.iter().find(|(name, _)| name == "ce_id").unwrap();
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish() as u32 | 1
}

/// The answers, by status.
#[derive(Default)]
struct Calls {
    accepted: u64,
    unavailable: u64,
    unanswered: u64,
    others: u64,
    /// A histogram of answer times, in tenths of milliseconds.
    times: Vec<u64>,
}

impl Calls {
    fn take(&mut self, line: &recorder::Line) {
        let counter = match line.status {
            204 => &mut self.accepted,
            503 => &mut self.unavailable,
            0 => &mut self.unanswered,
            _ => &mut self.others,
        };
        *counter += 1;
        if line.status != 0 {
            let time = line.took_us as usize / 100;
            let missing = (time + 1).saturating_sub(self.times.len());
            self.times.extend(iter::repeat_n(0, missing));
            self.times[time] += 1;
        }
    }

    /// A percentile of the answer times, in milliseconds.
    fn percentile(&self, share: f64) -> f64 {
        let all: u64 = self.times.iter().sum();
        let mut left = (all as f64 * share).ceil() as u64;
        let index = self.times.iter().position(|count| {
            left = left.saturating_sub(*count);
            left == 0
        });
        index.unwrap_or(0) as f64 / 10.0
    }

    fn all(&self) -> u64 {
        self.accepted + self.unavailable + self.unanswered + self.others
    }
}

/// Measurements of a case.
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    pub(crate) memory_mib: f64,
    /// The maximum time for an answer.
    pub(crate) patience: Duration,
}

/// The result of a case.
pub(crate) struct Findings {
    topic: Topic,
    calls: Calls,
    lost: Vec<String>,
    late: Vec<String>,
    measured: Measured,
}

impl Findings {
    /// The row of the table without its name.
    pub(crate) fn row(&self) -> String {
        let (calls, topic) = (&self.calls, &self.topic);
        let distinct = topic.callers.iter().flat_map(|caller| &caller.ids).filter(|id| **id != 0).count();
        let [half, most, slowest] = [0.5, 0.99, 1.0].map(|share| calls.percentile(share));
        format!(
            "| {} in {:.0} s, {:.0}/s | {} / {} / {} | {distinct} ({} repeats) | {} | {} | {half:.1}, {most:.1}, {slowest:.0} ms | {:.0} MiB |",
            calls.all(),
            self.measured.seconds,
            calls.all() as f64 / self.measured.seconds,
            calls.accepted,
            calls.unavailable,
            calls.unanswered,
            topic.records - distinct,
            self.lost.len(),
            if topic.overtaken == 0 { "kept" } else { "broken" },
            self.measured.memory_mib,
        )
    }

    /// The problems, if any.
    pub(crate) fn problems(&self) -> Option<String> {
        let counts = [
            ("lost", self.lost.len()),
            ("answered too late", self.late.len()),
            ("overtaken", self.topic.overtaken),
            ("with another id", self.topic.with_another_id),
            ("answered otherwise", self.calls.others as usize),
        ];
        let wrong: Vec<_> = counts.iter().filter(|(_, count)| *count > 0).collect();
        let named = self.lost.iter().take(FEW).chain(self.late.iter().take(FEW)).chain(&self.topic.problems);
        let named: Vec<_> = named.map(String::as_str).collect();
        (!wrong.is_empty()).then(|| format!("{wrong:?}\n{}", named.join("\n")))
    }
}
