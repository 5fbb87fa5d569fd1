//! The public interface of `twilio-signature`, as its source declares it. Programs outside this repository use the crate,
//! so each change of the interface has to be visible in a review.

use std::{
    collections::BTreeSet,
    io::Write as _,
    mem,
    path::Path,
    process::{Command, Stdio},
};

use quote::{ToTokens, quote};
use syn::{Attribute, Field, Fields, ImplItem, Item, ItemImpl, Type, UseTree, Visibility};
use test_support::golden::assert_golden;

use super::{Source, inspector::parse, sources_below};

const HEADER: &str =
    "// The public interface of twilio-signature, written by `make api`. `_private` stands for all private fields.\n\n";

#[test]
fn interface_of_the_signature_crate_is_the_committed_one() {
    let interface = interface(&sources_below("crates/twilio-signature/src"));
    assert!(interface.contains("impl Verifier {") && interface.contains("pub fn sign("), "{interface}");
    assert_golden("crates/twilio-signature/api.txt", &format!("{HEADER}{interface}"));
}

/// The declarations that the root of a crate exports, and the implementations for its types, formatted.
fn interface(sources: &[Source]) -> String {
    let parsed = |source: &Source| parse(&source.path, &source.text).items;
    let root = sources.iter().find(|source| source.path == Path::new("lib.rs")).expect("a crate has a root");
    let exported = exported(&parsed(root));
    let declared = sources.iter().flat_map(parsed).filter_map(|item| declaration(item, &exported));
    let mut declared: Vec<_> = declared.collect();
    declared.sort();
    let found: BTreeSet<_> = declared.iter().map(|(name, ..)| name.clone()).collect();
    assert_eq!(found, exported, "declared (left), exported (right)");
    formatted(&declared.into_iter().map(|(.., text)| text).collect::<Vec<_>>().join("\n\n"))
}

/// The names that `pub use` in the root exports.
fn exported(root: &[Item]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in root {
        match item {
            Item::Use(item) if is_public(&item.vis) => collect(&item.tree, &mut names),
            Item::Use(_) | Item::Mod(_) => {}
            other => panic!("the root has only modules and exports, not {}", other.to_token_stream()),
        }
    }
    names
}

fn collect(tree: &UseTree, names: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => collect(&path.tree, names),
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, names)),
        UseTree::Name(name) => _ = names.insert(name.ident.to_string()),
        other => panic!("an export names what it exports: {}", other.to_token_stream()),
    }
}

/// The name of an exported item, whether it is an implementation, and its text without bodies and private parts.
fn declaration(mut item: Item, exported: &BTreeSet<String>) -> Option<(String, bool, String)> {
    let (name, is_implementation, text) = match &mut item {
        Item::Struct(item) if is_public(&item.vis) => {
            strip(&mut item.attrs);
            keep_public(&mut item.fields);
            (item.ident.to_string(), false, item.to_token_stream().to_string())
        }
        Item::Enum(item) if is_public(&item.vis) => {
            strip(&mut item.attrs);
            for variant in &mut item.variants {
                strip(&mut variant.attrs);
                variant.fields.iter_mut().for_each(|field| strip(&mut field.attrs));
            }
            (item.ident.to_string(), false, item.to_token_stream().to_string())
        }
        Item::Fn(item) if is_public(&item.vis) => {
            let (vis, sig) = (&item.vis, &item.sig);
            (sig.ident.to_string(), false, quote!(#vis #sig;).to_string())
        }
        Item::Const(item) if is_public(&item.vis) => {
            strip(&mut item.attrs);
            (item.ident.to_string(), false, item.to_token_stream().to_string())
        }
        Item::Type(item) if is_public(&item.vis) => {
            strip(&mut item.attrs);
            (item.ident.to_string(), false, item.to_token_stream().to_string())
        }
        Item::Impl(item) => (implementing(&item.self_ty)?, true, implementation(item)?),
        _ => return None,
    };
    exported.contains(&name).then_some((name, is_implementation, text))
}

/// The name of the type that an implementation is for.
fn implementing(target: &Type) -> Option<String> {
    let Type::Path(path) = target else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

/// The public functions of an implementation, or the head of the implementation of a trait with its types.
fn implementation(item: &ItemImpl) -> Option<String> {
    let items = item.items.iter().filter_map(|item| match item {
        ImplItem::Fn(function) if is_public(&function.vis) => {
            let (vis, sig) = (&function.vis, &function.sig);
            Some(quote!(#vis #sig;))
        }
        ImplItem::Const(constant) if is_public(&constant.vis) => {
            let (vis, ident, ty) = (&constant.vis, &constant.ident, &constant.ty);
            Some(quote!(#vis const #ident: #ty;))
        }
        ImplItem::Type(kind) => {
            let (ident, ty) = (&kind.ident, &kind.ty);
            Some(quote!(type #ident = #ty;))
        }
        _ => None,
    });
    let items: Vec<_> = items.collect();
    let generics = &item.generics;
    let (target, bounds) = (&item.self_ty, &item.generics.where_clause);
    let of_trait = item.trait_.as_ref().map(|(path, _)| quote!(#path for));
    (of_trait.is_some() || !items.is_empty())
        .then(|| quote!(impl #generics #of_trait #target #bounds { #(#items)* }).to_string())
}

/// Keeps the attributes that users of the type notice.
fn strip(attributes: &mut Vec<Attribute>) {
    attributes.retain(|attribute| attribute.path().is_ident("derive") || attribute.path().is_ident("non_exhaustive"));
}

/// Replaces the private fields by one.
fn keep_public(fields: &mut Fields) {
    let has_private = fields.iter().any(|field| !is_public(&field.vis));
    let public = |field: &Field| is_public(&field.vis);
    match fields {
        Fields::Named(named) => {
            named.named = mem::take(&mut named.named).into_iter().filter(public).collect();
            named.named.iter_mut().for_each(|field| strip(&mut field.attrs));
            if has_private {
                named.named.push(syn::parse_quote!(_private: ()));
            }
        }
        Fields::Unnamed(unnamed) if has_private => *unnamed = syn::parse_quote!((_private)),
        _ => {}
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn formatted(code: &str) -> String {
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024", "--emit", "stdout", "--config", "max_width=120,use_small_heuristics=Max"]);
    let mut rustfmt = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Rust has rustfmt");
    rustfmt.stdin.take().unwrap().write_all(code.as_bytes()).unwrap();
    let output = rustfmt.wait_with_output().unwrap();
    assert!(output.status.success(), "rustfmt rejects\n{code}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn interface_has_no_bodies_and_no_private_parts() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.to_owned() };
    let interface = interface(&[
        source("lib.rs", "mod a; pub use a::{A, f};"),
        source(
            "a.rs",
            "/// Text.\n#[derive(Clone)] pub struct A { x: u8, /// Text.\npub y: u16 }
             impl A { pub fn g(&self) -> u8 { self.x } fn h() {} pub(crate) fn i() {} }
             impl std::fmt::Display for A { fn fmt(&self) {} }
             pub fn f(a: &A) {} pub struct B; impl B { pub fn j() {} }",
        ),
    ]);
    let expected = "#[derive(Clone)]\npub struct A {\n    pub y: u16,\n    _private: (),\n}\n\nimpl A {\n    \
                    pub fn g(&self) -> u8;\n}\n\nimpl std::fmt::Display for A {}\n\npub fn f(a: &A);\n";
    assert_eq!(interface, expected);
}
