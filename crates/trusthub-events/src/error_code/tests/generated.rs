//! Files of the repository that are generated from the catalog.

use std::{env, fs, path::Path};

/// Asserts that the file at this path below the project's root has this text, or writes it if `UPDATE_GOLDEN` is set.
///
/// `text` gets the present text of the file, to keep the parts that are not generated.
pub(super) fn assert_generated(path: &str, text: impl FnOnce(&str) -> String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let present = fs::read_to_string(&file).unwrap_or_default();
    let expected = text(&present);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &expected).unwrap();
        return;
    }
    let difference = present.lines().zip(expected.lines()).find(|(present, expected)| present != expected);
    assert!(present == expected, "{path} differs, first in {difference:?}; run `make schemas` and commit the result");
}

/// The text in lines of at most `width` characters, each after this indentation.
pub(super) fn wrapped(text: &str, indentation: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && indentation.len() + line.len() + 1 + word.len() > width {
            lines.push_str(&format!("{indentation}{line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines + &format!("{indentation}{line}\n")
}
