//! Shows one dead letter.

use crate::{
    cli::text::escaped,
    replay::{LetterClassifier, LetterObserver, LetterStatus, ShownBody, ShownRequest, SurveyProgress, SurveyedLetter},
};

/// Keeps the texts of the letters that it sees.
pub(super) struct ShownLetters<'a> {
    pub(super) classifier: &'a LetterClassifier,
    pub(super) texts: Vec<String>,
}

impl LetterObserver for ShownLetters<'_> {
    fn letter(&mut self, letter: &SurveyedLetter) {
        let diagnosis = match letter.status {
            LetterStatus::Kept(reason) if reason.is_of_signature() => self.classifier.diagnose(&letter.letter),
            _ => None,
        };
        self.texts.push(text(letter, diagnosis));
    }

    fn progress(&mut self, _: SurveyProgress) {}
}

/// The letter for people. Nothing in it can control the terminal, and it has no signature.
fn text(letter: &SurveyedLetter, diagnosis: Option<String>) -> String {
    let SurveyedLetter { letter: record, status, profile, .. } = letter;
    let mut lines = vec![format!("dead letter {}", record.position)];
    let mut fact = |name: &str, value: &str| lines.push(format!("  {name:9} {}", escaped(value)));
    fact("received", &record.time.to_string());
    fact("reason", &record.reason);
    fact("profile", profile.as_deref().unwrap_or("-"));
    fact("ce_id", &record.event_id);
    match status {
        LetterStatus::Kept(reason) => fact("replay", &format!("stays: {reason}")),
        _ => fact("replay", &status.summary()),
    }
    if let Some(diagnosis) = diagnosis {
        fact("diagnosis", &diagnosis);
    }
    lines.push(String::new());
    lines.extend(request_lines(&ShownRequest::of(&record.request)));
    lines.join("\n")
}

/// The request as it arrived, as far as the letter has it.
fn request_lines(request: &ShownRequest) -> Vec<String> {
    let mut lines = vec![format!("{} {}", escaped(&request.method), escaped(&request.path_and_query))];
    lines.extend(request.headers.iter().map(|(name, value)| format!("{}: {}", escaped(name), escaped(value))));
    match &request.body {
        ShownBody::Empty => {}
        ShownBody::Text(text) => {
            lines.push(String::new());
            lines.extend(text.lines().map(escaped));
        }
        ShownBody::Base64(base64) => lines.extend([String::new(), format!("(in base64) {}", escaped(base64))]),
    }
    lines
}
