//! A rule of the automatic reviewer.

use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;
use trusthub_events::{Label as _, closed_set, serialize_label};

use super::{
    profile::ReviewDecision,
    rejection_code::{RejectionCodeError, parse_rejection_code, sentences},
    review_fields::ReviewFields,
    text_pattern::TextPattern,
};

/// The longest name of a field in characters.
const MAX_FIELD_CHARS: usize = 64;
const MAX_CODES: usize = 10;
const MAX_REASON_CHARS: usize = 500;

closed_set! {
    /// How a rule ends a review.
    pub enum RuleDecision {
        /// The profile is approved.
        Approve => "approve",
        /// The profile is rejected.
        Reject => "reject",
    }
}

/// A rule: if a field of a profile matches a text, the automatic review ends with this decision.
///
/// It is written as `FIELD=TEXT => approve` or as `FIELD=TEXT => reject CODE,CODE: REASON`, where codes and reason are
/// optional. The last `=>` that a decision follows counts, and spaces around the parts do not. The field is `friendly_name`, which is the name of the profile, or the name of any attribute of its end users
/// and documents. In the text, `*` stands for any text, and the case of letters does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewRule {
    field: String,
    matches: TextPattern,
    #[serde(serialize_with = "serialize_label")]
    decision: RuleDecision,
    codes: Vec<u32>,
    reason: String,
}

/// The parts of a rule as they were written.
#[derive(Debug, Clone, Default)]
pub struct RuleParts<'a> {
    /// `friendly_name`, or the name of an attribute: at most 64 letters, digits and underscores.
    pub field: &'a str,
    /// The text to match: 1 to 200 characters.
    pub matches: &'a str,
    /// `approve` or `reject`.
    pub decision: &'a str,
    /// The error codes of a rejection: at most 10. Without codes and reason, fitting ones are drawn.
    pub codes: Vec<&'a str>,
    /// The reason of a rejection: at most 500 characters. Without it, it is made of the codes.
    pub reason: &'a str,
}

/// Why a text is not a [`ReviewRule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReviewRuleError {
    /// It does not have the parts of a rule.
    #[error(
        "write a field, a text and a decision, such as 'business_name=*fail* => reject 18602: Not in the register' or \
         'friendly_name=*pass* => approve'"
    )]
    Form,
    /// The field cannot be the name of an attribute.
    #[error(
        "field: write friendly_name or the name of an attribute, such as business_name: at most 64 letters, digits and \
         underscores"
    )]
    Field,
    /// The text to match is missing or too long.
    #[error("matches: write a text of 1 to 200 characters, such as *fail*, where * stands for any text")]
    Matches,
    /// The decision is unknown.
    #[error("decision: write approve or reject")]
    Decision,
    /// One of the codes cannot be the reason of a rejection.
    #[error("code: {0}")]
    Code(#[from] RejectionCodeError),
    /// There are too many codes.
    #[error("code: write at most 10 codes")]
    TooManyCodes,
    /// The reason is too long.
    #[error("reason: write at most 500 characters")]
    Reason,
    /// An approval has codes or a reason.
    #[error("decision: approve has neither code nor reason; omit them, or write reject")]
    ApprovalWithReason,
}

impl RuleParts<'_> {
    /// Checks the parts.
    ///
    /// # Errors
    /// [`ReviewRuleError`] for the first part that is not valid.
    pub fn check(&self) -> Result<ReviewRule, ReviewRuleError> {
        let Self { codes, .. } = self;
        let [field, matches, decision, reason] = [self.field, self.matches, self.decision, self.reason].map(str::trim);
        let is_name_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if field.is_empty() || field.len() > MAX_FIELD_CHARS || !field.chars().all(is_name_part) {
            return Err(ReviewRuleError::Field);
        }
        let matches = TextPattern::parse(matches).ok_or(ReviewRuleError::Matches)?;
        let decision = RuleDecision::named(decision).ok_or(ReviewRuleError::Decision)?;
        if decision == RuleDecision::Approve && !(codes.is_empty() && reason.is_empty()) {
            return Err(ReviewRuleError::ApprovalWithReason);
        }
        if codes.len() > MAX_CODES {
            return Err(ReviewRuleError::TooManyCodes);
        }
        let codes = codes.iter().map(|code| parse_rejection_code(code.trim())).collect::<Result<_, _>>()?;
        if reason.chars().count() > MAX_REASON_CHARS {
            return Err(ReviewRuleError::Reason);
        }
        Ok(ReviewRule { field: field.to_owned(), matches, decision, codes, reason: reason.to_owned() })
    }
}

impl FromStr for ReviewRule {
    type Err = ReviewRuleError;

    fn from_str(text: &str) -> Result<Self, ReviewRuleError> {
        let (condition, effect) = split(text).ok_or(ReviewRuleError::Form)?;
        let (field, matches) = condition.split_once('=').ok_or(ReviewRuleError::Form)?;
        let (effect, reason) = effect.split_once(':').unwrap_or((effect, ""));
        let effect = effect.trim();
        let (decision, codes) = effect.split_once(char::is_whitespace).unwrap_or((effect, ""));
        let codes = codes.split(',').map(str::trim).filter(|code| !code.is_empty()).collect();
        RuleParts { field, matches, decision, codes, reason }.check()
    }
}

/// Splits a rule at the last arrow that a decision follows. The text to match and the reason can have arrows, too.
fn split(text: &str) -> Option<(&str, &str)> {
    let arrows =
        text.rmatch_indices("=>").filter_map(|(at, arrow)| Some((text.get(..at)?, text.get(at + arrow.len()..)?)));
    let is_decision = |effect: &str| {
        let word = effect.trim_start().split(|one: char| one == ':' || one.is_whitespace()).next();
        word.and_then(RuleDecision::named).is_some()
    };
    let mut arrows = arrows.peekable();
    let last = arrows.peek().copied();
    arrows.find(|(_, effect)| is_decision(effect)).or(last)
}

impl ReviewRule {
    /// Returns how the rule ends the review of a profile with these fields, or `None` if it does not match. `draw` returns
    /// fitting codes.
    pub(super) fn decide(&self, fields: &ReviewFields, draw: impl FnOnce() -> Vec<u32>) -> Option<ReviewDecision> {
        if !fields.any(&self.field, |folded| self.matches.matches(folded)) {
            return None;
        }
        if self.decision == RuleDecision::Approve {
            return Some(ReviewDecision::Approve { valid_until: None });
        }
        let is_drawn = self.codes.is_empty() && self.reason.is_empty();
        let codes = if is_drawn { draw() } else { self.codes.clone() };
        let reason = if self.reason.is_empty() { sentences(&codes) } else { self.reason.clone() };
        Some(ReviewDecision::Reject { codes, reason })
    }
}
