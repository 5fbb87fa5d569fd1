//! Whether a status callback leads to this service.

use std::collections::BTreeSet;

use crate::domain::{Label as _, PublicUrl, Resource, callback_route};

/// The URLs at which Twilio calls this service, in the form of [`comparable`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServiceUrls(BTreeSet<String>);

impl ServiceUrls {
    /// Those of the callback paths below these public URLs.
    #[must_use]
    pub(crate) fn below(public: &[PublicUrl]) -> Self {
        let bases = public.iter().flat_map(PublicUrl::bases);
        let routes = || Resource::ALL.iter().filter_map(|resource| callback_route(*resource));
        Self(bases.flat_map(|base| routes().map(move |route| comparable(&format!("{base}{route}")))).collect())
    }

    /// Whether this status callback of a profile is one of them. The path may be that of another kind of profile.
    pub(super) fn has(&self, status_callback: Option<&str>) -> bool {
        status_callback.is_some_and(|url| self.0.contains(&comparable(url)))
    }
}

/// The URL without what may differ: user name and password, query, fragment, repeated and trailing slashes, and letter case.
fn comparable(url: &str) -> String {
    let url = url.trim().split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let path: String = segments.flat_map(|segment| ["/", segment]).collect();
    format!("{scheme}://{host}{path}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads_here(public: &[&str], callback: &str) -> bool {
        let public: Vec<_> = public.iter().map(|url| PublicUrl::parse_with_credentials(url).unwrap()).collect();
        ServiceUrls::below(&public).has(Some(callback))
    }

    #[test]
    fn callback_leads_here_in_every_spelling_that_is_accepted() {
        for callback in [
            "https://hooks.example.com/twilio/callbacks/customer-profiles",
            "https://hooks.example.com:443/twilio/callbacks/customer-profiles#rc=5&rp=ct,rt,5xx",
            "https://hooks.example.com/twilio/callbacks/trust-products?tenant=7",
            "https://Hooks.example.com/twilio//callbacks/Customer-Profiles/",
            "https://user:secret@hooks.example.com/twilio/callbacks/regulatory-bundles",
        ] {
            assert!(leads_here(&["https://hooks.example.com/twilio"], callback), "{callback}");
        }
    }

    #[test]
    fn callback_that_the_service_does_not_get_leads_elsewhere() {
        for callback in [
            "",
            "http://hooks.example.com/twilio/callbacks/customer-profiles",
            "https://hooks.example.com/callbacks/customer-profiles",
            "https://hooks.example.com/twilio",
            "https://hooks.example.com/twilio/callbacks/customer-profile",
            "https://hooks.example.com.example.org/twilio/callbacks/customer-profiles",
            "https://hooks.example.com@example.org/twilio/callbacks/customer-profiles",
        ] {
            assert!(!leads_here(&["https://hooks.example.com/twilio"], callback), "{callback}");
        }
        assert!(!ServiceUrls::below(&[]).has(None));
    }

    #[test]
    fn callback_may_lead_to_any_of_several_public_urls() {
        let public = ["https://new.example.com", "https://user:secret@old.example.com:8443/x"];
        assert!(leads_here(&public, "https://old.example.com:8443/x/callbacks/trust-products"));
        assert!(leads_here(&public, "https://new.example.com/callbacks/trust-products"));
        assert!(!leads_here(&public, "https://new.example.com/x/callbacks/trust-products"));
    }
}
