//! The Trust Hub simulator as a child process.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    process::{Child, ChildStderr},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{ACCOUNT, Answer, Request, TOKEN, executable::kill, program::program, wait_for, watchdog::watch_this_test};

/// A policy that requires only the parameters.
pub const POLICY: &str = "RN00000000000000000000000000000000";

/// `trusthub-bridge simulate` on a free port, for one account. It is killed when the value is dropped.
pub struct Simulator {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// What it printed before it said that it listens, such as warnings.
    pub warnings: String,
    /// The address on which it listens.
    pub address: SocketAddr,
}

impl Simulator {
    /// Starts it without state.
    pub fn start() -> Self {
        Self::start_with(&[], &[])
    }

    /// Starts it with additional arguments and variables.
    pub fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let usual = [("SIMULATOR_BIND", "127.0.0.1:0"), ("TWILIO_ACCOUNT_SID", ACCOUNT), ("TWILIO_AUTH_TOKEN", TOKEN)];
        let variables = usual.iter().chain(variables).copied();
        let mut child = program().arg("simulate").args(arguments).envs(variables).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut lines = (&mut stderr).lines().map(Result::unwrap);
        let mut warnings = String::new();
        let address = lines.find_map(|line| {
            let address =
                line.split_once("listens on http://").and_then(|(_, rest)| rest.split(';').next()?.parse().ok());
            if address.is_none() {
                warnings.push_str(&format!("{line}\n"));
            }
            address
        });
        let address = address.unwrap_or_else(|| panic!("the simulator does not print its address: {warnings}"));
        Self { child, stderr, warnings, address }
    }

    /// Reads what it prints until a line contains this text, and returns that line.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        watch_this_test();
        let mut lines = (&mut self.stderr).lines().map(Result::unwrap);
        lines.find(|line| line.contains(text)).unwrap_or_else(|| panic!("the simulator does not print {text:?}"))
    }

    /// Interrupts it, waits until it exits, and returns what it has printed since the start.
    pub fn stop(mut self) -> String {
        kill("INT", self.child.id());
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).unwrap();
        assert!(self.child.wait().unwrap().success(), "{stderr}");
        stderr
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The base URL of the API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends an API request as its account.
    pub fn ask(&self, request: &Request) -> Answer {
        self.ask_as(ACCOUNT, TOKEN, request)
    }

    /// Sends an API request as this user.
    pub fn ask_as(&self, user: &str, password: &str, request: &Request) -> Answer {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        self.send(&request.clone().with("Authorization", &format!("Basic {credentials}")))
    }

    /// Sends a request without credentials.
    pub fn send(&self, request: &Request) -> Answer {
        request.clone().with("Host", &self.address.to_string()).send(self.address)
    }

    /// The JSON at this path.
    pub fn get(&self, path: &str) -> Value {
        json(self.ask(&Request::get(path)), 200)
    }

    /// The JSON response to a form.
    pub fn post(&self, path: &str, form: &str) -> Value {
        let answer = self.ask(&Request::form(path, form));
        let status = if answer.status == 201 { 201 } else { 200 };
        json(answer, status)
    }

    /// Creates a customer profile with this status callback URL and returns its SID.
    pub fn create(&self, status_callback: &str) -> String {
        let form =
            format!("FriendlyName=Shop&Email=a%40example.com&PolicySid={POLICY}&StatusCallback={status_callback}");
        self.post("/v1/CustomerProfiles", &form)["sid"].as_str().unwrap().to_owned()
    }

    /// Submits a profile for review.
    pub fn submit(&self, sid: &str) -> Value {
        self.post(&format!("/v1/CustomerProfiles/{sid}"), "Status=pending-review")
    }

    /// Deletes a customer profile, as its owner does.
    pub fn delete(&self, sid: &str) {
        let answer = self.ask(&Request::new("DELETE", &format!("/v1/CustomerProfiles/{sid}"), &[], ""));
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// Performs a reviewer's action on a profile, such as `approve`.
    pub fn control(&self, sid: &str, action: &str, form: &str) -> Value {
        self.post(&format!("/simulator/profiles/{sid}/{action}"), form)
    }

    /// Changes settings.
    pub fn set(&self, settings: &str) -> Value {
        self.post("/simulator/settings", settings)
    }

    /// Waits until every callback was sent or dropped.
    pub fn settle(&self) {
        wait_for("every callback is sent", || {
            (self.get("/simulator/callbacks?limit=1")["under_way"] == 0).then_some(())
        });
    }

    /// Every customer profile, across all pages.
    pub fn list(&self) -> Vec<Value> {
        let mut next = Some("/v1/CustomerProfiles?PageSize=1000".to_owned());
        let mut profiles = Vec::new();
        while let Some(path) = next {
            let mut page = self.get(&path);
            profiles.append(page["results"].as_array_mut().unwrap());
            let url = page["meta"]["next_page_url"].as_str();
            next = url.map(|url| url.split_at(url.find("/v1/").unwrap()).1.to_owned());
        }
        profiles
    }

    /// The callback attempts for a profile so far, oldest first.
    pub fn attempts(&self, sid: &str) -> Vec<Value> {
        let mut attempts =
            match self.get(&format!("/simulator/callbacks?limit=1000&profile_sid={sid}"))["attempts"].take() {
                Value::Array(attempts) => attempts,
                other => panic!("{other}"),
            };
        attempts.reverse();
        attempts
    }
}

fn json(answer: Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
