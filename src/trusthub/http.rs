//! Requests: where they go, how many at a time, how often each.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use reqwest::{Client, Method, Response, Url, header, redirect};
use rustls::crypto::ring;
use secrecy::ExposeSecret as _;
use time::OffsetDateTime;
use tokio::{sync::Semaphore, time::sleep};

use super::{
    error::{Error, root_cause},
    profile::Collection,
    retry::{Failure, Limits, retry_after},
};
use crate::{
    config::{Credentials, Problems},
    domain::ProfileSid,
};

const VERSION: &str = "v1";
/// A page of a thousand profiles has some 1.5 MB.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
const FORM: &str = "application/x-www-form-urlencoded";

/// The one HTTP client of all accounts.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    base: Url,
    places: Semaphore,
    pub(super) limits: Limits,
    /// Made so far.
    pub(super) requests: AtomicU64,
}

/// One request, to be made as often as it takes.
struct Call<'a> {
    method: Method,
    url: Url,
    credentials: &'a Credentials,
    form: Option<String>,
}

impl Http {
    pub(super) fn new(base_url: &str, limits: Limits) -> Result<Self, Problems> {
        let problem = |text| Problems::one("TRUSTHUB_BASE_URL", text);
        let base = Url::parse(base_url)
            .map_err(|_| problem("is not an address that can be called; write https://trusthub.twilio.com".into()))?;
        let client = client(&base, &limits).map_err(|error| {
            problem(format!(
                "cannot be called ({}); install certificate authorities (ca-certificates)",
                root_cause(&error)
            ))
        })?;
        Ok(Self { client, base, places: Semaphore::new(limits.concurrency), limits, requests: AtomicU64::new(0) })
    }

    /// A collection, or one profile of it.
    pub(super) fn url(&self, collection: Collection, sid: Option<&ProfileSid>) -> Url {
        let prefix = self.base.path().trim_end_matches('/');
        let profile = sid.map(|sid| format!("/{sid}")).unwrap_or_default();
        let mut url = self.base.clone();
        url.set_path(&format!("{prefix}/{VERSION}/{}{profile}", collection.path()));
        url
    }

    pub(super) async fn get(&self, credentials: &Credentials, url: Url) -> Result<Vec<u8>, Error> {
        self.ask(Call { method: Method::GET, url, credentials, form: None }).await
    }

    pub(super) async fn post(&self, credentials: &Credentials, url: Url, form: String) -> Result<Vec<u8>, Error> {
        self.ask(Call { method: Method::POST, url, credentials, form: Some(form) }).await
    }

    /// The body of a successful answer, after as many tries as may help.
    async fn ask(&self, call: Call<'_>) -> Result<Vec<u8>, Error> {
        let mut tries = 0;
        loop {
            let failure = match self.attempt(&call).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            tries += 1;
            let Some(pause) = self.limits.pause(&failure, &call.method, tries) else {
                return Err(failure.error);
            };
            tracing::debug!(error = %failure.error, tries, ?pause, "Trust Hub is asked again");
            sleep(pause).await;
        }
    }

    /// Has its place from the connection to the last byte, but not while it waits for another try.
    async fn attempt(&self, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let _place = self.places.acquire().await;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let response = self.send(call).await.map_err(|error| Failure { error: error.into(), retry_after: None })?;
        let (status, retry_after) = (response.status(), wanted_pause(&response));
        let body = read(response).await;
        if status.is_success() {
            return body.map_err(|error| Failure { error, retry_after: None });
        }
        // The status says enough when the rest does not arrive.
        let error = Error::of_answer(status.as_u16(), &body.unwrap_or_default(), retry_after);
        Err(Failure { error, retry_after })
    }

    async fn send(&self, call: &Call<'_>) -> reqwest::Result<Response> {
        let Credentials { user, password, .. } = call.credentials;
        let request = self.client.request(call.method.clone(), call.url.clone());
        let request = request.basic_auth(user, Some(password.expose_secret()));
        let request = match call.form.clone() {
            Some(form) => request.header(header::CONTENT_TYPE, FORM).body(form),
            None => request,
        };
        request.send().await
    }
}

fn client(base: &Url, limits: &Limits) -> reqwest::Result<Client> {
    // The provider is the process's; another part of it may have chosen the same one already.
    let _ = ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(limits.connect_timeout)
        .timeout(limits.request_timeout);
    match base.scheme() {
        "https" => builder.https_only(true),
        // Without TLS no authorities are needed, and a proxy would see the credentials.
        _ => builder.tls_certs_only([]).no_proxy(),
    }
    .build()
}

fn wanted_pause(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    retry_after(value, OffsetDateTime::now_utc())
}

async fn read(mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Error::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
