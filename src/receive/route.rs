//! Finds the callback path of a request.

use std::borrow::Cow;

use crate::domain::{Label as _, PublicUrl, Resource, callback_route};

/// The longest spelling of a callback path that is recognized, in bytes. A mistake adds a few slashes, not dozens.
const MAX_SPELLING_BYTES: usize = 128;

/// A callback path, relative to the public URL, as requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route<'a> {
    pub(super) resource: Resource,
    /// The documented path.
    documented: &'static str,
    /// The path as requested.
    requested: &'a str,
}

/// A callback path in two spellings, relative to the public URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallbackPath {
    /// The path as requested.
    pub(crate) requested: String,
    /// The documented path.
    pub(crate) documented: &'static str,
}

impl Route<'_> {
    /// The path as requested, with its documented spelling.
    pub(super) fn callback_path(&self) -> CallbackPath {
        CallbackPath { requested: self.requested.to_owned(), documented: self.documented }
    }

    /// The documented path.
    pub(super) fn documented(&self) -> &'static str {
        self.documented
    }

    /// The path as requested, which is what Twilio signed. It is copied only when it is not the documented one.
    pub(super) fn spelling(&self) -> Cow<'static, str> {
        if self.requested == self.documented { self.documented.into() } else { self.requested.to_owned().into() }
    }
}

/// The callback paths, each without a prefix and with each configured prefix: an ingress may or may not strip it.
#[derive(Debug, Clone)]
pub(super) struct Routes {
    prefixes: Vec<String>,
}

impl Routes {
    pub(super) fn new(urls: &[PublicUrl]) -> Self {
        let mut prefixes = vec![String::new()];
        prefixes.extend(urls.iter().map(|url| url.prefix().to_owned()));
        prefixes.sort();
        prefixes.dedup();
        Self { prefixes }
    }

    /// Finds the route of a raw path. The path is never decoded. The prefix is compared exactly, because it is configured; the
    /// rest may have other slashes and letters than the documented path, because the URL at Twilio may have them.
    pub(super) fn find<'a>(&self, path: &'a str) -> Option<Route<'a>> {
        self.prefixes.iter().filter_map(|prefix| path.strip_prefix(prefix.as_str())).find_map(route)
    }

    /// The documented path at the end of a path that is not a callback path because of its prefix. Only for advice.
    pub(super) fn resembling(path: &str) -> Option<&'static str> {
        let plain: String = segments(path).flat_map(|segment| ["/", segment]).collect::<String>().to_ascii_lowercase();
        let mut documented = Resource::ALL.iter().filter_map(|resource| callback_route(*resource));
        documented.find(|route| plain.ends_with(route))
    }
}

fn route(requested: &str) -> Option<Route<'_>> {
    if requested.len() > MAX_SPELLING_BYTES || !requested.starts_with('/') {
        return None;
    }
    Resource::ALL.iter().find_map(|resource| {
        let documented = callback_route(*resource).filter(|documented| is_spelling_of(documented, requested))?;
        Some(Route { resource: *resource, documented, requested })
    })
}

/// Whether the paths are equal, ignoring doubled and trailing slashes and the case of ASCII letters.
fn is_spelling_of(documented: &str, requested: &str) -> bool {
    let mut requested = segments(requested);
    segments(documented).all(|segment| requested.next().is_some_and(|other| segment.eq_ignore_ascii_case(other)))
        && requested.next().is_none()
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let urls = ["https://a.example", "https://b.example/twilio/in"].map(|url| PublicUrl::parse(url).unwrap());
        Routes::new(&urls)
    }

    #[test]
    fn route_is_found_bare_and_below_each_prefix_and_at_no_other_path() {
        let routes = routes();
        let found = |path: &str| routes.find(path).map(|route| route.resource);
        assert_eq!(found("/callbacks/customer-profiles"), Some(Resource::CustomerProfile));
        assert_eq!(found("/twilio/in/callbacks/trust-products"), Some(Resource::TrustProduct));
        assert_eq!(found("/twilio/in/callbacks/regulatory-bundles"), Some(Resource::RegulatoryBundle));
        assert_eq!(found("/callbacks/compliance-registrations"), Some(Resource::ComplianceRegistration));
        for path in [
            "",
            "/",
            "/callbacks",
            "callbacks/customer-profiles",
            "/callbacks/customer-profiles/x",
            "/callbacks/./customer-profiles",
            "/callbacks/customer%2Dprofiles",
            "/callbacks%2Fcustomer-profiles",
            "/callbacks/customer_profiles",
            "/callbacks\\customer-profiles",
            "/twilio/callbacks/customer-profiles",
            "/Twilio/in/callbacks/customer-profiles",
            "/twilio//in/callbacks/customer-profiles",
            "//twilio/in/callbacks/customer-profiles",
            "/twilio/incallbacks/customer-profiles",
            "/twilio/in/twilio/in/callbacks/customer-profiles",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn other_slashes_and_letters_are_the_same_route_and_are_kept() {
        let routes = routes();
        for spelling in [
            "/callbacks/customer-profiles",
            "/callbacks/customer-profiles/",
            "/callbacks/customer-profiles//",
            "//callbacks/customer-profiles",
            "///callbacks///customer-profiles/",
            "/Callbacks/Customer-Profiles",
            "/CALLBACKS/CUSTOMER-PROFILES/",
        ] {
            for path in [spelling.to_owned(), format!("/twilio/in{spelling}")] {
                let route = routes.find(&path).unwrap_or_else(|| panic!("{path}"));
                assert_eq!((route.resource, &*route.spelling()), (Resource::CustomerProfile, spelling));
            }
        }
    }

    #[test]
    fn documented_spelling_is_not_copied() {
        let is_copied = |path: &str| matches!(routes().find(path).unwrap().spelling(), Cow::Owned(_));
        assert!(!is_copied("/twilio/in/callbacks/trust-products"));
        assert!(is_copied("/callbacks/trust-products/"));
    }

    #[test]
    fn endless_slashes_are_no_route() {
        let with_slashes = |count: usize| format!("{}callbacks/trust-products", "/".repeat(count));
        let fitting = MAX_SPELLING_BYTES - "callbacks/trust-products".len();
        assert!(routes().find(&with_slashes(fitting)).is_some());
        assert_eq!(routes().find(&with_slashes(fitting + 1)), None);
    }
}

#[test]
fn path_below_another_prefix_resembles_a_route() {
    let routes = Routes::new(&[PublicUrl::parse("https://a.example").unwrap()]);
    for path in ["/other/callbacks/trust-products", "//Other//Callbacks//Trust-Products/"] {
        assert_eq!(routes.find(path), None, "{path}");
        assert_eq!(Routes::resembling(path), Some("/callbacks/trust-products"), "{path}");
    }
    for path in ["/", "/callbacks", "/callbacks/trust-products/x", "/xcallbacks/trust-products"] {
        assert_eq!(Routes::resembling(path), None, "{path}");
    }
}
