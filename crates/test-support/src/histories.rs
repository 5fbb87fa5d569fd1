//! The events of many profiles, as records of the event topic.

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::{ACCOUNT, kafka::Broker};

/// The events of each profile before the last ones.
pub const EVENTS_OF_PROFILE: usize = 2;
const TIMEOUT: Duration = Duration::from_secs(60);

/// Reviews of this many profiles: every fourth one is rejected, the others are approved.
pub struct Histories<'b> {
    /// Where the topic is.
    pub kafka: &'b Broker,
    /// The event topic.
    pub topic: &'b str,
    /// The number of profiles.
    pub profiles: usize,
}

impl Histories<'_> {
    /// Publishes the submission of each profile, and then each result.
    pub fn publish(&self) {
        let producer = self.producer();
        for step in 0..EVENTS_OF_PROFILE {
            (0..self.profiles).for_each(|profile| self.send(&producer, profile, step));
        }
        producer.flush(TIMEOUT).unwrap();
    }

    /// Publishes one more event for each of the first profiles.
    pub fn publish_more(&self, profiles: usize) {
        let producer = self.producer();
        (0..profiles).for_each(|profile| self.send(&producer, profile, EVENTS_OF_PROFILE));
        producer.flush(TIMEOUT).unwrap();
    }

    fn producer(&self) -> BaseProducer {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", self.kafka.bootstrap())
            .set("partitioner", "murmur2_random")
            .set("enable.idempotence", "true")
            .set("linger.ms", "50");
        client.create().unwrap()
    }

    fn send(&self, producer: &BaseProducer, profile: usize, step: usize) {
        let key = format!("BU{profile:032x}");
        // A day apart, so that a state has only the last event among its recent ones.
        let time = format!("2026-11-{:02}T12:00:00.000Z", step + 1);
        let value = value(&key, profile, step, &time);
        let id = format!("{step:08x}{profile:024x}");
        let headers =
            [("ce_id", &*id), ("ce_type", "io.trusthub-bridge.profile.status-changed.v1"), ("ce_time", &time)];
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(*value) }));
        let mut record = BaseRecord::to(self.topic).key(&key).payload(&value).headers(headers);
        while let Err((error, unsent)) = producer.send(record) {
            assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            producer.poll(Duration::from_millis(100));
            record = unsent;
        }
    }
}

fn value(sid: &str, profile: usize, step: usize, time: &str) -> String {
    let is_rejected = step == 1 && profile.is_multiple_of(4);
    let status = match step {
        0 => "pending-review",
        1 if is_rejected => "twilio-rejected",
        1 => "twilio-approved",
        _ => "draft",
    };
    let (reason, errors) = if is_rejected {
        (
            r#""Business registration number could not be verified (18602)""#,
            r#"{"code":18602,"meaning":"business_registration_number_not_verified","message":"The registration number of the business could not be verified."}"#,
        )
    } else {
        ("null", "")
    };
    format!(
        r#"{{"account_sid":"{ACCOUNT}","profile_sid":"{sid}","resource":"customer-profile","status":"{status}","raw_status":"{status}","failure_reason":{reason},"errors":[{errors}],"valid_until":null,"received_at":"{time}","origin":"callback","idempotency_token":null,"extra":{{}}}}"#
    )
}
