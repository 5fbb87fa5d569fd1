//! The signature mode and the deduplication of callbacks.

use std::time::Duration;

use serde::Deserialize;

use super::{
    catalogue::{DEDUP_WINDOW_SECS, SIGNATURE_MODE},
    describe::Row,
    validate::Validator,
};
use crate::domain::SignatureMode;

/// How callbacks are processed.
#[derive(Debug, Clone, Copy)]
pub struct CallbackConfig {
    /// Whether callbacks whose signature does not match are rejected or only reported.
    pub signature_mode: SignatureMode,
    /// How long a callback is remembered in order to recognize a repeat; zero turns deduplication off.
    pub dedup_window: Duration,
}

#[derive(Deserialize)]
pub(super) struct SignatureSection {
    mode: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct DedupSection {
    window_secs: Option<String>,
}

const MODES: [(&str, SignatureMode); 2] =
    [("enforce", SignatureMode::Enforce), ("report-only", SignatureMode::ReportOnly)];

impl SignatureSection {
    pub(super) fn validate(self, validator: &mut Validator) -> Option<SignatureMode> {
        validator.parse_choice(&SIGNATURE_MODE, self.mode, &MODES)
    }
}

pub(super) fn validate(
    signature: SignatureSection,
    dedup: DedupSection,
    validator: &mut Validator,
) -> Option<CallbackConfig> {
    let signature_mode = signature.validate(validator);
    let dedup_window = validator.parse_number(&DEDUP_WINDOW_SECS, dedup.window_secs, 0..=86_400);
    Some(CallbackConfig { signature_mode: signature_mode?, dedup_window: Duration::from_secs(dedup_window?) })
}

impl CallbackConfig {
    pub(super) fn describe(self) -> Vec<Row> {
        vec![
            (SIGNATURE_MODE.name, self.signature_mode.to_string()),
            (DEDUP_WINDOW_SECS.name, self.dedup_window.as_secs().to_string()),
        ]
    }
}
