//! The producer of the servers that the service is compared with.

use std::env;

use rdkafka::{ClientConfig, producer::FutureProducer};

/// A producer with the properties that `src/kafka/client_config.rs` gives that of the service.
pub(crate) fn producer() -> FutureProducer {
    ClientConfig::new()
        .set("bootstrap.servers", variable("KAFKA_BOOTSTRAP_SERVERS"))
        .set("client.id", "floor")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("socket.timeout.ms", "5000")
        .set("socket.keepalive.enable", "true")
        .set("queue.buffering.max.kbytes", "131072")
        .set("linger.ms", "1")
        .set("batch.size", "131072")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("max.in.flight.requests.per.connection", "1")
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", "300000")
        .set("request.timeout.ms", "5000")
        .set("message.max.bytes", "16000000")
        .create()
        .unwrap()
}

/// The value of a variable, which has to be set.
pub(crate) fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is set"))
}
