//! The subjects under which the registry has the schemas.

use crate::{
    config::{KafkaConfig, ValueFormat},
    domain::DataSchema,
};

/// A schema, and the subject under which it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// The schema of the values.
    pub(super) schema: DataSchema,
    /// The name of the subject.
    pub(super) name: String,
    /// The format of the registered schema.
    pub(super) format: ValueFormat,
}

impl Subject {
    /// The registry's name of the format.
    pub(super) fn schema_type(&self) -> &'static str {
        match self.format {
            ValueFormat::Json => "JSON",
            ValueFormat::Avro => "AVRO",
        }
    }

    /// The schema as it is registered.
    pub(super) fn text(&self) -> &'static str {
        match self.format {
            ValueFormat::Json => self.schema.json_draft_07(),
            ValueFormat::Avro => self.schema.avro(),
        }
    }
}

/// The subjects of this configuration. The main type of a topic has the name that the topic name strategy gives it. The other
/// types of the event topic have that of the strategy for topics with several types, because the schemas of one subject must
/// be versions of one type.
pub(super) fn subjects(kafka: &KafkaConfig) -> Vec<Subject> {
    let (events, format) = (&kafka.topic, kafka.values.format);
    let subject = |schema: DataSchema, name: String| Subject { schema, name, format };
    let typed = |schema: DataSchema| subject(schema, format!("{events}-{}", schema.record_name()));
    let mut all = vec![subject(DataSchema::ProfileStatusChanged, format!("{events}-value"))];
    // Also if the states are turned off: the spool may still have events of these types.
    all.extend([DataSchema::ProfileDescribed, DataSchema::ProfileDeleted].map(typed));
    all.extend(kafka.profiles_topic.iter().map(|states| subject(DataSchema::ProfileState, format!("{states}-value"))));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn names(variables: &[(&str, &str)]) -> Vec<String> {
        let least = [("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092"), ("KAFKA_TOPIC", "events")];
        let variables = least.iter().chain(variables).map(|(name, value)| (name.into(), value.into()));
        let kafka = config::load_kafka(variables).unwrap();
        subjects(&kafka).into_iter().map(|subject| subject.name).collect()
    }

    #[test]
    fn subjects_have_the_names_of_their_topics_and_types() {
        let expected = [
            "events-value",
            "events-io.trusthub_bridge.v1.ProfileDescribed",
            "events-io.trusthub_bridge.v1.ProfileDeleted",
            "states-value",
        ];
        assert_eq!(names(&[("KAFKA_PROFILES_TOPIC", "states")]), expected);
        assert_eq!(names(&[("KAFKA_PROFILES_TOPIC", "")]), expected[..3], "the states are turned off");
    }
}
