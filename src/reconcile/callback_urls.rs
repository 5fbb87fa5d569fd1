//! Sets the status callback URL of every profile, so that Twilio sends the callbacks of all profiles to this service.

use std::{mem, pin::pin};

use futures_util::{TryStreamExt as _, future::join_all};
use thiserror::Error;
use trusthub_client::{AccountClient, Collection, Credentials, Listing, Profile, TrustHub, Update};

use super::{client_error::describe, finding::ListFailure};
use crate::domain::{AccountSid, Label as _, ProfileSid, PublicUrl, PublicUrlError, Resource, callback_route};

/// Asks Twilio to retry after every transient failure. Twilio reads the fragment and does not send it, as its
/// documentation of connection overrides for webhooks says. Whether Trust Hub honors it is not proven.
const RETRIES: &str = "rc=5&rp=ct,rt,5xx";

/// How many profiles are updated concurrently.
const BATCH: usize = 64;

/// The URL that profiles should have as status callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallbackUrl {
    scope: UrlScope,
    /// The text after the `#`; may be empty.
    fragment: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum UrlScope {
    /// A base URL. The route of each kind of profile is appended.
    Base(String),
    /// The complete URL for one kind of profile.
    Only(Resource, String),
}

/// Why a URL is not valid as status callback, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum CallbackUrlError {
    /// Twilio cannot call the URL.
    #[error("{0}")]
    Url(#[from] PublicUrlError),
    /// The URL contains a part of a callback path but does not end with one.
    #[error(
        "contains a part of a callback path but does not end with one; write the public URL alone, or one of {}",
        routes()
    )]
    Route,
    /// The URL is for compliance registrations, which reconciliation does not list.
    #[error(
        "is for compliance registrations, which reconciliation does not list; write the public URL alone, or one of {}",
        routes()
    )]
    Registrations,
}

fn routes() -> String {
    let routes = Collection::ALL.iter().filter_map(|collection| callback_route(collection.resource()));
    routes.map(|route| format!("https://…{route}")).collect::<Vec<_>>().join(", ")
}

impl CallbackUrl {
    /// Parses the public URL, or the URL of a callback path. A fragment is kept. Without one, a fragment that asks for
    /// retries is added if `retries` is true.
    ///
    /// # Errors
    /// [`CallbackUrlError`].
    pub(crate) fn parse(text: &str, retries: bool) -> Result<Self, CallbackUrlError> {
        let (url, fragment) = match text.split_once('#') {
            Some((url, fragment)) => (url, fragment),
            None => (text, if retries { RETRIES } else { "" }),
        };
        let url = PublicUrl::parse(url)?.as_str().to_owned();
        Ok(Self { scope: parse_scope(url)?, fragment: fragment.to_owned() })
    }

    /// The status callback URL for this kind of profile; `None` if this URL does not apply to it.
    #[must_use]
    pub(crate) fn for_resource(&self, resource: Resource) -> Option<String> {
        let url = match &self.scope {
            UrlScope::Base(base) => format!("{base}{}", callback_route(resource)?),
            UrlScope::Only(only, url) => (*only == resource).then(|| url.clone())?,
        };
        Some(if self.fragment.is_empty() { url } else { format!("{url}#{}", self.fragment) })
    }
}

fn parse_scope(url: String) -> Result<UrlScope, CallbackUrlError> {
    let named =
        Resource::ALL.iter().find(|resource| callback_route(**resource).is_some_and(|route| url.ends_with(route)));
    match named {
        Some(Resource::ComplianceRegistration) => Err(CallbackUrlError::Registrations),
        Some(resource) => Ok(UrlScope::Only(*resource, url)),
        None if is_nearly_a_route(&url) => Err(CallbackUrlError::Route),
        None => Ok(UrlScope::Base(url)),
    }
}

/// Whether a segment of the URL is a segment of a callback path. A public URL does not contain one by chance.
fn is_nearly_a_route(url: &str) -> bool {
    let parts =
        Resource::ALL.iter().filter_map(|resource| callback_route(*resource)).flat_map(|route| route.split('/'));
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    url.split('/').any(|segment| parts.iter().any(|part| part.eq_ignore_ascii_case(segment)))
}

/// The result for the status callback URL of one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UrlChange {
    /// The profile had this URL already.
    Unchanged,
    /// The profile had no URL and has this one now.
    Set,
    /// The profile had another URL and has this one now.
    Replaced,
    /// The profile has another URL and keeps it.
    Foreign,
    /// The profile is under review and cannot be edited (60711).
    Locked,
    /// The update failed for this reason.
    Failed(String),
}

/// One profile and the result of the update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UrlUpdate {
    /// The account of the profile.
    pub account: AccountSid,
    /// The SID of the profile.
    pub profile: ProfileSid,
    /// The kind of profile.
    pub resource: Resource,
    /// The URL before the update.
    pub before: Option<String>,
    /// The result of the update.
    pub change: UrlChange,
}

/// Sets the status callback URLs of all profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UrlUpdater {
    /// The URL to set.
    pub url: CallbackUrl,
    /// Whether to replace other URLs.
    pub replace: bool,
    /// Whether to only report what would change.
    pub dry_run: bool,
}

impl UrlUpdater {
    /// Updates all profiles of these accounts. Passes each result, and each list that could not be read, to `report`.
    pub(crate) async fn run(
        &self,
        trusthub: &TrustHub,
        accounts: &[Credentials],
        mut report: impl FnMut(Result<UrlUpdate, ListFailure>),
    ) {
        for credentials in accounts {
            let account = trusthub.account(credentials.clone());
            for collection in Collection::ALL {
                if let Some(url) = self.url.for_resource(collection.resource()) {
                    self.update_collection(&account, collection, &url, &mut report).await;
                }
            }
        }
    }

    async fn update_collection(
        &self,
        account: &AccountClient,
        collection: Collection,
        url: &str,
        report: &mut impl FnMut(Result<UrlUpdate, ListFailure>),
    ) {
        let mut profiles = pin!(account.list(collection, &Listing::default()));
        let mut batch = Vec::new();
        loop {
            let listed = profiles.try_next().await;
            let at_end = matches!(listed, Ok(None));
            match listed {
                Ok(profile) => batch.extend(profile),
                Err(error) => report(Err(ListFailure::new(account, collection, &error))),
            }
            if at_end || batch.len() >= BATCH {
                let profiles = mem::take(&mut batch);
                let updates =
                    profiles.into_iter().map(|profile| self.update_profile(account, collection, profile, url));
                join_all(updates).await.into_iter().for_each(|update| report(Ok(update)));
            }
            if at_end {
                return;
            }
        }
    }

    async fn update_profile(
        &self,
        account: &AccountClient,
        collection: Collection,
        profile: Profile,
        url: &str,
    ) -> UrlUpdate {
        let change = match plan_change(profile.status_callback.as_deref(), url, self.replace) {
            planned @ (UrlChange::Set | UrlChange::Replaced) if !self.dry_run => {
                let update = Update { status_callback: Some(url.to_owned()), ..Update::default() };
                match account.update(collection, &profile.sid, &update).await {
                    Ok(_) => planned,
                    Err(trusthub_client::Error::NotEditable(_)) => UrlChange::Locked,
                    Err(error) => UrlChange::Failed(describe(&error)),
                }
            }
            change => change,
        };
        UrlUpdate {
            account: profile.account_sid,
            profile: profile.sid,
            resource: profile.resource,
            before: profile.status_callback,
            change,
        }
    }
}

fn plan_change(before: Option<&str>, url: &str, replace: bool) -> UrlChange {
    let bare = |url: &str| url.split('#').next().map(str::to_owned);
    match before {
        None => UrlChange::Set,
        Some(before) if before == url => UrlChange::Unchanged,
        Some(_) if replace => UrlChange::Replaced,
        // The URL is the same. Only the retry overrides in the fragment differ.
        Some(before) if bare(before) == bare(url) => UrlChange::Unchanged,
        Some(_) => UrlChange::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url_for(text: &str, resource: Resource) -> Option<String> {
        CallbackUrl::parse(text, true).unwrap().for_resource(resource)
    }

    #[test]
    fn public_url_gives_each_kind_of_profile_its_route_and_retries() {
        let url = "https://hooks.example.com/twilio/";
        let expected = "https://hooks.example.com/twilio/callbacks/customer-profiles#rc=5&rp=ct,rt,5xx";
        assert_eq!(url_for(url, Resource::CustomerProfile).as_deref(), Some(expected));
        let expected = "https://hooks.example.com/twilio/callbacks/trust-products#rc=5&rp=ct,rt,5xx";
        assert_eq!(url_for(url, Resource::TrustProduct).as_deref(), Some(expected));
        let expected = "https://hooks.example.com/twilio/callbacks/regulatory-bundles#rc=5&rp=ct,rt,5xx";
        assert_eq!(url_for(url, Resource::RegulatoryBundle).as_deref(), Some(expected));
    }

    #[test]
    fn url_of_a_route_applies_to_its_kind_of_profile_only() {
        let url = "https://hooks.example.com/callbacks/trust-products#";
        assert_eq!(url_for(url, Resource::CustomerProfile), None);
        let expected = "https://hooks.example.com/callbacks/trust-products";
        assert_eq!(
            url_for(url, Resource::TrustProduct).as_deref(),
            Some(expected),
            "an empty fragment asks for no retries"
        );
    }

    #[test]
    fn retries_are_requested_unless_the_url_has_a_fragment() {
        let url_for = |text: &str, retries| {
            CallbackUrl::parse(text, retries).unwrap().for_resource(Resource::CustomerProfile).unwrap()
        };
        assert!(url_for("https://a.example", true).ends_with("/customer-profiles#rc=5&rp=ct,rt,5xx"));
        assert!(url_for("https://a.example", false).ends_with("/customer-profiles"));
        assert!(url_for("https://a.example#rc=1", true).ends_with("/customer-profiles#rc=1"));
    }

    #[test]
    fn error_for_an_invalid_url_says_what_to_write() {
        let wrong = |text: &str| CallbackUrl::parse(text, true).unwrap_err().to_string();
        assert!(wrong("hooks.example.com").starts_with("does not begin with https://"));
        assert!(wrong("https://a.example/?x=1").starts_with("has a query"));
        for slip in ["callbacks", "callback/Customer-Profiles", "callbacks/customer-profile", "x/callbacks/y"] {
            let slip = &format!("https://a.example/{slip}");
            assert!(
                wrong(slip).contains("write the public URL alone, or one of https://…/callbacks/customer"),
                "{slip}"
            );
        }
        assert!(wrong("https://a.example/callbacks/compliance-registrations").contains("does not list"));
    }

    #[test]
    fn missing_url_is_set_and_foreign_url_is_replaced_only_on_request() {
        let ours = "https://a.example/callbacks/customer-profiles#rc=5";
        for (before, careful, replacing) in [
            (None, UrlChange::Set, UrlChange::Set),
            (Some(ours), UrlChange::Unchanged, UrlChange::Unchanged),
            (Some("https://a.example/callbacks/customer-profiles"), UrlChange::Unchanged, UrlChange::Replaced),
            (Some("https://b.example/"), UrlChange::Foreign, UrlChange::Replaced),
        ] {
            assert_eq!(
                (plan_change(before, ours, false), plan_change(before, ours, true)),
                (careful, replacing),
                "{before:?}"
            );
        }
    }
}
