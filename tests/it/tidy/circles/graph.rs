//! Which file of a crate uses which, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::super::Source;
use super::super::inspector::{ROOTS, is_for_tests, module_path, named_paths, parse};

/// How many re-exports are followed from a name to its definition. The compiler permits circles of `use` lines, in which a
/// search without a limit would not end.
const MAX_REEXPORTS: usize = 16;

type ModulePath = Vec<String>;

/// Files that all use each other, directly or through others of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle {
    /// In alphabetical order.
    pub(super) files: Vec<String>,
    /// Every use between two of the files.
    uses: Vec<String>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    {}", self.files.join(" <-> "), self.uses.join("\n    "))
    }
}

/// The circles of the crate with this folder and these sources.
pub(super) fn circles(folder: &str, sources: &[Source]) -> Vec<Circle> {
    let edges = Modules::of(sources).edges(folder, sources);
    let reachable: BTreeMap<_, _> = edges.keys().map(|file| (file, reachable_from(file, &edges))).collect();
    let reaches = |from: &String, to: &String| reachable.get(from).is_some_and(|files| files.contains(to));
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for file in edges.keys().filter(|file| reaches(file, file)) {
        circles.insert(edges.keys().filter(|other| reaches(file, other) && reaches(other, file)).cloned().collect());
    }
    circles.into_iter().map(|files| Circle { uses: uses_between(&files, &edges), files }).collect()
}

/// For each file, the files that it uses, each with the first path that names it.
type Edges = BTreeMap<String, BTreeMap<String, String>>;

fn reachable_from(file: &str, edges: &Edges) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![file];
    while let Some(file) = waiting.pop() {
        for next in edges.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(next.clone()) {
                waiting.push(next);
            }
        }
    }
    reached
}

fn uses_between(files: &[String], edges: &Edges) -> Vec<String> {
    let uses = |from: &String| {
        let targets = edges.get(from).into_iter().flatten().filter(|(to, _)| files.contains(to));
        targets.map(|(to, path)| format!("{from} uses {to}: `{path}`")).collect::<Vec<_>>()
    };
    files.iter().flat_map(uses).collect()
}

/// The modules of a crate, without those that exist only in tests.
#[derive(Default)]
struct Modules {
    modules: BTreeMap<ModulePath, Module>,
    /// Modules that exist only in tests.
    tests: BTreeSet<ModulePath>,
}

/// A module, which is a file or a part of one.
struct Module {
    /// The index of the source.
    file: usize,
    /// The names that `use` lines bring into this module, each with its path.
    imports: BTreeMap<String, Vec<String>>,
}

impl Modules {
    fn of(sources: &[Source]) -> Self {
        let mut modules = Self::default();
        for (file, source) in sources.iter().enumerate() {
            modules.add(file, root(source), &parse(&source.path, &source.text).items);
        }
        modules
    }

    fn add(&mut self, file: usize, path: ModulePath, items: &[syn::Item]) {
        let mut imports = BTreeMap::new();
        for item in items {
            match item {
                syn::Item::Use(item) if !is_for_tests(&item.attrs) => collect_imports(&item.tree, &[], &mut imports),
                syn::Item::Mod(module) => {
                    let child: ModulePath = path.iter().cloned().chain([module.ident.to_string()]).collect();
                    if is_for_tests(&module.attrs) {
                        self.tests.insert(child);
                    } else if let Some((_, items)) = &module.content {
                        self.add(file, child, items);
                    }
                }
                _ => {}
            }
        }
        self.modules.insert(path, Module { file, imports });
    }

    fn is_for_tests(&self, path: &[String]) -> bool {
        (0..=path.len()).any(|length| self.tests.contains(&path[..length]))
    }

    fn edges(&self, folder: &str, sources: &[Source]) -> Edges {
        let name = |file: usize| format!("{folder}/{}", sources[file].path.display());
        let mut edges = Edges::new();
        for (file, source) in sources.iter().enumerate().filter(|(_, source)| !self.is_for_tests(&root(source))) {
            let targets = edges.entry(name(file)).or_default();
            for named in named_paths(&parse(&source.path, &source.text)).iter().filter(|named| !named.is_for_tests) {
                let module: ModulePath = root(source).into_iter().chain(named.modules.clone()).collect();
                if let Some(target) = self.definition(&module, &named.segments, MAX_REEXPORTS)
                    && target != file
                {
                    targets.entry(name(target)).or_insert_with(|| named.segments.join("::"));
                }
            }
        }
        edges
    }

    /// The file that defines what a path in this module names; `None` if that is not in this crate.
    fn definition(&self, module: &[String], path: &[String], reexports: usize) -> Option<usize> {
        let (mut at, mut rest) = self.start(module, path)?;
        while let Some((name, after)) = rest.split_first() {
            let child: ModulePath = at.iter().cloned().chain([name.clone()]).collect();
            if self.modules.contains_key(&child) {
                (at, rest) = (child, after);
                continue;
            }
            let Some(import) = self.modules.get(&at)?.imports.get(name) else { break };
            let target: Vec<_> = import.iter().chain(after).cloned().collect();
            return self.definition(&at, &target, reexports.checked_sub(1)?);
        }
        self.modules.get(&at).map(|module| module.file)
    }

    /// The module in which the path starts, and the part of the path below it.
    fn start<'p>(&self, module: &[String], path: &'p [String]) -> Option<(ModulePath, &'p [String])> {
        let (first, below) = path.split_first()?;
        if ROOTS.contains(&first.as_str()) {
            return Some((ModulePath::new(), below));
        }
        let below = if first == "self" { below } else { path };
        let supers = below.iter().take_while(|segment| *segment == "super").count();
        let start = module[..module.len().checked_sub(supers)?].to_vec();
        let is_local = || {
            let child: ModulePath = start.iter().chain([first]).cloned().collect();
            self.modules.contains_key(&child)
                || self.modules.get(&start).is_some_and(|at| at.imports.contains_key(first))
        };
        (first == "self" || supers > 0 || is_local()).then(|| (start, &below[supers..]))
    }
}

/// The module of a file. `main.rs` is a crate of its own.
fn root(source: &Source) -> ModulePath {
    match module_path(&source.path) {
        path if path.is_empty() && source.path.ends_with("main.rs") => vec!["main".to_owned()],
        path => path,
    }
}

/// Adds the names of a `use` tree below `prefix`.
fn collect_imports(tree: &syn::UseTree, prefix: &[String], imports: &mut BTreeMap<String, Vec<String>>) {
    let below = |name: &syn::Ident| prefix.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
    match tree {
        syn::UseTree::Path(path) => collect_imports(&path.tree, &below(&path.ident), imports),
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| collect_imports(item, prefix, imports)),
        syn::UseTree::Name(name) if name.ident == "self" => {
            imports.extend(prefix.last().map(|last| (last.clone(), prefix.to_vec())));
        }
        syn::UseTree::Name(name) => {
            imports.insert(name.ident.to_string(), below(&name.ident));
        }
        syn::UseTree::Rename(rename) => {
            imports.insert(rename.rename.to_string(), below(&rename.ident));
        }
        syn::UseTree::Glob(_) => {}
    }
}
