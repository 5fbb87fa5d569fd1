//! How large the states are in the topic.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::Message as _,
};

use test_support::kafka::Broker;

/// The states whose mean size is measured.
const SAMPLE: i64 = 1_000;
const TIMEOUT: Duration = Duration::from_secs(60);

/// The mean size of the values of the last states in the first partition, in bytes; 0 if there are none.
pub(crate) fn bytes_of_state(kafka: &Broker, topic: &str) -> f64 {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", kafka.bootstrap()).set("group.id", "bench").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = client.create().unwrap();
    let mut partition = TopicPartitionList::new();
    partition.add_partition_offset(topic, 0, Offset::OffsetTail(SAMPLE)).unwrap();
    consumer.assign(&partition).unwrap();
    let mut sizes = Vec::new();
    loop {
        match consumer.poll(TIMEOUT).expect("the partition has an end") {
            Ok(record) => sizes.push(record.payload().unwrap_or_default().len() as f64),
            Err(KafkaError::PartitionEOF(_)) => return sizes.iter().sum::<f64>() / (sizes.len() as f64).max(1.0),
            Err(error) => panic!("{error}"),
        }
    }
}
