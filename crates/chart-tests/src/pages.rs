//! What `docs/kubernetes.md` says, for tests that it is true.

use std::fs;

use super::cluster::project_root;

/// A block in `docs/kubernetes.md`: the first in its language below some words.
pub(crate) struct Block {
    words: &'static str,
    language: &'static str,
}

/// The Role of an installer with the fewest permissions.
pub(crate) const INSTALLERS_ROLE: Block = Block { words: "## Permissions of the installer", language: "yaml" };

/// The error of an upgrade that would change the claims of a StatefulSet.
pub(crate) const REFUSED_CLAIMS: Block = Block { words: "another `persistence.size`", language: "text" };

/// The error of an upgrade that would change the class of a load balancer.
pub(crate) const REFUSED_CLASS: Block = Block { words: "`service.loadBalancerClass` nor", language: "text" };

/// Defaults of a namespace whose quota requires limits of processors.
pub(crate) const DEFAULT_LIMITS: Block = Block { words: "A quota on `limits.cpu`", language: "yaml" };

/// The text of a block.
pub(crate) fn read(Block { words, language }: &Block) -> String {
    let page = fs::read_to_string(project_root().join("docs/kubernetes.md")).unwrap();
    let below = page.split_once(words).unwrap_or_else(|| panic!("docs/kubernetes.md does not say {words}")).1;
    let begin = format!("```{language}\n");
    let block = below.split_once(&begin).and_then(|(_, rest)| rest.split_once("```"));
    block.unwrap_or_else(|| panic!("no {begin} below {words}")).0.to_owned()
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT_LIMITS, INSTALLERS_ROLE, REFUSED_CLAIMS, REFUSED_CLASS, read};

    #[test]
    fn page_has_the_blocks_that_are_tested() {
        for (block, begin) in [
            (INSTALLERS_ROLE, "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n"),
            (REFUSED_CLAIMS, "StatefulSet.apps \"bridge-trusthub-bridge\" is invalid: "),
            (REFUSED_CLASS, "spec.loadBalancerClass: Invalid value: "),
            (DEFAULT_LIMITS, "apiVersion: v1\nkind: LimitRange\n"),
        ] {
            assert!(read(&block).starts_with(begin), "{}", read(&block));
        }
    }
}
