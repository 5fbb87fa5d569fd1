//! The text of an error of Trust Hub's client, with the variable to correct.

use trusthub_client::Error;

/// The client does not know where its base URL is configured.
pub(super) fn describe(error: &Error) -> String {
    match error {
        Error::Unexpected { .. } | Error::ForeignPage { .. } => format!("{error} in TRUSTHUB_BASE_URL"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_of_another_server_names_the_variable_to_correct() {
        let text = describe(&Error::Unexpected { status: 302 });
        assert!(text.ends_with("; check the base URL in TRUSTHUB_BASE_URL"), "{text}");
        assert_eq!(describe(&Error::Timeout), Error::Timeout.to_string());
    }
}
