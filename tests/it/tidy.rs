//! The plan of the house, held against the source: which room may name which, which foreign crate lives where, how
//! long a file may be. A room is a top-level module of the library.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};

/// Each room and the rooms that it may name. A stage never names the next stage: only `pipeline` and `deliver` join.
const ARROWS: &[(&str, &[&str])] = &[
    // Pure values, the ground floor.
    ("domain", &[]),
    // Settings are made of domain values.
    ("config", &["domain"]),
    // Metric labels come from the domain's closed sets.
    ("telemetry", &["config", "domain"]),
    // Raw callback in, verified callback out.
    ("verify", &["domain"]),
    // Takes only what `verify` has proven, or Trust Hub told when it was asked.
    ("normalize", &["domain", "trusthub", "verify"]),
    // Reads the Kafka section itself, so that no other room knows librdkafka's property names.
    ("kafka", &["blocking", "config", "domain", "telemetry"]),
    // Bytes on the disk; knows nothing of events.
    ("spool", &["domain", "telemetry"]),
    // Joins an event with the ways of making it durable.
    ("deliver", &["blocking", "domain", "kafka", "spool", "telemetry"]),
    // Joins the stages; knows neither HTTP nor Kafka.
    ("pipeline", &["blocking", "deliver", "domain", "normalize", "telemetry", "trusthub", "verify"]),
    // Calls that block, each on a thread of its own.
    ("blocking", &[]),
    // Whether every loop still turns.
    ("liveness", &[]),
    // The HTTP edge: hands a raw callback to the pipeline, turns its outcome into an answer.
    ("receive", &["config", "domain", "http_server", "shutdown", "liveness", "pipeline"]),
    // Reads what others have counted and never asks Kafka, so it does not even name `publish`.
    ("admin", &["domain", "http_server", "shutdown", "liveness", "telemetry"]),
    // What both ports have in common: limits of connections, heartbeats of workers.
    ("http_server", &["liveness"]),
    // Tells the rooms when to stop, without knowing them.
    ("shutdown", &["domain", "telemetry"]),
    // Asks Twilio for what it decided.
    ("trusthub", &["config", "domain"]),
    // Compares what Trust Hub says with what the topic says; publishes through the pipeline.
    ("reconcile", &["config", "domain", "pipeline", "kafka", "telemetry", "trusthub"]),
    // Twilio's side of the wire; signs with the real signer.
    ("simulator", &["domain", "verify"]),
    // The wiring: every room that serves, neither the simulator nor the command line.
    (
        "app",
        &[
            "admin",
            "blocking",
            "config",
            "deliver",
            "domain",
            "shutdown",
            "liveness",
            "normalize",
            "pipeline",
            "kafka",
            "receive",
            "reconcile",
            "spool",
            "telemetry",
            "trusthub",
            "verify",
        ],
    ),
    // The commands; `dev` also runs the simulator and the embedded cluster of `publish`.
    (
        "cli",
        &["app", "config", "domain", "shutdown", "kafka", "reconcile", "simulator", "spool", "telemetry", "verify"],
    ),
    // The exit code only.
    (MAIN, &["cli"]),
    // The crate's front page: declares the rooms.
    (LIB, &[]),
];

/// Foreign crates that are a matter of one room, or of the few that do the same job.
const FOREIGN: &[(&str, &[&str])] = &[
    ("actix_web", &["admin", "http_server", "receive", "simulator"]),
    ("arc_swap", &["verify"]),
    ("clap", &["cli"]),
    ("crc32fast", &["spool"]),
    ("envy", &["config"]),
    ("fastrand", &["reconcile", "simulator", "trusthub"]),
    ("hmac", &["verify"]),
    ("prometheus", &["telemetry"]),
    ("rdkafka", &["kafka", "simulator"]),
    ("redb", &["spool"]),
    ("reqwest", &["simulator", "trusthub"]),
    ("rlimit", &["app"]),
    ("rustix", &["app", "http_server", "spool"]),
    ("rustls", &["simulator", "trusthub"]),
    ("sha1", &["verify"]),
    ("tower", &["simulator"]),
];

/// `main.rs` and `lib.rs` are not rooms, but stand in the table of arrows like one.
const MAIN: &str = "main";
const LIB: &str = "lib";

/// Names of the library's root: inside the library, and from `main.rs`.
const ROOTS: [&str; 2] = ["crate", "trusthub_bridge"];

const MAX_LINES: usize = 400;

#[test]
fn rooms_name_only_the_rooms_and_crates_that_the_plan_allows() {
    let violations: Vec<_> = sources().iter().flat_map(|source| violations(&source.path, &source.text)).collect();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn the_plan_names_every_room_and_no_other() {
    let lib = syn::parse_file(&read(&source_root().join("lib.rs"))).unwrap();
    let rooms: BTreeSet<_> = lib.items.iter().filter_map(module_name).collect();
    let planned: BTreeSet<_> =
        ARROWS.iter().map(|(room, _)| *room).filter(|room| ![MAIN, LIB].contains(room)).map(str::to_owned).collect();
    assert_eq!(rooms, planned, "modules of src/lib.rs (left) and rooms of the plan (right)");

    let named = ARROWS.iter().chain(FOREIGN).flat_map(|(_, rooms)| *rooms);
    let unknown: Vec<_> = named.filter(|room| !planned.contains(**room)).collect();
    assert!(unknown.is_empty(), "the plan allows arrows to or from rooms that it does not have: {unknown:?}");
}

#[test]
fn no_source_file_is_longer_than_one_can_read_at_a_sitting() {
    let long: Vec<_> = sources()
        .iter()
        .map(|source| (source.path.display().to_string(), source.text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines: {long:?}");
}

struct Source {
    /// Below `src`.
    path: PathBuf,
    text: String,
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let root = source_root();
    let mut sources = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(Source { text: read(&path), path: path.strip_prefix(&root).unwrap().to_owned() });
            }
        }
    }
    sources
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn module_name(item: &syn::Item) -> Option<String> {
    match item {
        syn::Item::Mod(module) => Some(module.ident.to_string()),
        _ => None,
    }
}

/// What the file at this path below `src` names although the plan does not allow it, one sentence each.
fn violations(path: &Path, text: &str) -> Vec<String> {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("src/{}: {error}", path.display()));
    let modules = module_path(path);
    let mut inspector = Inspector {
        file: format!("src/{}", path.display()),
        room: modules.first().cloned().unwrap_or_else(|| path.with_extension("").display().to_string()),
        depth: modules.len(),
        violations: Vec::new(),
    };
    inspector.visit_file(&file);
    inspector.violations
}

/// `receive/mod.rs` is `receive`, `receive/body.rs` is `receive::body`, `lib.rs` and `main.rs` are the empty path.
fn module_path(path: &Path) -> Vec<String> {
    let mut modules: Vec<_> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_str().expect("a module's name is UTF-8").to_owned())
        .collect();
    let own_name = modules.last().map(String::as_str);
    if own_name == Some("mod") || (modules.len() == 1 && [Some(MAIN), Some(LIB)].contains(&own_name)) {
        modules.pop();
    }
    modules
}

/// Walks one file and judges every path in it: `use` lines, expressions, types, attributes, tokens of macro calls.
struct Inspector {
    file: String,
    room: String,
    /// How many `super` lead from here to the crate's root.
    depth: usize,
    violations: Vec<String>,
}

impl Inspector {
    fn judge(&mut self, path: &[String]) {
        match self.below_root(path) {
            Some(below) => self.judge_arrow(path, below),
            None => self.judge_foreign(path),
        }
    }

    /// The part of the path below the crate's root, if it starts there.
    fn below_root<'p>(&self, path: &'p [String]) -> Option<&'p [String]> {
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        if supers > 0 {
            return (supers >= self.depth).then(|| &path[supers..]);
        }
        path.split_first().and_then(|(first, below)| ROOTS.contains(&first.as_str()).then_some(below))
    }

    fn judge_arrow(&mut self, path: &[String], below: &[String]) {
        let target = below.first().map_or("", String::as_str);
        let allowed = rooms_for(ARROWS, &self.room).unwrap_or_default();
        if target != self.room && !allowed.contains(&target) {
            self.object(path, &format!("{} may name {allowed:?} only", self.room));
        }
    }

    fn judge_foreign(&mut self, path: &[String]) {
        let Some(krate) = path.first() else { return };
        if let Some(rooms) = rooms_for(FOREIGN, krate).filter(|rooms| !rooms.contains(&self.room.as_str())) {
            self.object(path, &format!("{krate} is for {rooms:?} only"));
        }
    }

    fn object(&mut self, path: &[String], rule: &str) {
        self.violations.push(format!("{}: `{}`: {rule}", self.file, path.join("::")));
    }

    /// Judges paths outside `use` lines. One segment alone is a local name, or the `crate` of `pub(crate)`.
    fn judge_qualified(&mut self, path: &[String]) {
        if path.len() > 1 {
            self.judge(path);
        }
    }

    fn judge_tokens(&mut self, mut cursor: Cursor<'_>) {
        while let Some((_, after)) = cursor.token_tree() {
            if let Some((path, after)) = path_at(cursor) {
                self.judge_qualified(&path);
                cursor = after;
            } else {
                if let Some((inside, ..)) = cursor.any_group() {
                    self.judge_tokens(inside);
                }
                cursor = after;
            }
        }
    }
}

impl<'ast> Visit<'ast> for Inspector {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.depth += 1;
        visit::visit_item_mod(self, module);
        self.depth -= 1;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for path in flattened(&item.tree) {
            self.judge(&path);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.judge_qualified(&segments(path));
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.judge_tokens(TokenBuffer::new2(call.tokens.clone()).begin());
        visit::visit_macro(self, call);
    }

    fn visit_meta_list(&mut self, attribute: &'ast syn::MetaList) {
        let tokens = TokenBuffer::new2(attribute.tokens.clone());
        self.judge_tokens(tokens.begin());
        for path in quoted_paths(tokens.begin()) {
            self.judge_qualified(&path);
        }
        visit::visit_meta_list(self, attribute);
    }
}

fn rooms_for(table: &'static [(&str, &[&str])], name: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(entry, _)| *entry == name).map(|(_, rooms)| *rooms)
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// Every path that a `use` tree brings in, written out.
fn flattened(tree: &syn::UseTree) -> Vec<Vec<String>> {
    match tree {
        syn::UseTree::Path(path) => flattened(&path.tree)
            .into_iter()
            .map(|rest| std::iter::once(path.ident.to_string()).chain(rest).collect())
            .collect(),
        syn::UseTree::Group(group) => group.items.iter().flat_map(flattened).collect(),
        syn::UseTree::Name(name) => vec![vec![name.ident.to_string()]],
        syn::UseTree::Rename(rename) => vec![vec![rename.ident.to_string()]],
        syn::UseTree::Glob(_) => vec![vec!["*".to_owned()]],
    }
}

/// The path that starts at this token, and what follows it.
fn path_at(cursor: Cursor<'_>) -> Option<(Vec<String>, Cursor<'_>)> {
    let (first, mut rest) = cursor.ident()?;
    let mut path = vec![first.to_string()];
    while let Some((segment, after)) = next_segment(rest) {
        path.push(segment);
        rest = after;
    }
    Some((path, rest))
}

fn next_segment(cursor: Cursor<'_>) -> Option<(String, Cursor<'_>)> {
    let (first, rest) = cursor.punct()?;
    let (second, rest) = rest.punct()?;
    let (segment, rest) = rest.ident()?;
    (first.as_char() == ':' && second.as_char() == ':').then(|| (segment.to_string(), rest))
}

/// Paths that an attribute names inside a string, as in `#[serde(with = "crate::domain::time")]`.
fn quoted_paths(mut cursor: Cursor<'_>) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    while let Some((_, after)) = cursor.token_tree() {
        if let Some(syn::Lit::Str(text)) = cursor.literal().map(|(literal, _)| syn::Lit::new(literal)) {
            paths.extend(text.parse::<syn::Path>().ok().map(|path| segments(&path)));
        }
        cursor = after;
    }
    paths
}

mod the_inspection_goes_red {
    use std::path::Path;

    /// The one violation of a source that has exactly one.
    fn violation(path: &str, text: &str) -> String {
        let mut violations = super::violations(Path::new(path), text);
        assert_eq!(violations.len(), 1, "{violations:?}");
        violations.remove(0)
    }

    fn clean(path: &str, text: &str) {
        assert_eq!(super::violations(Path::new(path), text), Vec::<String>::new());
    }

    #[test]
    fn at_a_use_of_a_forbidden_room_and_names_file_path_and_rule() {
        assert_eq!(
            violation("normalize/fields.rs", "use crate::kafka::Record;"),
            r#"src/normalize/fields.rs: `crate::kafka::Record`: normalize may name ["domain", "trusthub", "verify"] only"#
        );
    }

    #[test]
    fn at_a_forbidden_room_in_a_nested_use() {
        let found = violation("app.rs", "use crate::{config::Config, kafka::{self, Sink}, cli::Args};");
        assert!(found.contains("`crate::cli::Args`"), "{found}");
    }

    #[test]
    fn at_a_fully_qualified_path_in_an_expression() {
        let found = violation("domain/sid.rs", "fn f() -> u8 { g(|| { crate::verify::check() }) }");
        assert!(found.contains("`crate::verify::check`"), "{found}");
    }

    #[test]
    fn at_a_fully_qualified_path_in_a_type() {
        let found = violation("admin/mod.rs", "struct Page { sinks: Vec<Option<crate::kafka::Sink>> }");
        assert!(found.contains("`crate::kafka::Sink`"), "{found}");
    }

    #[test]
    fn at_a_path_among_the_tokens_of_a_macro_call() {
        let found =
            violation("verify/mod.rs", r#"fn f() { tracing::info!(n = (1, crate::telemetry::now()), "seen"); }"#);
        assert!(found.contains("`crate::telemetry::now`"), "{found}");
    }

    #[test]
    fn at_a_path_that_an_attribute_quotes() {
        let found = violation("domain/event.rs", r#"#[serde(with = "crate::config::time")] struct Event;"#);
        assert!(found.contains("`crate::config::time`"), "{found}");
    }

    #[test]
    fn at_a_forbidden_room_reached_through_super() {
        let found = violation("domain/mod.rs", "mod tests { use super::*; use super::super::verify::Key; }");
        assert!(found.contains("`super::super::verify::Key`"), "{found}");
    }

    #[test]
    fn at_imports_of_the_whole_root() {
        violation("app.rs", "use crate::*;");
        violation("app.rs", "use crate as root;");
    }

    #[test]
    fn at_a_forbidden_room_named_from_the_binary() {
        let found = violation("main.rs", "fn main() { trusthub_bridge::app::run() }");
        assert!(found.contains("main may name"), "{found}");
    }

    #[test]
    fn at_a_foreign_crate_outside_its_rooms() {
        assert_eq!(
            violation("deliver/mod.rs", "use rdkafka::producer::FutureProducer;"),
            r#"src/deliver/mod.rs: `rdkafka::producer::FutureProducer`: rdkafka is for ["kafka", "simulator"] only"#
        );
        violation("pipeline.rs", "fn f() -> actix_web::HttpResponse { todo!() }");
        violation("config.rs", "#[derive(Debug, clap::Args)] struct Http;");
        violation("config.rs", "use ::clap as arguments;");
    }

    #[test]
    fn but_not_at_what_the_plan_allows() {
        clean("verify/mod.rs", "use crate::{domain::Sid, verify::key::Key}; use hmac::Mac;");
        clean("domain/sid.rs", "pub(crate) struct Sid(super::Text); mod tests { use super::*; }");
        clean("domain/mod.rs", "fn f(hmac: u8) -> u8 { hmac }");
        clean("receive/mod.rs", r#"fn f() { tracing::warn!(target: "rdkafka::client", "crate::publish"); }"#);
        clean("main.rs", "fn main() -> std::process::ExitCode { trusthub_bridge::cli::run() }");
        clean("cli/dev.rs", "fn f() { crate::kafka::embedded::start(); crate::simulator::play(); }");
    }
}
