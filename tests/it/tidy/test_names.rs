//! The name of a test is short enough to read in a list of results.

use super::{project_root, read, rust_files_below};

const MAX_LENGTH: usize = 70;

#[test]
fn test_names_are_short_enough() {
    let root = project_root();
    let files = ["src", "crates", "tests", "examples"].iter().flat_map(|folder| rust_files_below(&root.join(folder)));
    let long: Vec<_> = files
        .flat_map(|file| {
            let path = file.strip_prefix(root).unwrap().display().to_string();
            long_names(&read(&file)).into_iter().map(move |name| format!("{path}: {name}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(long.is_empty(), "longer than {MAX_LENGTH} characters:\n{}", long.join("\n"));
}

/// The names of tests that are too long.
fn long_names(text: &str) -> Vec<String> {
    test_names(text).into_iter().filter(|name| name.len() > MAX_LENGTH).map(str::to_owned).collect()
}

/// The names of the functions with an attribute such as `#[test]` or `#[tokio::test(…)]`, also those in macro calls.
fn test_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if let Some(attribute) = line.strip_prefix("#[") {
            let path = attribute.split(['(', ']']).next().unwrap_or_default();
            is_test |= path.rsplit("::").next() == Some("test");
        } else if !line.starts_with("//") {
            let name = line.trim_start_matches("async ").strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            names.extend(name.filter(|_| is_test));
            is_test = false;
        }
    }
    names
}

mod tests {
    use super::*;

    #[test]
    fn functions_without_the_attribute_of_a_test_do_not_count() {
        let text = "#[cfg(test)]\nmod tests {\n    fn helper() {}\n\n    #[test]\n    /// Why.\n    #[should_panic]\n    fn \
                    first() {}\n}\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn second() {}\nfn last() {}\n";
        assert_eq!(test_names(text), ["first", "second"]);
    }

    #[test]
    fn name_beyond_the_limit_is_reported() {
        let (longest, longer) = ("a".repeat(MAX_LENGTH), "b".repeat(MAX_LENGTH + 1));
        let text = format!("#[test]\nfn {longest}() {{}}\n#[test]\nfn {longer}() {{}}\n");
        assert_eq!(long_names(&text), [longer]);
    }
}
