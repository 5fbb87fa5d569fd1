//! The rules of the automatic reviewer in their order.

use serde::Serialize;

use super::{error::ModelError, review_rule::ReviewRule};

/// The limit on rules.
const MAX_RULES: usize = 100;

/// A rule with the number that identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NumberedRule {
    /// The number, counted from 1. Removed numbers do not return.
    pub id: u64,
    /// The rule.
    #[serde(flatten)]
    pub rule: ReviewRule,
}

/// The rules, the first one to try first.
#[derive(Debug, Default)]
pub(super) struct ReviewRules {
    rules: Vec<NumberedRule>,
    last_id: u64,
}

impl ReviewRules {
    pub(super) fn all(&self) -> &[NumberedRule] {
        &self.rules
    }

    /// Adds a rule after the others.
    pub(super) fn add(&mut self, rule: ReviewRule) -> Result<NumberedRule, ModelError> {
        if self.rules.len() >= MAX_RULES {
            return Err(ModelError::Full("100 rules"));
        }
        self.last_id = self.last_id.saturating_add(1);
        let numbered = NumberedRule { id: self.last_id, rule };
        self.rules.push(numbered.clone());
        Ok(numbered)
    }

    pub(super) fn remove(&mut self, id: u64) -> Result<(), ModelError> {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        if self.rules.len() < before { Ok(()) } else { Err(ModelError::NotFound) }
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }
}
