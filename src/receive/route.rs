//! Finds the callback path of a request.

use crate::domain::{Label as _, PublicUrl, Resource, callback_route};

/// A callback path, relative to the public URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) resource: Resource,
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

    /// Finds the route of a raw path. The path is neither decoded nor normalized: Twilio calls exactly the configured URL.
    pub(super) fn find(&self, path: &str) -> Option<Route> {
        let mut bare = self.prefixes.iter().filter_map(|prefix| path.strip_prefix(prefix.as_str()));
        bare.find_map(route)
    }
}

fn route(path: &str) -> Option<Route> {
    Resource::ALL.iter().find_map(|resource| {
        callback_route(*resource).filter(|route| *route == path).map(|path| Route { path, resource: *resource })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_is_found_bare_and_below_each_prefix_and_at_no_other_path() {
        let urls = ["https://a.example", "https://b.example/twilio/in"].map(|url| PublicUrl::parse(url).unwrap());
        let routes = Routes::new(&urls);
        let found = |path: &str| routes.find(path).map(|route| route.resource);
        assert_eq!(found("/callbacks/customer-profiles"), Some(Resource::CustomerProfile));
        assert_eq!(found("/twilio/in/callbacks/trust-products"), Some(Resource::TrustProduct));
        assert_eq!(found("/twilio/in/callbacks/regulatory-bundles"), Some(Resource::RegulatoryBundle));
        for path in [
            "/",
            "/callbacks",
            "/callbacks/customer-profiles/",
            "//callbacks/customer-profiles",
            "/Callbacks/customer-profiles",
            "/callbacks/customer%2Dprofiles",
            "/twilio/callbacks/customer-profiles",
            "/twilio/in/twilio/in/callbacks/customer-profiles",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
    }
}
