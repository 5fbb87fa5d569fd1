//! The schemas of the values that the service publishes, as texts for schema registries and for Avro.

use crate::{
    cloud_events,
    label::{Label as _, closed_set},
};

closed_set! {
    /// The schema of a value.
    pub enum DataSchema {
        /// Of a [`ProfileStatusChanged`](crate::ProfileStatusChanged), also as the data of a test event.
        ProfileStatusChanged => "profile-status-changed",
        /// Of a [`ProfileDescribed`](crate::ProfileDescribed).
        ProfileDescribed => "profile-described",
        /// Of a [`ProfileDeleted`](crate::ProfileDeleted).
        ProfileDeleted => "profile-deleted",
        /// Of a [`ProfileState`](crate::state::ProfileState).
        ProfileState => "profile-state",
    }
}

impl DataSchema {
    /// The schema with this CloudEvents `dataschema`.
    #[must_use]
    pub fn of_urn(urn: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|schema| schema.urn() == urn)
    }

    /// The schema of the data of this CloudEvents `type`; `None` for a type that readers do not use, such as that of a test event.
    #[must_use]
    pub fn of_event_type(event_type: &str) -> Option<Self> {
        match event_type {
            cloud_events::EVENT_TYPE => Some(Self::ProfileStatusChanged),
            cloud_events::DESCRIBED_EVENT_TYPE => Some(Self::ProfileDescribed),
            cloud_events::DELETED_EVENT_TYPE => Some(Self::ProfileDeleted),
            cloud_events::STATE_TYPE => Some(Self::ProfileState),
            _ => None,
        }
    }

    /// The CloudEvents `dataschema`.
    #[must_use]
    pub fn urn(self) -> &'static str {
        match self {
            Self::ProfileStatusChanged => cloud_events::DATA_SCHEMA,
            Self::ProfileDescribed => cloud_events::DESCRIBED_DATA_SCHEMA,
            Self::ProfileDeleted => cloud_events::DELETED_DATA_SCHEMA,
            Self::ProfileState => cloud_events::STATE_DATA_SCHEMA,
        }
    }

    /// The full name of the Avro record.
    #[must_use]
    pub fn record_name(self) -> &'static str {
        match self {
            Self::ProfileStatusChanged => "io.trusthub_bridge.v1.ProfileStatusChanged",
            Self::ProfileDescribed => "io.trusthub_bridge.v1.ProfileDescribed",
            Self::ProfileDeleted => "io.trusthub_bridge.v1.ProfileDeleted",
            Self::ProfileState => "io.trusthub_bridge.v1.ProfileState",
        }
    }

    /// The Avro schema.
    #[must_use]
    pub fn avro(self) -> &'static str {
        match self {
            Self::ProfileStatusChanged => include_str!("../schemas/profile-status-changed.v1.avsc"),
            Self::ProfileDescribed => include_str!("../schemas/profile-described.v1.avsc"),
            Self::ProfileDeleted => include_str!("../schemas/profile-deleted.v1.avsc"),
            Self::ProfileState => include_str!("../schemas/profile-state.v1.avsc"),
        }
    }

    /// The JSON Schema in draft-07, the newest draft that all schema registries know.
    #[must_use]
    pub fn json_draft_07(self) -> &'static str {
        match self {
            Self::ProfileStatusChanged => include_str!("../schemas/profile-status-changed.v1.draft-07.json"),
            Self::ProfileDescribed => include_str!("../schemas/profile-described.v1.draft-07.json"),
            Self::ProfileDeleted => include_str!("../schemas/profile-deleted.v1.draft-07.json"),
            Self::ProfileState => include_str!("../schemas/profile-state.v1.draft-07.json"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn each_schema_has_its_urn_and_its_name_in_both_formats() {
        for schema in DataSchema::ALL.iter().copied() {
            let avro: Value = serde_json::from_str(schema.avro()).unwrap();
            let name = format!("{}.{}", avro["namespace"].as_str().unwrap(), avro["name"].as_str().unwrap());
            assert_eq!(schema.record_name(), name);
            let json: Value = serde_json::from_str(schema.json_draft_07()).unwrap();
            assert_eq!(json["$id"], schema.urn());
            assert_eq!(DataSchema::of_urn(schema.urn()), Some(schema));
        }
        assert_eq!(DataSchema::of_urn(crate::dead_letter::DATA_SCHEMA), None, "dead letters have no registered schema");
    }
}
