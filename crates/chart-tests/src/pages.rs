//! What `docs/kubernetes.md` says, for tests that it is true.

use std::fs;

use super::cluster::project_root;

/// The first block in this language below these words of `docs/kubernetes.md`.
pub(crate) fn block(words: &str, language: &str) -> String {
    let page = fs::read_to_string(project_root().join("docs/kubernetes.md")).unwrap();
    let below = page.split_once(words).unwrap_or_else(|| panic!("docs/kubernetes.md does not say {words}")).1;
    let begin = format!("```{language}\n");
    let block = below.split_once(&begin).and_then(|(_, rest)| rest.split_once("```"));
    block.unwrap_or_else(|| panic!("no {begin} below {words}")).0.to_owned()
}
