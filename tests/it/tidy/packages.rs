//! Which packages each package of the workspace consists of, as Cargo resolves them.

use std::{collections::BTreeSet, fs, process::Command};

use super::{project_root, source_folders, sources_below};

/// What a package needs, also indirectly.
struct Wall {
    package: &'static str,
    /// All other packages of this workspace that it needs.
    own: &'static [&'static str],
    /// Foreign packages that it must do without.
    without: &'static [&'static str],
}

const WALLS: &[Wall] = &[
    // It takes long to build the cluster, so the tests themselves must not.
    Wall { package: "chart-tests", own: &[], without: &["rdkafka", "reqwest", "tokio"] },
    // Records are bytes, whatever they mean.
    Wall { package: "durable-spool", own: &[], without: &["actix-web", "prometheus", "rdkafka", "reqwest"] },
    // Any program with a client of librdkafka can use it.
    Wall { package: "kafka-token", own: &[], without: &["actix-web", "prometheus", "reqwest"] },
    // A program that calls Trust Hub needs no HTTP server and no Kafka.
    Wall { package: "trusthub-client", own: &["trusthub-events"], without: &["actix-web", "rdkafka"] },
    // A consumer links neither an HTTP server nor a Kafka client nor a runtime.
    Wall { package: "trusthub-events", own: &[], without: &["actix-web", "rdkafka", "reqwest", "tokio"] },
    // A simulator for any receiver of callbacks, not only for this one.
    Wall {
        package: "trusthub-simulator",
        own: &["trusthub-events", "twilio-signature"],
        without: &["prometheus", "redb"],
    },
    Wall {
        package: "twilio-accounts",
        own: &["trusthub-events", "twilio-signature"],
        without: &["actix-web", "rdkafka", "reqwest", "tokio"],
    },
    // The service that uses it brings its own server and runtime.
    Wall { package: "twilio-signature", own: &[], without: &["actix-web", "rdkafka", "reqwest", "tokio"] },
    // An example that other consumers can copy has clients of Kafka and of the schema registry, and no more of this project than
    // they need.
    Wall { package: "example-consumer", own: &["trusthub-events"], without: &["actix-web"] },
];

#[test]
fn packages_need_only_the_permitted_packages() {
    for Wall { package, own, without } in WALLS {
        let (members, foreign) = needed_by(package);
        let own: BTreeSet<_> = own.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(members, own, "packages of this workspace that {package} needs");
        let unwanted: Vec<_> = without.iter().filter(|name| foreign.contains(**name)).collect();
        assert!(unwanted.is_empty(), "{package} needs {unwanted:?}");
    }
}

#[test]
fn each_crate_has_a_wall() {
    // Only tests need it.
    const WITHOUT: &str = "test-support";
    let crates = source_folders().into_iter().filter_map(|folder| Some(folder.split('/').nth(1)?.to_owned()));
    let crates: BTreeSet<_> = crates.filter(|name| name != WITHOUT).collect();
    let walls = WALLS.iter().map(|wall| wall.package.to_owned());
    assert_eq!(walls.filter(|name| name != "example-consumer").collect::<BTreeSet<_>>(), crates);
}

/// The feature lets tests create what otherwise only a response of Trust Hub creates.
#[test]
fn program_is_built_without_the_features_for_tests() {
    let arguments =
        ["tree", "--locked", "--offline", "--edges", "normal,build,features", "--package", "trusthub-bridge"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(project_root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("trusthub-client feature") && !tree.contains("test-util"), "{tree}");
}

/// The names of all packages that a package needs: those of the workspace, and the foreign ones.
fn needed_by(package: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let arguments = ["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none", "--package"];
    let output = Command::new(env!("CARGO")).args(arguments).arg(package).current_dir(project_root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut members, mut foreign) = (BTreeSet::new(), BTreeSet::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let name = line.split(' ').next().unwrap().to_owned();
        let is_member = line.contains(&format!("({}", project_root().display()));
        if name != package {
            let _ = if is_member { members.insert(name) } else { foreign.insert(name) };
        }
    }
    assert!(!foreign.is_empty(), "cargo tree lists dependencies of {package}");
    (members, foreign)
}

#[test]
fn each_dependency_is_named_in_the_source_of_its_package() {
    for folder in source_folders() {
        let sources = sources_below(&folder);
        let manifest = project_root().join(&folder).with_file_name("Cargo.toml");
        let dependencies = dependencies(&fs::read_to_string(&manifest).unwrap());
        assert!(!dependencies.is_empty(), "{}", manifest.display());
        let is_named = |name: &String| sources.iter().any(|source| names_crate(&source.text, &name.replace('-', "_")));
        let unused: Vec<_> = dependencies.iter().filter(|name| !is_named(name)).collect();
        assert!(unused.is_empty(), "{folder} does not use {unused:?}; tests need them below [dev-dependencies]");
    }
}

/// Whether a path in this text begins with the crate, so `time` is not named by `runtime::Handle`.
fn names_crate(text: &str, name: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || "_:".contains(character);
    text.match_indices(&format!("{name}::")).any(|(index, _)| !text[..index].ends_with(is_part))
}

/// The names below `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let names = lines.take_while(|line| !line.starts_with('[')).filter(|line| line.contains('='));
    names.map(|line| line.split(['.', ' ']).next().unwrap().to_owned()).collect()
}
