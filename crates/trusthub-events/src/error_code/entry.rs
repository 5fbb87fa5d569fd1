//! What the tables of error codes consist of.

/// An error code of Twilio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The error code.
    pub code: u32,
    /// The error code as text.
    pub text: &'static str,
    /// The meaning, as a stable name in snake case.
    pub meaning: &'static str,
    /// What is wrong, in one sentence for people.
    pub message: &'static str,
    /// Why Twilio says so, in one sentence.
    pub cause: &'static str,
    /// What to do about it, for a person at the business.
    pub cure: &'static str,
}

/// Error codes that concern the same thing, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeFamily {
    /// What the codes concern, as a heading.
    pub title: &'static str,
    /// Where such codes occur, in one or two sentences.
    pub about: &'static str,
    /// Whether a rejection can have these codes; otherwise only the answer to a request has them.
    pub is_in_rejections: bool,
    /// The codes.
    pub entries: &'static [CatalogEntry],
}
