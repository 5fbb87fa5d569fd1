//! The site has every document that the index of the documents leads to.

use std::collections::BTreeMap;

use super::output_of;

#[test]
fn site_has_each_document_once() {
    let summary = output_of("scripts/site", &["--summary"]);
    let mut counts = BTreeMap::new();
    for (_, path) in summary.lines().filter_map(|line| line.trim_end_matches(')').split_once("](")) {
        *counts.entry(path.replace("index.md", "README.md")).or_insert(0) += 1;
    }
    let expected = crate::documents::documents().into_iter().map(|path| (path.display().to_string(), 1));
    assert_eq!(counts, expected.collect());
}

#[test]
fn parts_of_the_site_are_those_of_the_index() {
    let summary = output_of("scripts/site", &["--summary"]);
    let parts: Vec<_> = summary.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    assert_eq!(parts, ["Summary", "Try it", "Run it", "Consume it", "Operate it", "Change it", "More"]);
}
