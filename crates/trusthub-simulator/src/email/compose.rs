//! What the e-mail about a decision says.

use trusthub_events::{Status, error_code};

use crate::model::{SimulatedProfile, StatusChange};

/// The longest part of a profile's name in a subject, in characters.
const MAX_NAME_CHARS: usize = 60;

/// Subject and text of an e-mail. Neither has a control character, except the line feeds of the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) text: String,
}

/// Returns the e-mail about this change of the profile, or `None` if Twilio sends none: it does only about a decision, and
/// about the end of an approval.
pub(super) fn compose(profile: &SimulatedProfile, change: &StatusChange) -> Option<Letter> {
    let event = match change.status {
        Status::TwilioApproved => "was approved",
        Status::TwilioRejected if change.is_expiry => "has expired",
        Status::TwilioRejected => "was rejected",
        _ => return None,
    };
    let noun = profile.kind.noun();
    let name = single_line(&profile.friendly_name);
    let subject = format!("Your {noun} \"{}\" {event}", shortened(&name));
    let mut text = format!(
        "Your {noun} {event}.\n\nName: {name}\nSID: {}\nAccount: {}\nStatus: {}\n",
        profile.sid, profile.account, change.status
    );
    if let Some(end) = profile.valid_until {
        text.push_str(&format!("Valid until: {end}\n"));
    }
    if !change.reason.is_empty() {
        text.push_str(&format!("\nReason: {}\n", single_line(&change.reason)));
    }
    let entries = profile.errors.iter().filter_map(|code| error_code::entry(*code));
    let cures: String = entries.map(|entry| format!("- {}: {}\n", entry.code, entry.cure)).collect();
    if !cures.is_empty() {
        text.push_str(&format!("\nWhat to do:\n{cures}"));
    }
    text.push_str("\nA simulator of Twilio Trust Hub wrote this message.\n");
    Some(Letter { subject, text })
}

/// Returns the text with a space for each control character.
pub(super) fn single_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME_CHARS).and_then(|(end, _)| name.get(..end)) {
        Some(start) => format!("{start}…"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        email::fixture::in_review,
        model::{OUTDATED, ProfileUpdate, REGULATION_CHANGED, ReviewDecision},
    };

    fn letter(ProfileUpdate { profile, changes }: &ProfileUpdate) -> Letter {
        compose(profile, changes.last().unwrap()).unwrap()
    }

    fn reject(codes: &[u32], reason: &str) -> ReviewDecision {
        ReviewDecision::Reject { codes: codes.to_vec(), reason: reason.to_owned() }
    }

    #[test]
    fn rejection_names_profile_reasons_and_cures() {
        let (mut model, sid) = in_review("Corner Shop", "a@example.com");
        let Letter { subject, text } = letter(&model.decide(&sid, reject(&[18602, 18603], "Unknown")).unwrap());
        assert_eq!(subject, "Your customer profile \"Corner Shop\" was rejected");
        let expected = format!(
            "Your customer profile was rejected.\n\nName: Corner Shop\nSID: {sid}\nAccount: AC{}\nStatus: twilio-rejected\n\n\
             Reason: Unknown (18602, 18603)\n\nWhat to do:\n- 18602: Copy number, type and legal name from the register, such \
             as the IRS letter for an EIN, and submit again.\n- 18603: Enter the address as it is registered, and submit \
             again.\n\nA simulator of Twilio Trust Hub wrote this message.\n",
            "0".repeat(32)
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn approval_names_its_end_and_expiry_is_told_from_rejection() {
        let (mut model, sid) = in_review("Shop", "a@example.com");
        let end = model.now().after(Duration::from_secs(86_400));
        let Letter { subject, text } =
            letter(&model.decide(&sid, ReviewDecision::Approve { valid_until: Some(end) }).unwrap());
        assert_eq!(subject, "Your customer profile \"Shop\" was approved");
        assert!(text.contains(&format!("Status: twilio-approved\nValid until: {end}\n\nA simulator")), "{text}");
        let Letter { subject, text } = letter(&model.expire(&sid, OUTDATED).unwrap());
        assert_eq!(subject, "Your customer profile \"Shop\" has expired");
        assert!(text.contains("Reason: The approval has expired (22601).\n\nWhat to do:\n- 22601: "), "{text}");
    }

    #[test]
    fn rejection_with_the_code_of_an_expiry_is_no_expiry() {
        for code in [OUTDATED, REGULATION_CHANGED] {
            let (mut model, sid) = in_review("Shop", "a@example.com");
            let letter = letter(&model.decide(&sid, reject(&[code], "Outdated")).unwrap());
            assert_eq!(letter.subject, "Your customer profile \"Shop\" was rejected");
        }
    }

    #[test]
    fn only_decisions_are_reported() {
        let (model, sid) = in_review("Shop", "a@example.com");
        let profile = model.get(&sid).unwrap();
        for status in [Status::Draft, Status::PendingReview, Status::InReview] {
            assert_eq!(
                compose(profile, &StatusChange { status, reason: String::new(), is_expiry: false }),
                None,
                "{status}"
            );
        }
    }

    #[test]
    fn long_name_is_shortened_in_the_subject_and_control_characters_are_gone() {
        let name = format!("Ä\r\nStatus: twilio-approved\0{}", "x".repeat(2_000));
        let (mut model, sid) = in_review(&name, "a@example.com");
        let Letter { subject, text } = letter(&model.decide(&sid, reject(&[], "One\r\nBcc: two")).unwrap());
        assert!(subject.chars().count() < 110 && subject.contains("Ä  Status: twilio-approved xx"), "{subject}");
        assert_eq!(subject.chars().chain(text.chars()).filter(|one| one.is_control() && *one != '\n').count(), 0);
        assert!(text.contains("\nReason: One  Bcc: two\n"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("Status: ")).count(), 1, "{text}");
    }
}
