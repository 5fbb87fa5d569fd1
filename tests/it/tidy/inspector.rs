//! Finds the paths in a source file, and the modules of the library and the crates that they name.

use std::path::Path;

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};

/// Names of the library's root: inside the library, and from `main.rs`.
pub(super) const ROOTS: [&str; 2] = ["crate", "trusthub_bridge"];

/// A path in the source of the module `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Use {
    /// It leads to the module `target` of the library; empty for the root itself.
    Module { from: String, target: String, path: String },
    /// It begins with this name, which may be that of a foreign crate.
    Crate { from: String, krate: String, path: String },
}

impl Use {
    pub(super) fn path(&self) -> &str {
        let (Self::Module { path, .. } | Self::Crate { path, .. }) = self;
        path
    }
}

/// A path as a source file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedPath {
    /// The modules within the file that contain it.
    pub(super) modules: Vec<String>,
    pub(super) segments: Vec<String>,
    /// Whether it is part of the tests only.
    pub(super) is_for_tests: bool,
}

/// What the paths in the file at this path below `src` lead to.
pub(super) fn uses(path: &Path, text: &str) -> Vec<Use> {
    let modules = module_path(path);
    let module = modules.first().cloned().unwrap_or_else(|| path.with_extension("").display().to_string());
    let paths = named_paths(&parse(path, text));
    paths.iter().filter_map(|named| resolve(&module, modules.len() + named.modules.len(), &named.segments)).collect()
}

/// What a path in this top-level module leads to. `depth` is the number of `super` segments from there to the root.
fn resolve(module: &str, depth: usize, segments: &[String]) -> Option<Use> {
    let (from, path) = (module.to_owned(), segments.join("::"));
    match below_root(depth, segments) {
        Some(below) => Some(Use::Module { from, target: below.first().cloned().unwrap_or_default(), path }),
        None => Some(Use::Crate { from, krate: segments.first()?.clone(), path }),
    }
}

/// The part of the path below the crate's root, if it starts there.
fn below_root(depth: usize, path: &[String]) -> Option<&[String]> {
    let supers = path.iter().take_while(|segment| *segment == "super").count();
    if supers > 0 {
        return (supers >= depth).then(|| &path[supers..]);
    }
    path.split_first().and_then(|(first, below)| ROOTS.contains(&first.as_str()).then_some(below))
}

pub(super) fn parse(path: &Path, text: &str) -> syn::File {
    syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All paths in a file.
pub(super) fn named_paths(file: &syn::File) -> Vec<NamedPath> {
    let mut inspector = Inspector::default();
    inspector.visit_file(file);
    inspector.paths
}

/// `receive/mod.rs` is `receive`, `receive/body.rs` is `receive::body`; `lib.rs` and `main.rs` are the empty path.
pub(super) fn module_path(path: &Path) -> Vec<String> {
    let mut modules: Vec<_> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_str().expect("the name of a module is UTF-8").to_owned())
        .collect();
    let own_name = modules.last().map(String::as_str);
    if own_name == Some("mod") || (modules.len() == 1 && [Some("main"), Some("lib")].contains(&own_name)) {
        modules.pop();
    }
    modules
}

/// Walks one file and records every path in it: `use` lines, expressions, types, attributes, and tokens of macro calls.
#[derive(Default)]
struct Inspector {
    modules: Vec<String>,
    is_in_tests: bool,
    paths: Vec<NamedPath>,
}

impl Inspector {
    fn record(&mut self, segments: &[String]) {
        self.paths.push(NamedPath {
            modules: self.modules.clone(),
            segments: segments.to_vec(),
            is_for_tests: self.is_in_tests,
        });
    }

    /// Visits an item, which is part of the tests if an attribute says so.
    fn visit_with(&mut self, attributes: &[syn::Attribute], visit: impl FnOnce(&mut Self)) {
        let before = self.is_in_tests;
        self.is_in_tests |= is_for_tests(attributes);
        visit(self);
        self.is_in_tests = before;
    }

    /// Records a path outside `use` lines. A single segment is a local name, or the `crate` of `pub(crate)`.
    fn record_qualified(&mut self, path: &[String]) {
        if path.len() > 1 {
            self.record(path);
        }
    }

    fn record_tokens(&mut self, mut cursor: Cursor<'_>) {
        while let Some((_, after)) = cursor.token_tree() {
            if let Some((path, after)) = path_at(cursor) {
                self.record_qualified(&path);
                cursor = after;
            } else {
                if let Some((inside, ..)) = cursor.any_group() {
                    self.record_tokens(inside);
                }
                cursor = after;
            }
        }
    }
}

impl<'ast> Visit<'ast> for Inspector {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        self.visit_with(attributes(item), |this| visit::visit_item(this, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.visit_with(&item.attrs, |this| visit::visit_impl_item_fn(this, item));
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.visit_with(&field.attrs, |this| visit::visit_field(this, field));
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.modules.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.modules.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for path in flattened(&item.tree) {
            self.record(&path);
        }
    }

    /// A visibility names a module without using it.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.record_qualified(&segments(path));
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.record_tokens(TokenBuffer::new2(call.tokens.clone()).begin());
        visit::visit_macro(self, call);
    }

    fn visit_meta_list(&mut self, attribute: &'ast syn::MetaList) {
        let tokens = TokenBuffer::new2(attribute.tokens.clone());
        self.record_tokens(tokens.begin());
        for path in quoted_paths(tokens.begin()) {
            self.record_qualified(&path);
        }
        visit::visit_meta_list(self, attribute);
    }
}

/// Whether these are the attributes of an item that is compiled for tests only.
pub(super) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    let is_test = |attribute: &syn::Attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    };
    attributes.iter().any(is_test)
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// Every path that a `use` tree imports, in full.
fn flattened(tree: &syn::UseTree) -> Vec<Vec<String>> {
    match tree {
        syn::UseTree::Path(path) => flattened(&path.tree)
            .into_iter()
            .map(|rest| std::iter::once(path.ident.to_string()).chain(rest).collect())
            .collect(),
        syn::UseTree::Group(group) => group.items.iter().flat_map(flattened).collect(),
        syn::UseTree::Name(name) => vec![vec![name.ident.to_string()]],
        syn::UseTree::Rename(rename) => vec![vec![rename.ident.to_string()]],
        syn::UseTree::Glob(_) => vec![vec!["*".to_owned()]],
    }
}

/// The path that starts at this token, and the tokens after it.
fn path_at(cursor: Cursor<'_>) -> Option<(Vec<String>, Cursor<'_>)> {
    let (first, mut rest) = cursor.ident()?;
    let mut path = vec![first.to_string()];
    while let Some((segment, after)) = next_segment(rest) {
        path.push(segment);
        rest = after;
    }
    Some((path, rest))
}

fn next_segment(cursor: Cursor<'_>) -> Option<(String, Cursor<'_>)> {
    let (first, rest) = cursor.punct()?;
    let (second, rest) = rest.punct()?;
    let (segment, rest) = rest.ident()?;
    (first.as_char() == ':' && second.as_char() == ':').then(|| (segment.to_string(), rest))
}

/// Paths in the strings of an attribute, as in `#[serde(with = "crate::domain::time")]`.
fn quoted_paths(mut cursor: Cursor<'_>) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    while let Some((_, after)) = cursor.token_tree() {
        if let Some(syn::Lit::Str(text)) = cursor.literal().map(|(literal, _)| syn::Lit::new(literal)) {
            paths.extend(text.parse::<syn::Path>().ok().map(|path| segments(&path)));
        }
        cursor = after;
    }
    paths
}
