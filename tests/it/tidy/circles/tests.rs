//! Small crates with circles, and some without.

use super::super::Source;
use super::graph;

fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let source = |(path, text): &(&str, &str)| Source { path: path.into(), text: (*text).to_owned() };
    let sources: Vec<_> = files.iter().map(source).collect();
    graph::circles("src", &sources).iter().map(|circle| circle.files.join(" ")).collect()
}

/// A parent module that uses its child, with this source of the child.
fn with_child(child: &str) -> Vec<String> {
    circles(&[
        (
            "a/mod.rs",
            "mod child; use crate::b::B; pub use self::child::Child; pub struct Shared; mod inner { pub struct I; }",
        ),
        ("a/child.rs", child),
        ("b.rs", "pub struct B;"),
        ("lib.rs", "mod a; mod b;"),
    ])
}

const PAIR: [&str; 1] = ["src/a/child.rs src/a/mod.rs"];

#[test]
fn child_that_uses_a_type_of_its_parent_is_reported() {
    assert_eq!(with_child("use super::Shared; pub struct Child;"), PAIR);
}

#[test]
fn every_way_to_name_an_item_is_reported() {
    for child in [
        "use crate::a::{Shared as Other};",
        "use super::{super::b::B, Shared};",
        "use super::*;",
        "use super::inner::I;",
        "use crate::a; fn f(shared: a::Shared) {}",
        "fn f() { super::f(); }",
        "impl super::Shared {}",
        "struct Child(Vec<crate::a::Shared>);",
        "mod part { fn f(shared: super::super::Shared) {} }",
        "fn f() { tracing::info!(n = (1, super::f())); }",
        "macro_rules! make { () => { $crate::a::Shared } }",
        r#"#[serde(with = "super")] struct Child; #[serde(with = "super::inner")] struct Other;"#,
        "#[cfg(not(test))] use super::Shared;",
    ] {
        assert_eq!(with_child(child), PAIR, "{child}");
    }
}

#[test]
fn tests_declarations_and_visibilities_are_no_uses() {
    for child in [
        "pub struct Child;",
        "#[cfg(test)] mod tests { use super::super::Shared; }",
        "#[cfg(test)] use super::Shared;",
        "struct Child; impl Child { #[cfg(test)] fn f(shared: super::Shared) {} }",
        "pub(in crate::a) struct Child; pub(super) fn f() {}",
        "/// Like [`super::Shared`].\npub struct Child;",
    ] {
        assert!(with_child(child).is_empty(), "{child}");
    }
}

#[test]
fn module_of_tests_in_a_file_of_its_own_is_not_part_of_a_circle() {
    let parent = ("a/mod.rs", "use self::child::Child; #[cfg(test)] mod tests; mod child; pub struct Shared;");
    let found = circles(&[
        parent,
        ("a/child.rs", "pub struct Child;"),
        ("a/tests.rs", "mod deep; use super::Shared;"),
        ("a/tests/deep.rs", "use super::super::Shared; use super::tests;"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn reexported_item_belongs_to_the_file_that_defines_it() {
    let siblings = |second: &str| {
        let parent = "mod first; mod second; pub use self::{first::First, second::Second as Renamed};";
        circles(&[("a/mod.rs", parent), ("a/first.rs", "pub struct First;"), ("a/second.rs", second)])
    };
    assert!(siblings("use super::First; pub struct Second;").is_empty());
    assert!(siblings("use crate::a::First; pub struct Second;").is_empty());

    let found = circles(&[
        ("a/mod.rs", "mod first; mod second; pub use self::{first::First, second::Second as Renamed};"),
        ("a/first.rs", "use super::Renamed; pub struct First;"),
        ("a/second.rs", "use super::First; pub struct Second;"),
    ]);
    assert_eq!(found, ["src/a/first.rs src/a/second.rs"]);
}

#[test]
fn item_that_the_parent_only_imports_belongs_to_its_file() {
    assert!(with_child("use super::B; pub struct Child;").is_empty());
}

#[test]
fn parent_that_names_its_child_without_self_is_reported() {
    for parent in ["mod child; use child::Child;", "mod child; fn f() { child::g(); }"] {
        let found = circles(&[("a/mod.rs", parent), ("a/child.rs", "use super::f;")]);
        assert_eq!(found, PAIR, "{parent}");
    }
}

#[test]
fn circles_of_any_length_are_reported_with_all_their_files() {
    let found = circles(&[
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "use crate::d::D; use crate::e::E;"),
        ("d.rs", "use crate::a::A;"),
        ("e.rs", ""),
        ("f.rs", "use crate::a::A; use crate::g::G;"),
        ("g.rs", "use crate::f::F;"),
    ]);
    assert_eq!(found, ["src/a.rs src/b.rs src/c.rs src/d.rs", "src/f.rs src/g.rs"]);
}

#[test]
fn report_names_each_use_of_a_circle() {
    let sources = [("a.rs", "use crate::b::B;"), ("b.rs", "fn f() -> super::a::A {}")];
    let sources = sources.map(|(path, text)| Source { path: path.into(), text: text.to_owned() });
    let report: Vec<_> = graph::circles("src", &sources).iter().map(ToString::to_string).collect();
    let expected =
        "src/a.rs <-> src/b.rs\n    src/a.rs uses src/b.rs: `crate::b::B`\n    src/b.rs uses src/a.rs: `super::a::A`";
    assert_eq!(report, [expected]);
}

#[test]
fn uses_in_one_direction_and_foreign_paths_are_permitted() {
    let found = circles(&[
        ("main.rs", "fn main() { trusthub_bridge::a::main(); }"),
        ("lib.rs", "pub mod a; pub mod time;"),
        ("a.rs", "use crate::time::T; use std::time::Duration; use time::Time;"),
        ("time.rs", "use time::time; use a::a; use self::time::x;"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}
