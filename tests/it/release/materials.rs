//! The bill of materials lists each crate that Cargo links into the program, and the C libraries inside these crates.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;
use test_support::{program, project_root};

use super::output_of;

/// The binaries of a release are built for these.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// Names and versions.
type Packages = BTreeSet<(String, String)>;

/// The components of the bill of materials, as JSON.
fn components(target: &str) -> Vec<Value> {
    let tools = output_of("scripts/release-tools", &[]);
    // The library of CycloneDX checks the document against its schema before it is printed.
    let bill = output_of(&format!("{}/bin/python", tools.trim()), &["scripts/sbom", "bill", target]);
    let mut bill: Value = serde_json::from_str(&bill).unwrap();
    assert_eq!(bill["metadata"]["component"]["name"], "trusthub-bridge");
    serde_json::from_value(bill["components"].take()).unwrap()
}

fn name_and_version(component: &Value) -> (String, String) {
    let text = |name: &str| component[name].as_str().unwrap().to_owned();
    (text("name"), text("version"))
}

fn is_c(component: &&Value) -> bool {
    component["bom-ref"].as_str().unwrap().starts_with("c:")
}

/// Rust's standard library.
fn is_standard(component: &&Value) -> bool {
    component["bom-ref"].as_str().unwrap().starts_with("rust:std@")
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(project_root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The crates of the program, by following the dependencies in `cargo metadata`, which enables the features that any package of
/// the workspace asks for.
fn crates_by_metadata(target: &str) -> Packages {
    let platform = format!("--filter-platform={target}");
    let text = cargo(&["metadata", "--format-version=1", "--locked", "--features=vendored-openssl", &platform]);
    let metadata: Value = serde_json::from_str(&text).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = |id: &Value| packages.iter().find(|package| package["id"] == *id).unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let root = packages.iter().find(|package| package["name"] == "trusthub-bridge").unwrap();
    let (mut found, mut queue) = (Packages::new(), vec![&root["id"]]);
    while let Some(id) = queue.pop() {
        let is_macro = package(id)["targets"].to_string().contains("\"proc-macro\"");
        if is_macro || !found.insert(name_and_version(package(id))) {
            continue;
        }
        let dependencies = nodes.iter().find(|node| node["id"] == *id).unwrap()["deps"].as_array().unwrap().iter();
        let is_linked =
            |dependency: &&Value| dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
        queue.extend(dependencies.filter(is_linked).map(|dependency| &dependency["pkg"]));
    }
    found
}

/// The crates of the program, as Cargo resolves them for a build.
fn crates_by_tree(target: &str) -> Packages {
    let platform = format!("--target={target}");
    let arguments = ["tree", "--locked", "--package=trusthub-bridge", "--features=vendored-openssl", &platform];
    let tree = cargo(&[&arguments[..], &["--edges=normal,no-proc-macro", "--prefix=none"]].concat());
    let lines = tree.lines().filter(|line| !line.is_empty()).map(|line| line.split(' '));
    lines.map(|mut words| (words.next().unwrap().to_owned(), words.next().unwrap()[1..].to_owned())).collect()
}

#[test]
fn bill_of_materials_has_every_crate_of_the_program() {
    for target in TARGETS {
        let components = components(target);
        let is_crate = |part: &&Value| part["scope"] == "required" && !is_c(part) && !is_standard(part);
        let required = components.iter().filter(is_crate);
        let mut listed: Packages = required.map(name_and_version).collect();
        listed.insert(("trusthub-bridge".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
        assert!(listed.len() > 100, "{listed:?}");
        assert_eq!(listed, crates_by_tree(target), "{target}");
        let unknown: Vec<_> = listed.difference(&crates_by_metadata(target)).cloned().collect();
        assert!(unknown.is_empty(), "{target}: {unknown:?}");
    }
}

/// The versions of four of them are also a part of the versions of their crates.
#[test]
fn bill_of_materials_has_the_c_libraries_with_their_versions() {
    let components = components(TARGETS[0]);
    let found: Packages = components.iter().filter(is_c).map(name_and_version).collect();
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "cjson",
        "curl",
        "librdkafka",
        "lz4",
        "mimalloc",
        "nanopb",
        "openssl",
        "tinycthread",
        "xxhash",
        "zlib",
        "zstd",
    ];
    assert_eq!(names, expected);
    let lock = std::fs::read_to_string(project_root().join("Cargo.lock")).unwrap();
    for (crate_name, mark, library) in [
        ("curl-sys", "+curl-", "curl"),
        ("openssl-src", "+", "openssl"),
        ("rdkafka-sys", "+", "librdkafka"),
        ("zstd-sys", "+zstd.", "zstd"),
    ] {
        let (_, package) = lock.split_once(&format!("name = \"{crate_name}\"\nversion = \"")).unwrap();
        let (_, version) = package.split('"').next().unwrap().split_once(mark).unwrap();
        assert!(found.contains(&(library.to_owned(), version.to_owned())), "{library} {version}: {found:?}");
    }
}

/// The compiler of a release is that of `rust-toolchain.toml`.
#[test]
fn standard_library_is_in_the_bill_of_materials_and_in_the_notices() {
    let toolchain = std::fs::read_to_string(project_root().join("rust-toolchain.toml")).unwrap();
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    let components = components(TARGETS[0]);
    let found: Vec<_> = components.iter().filter(is_standard).map(name_and_version).collect();
    assert_eq!(found, [("rust-std".to_owned(), version.to_owned())]);
    let notices = output_of("scripts/sbom", &["notices", TARGETS[0]]);
    assert!(notices.contains(&format!("\nRust's standard library {version} (MIT OR Apache-2.0)\n")));
    // One of the crates that it is made of.
    assert!(notices.contains("URL: https://crates.io/crates/hashbrown/"));
}

#[test]
fn notices_name_every_library_with_the_text_of_its_license() {
    let notices = output_of("scripts/sbom", &["notices", TARGETS[0]]);
    let components = components(TARGETS[0]);
    let foreign = components
        .iter()
        .filter(|part| part["scope"] == "required" && part["purl"].as_str().unwrap().starts_with("pkg:cargo/"));
    let names: Vec<_> = foreign.map(name_and_version).map(|(name, version)| format!("\n{name} {version} (")).collect();
    assert!(names.len() > 100);
    for name in names.iter().map(String::as_str).chain([
        "\nopenssl ",
        "\nlibrdkafka ",
        "\ncurl ",
        "\nzlib ",
        "\nzstd ",
        "\nmimalloc ",
    ]) {
        assert!(notices.contains(name), "{name}");
    }
    // Parts of librdkafka, which have no version of their own.
    for license in ["LICENSE.snappy", "LICENSE.tinycthread", "Apache License"] {
        assert!(notices.contains(license), "{license}");
    }
    let (_, without) = notices.split_once("Published without the text of their license:\n").unwrap();
    assert!(without.lines().count() <= 6, "{without}");
}

/// With these, Rust and librdkafka use mimalloc. The C library has functions of the same names, so nothing else would fail.
#[test]
fn program_defines_the_functions_of_the_allocator() {
    let output =
        Command::new("nm").args(["--dynamic", "--defined-only"]).arg(program().get_program()).output().unwrap();
    assert!(output.status.success(), "nm: {}", String::from_utf8_lossy(&output.stderr));
    let symbols = String::from_utf8(output.stdout).unwrap();
    for function in ["malloc", "calloc", "realloc", "posix_memalign", "free"] {
        assert!(
            symbols.lines().any(|line| line.ends_with(&format!(" T {function}"))),
            "{function} is not that of mimalloc"
        );
    }
}
