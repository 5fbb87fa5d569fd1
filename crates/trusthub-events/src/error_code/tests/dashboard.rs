//! The texts of the codes in the dashboard's table of rejections. Grafana maps a label to a text only by a list.

use super::{super::rejection_codes, generated::assert_generated};

const FILE: &str = "helm/trusthub-bridge/files/dashboard.json";
/// The line before the texts; no other mapping of the file has a line of its own for it.
const BEGIN: &str = "                    \"options\": {\n";
const END: &str = "                    }\n";

#[test]
fn dashboard_has_the_message_of_each_code() {
    assert_generated(FILE, |present| {
        let mut parts = present.split(BEGIN);
        let (Some(before), Some(rest), None) = (parts.next(), parts.next(), parts.next()) else {
            panic!("{FILE} has not one list of texts");
        };
        let (_, after) = rest.split_once(END).expect("the end of the texts");
        format!("{before}{BEGIN}{}{END}{after}", texts())
    });
}

/// A line for each label, in JSON.
fn texts() -> String {
    let codes = rejection_codes().map(|entry| (entry.text, format!("{}: {}", entry.text, entry.message)));
    let others = [
        ("other", "Another code: the event has it, and Twilio's page says what it means."),
        ("none", "No code: the failure reason of the event says why."),
    ];
    let texts = codes.chain(others.map(|(label, text)| (label, text.to_owned())));
    let lines = texts.enumerate().map(|(index, (label, text))| {
        format!("                      {label:?}: {{ \"index\": {index}, \"text\": {text:?} }}")
    });
    lines.collect::<Vec<_>>().join(",\n") + "\n"
}
