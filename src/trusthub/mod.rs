//! A client for Trust Hub's REST API: lists, fetches and updates profiles with each account's own credentials.
//!
//! One [`TrustHub`] serves all accounts and limits the number of concurrent requests. Responses are parsed into types at
//! once: when a field is missing that Twilio leaves optional but this service requires, the [`Error`] names it.
//! Credentials are sent to the configured origin only, so redirects are not followed and every page of a list must have
//! the same origin as the first.

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
use http::ApiClient;
pub use pages::Listing;
use pages::PageReader;
pub use profile::{Collection, Fetched, Profile};
pub use retry::ApiLimits;
pub use update::Update;

use crate::{
    config::{self, Credentials, Problems},
    domain::{AccountSid, ProfileSid},
};

/// The client that all accounts share.
#[derive(Debug, Clone)]
pub struct TrustHub {
    http: Arc<ApiClient>,
}

/// Requests with the credentials of one account.
#[derive(Debug, Clone)]
pub struct AccountClient {
    http: Arc<ApiClient>,
    credentials: Arc<Credentials>,
}

impl TrustHub {
    /// Creates the client. It opens no connection yet.
    ///
    /// # Errors
    /// [`Problems`] when the base URL is not valid, or when it needs certificate authorities and the system has none.
    pub fn new(config: &config::TrustHubConfig, limits: ApiLimits) -> Result<Self, Problems> {
        ApiClient::new(&config.base_url, limits).map(|http| Self { http: Arc::new(http) })
    }

    /// The client for the account that these credentials belong to.
    #[must_use]
    pub fn account(&self, credentials: Credentials) -> AccountClient {
        AccountClient { http: Arc::clone(&self.http), credentials: Arc::new(credentials) }
    }

    /// The number of requests sent so far, retries included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.http.requests.load(Ordering::Relaxed)
    }
}

impl AccountClient {
    /// The SID of the account.
    #[must_use]
    pub fn sid(&self) -> &AccountSid {
        &self.credentials.account
    }

    /// Streams every profile of the collection and requests pages on demand.
    ///
    /// A profile that cannot be parsed yields an error, and the stream continues; any other error ends the stream. The
    /// data can change between two pages, so a profile may appear twice.
    pub fn list(
        &self,
        collection: Collection,
        listing: &Listing,
    ) -> impl Stream<Item = Result<Profile, Error>> + Send + use<> {
        let first = listing.url(self.http.url(collection, None));
        stream::try_unfold(PageReader::starting(self.clone(), collection, first), PageReader::next_page)
            .map_ok(stream::iter)
            .try_flatten()
    }

    /// Fetches the current state of one profile.
    ///
    /// # Errors
    /// [`Error`]; a profile of another account is [`Error::NotFound`].
    pub async fn fetch(&self, collection: Collection, sid: &ProfileSid) -> Result<Fetched, Error> {
        let url = self.http.url(collection, Some(sid));
        let body = self.http.get(&self.credentials, url).await?;
        Fetched::read(&body, collection, sid)
    }

    /// Updates a profile and returns its new state.
    ///
    /// A request that Trust Hub may have executed is not retried. After [`Error::Timeout`], [`Error::Broken`] and
    /// [`Error::Server`], only a fetch shows whether the update took effect.
    ///
    /// # Errors
    /// [`Error`]; [`Error::NotEditable`] while the profile is under review.
    pub async fn update(&self, collection: Collection, sid: &ProfileSid, update: &Update) -> Result<Profile, Error> {
        let url = self.http.url(collection, Some(sid));
        let body = self.http.post(&self.credentials, url, update.to_form()).await?;
        Profile::read_one(&body, collection, sid)
    }
}
