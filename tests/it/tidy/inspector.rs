//! Finds the modules of the library and the crates that a source file names.

use std::path::Path;

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};

/// Names of the library's root: inside the library, and from `main.rs`.
const ROOTS: [&str; 2] = ["crate", "trusthub_bridge"];

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

/// All paths in the file at this path below `src`.
pub(super) fn uses(path: &Path, text: &str) -> Vec<Use> {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("src/{}: {error}", path.display()));
    let modules = module_path(path);
    let mut inspector = Inspector {
        module: modules.first().cloned().unwrap_or_else(|| path.with_extension("").display().to_string()),
        depth: modules.len(),
        uses: Vec::new(),
    };
    inspector.visit_file(&file);
    inspector.uses
}

/// `receive/mod.rs` is `receive`, `receive/body.rs` is `receive::body`; `lib.rs` and `main.rs` are the empty path.
fn module_path(path: &Path) -> Vec<String> {
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
struct Inspector {
    module: String,
    /// The number of `super` segments from here to the crate's root.
    depth: usize,
    uses: Vec<Use>,
}

impl Inspector {
    fn record(&mut self, segments: &[String]) {
        let (from, path) = (self.module.clone(), segments.join("::"));
        match self.below_root(segments) {
            Some(below) => {
                let target = below.first().cloned().unwrap_or_default();
                self.uses.push(Use::Module { from, target, path });
            }
            None => {
                let Some(krate) = segments.first().cloned() else { return };
                self.uses.push(Use::Crate { from, krate, path });
            }
        }
    }

    /// The part of the path below the crate's root, if it starts there.
    fn below_root<'p>(&self, path: &'p [String]) -> Option<&'p [String]> {
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        if supers > 0 {
            return (supers >= self.depth).then(|| &path[supers..]);
        }
        path.split_first().and_then(|(first, below)| ROOTS.contains(&first.as_str()).then_some(below))
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
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.depth += 1;
        visit::visit_item_mod(self, module);
        self.depth -= 1;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for path in flattened(&item.tree) {
            self.record(&path);
        }
    }

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
