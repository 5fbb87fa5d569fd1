//! The crate `test-support` makes only public what tests or benchmarks use. The compiler reports unused items only if they
//! are not public.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};

use super::{project_root, read, rust_files_below};

const CRATE: &str = "crates/test-support/src";
const USERS: [&str; 2] = ["tests", "benches"];

#[test]
fn public_items_of_the_test_support_are_used() {
    let files = |folder: &str| rust_files_below(&project_root().join(folder)).map(|file| read(&file));
    let users: Vec<_> = USERS.iter().flat_map(|folder| files(folder)).collect();
    let unused = unused(&files(CRATE).collect::<Vec<_>>(), &users);
    assert!(unused.is_empty(), "no test and no benchmark uses {unused:?}; `pub(crate)` or remove them");
}

/// The public names in these files that the users do not contain, and that no public signature needs.
fn unused(files: &[String], users: &[String]) -> BTreeSet<String> {
    let mut interface = Interface::default();
    for text in files {
        interface.visit_file(&syn::parse_file(text).unwrap());
    }
    let words: BTreeSet<_> =
        users.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_')).collect();
    let is_unused = |name: &&String| !words.contains(name.as_str()) && !interface.needed.contains(*name);
    interface.names.iter().filter(is_unused).cloned().collect()
}

/// Collects the names of public items, and the names of types that their signatures need.
#[derive(Default)]
struct Interface {
    names: BTreeSet<String>,
    needed: BTreeSet<String>,
}

impl Interface {
    fn add(&mut self, visibility: &syn::Visibility, name: &syn::Ident) -> bool {
        let is_public = matches!(visibility, syn::Visibility::Public(_));
        if is_public {
            self.names.insert(name.to_string());
        }
        is_public
    }
}

/// Collects the names in types and bounds.
struct Types<'a>(&'a mut BTreeSet<String>);

impl<'ast> Visit<'ast> for Types<'_> {
    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        self.0.insert(segment.ident.to_string());
        visit::visit_path_segment(self, segment);
    }
}

impl<'ast> Visit<'ast> for Interface {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if self.add(&item.vis, &item.sig.ident) {
            Types(&mut self.needed).visit_signature(&item.sig);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if self.add(&item.vis, &item.sig.ident) {
            Types(&mut self.needed).visit_signature(&item.sig);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if field.ident.as_ref().is_some_and(|name| self.add(&field.vis, name)) {
            Types(&mut self.needed).visit_type(&field.ty);
        }
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.add(&item.vis, &item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        if self.add(&item.vis, &item.ident) {
            self.names.extend(item.variants.iter().map(|variant| variant.ident.to_string()));
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add(&item.vis, &item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add(&item.vis, &item.ident);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.add(&item.vis, &item.ident);
    }
}

mod tests {
    fn unused(text: &str, users: &str) -> Vec<String> {
        super::unused(&[text.to_owned()], &[users.to_owned()]).into_iter().collect()
    }

    #[test]
    fn item_that_no_user_names_is_reported() {
        let text =
            "pub fn used() {} pub fn unused() {} fn private() {} pub(crate) fn inner() {} pub const LIMIT: u8 = 1;";
        assert_eq!(unused(text, "used(); unused_too();"), ["LIMIT", "unused"]);
        assert_eq!(unused("pub enum Fault { Cut, Delay }", "Fault::Cut"), ["Delay"]);
    }

    #[test]
    fn type_in_the_signature_of_a_public_item_is_needed() {
        let text = "pub struct Held; impl Log { pub fn hold(&self) -> Option<Held> {} }";
        assert_eq!(unused(text, "log.hold()"), Vec::<String>::new());
        let text = "pub struct Held; impl Log { fn hold(&self) -> Held {} }";
        assert_eq!(unused(text, "log.hold()"), ["Held"]);
    }
}
