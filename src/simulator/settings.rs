//! What can be set while the simulator runs.

use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    callback::{Faults, Percent},
    world::ApiFaults,
};
use crate::domain::{Construction, Label as _};

/// What is set, under the names that the control API and the command line use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// So many seconds pass in one.
    pub speed: NonZeroU32,
    /// A review ends by itself after so many seconds of the simulator's time; never, if there is no number.
    pub auto_review_secs: Option<u64>,
    /// So many of a hundred of such reviews end in a rejection.
    pub auto_reject: Percent,
    /// How callbacks are signed.
    #[serde(serialize_with = "write", deserialize_with = "read")]
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
        known: Vec<String>,
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

impl Settings {
    /// The same but for this one; `off` stands for no number.
    ///
    /// # Errors
    /// [`BadSetting`].
    pub fn with(&self, name: &str, value: &str) -> Result<Self, BadSetting> {
        let mut all = self.as_map();
        let Some(place) = all.get_mut(name) else {
            let known = all.keys().cloned().collect();
            return Err(BadSetting::Unknown { name: name.to_owned(), known });
        };
        *place = match value {
            "off" => Value::Null,
            _ => value.parse().map_or_else(|_| Value::String(value.to_owned()), |number: u64| number.into()),
        };
        let wrong = |error: serde_json::Error| BadSetting::Value { name: name.to_owned(), wrong: error.to_string() };
        serde_json::from_value(all.into()).map_err(wrong)
    }

    fn as_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        }
    }
}

fn write<S: Serializer>(construction: &Construction, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(construction.as_str())
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Construction, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = || Construction::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    let found = Construction::ALL.iter().find(|one| one.as_str() == name).copied();
    found.ok_or_else(|| D::Error::custom(format!("write one of {}", known())))
}
