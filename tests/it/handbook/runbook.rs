//! Checks that the runbook has an entry for each alert, and that every link of the handbook resolves.

use std::{collections::BTreeSet, fs};

use test_support::project_root;

use super::{
    document::{ERRORS, METRICS, OPERATIONS, Page, blocks, code, headings},
    operator::EXECUTED_BLOCKS,
    source::texts,
};

/// The parts of each entry, in this order.
const PARTS: [&str; 4] = ["Meaning**: ", "Causes**: ", "Action**: ", "Resolved when**: "];

#[test]
fn every_alert_has_an_entry_and_every_entry_an_alert() {
    let entries: BTreeSet<_> = entries().into_iter().map(|(alert, _)| alert).collect();
    let files = alert_files();
    let alerts = files.iter().flat_map(|file| file.lines()).filter_map(|line| line.trim().strip_prefix("- alert: "));
    assert_eq!(entries, alerts.map(str::to_owned).collect(), "docs/operations.md (left) and the alerts (right)");
}

#[test]
fn every_entry_has_a_meaning_causes_an_action_and_a_resolution() {
    for (alert, entry) in entries() {
        let parts: Vec<_> = entry.split("\n- **").skip(1).map(str::trim_end).collect();
        assert_eq!(parts.len(), PARTS.len(), "{alert}: {parts:#?}");
        for (part, expected) in parts.iter().zip(PARTS) {
            assert!(part.starts_with(expected) && part.ends_with(['.', '`']), "{alert}: {part}");
        }
    }
}

#[test]
fn every_alert_is_named_in_the_table_of_metrics() {
    let missing: Vec<_> =
        entries().into_iter().filter(|(alert, _)| !METRICS.text.contains(&format!("[{alert}]("))).collect();
    assert!(missing.is_empty(), "docs/metrics.md does not name {missing:?}");
}

#[test]
fn every_link_resolves() {
    for page in [OPERATIONS, METRICS, ERRORS] {
        let targets = page.text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        let wrong: Vec<_> = targets.filter(|target| !resolves(page, target)).collect();
        assert!(wrong.is_empty(), "docs/{}: {wrong:?}", page.name);
    }
}

#[test]
fn every_block_of_the_handbook_is_run_by_a_test() {
    let sections =
        headings(OPERATIONS.text).into_iter().map(|(_, title)| (title, blocks(OPERATIONS, title, "sh").len()));
    let with_blocks: Vec<_> = sections.filter(|(_, count)| *count > 0).collect();
    assert_eq!(with_blocks, EXECUTED_BLOCKS, "docs/operations.md (left) and what the tests run (right)");
}

#[test]
fn log_patterns_of_the_runbook_are_in_the_source() {
    let output = texts().all;
    let commands = entries().into_iter().flat_map(|(_, entry)| code(&entry));
    let patterns = commands.filter(|command| command.starts_with("grep ")).map(|command| pattern(&command));
    let patterns: Vec<_> = patterns.collect();
    assert!(!patterns.is_empty());
    for part in patterns.iter().flat_map(|pattern| pattern.split('|')) {
        assert!(output.iter().any(|text| text.contains(part)), "no message contains {part:?}");
    }
}

#[test]
fn log_patterns_of_the_alerts_are_in_the_source() {
    let texts = texts();
    let files = alert_files().map(|file| file.split_whitespace().collect::<Vec<_>>().join(" "));
    let patterns: Vec<_> = files.iter().flat_map(|file| file.split("| grep ").skip(1)).map(searched).collect();
    assert!(!patterns.is_empty());
    for text in patterns.iter().flat_map(|pattern| pattern.split('|')).filter(|text| !is_json(text)) {
        // A word may be a label or a part of a name. Several words must be a message.
        let output = if text.contains(' ') { &texts.messages } else { &texts.all };
        let text = text.to_lowercase();
        assert!(output.iter().any(|known| known.to_lowercase().contains(&text)), "no message contains {text:?}");
    }
}

/// Whether it is a field of a line in JSON: a name and a label, which other tests hold against the source.
fn is_json(text: &str) -> bool {
    text.starts_with('"') && text.ends_with('"')
}

/// What a `grep` searches for, given the text behind its name.
fn searched(command: &str) -> &str {
    let is_option = |word: &&str| word.starts_with('-');
    let command = command.split_once(' ').filter(|(word, _)| is_option(word)).map_or(command, |(_, rest)| rest);
    match command.strip_prefix('\'') {
        Some(quoted) => quoted.split('\'').next().unwrap_or_default(),
        None => command.split(' ').next().unwrap_or_default(),
    }
}

fn alert_files() -> [String; 2] {
    ["alerts.yaml", "alerts-no-callback.yaml"].map(|file| read(&format!("helm/trusthub-bridge/files/{file}")))
}

/// The pattern of a command such as `grep -E 'one|two' bridge.log`.
fn pattern(command: &str) -> String {
    let words = command.strip_prefix("grep ").and_then(|words| words.strip_suffix(" bridge.log"));
    let words = words.unwrap_or_else(|| panic!("the command does not search the log: {command}"));
    words.trim_start_matches("-E ").trim_start_matches("-i ").trim_matches('\'').to_owned()
}

/// Every alert of the runbook, with its entry.
fn entries() -> Vec<(String, String)> {
    let (_, runbook) = OPERATIONS.text.split_once("\n## Runbook\n").unwrap();
    let runbook = runbook.split("\n## ").next().unwrap();
    let entries = runbook.split("\n### ").skip(1).map(|entry| entry.split_once('\n').unwrap());
    entries.map(|(alert, text)| (alert.to_owned(), text.to_owned())).collect()
}

fn resolves(page: Page, target: &str) -> bool {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = format!("docs/{}", if file.is_empty() { page.name } else { file });
    if anchor.is_empty() {
        return project_root().join(file).exists();
    }
    headings(&read(&file)).iter().any(|(_, title)| anchor_of(title) == anchor)
}

/// The anchor that GitHub generates for a heading.
fn anchor_of(title: &str) -> String {
    let title = title.to_lowercase().replace(' ', "-");
    title.chars().filter(|character| character.is_alphanumeric() || "-_".contains(*character)).collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(project_root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
