//! The client that all accounts share, and the requests of one account.
//!
//! Responses are parsed into types at once: when a field is missing that Twilio leaves optional but the client requires,
//! the [`Error`] names it. Credentials are sent to the configured origin only, and for bundles to Twilio's own host for
//! them, so redirects are not followed and every page of a list must have the same origin as the first.

use std::sync::{Arc, atomic::Ordering};

use futures_util::{Stream, TryStreamExt as _, stream};
use trusthub_events::{AccountSid, ProfileSid};

use crate::{
    credentials::Credentials,
    error::Error,
    http::ApiClient,
    pages::{Listing, PageReader},
    profile::{Collection, Fetched, Profile},
    retry::ApiLimits,
    setup_error::SetupError,
    update::Update,
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
    /// The base URL is Twilio's, `https://trusthub.twilio.com`, or that of a simulator; it may have a path prefix. Bundles
    /// are requested from `numbers.twilio.com` if the base URL is Twilio's, and otherwise below the base URL, too. The user
    /// agent identifies the program in every request.
    ///
    /// # Errors
    /// [`SetupError`] when the base URL is not valid, or when it needs certificate authorities and the system has none.
    pub fn new(base_url: &str, user_agent: &str, limits: ApiLimits) -> Result<Self, SetupError> {
        ApiClient::new(base_url, user_agent, limits).map(|http| Self { http: Arc::new(http) })
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
        stream::try_unfold(
            PageReader::starting(&self.http, &self.credentials, collection, first),
            PageReader::next_page,
        )
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
