//! Collects the texts in the source that a user may see: in the log, at a start, from a command.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Lit,
    buffer::{Cursor, TokenBuffer},
};

use test_support::project_root;

/// Modules whose texts are results, or are documented on other pages.
const DOCUMENTED_ELSEWHERE: &[&str] = &[
    // The commands of the simulator, whose answers say what to write; docs/simulator.md has the lines of their activity.
    "cli/activity.rs",
    "cli/simulate.rs",
    "cli/dev",
    // Diagnoses, see docs/signatures.md.
    "twilio-signature/diagnose",
    "explain/answer.rs",
    "explain/report.rs",
    // The help of an option.
    "cli/explain/arguments.rs",
    // The pages of the console and its answers, see docs/console.md.
    "console",
    // The reasons for a rejection; docs/errors.md has the name that each of them has in metrics and logs.
    "twilio-signature/error.rs",
    "twilio-signature/limits.rs",
    // Tables of profiles and records.
    "cli/profiles/show/page.rs",
    "cli/profiles/table.rs",
    "cli/reconcile/callbacks.rs",
    "cli/reconcile/table.rs",
    "cli/spool/show.rs",
    "cli/dead_letters/show.rs",
    "cli/dead_letters/table.rs",
    // docs/metrics.md.
    "app/metrics.rs",
    "kafka/metrics.rs",
    "pipeline/metrics.rs",
    "projector/metrics.rs",
    "projector/profile_gauges.rs",
    "reconcile/metrics.rs",
    "telemetry/metrics/log.rs",
    "telemetry/metrics/mod.rs",
    "telemetry/metrics/spool.rs",
    "traces/metrics.rs",
    // docs/configuration.md.
    "config/catalogue.rs",
    // The configuration reports them as problems of its own.
    "trusthub-client/setup_error.rs",
    // docs/rejections.md, which is generated from it.
    "trusthub-events/error_code",
    // Why a consumer cannot read a record now, see docs/consume/rust.md.
    "trusthub-events/content.rs",
    // Why a consumer skips a record, see docs/events.md.
    "trusthub-events/view.rs",
    // Causes of values that cannot be parsed. Their callers report the place instead.
    "trusthub-events/time.rs",
    "kafka/record.rs",
    "twilio-signature/members.rs",
];

/// Shorter texts are names, labels and parts of messages.
const MIN_WORDS: usize = 3;

/// Replaces a value that is filled in.
const PLACEHOLDER: char = '…';

#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Every text in the source, with [`PLACEHOLDER`] for its placeholders.
    pub(super) all: BTreeSet<String>,
    /// The texts that are messages: log messages, errors, and other sentences.
    pub(super) messages: BTreeSet<String>,
}

/// The library of the program, and the other crates of the workspace that it consists of. Paths in such a crate begin with
/// its name. The simulator is left out: its answers are Twilio's.
const CRATES: [(&str, &str); 7] = [
    ("", "src"),
    ("durable-spool", "crates/durable-spool/src"),
    ("kafka-token", "crates/kafka-token/src"),
    ("trusthub-client", "crates/trusthub-client/src"),
    ("trusthub-events", "crates/trusthub-events/src"),
    ("twilio-accounts", "crates/twilio-accounts/src"),
    ("twilio-signature", "crates/twilio-signature/src"),
];

/// All texts of the program without its tests.
pub(super) fn texts() -> Texts {
    CRATES.iter().fold(Texts::default(), |texts, (name, folder)| {
        let root = project_root().join(folder);
        let mut reader = Reader { name, root: root.clone(), texts, is_documented_elsewhere: false };
        reader.read_module(&root.join("lib.rs"), &root);
        reader.texts
    })
}

/// Follows the modules from file to file, so that test modules are skipped with everything in them.
struct Reader {
    /// The beginning of all paths.
    name: &'static str,
    root: PathBuf,
    texts: Texts,
    is_documented_elsewhere: bool,
}

impl Reader {
    /// Reads a file. `children` is the folder of the modules that it declares.
    fn read_module(&mut self, file: &Path, children: &Path) {
        let path = Path::new(self.name).join(file.strip_prefix(&self.root).unwrap());
        let before = self.is_documented_elsewhere;
        self.is_documented_elsewhere = DOCUMENTED_ELSEWHERE.iter().any(|other| path.starts_with(other));
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let tokens = TokenBuffer::new2(text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display())));
        self.read(tokens.begin(), children);
        self.is_documented_elsewhere = before;
    }

    fn read(&mut self, mut cursor: Cursor<'_>, children: &Path) {
        while let Some((_, after)) = cursor.token_tree() {
            cursor = if let Some((attribute, after)) = attribute(cursor) {
                self.read_attribute(attribute, after)
            } else if let Some((name, after)) = module_in_a_file(cursor) {
                self.read_child(&name, children);
                after
            } else if let Some((arguments, after)) = log_line(cursor, &["error", "warn", "info"]) {
                self.read_log_line(arguments, children);
                after
            } else if let Some((_, after)) = log_line(cursor, &["debug"]) {
                // For developers of the program.
                after
            } else {
                if let Some((inside, ..)) = cursor.any_group() {
                    self.read(inside, children);
                }
                if let Some(text) = text(cursor) {
                    self.add(&text, is_sentence(&text));
                }
                after
            };
        }
    }

    fn read_child(&mut self, name: &str, children: &Path) {
        let folder = children.join(name);
        let alone = children.join(format!("{name}.rs"));
        let file = if alone.exists() { alone } else { folder.join("mod.rs") };
        self.read_module(&file, &folder);
    }

    /// Reads the text of an `#[error]` attribute. Skips items that are only for tests.
    fn read_attribute<'c>(&mut self, attribute: Cursor<'c>, after: Cursor<'c>) -> Cursor<'c> {
        // In a macro, the attribute may be a placeholder.
        let Some((name, arguments)) = attribute.ident() else { return after };
        let has_test =
            arguments.any_group().and_then(|(inside, ..)| inside.ident()).is_some_and(|(word, _)| word == "test");
        if name == "error" {
            for text in arguments.any_group().map(|(inside, ..)| all_texts(inside)).unwrap_or_default() {
                self.add(&text, words(&text) > 0);
            }
        }
        if name == "cfg" && has_test { skip_item(after) } else { after }
    }

    /// The last text of a log line is the message, however short it is. Earlier texts belong to fields.
    fn read_log_line(&mut self, arguments: Cursor<'_>, children: &Path) {
        self.read(arguments, children);
        if let Some(message) = last_text(arguments) {
            self.add(&message, words(&message) > 0);
        }
    }

    fn add(&mut self, text: &str, is_message: bool) {
        let text = with_placeholders(text);
        if is_message && !self.is_documented_elsewhere {
            self.texts.messages.insert(text.clone());
        }
        self.texts.all.insert(text);
    }
}

/// The inside of an attribute, and the cursor after it.
fn attribute(cursor: Cursor<'_>) -> Option<(Cursor<'_>, Cursor<'_>)> {
    let (mark, after) = cursor.punct()?;
    let after = after.punct().filter(|(mark, _)| mark.as_char() == '!').map_or(after, |(_, after)| after);
    let (inside, _, _, after) = after.any_group()?;
    (mark.as_char() == '#').then_some((inside, after))
}

/// The name of a module in a file of its own, and the cursor after its declaration.
fn module_in_a_file(cursor: Cursor<'_>) -> Option<(String, Cursor<'_>)> {
    let (keyword, after) = cursor.ident()?;
    let (name, after) = after.ident()?;
    let (end, after) = after.punct()?;
    (keyword == "mod" && end.as_char() == ';').then(|| (name.to_string(), after))
}

/// The arguments of a call such as `warn!(…)` that logs at one of these levels, and the cursor after it.
fn log_line<'c>(cursor: Cursor<'c>, levels: &[&str]) -> Option<(Cursor<'c>, Cursor<'c>)> {
    let (name, after) = cursor.ident()?;
    let (mark, after) = after.punct()?;
    let (inside, _, _, after) = after.any_group()?;
    let is_level = levels.iter().any(|level| name == level);
    (is_level && mark.as_char() == '!').then_some((inside, after))
}

/// The cursor after an item, which ends with a block or a semicolon.
fn skip_item(mut cursor: Cursor<'_>) -> Cursor<'_> {
    while let Some((token, after)) = cursor.token_tree() {
        cursor = after;
        if token.to_string().starts_with([';', '{']) {
            break;
        }
    }
    cursor
}

fn text(cursor: Cursor<'_>) -> Option<String> {
    match Lit::new(cursor.literal()?.0) {
        Lit::Str(text) => Some(text.value()),
        _ => None,
    }
}

fn all_texts(mut cursor: Cursor<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some((_, after)) = cursor.token_tree() {
        texts.extend(text(cursor));
        if let Some((inside, ..)) = cursor.any_group() {
            texts.extend(all_texts(inside));
        }
        cursor = after;
    }
    texts
}

/// The last text that is a whole argument.
fn last_text(mut cursor: Cursor<'_>) -> Option<String> {
    let mut last = None;
    while let Some((_, after)) = cursor.token_tree() {
        last = text(cursor).or(last);
        cursor = after;
    }
    last
}

/// Whether a text is a sentence. Texts of several lines are help texts or requests.
fn is_sentence(text: &str) -> bool {
    words(text) >= MIN_WORDS && !text.contains('\n')
}

fn words(text: &str) -> usize {
    let text = with_placeholders(text);
    text.split_whitespace().filter(|word| word.contains(char::is_alphabetic)).count()
}

/// `topic {topic} cannot be read: {reason}` becomes `topic … cannot be read: …`.
fn with_placeholders(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.trim();
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        rest = match after.split_once('}').filter(|(inside, _)| is_placeholder(inside)) {
            Some((_, behind)) => {
                if !plain.ends_with(PLACEHOLDER) {
                    plain.push(PLACEHOLDER);
                }
                behind
            }
            None => {
                plain.push('{');
                after
            }
        };
    }
    plain + rest
}

/// Whether the text in braces is a format placeholder; other braces are JSON.
fn is_placeholder(inside: &str) -> bool {
    inside.chars().all(|character| character.is_ascii_alphanumeric() || "_:.?<>#".contains(character))
}
