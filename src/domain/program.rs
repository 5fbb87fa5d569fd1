//! What the program calls itself.

/// Identifies this program in the requests that it sends.
pub(crate) const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_name_this_program_and_its_version() {
        assert_eq!(USER_AGENT, format!("trusthub-bridge/{}", env!("CARGO_PKG_VERSION")));
    }
}
