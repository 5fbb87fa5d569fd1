//! The rules as the files have them.

use std::sync::OnceLock;

use serde_json::Value;

use crate::chart::rendering::{list, objects, read, root, text};

/// The files of rules: the one for everybody, and the one that is off by default.
pub(super) const FILES: [&str; 2] =
    ["helm/trusthub-bridge/files/alerts.yaml", "helm/trusthub-bridge/files/alerts-no-callback.yaml"];

/// An alert, or a series that is recorded.
pub(super) struct Rule {
    /// The name of the alert or of the series.
    pub(super) name: String,
    pub(super) is_alert: bool,
    /// All of it.
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

/// All of them, read once.
pub(super) fn rules() -> &'static [Rule] {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    RULES.get_or_init(|| {
        let files = FILES.iter().flat_map(|file| objects(&read(&root().join(file)), &[]).unwrap());
        let groups: Vec<Value> = files.flat_map(|file| list(&file["groups"]).cloned().collect::<Vec<_>>()).collect();
        groups.iter().flat_map(|group| list(&group["rules"])).map(Rule::new).collect()
    })
}
