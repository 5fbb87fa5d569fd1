//! Trust Hub's REST API: profiles listed, fetched and changed with each account's own credentials.
//!
//! One [`TrustHub`] serves all accounts and bounds what is under way at a time. Answers are read into types at once:
//! what Twilio leaves open, but this service cannot do without, is an [`Error`] that names the field. Credentials go to
//! the configured address only, so redirects are not followed and a list must continue where it began.

#[cfg(test)]
mod arbitrary;
mod error;
mod fields;
mod http;
mod pages;
mod profile;
mod retry;
mod update;

use std::sync::{Arc, atomic::Ordering};

pub use error::Error;
use futures_util::{Stream, TryStreamExt as _, stream};
use http::Http;
pub use pages::Listing;
use pages::Pages;
pub use profile::{Collection, Fetched, Profile};
pub use retry::Limits;
pub use update::Update;

use crate::{
    config::{self, Credentials, Problems},
    domain::{AccountSid, ProfileSid},
};

/// The client of all accounts.
#[derive(Debug, Clone)]
pub struct TrustHub {
    http: Arc<Http>,
}

/// The profiles of one account.
#[derive(Debug, Clone)]
pub struct Account {
    http: Arc<Http>,
    credentials: Arc<Credentials>,
}

impl TrustHub {
    /// Opens no connection yet.
    ///
    /// # Errors
    /// [`Problems`] when the address cannot be called, or needs certificate authorities and the system has none.
    pub fn new(config: &config::TrustHubConfig, limits: Limits) -> Result<Self, Problems> {
        Http::new(&config.base_url, limits).map(|http| Self { http: Arc::new(http) })
    }

    /// The profiles that these credentials open.
    #[must_use]
    pub fn account(&self, credentials: Credentials) -> Account {
        Account { http: Arc::clone(&self.http), credentials: Arc::new(credentials) }
    }

    /// How many requests were made so far, repeated ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.http.requests.load(Ordering::Relaxed)
    }
}

impl Account {
    /// Whose profiles they are.
    #[must_use]
    pub fn sid(&self) -> &AccountSid {
        &self.credentials.account
    }

    /// Every profile of the collection, page by page as it is asked for.
    ///
    /// A profile that cannot be read is an error in its place, and the rest follows; after any other error nothing
    /// does. Trust Hub pages while its data change, so a profile may come twice.
    pub fn list(
        &self,
        collection: Collection,
        listing: &Listing,
    ) -> impl Stream<Item = Result<Profile, Error>> + Send + use<> {
        let first = listing.url(self.http.url(collection, None));
        stream::try_unfold(Pages::starting(self.clone(), collection, first), Pages::turn)
            .map_ok(stream::iter)
            .try_flatten()
    }

    /// One profile as it is now.
    ///
    /// # Errors
    /// [`Error`]; a profile of another account is [`Error::NotFound`].
    pub async fn fetch(&self, collection: Collection, sid: &ProfileSid) -> Result<Fetched, Error> {
        let url = self.http.url(collection, Some(sid));
        let body = self.http.get(&self.credentials, url).await?;
        Fetched::read(&body, collection, sid)
    }

    /// Changes a profile and returns it as it is then.
    ///
    /// It is not repeated when it may have been carried out, so after [`Error::Timeout`], [`Error::Broken`] and
    /// [`Error::Server`] only a fetch tells.
    ///
    /// # Errors
    /// [`Error`]; [`Error::NotEditable`] while the profile is under review.
    pub async fn update(&self, collection: Collection, sid: &ProfileSid, update: &Update) -> Result<Profile, Error> {
        let url = self.http.url(collection, Some(sid));
        let body = self.http.post(&self.credentials, url, update.form()).await?;
        Profile::read_one(&body, collection, sid)
    }
}
