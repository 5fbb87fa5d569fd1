//! Which module may name which other module and which foreign crate. A module here is a top-level module of the
//! library.
//!
//! [`ARROWS`] and [`FOREIGN`] list all permissions. They fail the tests when the source uses a permission that they do
//! not grant, and when they grant one that the source does not use.

mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use super::inspector::{Use, uses};
use super::{project_root, read, sources};

/// Each module and the modules that it may name. A step of the pipeline never names the next step: only `pipeline` and
/// `deliver` connect them.
const ARROWS: &[(&str, &[&str])] = &[
    // Pure values; depends on no other module.
    ("domain", &[]),
    // Settings consist of domain values.
    ("config", &["domain"]),
    // Metric labels come from the domain's closed sets.
    ("telemetry", &["config", "domain"]),
    // Joins the proof of `twilio_signature` to a raw callback.
    ("verify", &["domain"]),
    // Accepts only callbacks that `verify` has verified, and profiles that the client of Trust Hub has fetched.
    ("normalize", &["domain", "verify"]),
    // Reads the Kafka section of the configuration, so that no other module knows librdkafka's property names.
    ("kafka", &["aws", "blocking", "config", "domain", "registry", "telemetry"]),
    // Signs the tokens with which `kafka` logs in to Amazon MSK; knows nothing of Kafka.
    ("aws", &["blocking", "config", "domain", "http_client"]),
    // Limits the requests that the process sends itself.
    ("http_client", &["domain"]),
    // Asks the schema registry for the ids of the schemas, and for the schema of an id.
    ("registry", &["config", "domain", "http_client", "telemetry"]),
    // Joins the queue of `durable_spool` to the metrics.
    ("spool", &["domain", "telemetry"]),
    // Exports the spans of callbacks; what it knows about the path of a callback, it is told.
    ("traces", &["config", "domain", "http_client", "telemetry"]),
    // Makes an event durable, in Kafka or in `durable_spool`; its tests also check the spool's metrics.
    ("deliver", &["domain", "kafka", "spool", "telemetry", "traces"]),
    // Connects the steps; independent of HTTP and Kafka.
    ("pipeline", &["blocking", "deliver", "domain", "normalize", "telemetry", "traces", "verify"]),
    // Runs each blocking call on a separate thread.
    ("blocking", &[]),
    // Reports whether every loop of the process is alive.
    ("liveness", &[]),
    // The HTTP interface: passes a raw callback to the pipeline and turns its outcome into a response.
    ("receive", &["config", "domain", "http_server", "shutdown", "liveness", "pipeline", "traces"]),
    // Serves the metrics of other modules and never calls Kafka, so it does not name `kafka`.
    ("admin", &["http_server", "liveness", "telemetry"]),
    // Explains captured requests with the code that answers arriving ones.
    ("explain", &["config", "domain", "receive"]),
    // Shows what the service does. Knows the callbacks that the pipeline records, and reads profiles, events and dead letters from
    // Kafka. Gets everything else as plain values.
    (
        "console",
        &[
            "blocking",
            "config",
            "domain",
            "explain",
            "http_server",
            "kafka",
            "liveness",
            "pipeline",
            "profiles",
            "replay",
            "text",
        ],
    ),
    // Shared by all ports: connection limits and heartbeats of workers.
    ("http_server", &["liveness"]),
    // Signals the other modules when to stop, without naming them.
    ("shutdown", &[]),
    // Compares Trust Hub with the topic and publishes through the pipeline. Makes an event of what Trust Hub says beside the
    // status, which the pipeline does not know.
    ("reconcile", &["config", "domain", "pipeline", "kafka", "normalize", "telemetry"]),
    // Derives the states of profiles from the events; nothing of the path of callbacks.
    ("projector", &["blocking", "config", "domain", "kafka", "telemetry"]),
    // Reads the states of profiles for commands and the console.
    ("profiles", &["blocking", "config", "domain", "kafka"]),
    // Makes events of dead letters: reads them as arriving requests are read, and publishes without the pipeline, whose clock and
    // dedup window are for callbacks that arrive.
    ("replay", &["config", "deliver", "domain", "kafka", "normalize", "receive", "telemetry", "verify"]),
    // Texts for people, which commands and pages show alike.
    ("text", &["domain"]),
    // Connects all modules of the service, but neither the simulator nor the command line.
    (
        "app",
        &[
            "admin",
            "blocking",
            "config",
            "console",
            "deliver",
            "domain",
            "explain",
            "shutdown",
            "liveness",
            "pipeline",
            "kafka",
            "profiles",
            "projector",
            "receive",
            "reconcile",
            "registry",
            "replay",
            "spool",
            "telemetry",
            "traces",
        ],
    ),
    // The commands; `dev` also runs the simulator and its embedded Kafka.
    (
        "cli",
        &[
            "app",
            "config",
            "domain",
            "explain",
            "shutdown",
            "kafka",
            "profiles",
            "reconcile",
            "replay",
            "telemetry",
            "text",
        ],
    ),
    // The exit code only.
    (MAIN, &["cli"]),
    // The crate's root: declares the modules.
    (LIB, &[]),
];

/// Foreign crates that only these modules may name, because they share the same task.
const FOREIGN: &[(&str, &[&str])] = &[
    ("actix_web", &["admin", "console", "http_server", "receive"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("durable_spool", &["app", "cli", "deliver", "spool"]),
    ("envy", &["config"]),
    ("fastrand", &["reconcile", "traces"]),
    ("hmac", &["aws"]),
    ("kafka_token", &["kafka"]),
    ("loom", &["http_server"]),
    ("maud", &["console"]),
    ("prometheus", &["telemetry"]),
    ("rdkafka", &["kafka"]),
    ("reqwest", &["aws", "config", "http_client", "registry", "traces"]),
    ("rlimit", &["app"]),
    ("rustix", &["app", "cli", "console", "http_server"]),
    ("roxmltree", &["aws"]),
    ("rustls", &["http_client"]),
    ("subtle", &["console"]),
    ("trusthub_client", &["app", "config", "normalize", "pipeline", "reconcile"]),
    ("trusthub_events", &["domain"]),
    ("trusthub_simulator", &["cli"]),
    ("twilio_accounts", &["config"]),
    ("twilio_signature", &["app", "cli", "domain", "explain", "normalize", "pipeline", "receive", "replay", "verify"]),
    ("x509_cert", &["config"]),
];

/// `main.rs` and `lib.rs` are not modules of the library, but have an entry in the table of arrows.
const MAIN: &str = "main";
const LIB: &str = "lib";

type Table = [(&'static str, &'static [&'static str])];

#[test]
fn modules_name_only_permitted_modules_and_crates() {
    let violations: Vec<_> = sources().iter().flat_map(|source| violations(&source.path, &source.text)).collect();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn permissions_are_all_used() {
    let used: Vec<_> = sources().iter().flat_map(|source| uses(&source.path, &source.text)).collect();
    let unused = unused(ARROWS, FOREIGN, &used);
    assert!(unused.is_empty(), "no source uses these permissions:\n{}", unused.join("\n"));
}

#[test]
fn tables_name_exactly_the_modules_of_the_library() {
    let lib = syn::parse_file(&read(&project_root().join("src/lib.rs"))).unwrap();
    let modules: BTreeSet<_> = lib.items.iter().filter_map(module_name).collect();
    let listed: BTreeSet<_> = ARROWS
        .iter()
        .map(|(module, _)| *module)
        .filter(|module| ![MAIN, LIB].contains(module))
        .map(str::to_owned)
        .collect();
    assert_eq!(modules, listed, "modules of src/lib.rs (left) and of the table of arrows (right)");

    let named = ARROWS.iter().chain(FOREIGN).flat_map(|(_, modules)| *modules);
    let unknown: Vec<_> = named.filter(|module| !listed.contains(**module)).collect();
    assert!(unknown.is_empty(), "the tables name modules that do not exist: {unknown:?}");
}

fn module_name(item: &syn::Item) -> Option<String> {
    match item {
        syn::Item::Mod(module) => Some(module.ident.to_string()),
        _ => None,
    }
}

/// The forbidden names in the file at this path below `src`, one sentence each.
fn violations(path: &Path, text: &str) -> Vec<String> {
    uses(path, text).iter().filter_map(|found| violation(path, found)).collect()
}

fn violation(path: &Path, found: &Use) -> Option<String> {
    let rule = match found {
        Use::Module { from, target, .. } => {
            let allowed = entry(ARROWS, from).unwrap_or_default();
            (target != from && !allowed.contains(&target.as_str())).then(|| format!("{from} may name {allowed:?} only"))
        }
        Use::Crate { from, krate, .. } => {
            let modules = entry(FOREIGN, krate)?;
            (!modules.contains(&from.as_str())).then(|| format!("{krate} is for {modules:?} only"))
        }
    };
    rule.map(|rule| format!("src/{}: `{}`: {rule}", path.display(), found.path()))
}

/// The permissions of these tables that no use needs, one line each.
fn unused(arrows: &Table, foreign: &Table, used: &[Use]) -> Vec<String> {
    let names = |from: &str, target: &str| {
        used.iter().any(|found| matches!(found, Use::Module { from: f, target: t, .. } if f == from && t == target))
    };
    let needs = |from: &str, krate: &str| {
        used.iter().any(|found| matches!(found, Use::Crate { from: f, krate: k, .. } if f == from && k == krate))
    };
    let arrows = pairs(arrows).filter(|(from, target)| !names(from, target));
    let foreign = pairs(foreign).filter(|(krate, from)| !needs(from, krate));
    let arrows = arrows.map(|(from, target)| format!("{from} may name {target}"));
    arrows.chain(foreign.map(|(krate, from)| format!("{krate} is for {from}"))).collect()
}

/// Every entry of a table with each module that it lists.
fn pairs(table: &Table) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.iter().flat_map(|(entry, modules)| modules.iter().map(|module| (*entry, *module)))
}

fn entry(table: &'static Table, name: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(entry, _)| *entry == name).map(|(_, modules)| *modules)
}
