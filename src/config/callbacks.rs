//! How callbacks are treated: those whose signature does not match, and those that come twice.

use std::time::Duration;

use serde::Deserialize;

use super::{
    Row,
    catalogue::{DEDUP_WINDOW_SECS, SIGNATURE_MODE},
    validate::Reader,
};
use crate::domain::SignatureMode;

/// How callbacks are treated.
#[derive(Debug, Clone, Copy)]
pub struct Callbacks {
    /// What is done with a callback whose signature does not match.
    pub signature_mode: SignatureMode,
    /// How long a callback is remembered, to recognise it when it comes again.
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

pub(super) fn read(signature: SignatureSection, dedup: DedupSection, reader: &mut Reader) -> Option<Callbacks> {
    let signature_mode = reader.word(&SIGNATURE_MODE, signature.mode, &MODES);
    let dedup_window = reader.number(&DEDUP_WINDOW_SECS, dedup.window_secs, 0..=86_400);
    Some(Callbacks { signature_mode: signature_mode?, dedup_window: Duration::from_secs(dedup_window?) })
}

impl Callbacks {
    pub(super) fn describe(self) -> Vec<Row> {
        vec![
            (SIGNATURE_MODE.name, self.signature_mode.to_string()),
            (DEDUP_WINDOW_SECS.name, self.dedup_window.as_secs().to_string()),
        ]
    }
}
