//! No two types of a crate have the same name, so that a name in code, a message or a document has one meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};

use super::{source_folders, sources_below};

/// Names that several types below this folder of `src` may have; the empty path is the whole crate.
const ALLOWED: &[(&str, &str)] = &[
    // Each command has its arguments.
    ("Arguments", "cli"),
    // A module's error is `module::Error`, as in the standard library.
    ("Error", ""),
];

#[test]
fn type_names_are_unique_in_each_crate() {
    for folder in source_folders() {
        let sources = sources_below(&folder);
        let files: Vec<_> = sources.iter().map(|source| (source.path.as_path(), source.text.as_str())).collect();
        let repeated = repeated(&files);
        assert!(repeated.is_empty(), "{folder}: several types have the same name:\n{}", repeated.join("\n"));
    }
}

/// The names that several types in these files have, with the files below `src`, one line each.
fn repeated(files: &[(&Path, &str)]) -> Vec<String> {
    let mut definitions: BTreeMap<String, Vec<&Path>> = BTreeMap::new();
    for (path, text) in files {
        for name in defined(path, text) {
            definitions.entry(name).or_default().push(path);
        }
    }
    let is_repeated = |(name, paths): &(String, Vec<&Path>)| {
        let is_allowed = |path: &&Path| ALLOWED.iter().any(|(entry, folder)| entry == name && path.starts_with(folder));
        paths.len() > 1 && !paths.iter().all(is_allowed)
    };
    definitions.into_iter().filter(is_repeated).map(|(name, paths)| line(&name, &paths)).collect()
}

fn line(name: &str, paths: &[&Path]) -> String {
    let files: BTreeSet<_> = paths.iter().map(|path| format!("src/{}", path.display())).collect();
    format!("{name}: {} types in {}", paths.len(), files.into_iter().collect::<Vec<_>>().join(", "))
}

/// The names of all types that a file defines, also in functions, test modules and macro calls.
fn defined(path: &Path, text: &str) -> Vec<String> {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("src/{}: {error}", path.display()));
    let mut definitions = Definitions::default();
    definitions.visit_file(&file);
    definitions.names
}

/// Collects structs, enums, unions, traits and type aliases. Associated types are a different kind of item.
#[derive(Default)]
struct Definitions {
    names: Vec<String>,
}

impl Definitions {
    /// Collects the types that a macro call defines. An alias is not collected: it may be an associated type.
    fn collect_from_tokens(&mut self, mut cursor: Cursor<'_>) {
        while let Some((_, after)) = cursor.token_tree() {
            if let Some((keyword, rest)) = cursor.ident()
                && ["enum", "struct", "trait", "union"].contains(&keyword.to_string().as_str())
                && let Some((name, _)) = rest.ident()
            {
                self.names.push(name.to_string());
            }
            if let Some((inside, ..)) = cursor.any_group() {
                self.collect_from_tokens(inside);
            }
            cursor = after;
        }
    }
}

impl<'ast> Visit<'ast> for Definitions {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.names.push(item.ident.to_string());
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.names.push(item.ident.to_string());
        visit::visit_item_enum(self, item);
    }

    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.names.push(item.ident.to_string());
        visit::visit_item_union(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.names.push(item.ident.to_string());
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.names.push(item.ident.to_string());
        visit::visit_item_type(self, item);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.collect_from_tokens(TokenBuffer::new2(call.tokens.clone()).begin());
        visit::visit_macro(self, call);
    }
}

mod tests {
    use std::path::Path;

    fn repeated(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files.iter().map(|(path, text)| (Path::new(*path), *text)).collect();
        super::repeated(&files)
    }

    #[test]
    fn name_in_two_modules_is_reported_with_both_files() {
        let found = repeated(&[("spool/mod.rs", "struct Status;"), ("kafka/leader.rs", "enum Status { Held }")]);
        assert_eq!(found, ["Status: 2 types in src/kafka/leader.rs, src/spool/mod.rs"]);
    }

    #[test]
    fn each_kind_of_type_is_reported() {
        for item in ["struct T;", "enum T {}", "union T { a: u8 }", "trait T {}", "type T = u8;"] {
            assert_eq!(repeated(&[("a.rs", "pub struct T(u8);"), ("b.rs", item)]).len(), 1, "{item}");
        }
    }

    #[test]
    fn types_in_test_modules_functions_and_macro_calls_are_reported() {
        for text in [
            "#[cfg(test)] mod tests { struct T; }",
            "fn f() { struct T; }",
            "labels! { /// Documented.\n pub enum T { A => \"a\" } }",
            "labels! { { pub struct T; } }",
        ] {
            assert_eq!(repeated(&[("a.rs", "struct T;"), ("b.rs", text)]).len(), 1, "{text}");
        }
    }

    #[test]
    fn two_types_in_one_file_are_reported() {
        let found = repeated(&[("a.rs", "struct T; mod tests { struct T; }")]);
        assert_eq!(found, ["T: 2 types in src/a.rs"]);
    }

    #[test]
    fn implementations_and_associated_types_are_permitted() {
        let text = "trait A { type T; } struct B; impl A for B { type T = u8; } impl B {}";
        let other = "struct T<U>(U); struct U; macro_rules! make { ($name:ident) => { struct $name; } }";
        assert_eq!(repeated(&[("a.rs", text), ("b.rs", other)]), Vec::<String>::new());
    }

    #[test]
    fn exceptions_are_permitted_only_in_their_folder() {
        let arguments = "struct Arguments;";
        assert!(repeated(&[("cli/sign.rs", arguments), ("cli/probe.rs", arguments)]).is_empty());
        assert_eq!(repeated(&[("cli/sign.rs", arguments), ("app/mod.rs", arguments)]).len(), 1);
        assert!(repeated(&[("spool/mod.rs", "enum Error {}"), ("trusthub/mod.rs", "enum Error {}")]).is_empty());
    }
}
