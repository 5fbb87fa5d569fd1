//! Documents that are generated, and committed because people and other tools read them.
//!
//! Snapshots that only tests read are those of `insta`, whose files begin with a header of its own.

use std::{env, fs};

use super::executable::project_root;

/// Whether `UPDATE_GOLDEN` asks for the documents to be written.
pub fn is_updating() -> bool {
    env::var_os("UPDATE_GOLDEN").is_some()
}

/// Asserts that the document at this path below the project's root is this text, or writes it if [`is_updating`].
pub fn assert_golden(path: &str, text: &str) {
    let file = project_root().join(path);
    if is_updating() {
        fs::write(&file, text).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    let committed = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
    if let Some(difference) = first_difference(&committed, text) {
        panic!("{path} differs in {difference}\nUPDATE_GOLDEN=1 updates it");
    }
}

/// The first line in which two texts differ, as a text.
fn first_difference(committed: &str, generated: &str) -> Option<String> {
    if committed == generated {
        return None;
    }
    let (mut left, mut right) = (committed.split('\n'), generated.split('\n'));
    let mut number = 0;
    loop {
        number += 1;
        let (left, right) = (left.next(), right.next());
        if left != right {
            let line = |line: Option<&str>| line.map_or_else(|| "nothing".to_owned(), |line| format!("{line:?}"));
            return Some(format!("line {number}: committed {}, generated {}", line(left), line(right)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn difference_is_reported_with_its_line() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        let changed = "line 2: committed \"b\", generated \"c\"";
        assert_eq!(first_difference("a\nb\n", "a\nc\n").as_deref(), Some(changed));
        let longer = "line 2: committed nothing, generated \"b\"";
        assert_eq!(first_difference("a", "a\nb").as_deref(), Some(longer));
    }
}
