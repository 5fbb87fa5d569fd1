//! The settings that can be changed while the simulator runs.

use std::{num::NonZeroU32, str::FromStr};

use serde::Serialize;
use thiserror::Error;
use twilio_signature::Construction;

use super::{
    api_faults::ApiFaultRates,
    callback::{CallbackFaultRates, DelayRangeError, Percent, PercentError},
};

/// All settings, under the names that the control API and the command line use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SimulatorSettings {
    /// The number of simulated seconds that pass in one real second.
    pub speed: NonZeroU32,
    /// The time until an automatic review, in simulated seconds; `None` turns automatic reviews off.
    pub auto_review_secs: Option<u64>,
    /// The share of automatic reviews that end in a rejection.
    pub auto_reject: Percent,
    /// How callbacks are signed.
    pub construction: Construction,
    /// The faults of callbacks.
    #[serde(flatten)]
    pub callbacks: CallbackFaultRates,
    /// The faults of the API.
    #[serde(flatten)]
    pub api: ApiFaultRates,
}

/// A setting that does not exist, or a value that it cannot have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingError {
    /// No setting has this name.
    #[error("unknown setting {name}; write one of {}", .known.join(", "))]
    Unknown {
        /// The name as it was given.
        name: String,
        /// The names of all settings.
        known: Vec<&'static str>,
    },
    /// The value is not valid.
    #[error("{name}: {problem}")]
    Value {
        /// The name of the setting.
        name: String,
        /// What to write instead.
        problem: String,
    },
}

type Setter = fn(&mut SimulatorSettings, &str) -> Result<(), String>;

/// Every setting by its name.
const SETTERS: &[(&str, Setter)] = &[
    ("speed", |all, text| set(&mut all.speed, text, "a whole number from 1 to 4294967295")),
    ("auto_review_secs", |all, text| {
        let seconds = if text == "off" { Ok(None) } else { text.parse().map(Some) };
        all.auto_review_secs = seconds.map_err(|_| "write a number of seconds, or off".to_owned())?;
        Ok(())
    }),
    ("auto_reject", |all, text| set_percent(&mut all.auto_reject, text)),
    ("construction", |all, text| {
        let named = Construction::ALL.iter().copied().find(|construction| construction.as_str() == text);
        all.construction = named.ok_or_else(|| format!("write one of {}", construction_names()))?;
        Ok(())
    }),
    ("drop", |all, text| set_percent(&mut all.callbacks.drop, text)),
    ("duplicate", |all, text| set_percent(&mut all.callbacks.duplicate, text)),
    ("delay", |all, text| set_percent(&mut all.callbacks.delay, text)),
    ("delay_ms", |all, text| {
        all.callbacks.delay_ms = text.parse().map_err(|error: DelayRangeError| error.to_string())?;
        Ok(())
    }),
    ("reorder", |all, text| set_percent(&mut all.callbacks.reorder, text)),
    ("get_with_doubled_hash", |all, text| set_percent(&mut all.callbacks.get_with_doubled_hash, text)),
    ("wrong_signature", |all, text| set_percent(&mut all.callbacks.wrong_signature, text)),
    ("old_token", |all, text| set_percent(&mut all.callbacks.old_token, text)),
    ("too_many_requests", |all, text| set_percent(&mut all.api.too_many_requests, text)),
    ("retry_after_secs", |all, text| set(&mut all.api.retry_after_secs, text, "a whole number of seconds")),
    ("server_errors", |all, text| set_percent(&mut all.api.server_errors, text)),
];

fn construction_names() -> String {
    Construction::ALL.iter().map(|construction| construction.as_str()).collect::<Vec<_>>().join(", ")
}

fn set_percent(target: &mut Percent, text: &str) -> Result<(), String> {
    *target = text.parse().map_err(|error: PercentError| error.to_string())?;
    Ok(())
}

fn set<T: FromStr>(target: &mut T, text: &str, instead: &str) -> Result<(), String> {
    *target = text.parse().map_err(|_| format!("write {instead}"))?;
    Ok(())
}

impl SimulatorSettings {
    /// Returns the settings with this one changed.
    ///
    /// # Errors
    /// [`SettingError`].
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, SettingError> {
        let Some((_, set)) = SETTERS.iter().find(|(known, _)| *known == name) else {
            let known = SETTERS.iter().map(|(name, _)| *name).collect();
            return Err(SettingError::Unknown { name: name.to_owned(), known });
        };
        match set(&mut self, value) {
            Ok(()) => Ok(self),
            Err(problem) => Err(SettingError::Value { name: name.to_owned(), problem }),
        }
    }
}
