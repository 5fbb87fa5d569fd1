//! Has changes of every profile announced here, so that there is something to receive.

use std::{mem, pin::pin};

use futures_util::{TryStreamExt as _, future::join_all};
use thiserror::Error;

use super::Unlisted;
use crate::{
    config::Credentials,
    domain::{AccountSid, Label as _, ProfileSid, PublicUrl, PublicUrlError, Resource},
    trusthub::{self, Account, Collection, Listing, Profile, TrustHub, Update},
};

/// Asks for more tries, after anything that may pass. Twilio reads it and does not send it; source: Twilio's documentation
/// of connection overrides for webhooks. That Trust Hub honours it is not proven.
const RETRIES: &str = "rc=5&rp=ct,rt,5xx";

/// Profiles that are changed together.
const BATCH: usize = 64;

/// Where changes are to be announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackUrl {
    place: Place,
    /// What stands behind the `#`; may be empty.
    fragment: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Each kind of profiles has its route below this.
    Below(String),
    /// One kind of profiles has this.
    Of(Resource, String),
}

/// What is wrong with such a URL, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallbackUrlError {
    /// It is no URL that Twilio could call.
    #[error("{0}")]
    Url(#[from] PublicUrlError),
    /// It ends nearly as the path of a callback does.
    #[error(
        "has a part of a callback path and does not end as one; write the public URL alone, or one of {}",
        routes()
    )]
    Route,
    /// Bundles are not in Trust Hub.
    #[error(
        "is for regulatory bundles, which are not in Trust Hub; write the public URL alone, or one of {}",
        routes()
    )]
    Bundles,
}

fn routes() -> String {
    let routes = Collection::ALL.iter().filter_map(|collection| collection.resource().route());
    routes.map(|route| format!("https://…{route}")).collect::<Vec<_>>().join(", ")
}

impl CallbackUrl {
    /// Reads the public URL, or that of a callback path. What stands behind a `#` is kept; where nothing does, more tries
    /// are asked for if `retries` says so.
    ///
    /// # Errors
    /// [`CallbackUrlError`].
    pub fn parse(text: &str, retries: bool) -> Result<Self, CallbackUrlError> {
        let (url, fragment) = match text.split_once('#') {
            Some((url, fragment)) => (url, fragment),
            None => (text, if retries { RETRIES } else { "" }),
        };
        let url = PublicUrl::parse(url)?.as_str().to_owned();
        Ok(Self { place: place(url)?, fragment: fragment.to_owned() })
    }

    /// Where changes of such profiles are to be announced; `None` if nothing is said of them.
    #[must_use]
    pub fn of(&self, resource: Resource) -> Option<String> {
        let url = match &self.place {
            Place::Below(base) => format!("{base}{}", resource.route()?),
            Place::Of(only, url) => (*only == resource).then(|| url.clone())?,
        };
        Some(if self.fragment.is_empty() { url } else { format!("{url}#{}", self.fragment) })
    }
}

fn place(url: String) -> Result<Place, CallbackUrlError> {
    let of = Resource::ALL.iter().find(|resource| resource.route().is_some_and(|route| url.ends_with(route)));
    match of {
        Some(Resource::RegulatoryBundle) => Err(CallbackUrlError::Bundles),
        Some(resource) => Ok(Place::Of(*resource, url)),
        None if is_nearly_a_route(&url) => Err(CallbackUrlError::Route),
        None => Ok(Place::Below(url)),
    }
}

/// No public URL has a part of a callback path in its own by chance.
fn is_nearly_a_route(url: &str) -> bool {
    let parts = Resource::ALL.iter().filter_map(|resource| resource.route()).flat_map(|route| route.split('/'));
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    url.split('/').any(|segment| parts.iter().any(|part| part.eq_ignore_ascii_case(segment)))
}

/// What became of the callback URL of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It had this one already.
    Kept,
    /// It had none, and has this one now.
    Set,
    /// It had another one, and has this one now.
    Replaced,
    /// It has another one, and keeps it.
    Foreign,
    /// It is under review and cannot be edited (60711).
    Locked,
    /// It could not be changed.
    Failed(String),
}

/// The callback URL of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Whose profile it is.
    pub account: AccountSid,
    /// Which profile.
    pub profile: ProfileSid,
    /// What kind it is.
    pub resource: Resource,
    /// The URL that it had.
    pub before: Option<String>,
    /// What became of it.
    pub change: Change,
}

/// Sets the callback URLs of all profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callbacks {
    /// The URL that they are to have.
    pub url: CallbackUrl,
    /// Whether others are replaced.
    pub replace: bool,
    /// Whether nothing is changed, and only told what would be.
    pub dry_run: bool,
}

impl Callbacks {
    /// Goes through the profiles of these accounts, and tells of each, and of each list that could not be read.
    pub async fn set(
        &self,
        trusthub: &TrustHub,
        accounts: &[Credentials],
        mut tell: impl FnMut(Result<Callback, Unlisted>),
    ) {
        for credentials in accounts {
            let account = trusthub.account(credentials.clone());
            for collection in Collection::ALL {
                if let Some(url) = self.url.of(collection.resource()) {
                    self.set_all(&account, collection, &url, &mut tell).await;
                }
            }
        }
    }

    async fn set_all(
        &self,
        account: &Account,
        collection: Collection,
        url: &str,
        tell: &mut impl FnMut(Result<Callback, Unlisted>),
    ) {
        let mut profiles = pin!(account.list(collection, &Listing::default()));
        let mut batch = Vec::new();
        loop {
            let listed = profiles.try_next().await;
            let at_end = matches!(listed, Ok(None));
            match listed {
                Ok(profile) => batch.extend(profile),
                Err(error) => tell(Err(Unlisted::of(account, collection, error))),
            }
            if at_end || batch.len() >= BATCH {
                let changes = mem::take(&mut batch);
                let changes = changes.into_iter().map(|profile| self.set_one(account, collection, profile, url));
                join_all(changes).await.into_iter().for_each(|callback| tell(Ok(callback)));
            }
            if at_end {
                return;
            }
        }
    }

    async fn set_one(&self, account: &Account, collection: Collection, profile: Profile, url: &str) -> Callback {
        let change = match planned(profile.status_callback.as_deref(), url, self.replace) {
            wanted @ (Change::Set | Change::Replaced) if !self.dry_run => {
                let update = Update { status_callback: Some(url.to_owned()), ..Update::default() };
                match account.update(collection, &profile.sid, &update).await {
                    Ok(_) => wanted,
                    Err(trusthub::Error::NotEditable) => Change::Locked,
                    Err(error) => Change::Failed(error.to_string()),
                }
            }
            change => change,
        };
        Callback {
            account: profile.account_sid,
            profile: profile.sid,
            resource: profile.resource,
            before: profile.status_callback,
            change,
        }
    }
}

fn planned(before: Option<&str>, url: &str, replace: bool) -> Change {
    let bare = |url: &str| url.split('#').next().map(str::to_owned);
    match before {
        None => Change::Set,
        Some(before) if before == url => Change::Kept,
        Some(_) if replace => Change::Replaced,
        // It comes here, if with other time-outs.
        Some(before) if bare(before) == bare(url) => Change::Kept,
        Some(_) => Change::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, resource: Resource) -> Option<String> {
        CallbackUrl::parse(text, true).unwrap().of(resource)
    }

    #[test]
    fn a_public_url_gives_each_kind_of_profiles_its_route_and_asks_for_retries() {
        let url = "https://hooks.example.com/twilio/";
        let expected = "https://hooks.example.com/twilio/callbacks/customer-profiles#rc=5&rp=ct,rt,5xx";
        assert_eq!(of(url, Resource::CustomerProfile).as_deref(), Some(expected));
        let expected = "https://hooks.example.com/twilio/callbacks/trust-products#rc=5&rp=ct,rt,5xx";
        assert_eq!(of(url, Resource::TrustProduct).as_deref(), Some(expected));
    }

    #[test]
    fn the_url_of_a_route_is_for_its_kind_of_profiles_only() {
        let url = "https://hooks.example.com/callbacks/trust-products#";
        assert_eq!(of(url, Resource::CustomerProfile), None);
        let expected = "https://hooks.example.com/callbacks/trust-products";
        assert_eq!(of(url, Resource::TrustProduct).as_deref(), Some(expected), "an empty fragment asks for nothing");
    }

    #[test]
    fn retries_are_asked_for_unless_something_else_is() {
        let of =
            |text: &str, retries| CallbackUrl::parse(text, retries).unwrap().of(Resource::CustomerProfile).unwrap();
        assert!(of("https://a.example", true).ends_with("/customer-profiles#rc=5&rp=ct,rt,5xx"));
        assert!(of("https://a.example", false).ends_with("/customer-profiles"));
        assert!(of("https://a.example#rc=1", true).ends_with("/customer-profiles#rc=1"));
    }

    #[test]
    fn a_url_that_is_wrong_says_what_to_write() {
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
        assert!(wrong("https://a.example/callbacks/regulatory-bundles").contains("not in Trust Hub"));
    }

    #[test]
    fn only_an_empty_callback_is_set_and_a_foreign_one_only_replaced_on_demand() {
        let ours = "https://a.example/callbacks/customer-profiles#rc=5";
        for (before, careful, replacing) in [
            (None, Change::Set, Change::Set),
            (Some(ours), Change::Kept, Change::Kept),
            (Some("https://a.example/callbacks/customer-profiles"), Change::Kept, Change::Replaced),
            (Some("https://b.example/"), Change::Foreign, Change::Replaced),
        ] {
            assert_eq!((planned(before, ours, false), planned(before, ours, true)), (careful, replacing), "{before:?}");
        }
    }
}
