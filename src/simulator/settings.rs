//! What can be set while the simulator runs.

use std::{num::NonZeroU32, str::FromStr};

use serde::Serialize;
use thiserror::Error;

use super::{
    callback::{DelayRangeError, Faults, Percent, PercentError},
    world::ApiFaults,
};
use crate::domain::{Construction, Label, serialize_label};

/// What is set, under the names that the control API and the command line use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// So many seconds pass in one.
    pub speed: NonZeroU32,
    /// A review ends by itself after so many seconds of the simulator's time; never, if there is no number.
    pub auto_review_secs: Option<u64>,
    /// So many of a hundred of such reviews end in a rejection.
    pub auto_reject: Percent,
    /// How callbacks are signed.
    #[serde(serialize_with = "serialize_label")]
    pub construction: Construction,
    /// What goes wrong with callbacks.
    #[serde(flatten)]
    pub callbacks: Faults,
    /// What goes wrong with the API.
    #[serde(flatten)]
    pub api: ApiFaults,
}

/// A setting that there is not, or a value that it cannot have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadSetting {
    /// There is no such setting.
    #[error("there is no setting {name}; there are {}", .known.join(", "))]
    Unknown {
        /// What was written.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The value is wrong.
    #[error("{name}: {wrong}")]
    Value {
        /// Which setting.
        name: String,
        /// What is wrong with it.
        wrong: String,
    },
}

type Setter = fn(&mut Settings, &str) -> Result<(), String>;

/// Every setting by its name.
const SETTERS: &[(&str, Setter)] = &[
    ("speed", |all, text| put(&mut all.speed, text, "a whole number from 1 to 4294967295")),
    ("auto_review_secs", |all, text| {
        let seconds = if text == "off" { Ok(None) } else { text.parse().map(Some) };
        all.auto_review_secs = seconds.map_err(|_| "write a number of seconds, or off".to_owned())?;
        Ok(())
    }),
    ("auto_reject", |all, text| percent(&mut all.auto_reject, text)),
    ("construction", |all, text| {
        let wrong = || format!("write one of {}", Label::list(Construction::ALL));
        all.construction = Construction::named(text).ok_or_else(wrong)?;
        Ok(())
    }),
    ("drop", |all, text| percent(&mut all.callbacks.drop, text)),
    ("duplicate", |all, text| percent(&mut all.callbacks.duplicate, text)),
    ("delay", |all, text| percent(&mut all.callbacks.delay, text)),
    ("delay_ms", |all, text| {
        all.callbacks.delay_ms = text.parse().map_err(|error: DelayRangeError| error.to_string())?;
        Ok(())
    }),
    ("reorder", |all, text| percent(&mut all.callbacks.reorder, text)),
    ("get_with_doubled_hash", |all, text| percent(&mut all.callbacks.get_with_doubled_hash, text)),
    ("wrong_signature", |all, text| percent(&mut all.callbacks.wrong_signature, text)),
    ("old_token", |all, text| percent(&mut all.callbacks.old_token, text)),
    ("too_many_requests", |all, text| percent(&mut all.api.too_many_requests, text)),
    ("retry_after_secs", |all, text| put(&mut all.api.retry_after_secs, text, "a whole number of seconds")),
    ("server_errors", |all, text| percent(&mut all.api.server_errors, text)),
];

fn percent(place: &mut Percent, text: &str) -> Result<(), String> {
    *place = text.parse().map_err(|error: PercentError| error.to_string())?;
    Ok(())
}

fn put<T: FromStr>(place: &mut T, text: &str, instead: &str) -> Result<(), String> {
    *place = text.parse().map_err(|_| format!("write {instead}"))?;
    Ok(())
}

impl Settings {
    /// The same but for this one.
    ///
    /// # Errors
    /// [`BadSetting`].
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, BadSetting> {
        let Some((_, set)) = SETTERS.iter().find(|(known, _)| *known == name) else {
            let known = SETTERS.iter().map(|(name, _)| *name).collect();
            return Err(BadSetting::Unknown { name: name.to_owned(), known });
        };
        match set(&mut self, value) {
            Ok(()) => Ok(self),
            Err(wrong) => Err(BadSetting::Value { name: name.to_owned(), wrong }),
        }
    }
}
