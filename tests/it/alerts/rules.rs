//! Reads the rules from their files.

use std::sync::OnceLock;

use serde_json::Value;

use test_support::project_root;

use crate::chart::rendering::{list, objects, read, text};

/// The rule files: the main one, and the one that is off by default.
pub(super) const FILES: [&str; 2] =
    ["helm/trusthub-bridge/files/alerts.yaml", "helm/trusthub-bridge/files/alerts-no-callback.yaml"];

/// An alerting rule or a recording rule.
pub(super) struct Rule {
    /// The name of the alert or of the recorded series.
    pub(super) name: String,
    pub(super) is_alert: bool,
    /// The whole rule.
    pub(super) body: Value,
}

impl Rule {
    fn new(body: &Value) -> Self {
        let is_alert = body["record"].is_null();
        let name = text(&body[if is_alert { "alert" } else { "record" }]).to_owned();
        Self { name, is_alert, body: body.clone() }
    }

    pub(super) fn expression(&self) -> &str {
        text(&self.body["expr"])
    }
}

/// All rules, read once.
pub(super) fn rules() -> &'static [Rule] {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    RULES.get_or_init(|| {
        let files = FILES.iter().flat_map(|file| objects(&read(&project_root().join(file)), &[]).unwrap());
        let groups: Vec<Value> = files.flat_map(|file| list(&file["groups"]).cloned().collect::<Vec<_>>()).collect();
        groups.iter().flat_map(|group| list(&group["rules"])).map(Rule::new).collect()
    })
}
