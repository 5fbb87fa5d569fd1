//! The text of an error of Trust Hub's client, with the words of Twilio and the variable to correct.

use trusthub_client::Error;

/// The client does not know where its base URL is configured, and whether the words of Twilio may be printed: they may
/// quote what was sent. Reconciliation sends no personal data.
pub(super) fn describe(error: &Error) -> String {
    match (error, error.refusal()) {
        (Error::Unexpected { .. } | Error::ForeignPage { .. } | Error::NoList, _) => {
            format!("{error} in TRUSTHUB_BASE_URL")
        }
        (Error::Invalid(refusal), _) => format!("Trust Hub rejected the request: Twilio says {refusal}"),
        (_, Some(refusal)) => format!("{error}; Twilio says {refusal}"),
        (_, None) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use trusthub_client::Refusal;

    use super::*;

    #[test]
    fn error_of_another_server_names_the_variable_to_correct() {
        for error in [Error::Unexpected { status: 302 }, Error::NoList] {
            let text = describe(&error);
            assert!(text.ends_with("; check the base URL in TRUSTHUB_BASE_URL"), "{text}");
        }
        assert_eq!(describe(&Error::Timeout), Error::Timeout.to_string());
    }

    #[test]
    fn refusal_has_the_words_of_twilio_after_what_to_do() {
        let refusal = Refusal { status: 403, code: Some(70051), message: "Authorization\nError".to_owned() };
        let text = describe(&Error::Forbidden(refusal.clone()));
        assert!(text.contains("use a Standard or Main key"), "{text}");
        let words = r#"Twilio says status 403, code 70051, "Authorization\nError""#;
        assert!(text.ends_with(&format!("; {words}")), "{text}");
        assert_eq!(describe(&Error::Invalid(refusal)), format!("Trust Hub rejected the request: {words}"));
    }
}
