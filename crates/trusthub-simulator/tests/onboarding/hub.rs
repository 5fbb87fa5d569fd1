//! A simulator in this process, and requests to it.

use std::{net::TcpListener, sync::Arc};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use trusthub_events::AccountSid;
use trusthub_simulator::{Simulator, SimulatorAccount, server};

pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000001";
pub(crate) const OTHER_ACCOUNT: &str = "AC00000000000000000000000000000002";
/// A policy without requirements.
pub(crate) const POLICY: &str = "RN00000000000000000000000000000000";
/// The policy of a Starter profile: an end user, an address, and an approved primary profile.
pub(crate) const STARTER: &str = "RN806dd6cd175f314e1f96a9727ee271f4";

/// A simulator with two accounts. It stops when it is dropped.
pub(crate) struct Hub {
    client: Client,
    base: String,
    server: JoinHandle<()>,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Hub {
    pub(crate) fn start() -> Self {
        let account = |sid| SimulatorAccount {
            sid: AccountSid::parse(sid).unwrap(),
            tokens: vec!["secret".into()],
            api_key: None,
            shared_keys: Vec::new(),
        };
        let accounts = [ACCOUNT, OTHER_ACCOUNT].map(account).to_vec();
        let simulator = Arc::new(Simulator::new(accounts, None, Some(7)).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = server(listener, simulator, Vec::new()).unwrap();
        let server = tokio::spawn(async move { drop(server.await) });
        Self { client: Client::builder().no_proxy().build().unwrap(), base, server }
    }

    pub(crate) async fn ask_as(
        &self,
        account: &str,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
    ) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request.basic_auth(account, Some("secret"));
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let form: Vec<_> = form.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let response = request.body(form.join("&")).send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.text().await.unwrap();
        (status, if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() })
    }

    pub(crate) async fn upload(&self, path: &str, content_type: &str, body: String) -> (u16, Value) {
        let request = self.client.post(format!("{}{path}", self.base)).basic_auth(ACCOUNT, Some("secret"));
        let response = request.header(CONTENT_TYPE, content_type).body(body).send().await.unwrap();
        (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask_as(ACCOUNT, Method::GET, path, &[]).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let (status, body) = self.ask_as(ACCOUNT, Method::POST, path, form).await;
        assert!([200, 201].contains(&status), "{path}: {body}");
        body
    }

    /// Creates something and returns its SID.
    pub(crate) async fn create(&self, path: &str, form: &[(&str, &str)]) -> String {
        let (status, body) = self.ask_as(ACCOUNT, Method::POST, path, form).await;
        assert_eq!(status, 201, "{path}: {body}");
        body["sid"].as_str().unwrap().to_owned()
    }

    /// The status and Twilio's code of a request that is refused.
    pub(crate) async fn problem(&self, method: Method, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let (status, body) = self.ask_as(ACCOUNT, method, path, form).await;
        (status, body["code"].clone())
    }

    pub(crate) async fn delete(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.ask_as(ACCOUNT, Method::DELETE, path, &[]).await;
        (status, body["code"].clone())
    }

    pub(crate) async fn profile(&self, collection: &str, policy: &str) -> String {
        let form = [("FriendlyName", "Shop"), ("Email", "a@example.com"), ("PolicySid", policy)];
        format!("/v1/{collection}/{}", self.create(&format!("/v1/{collection}"), &form).await)
    }

    pub(crate) async fn end_user(&self, object_type: &str, attributes: Value) -> String {
        let attributes = attributes.to_string();
        self.create("/v1/EndUsers", &[("FriendlyName", "Part"), ("Type", object_type), ("Attributes", &attributes)])
            .await
    }

    pub(crate) async fn address(&self) -> String {
        let form = [
            ("CustomerName", "Shop"),
            ("Street", "1 Main Street"),
            ("City", "Springfield"),
            ("Region", "IL"),
            ("PostalCode", "62701"),
            ("IsoCountry", "US"),
        ];
        self.create(&format!("/2010-04-01/Accounts/{ACCOUNT}/Addresses.json"), &form).await
    }

    pub(crate) async fn address_document(&self) -> String {
        let attributes = json!({ "address_sids": self.address().await }).to_string();
        let form =
            [("FriendlyName", "Address"), ("Type", "customer_profile_address"), ("Attributes", attributes.as_str())];
        self.create("/v1/SupportingDocuments", &form).await
    }

    /// Every entry of a list, page by page.
    pub(crate) async fn list(&self, path: &str, key: &str) -> Vec<Value> {
        let mut next = Some(path.to_owned());
        let mut entries = Vec::new();
        while let Some(path) = next {
            let mut page = self.get(&path).await;
            entries.append(page[key].as_array_mut().unwrap());
            let url = page["meta"]["next_page_url"].as_str().or(page["next_page_uri"].as_str());
            next = url.map(|url| url.trim_start_matches(&self.base).to_owned());
        }
        entries
    }
}

/// The values of a field.
pub(crate) fn values(entries: &[Value], field: &str) -> Vec<String> {
    entries.iter().map(|entry| entry[field].as_str().unwrap().to_owned()).collect()
}

/// The names of the fields, sorted.
pub(crate) fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
