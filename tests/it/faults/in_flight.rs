//! Why the producer has only one produce request in flight: with several, librdkafka reports records as delivered that Kafka
//! does not have. Two records travel in a request each, and the network damages the first one, so that the broker rejects
//! it with an error after which it is sent again.
//!
//! When the second request succeeds, librdkafka concludes that the broker has the first one too, because it would have rejected
//! the second one as out of order. A broker does so only if it knows the producer: without a record of the producer in the
//! partition, or after `producer.id.expiration.ms`, it accepts any sequence number.

use std::{
    sync::{LazyLock, Mutex},
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};
use test_support::{
    kafka::{Cluster, FaultProxy, unique_topic},
    proxy::Fault,
    wait_for,
};

use super::one_broker;

/// The text in the first record that the network damages.
const DAMAGED: &str = "damaged-on-its-way";
/// The first record, with this text.
const FIRST: &str = "the first record, damaged-on-its-way";
const SECOND: &str = "the second record";
/// A record that made the producer known to the broker.
const EARLIER: &str = "an earlier record";
/// The number of requests after which the network works again: both records were sent, and the first one again, if it was.
const DAMAGED_REQUESTS: usize = 4;
/// The property that decides; the program always sets it to 1.
const IN_FLIGHT: &str = "max.in.flight.requests.per.connection";

/// A broker that forgets a producer two seconds after its last record, instead of a day.
fn forgetful_broker() -> &'static Cluster {
    static KAFKA: LazyLock<Cluster> = LazyLock::new(|| {
        let forgetful = [("producer.id.expiration.ms", "2000"), ("producer.id.expiration.check.interval.ms", "100")];
        Cluster::start_with("forgetful", 1, 2, &forgetful)
    });
    &KAFKA
}

/// What the broker knows of the producer before the two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// The partition has no record of the producer.
    Nothing,
    /// The partition has a record of the producer.
    EarlierRecord,
    /// The broker has forgotten the producer.
    Expired,
}

impl Known {
    /// A broker with these habits. On a busy machine, a forgetful one forgets a producer also between two records.
    fn broker(self) -> &'static Cluster {
        match self {
            Self::Nothing | Self::EarlierRecord => one_broker(),
            Self::Expired => forgetful_broker(),
        }
    }
}

/// The two records, in the order in which librdkafka reported them as delivered and in which Kafka has them.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    reported: Vec<String>,
    written: Vec<String>,
}

/// Collects the records that are reported as delivered.
#[derive(Default)]
struct Reports(Mutex<Vec<String>>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, delivery: &DeliveryResult<'_>, (): ()) {
        let record = delivery.as_ref().expect("every record is delivered in the end");
        self.0.lock().unwrap().push(text_of(record.payload()));
    }
}

fn text_of(payload: Option<&[u8]>) -> String {
    String::from_utf8(payload.unwrap().to_vec()).unwrap()
}

fn send(producer: &BaseProducer<Reports>, topic: &str, text: &str) {
    producer.send(BaseRecord::<(), _>::to(topic).payload(text)).map_err(|(error, _)| error).unwrap();
}

/// Serves the reports until there are this many, or the proxy has seen this many requests.
fn serve(producer: &BaseProducer<Reports>, reports: usize, proxy: &FaultProxy, requests: usize) {
    wait_for("reports", || {
        producer.poll(Duration::from_millis(10));
        let reported = producer.context().0.lock().unwrap().len();
        (reported >= reports || proxy.produce_count() >= requests).then_some(())
    });
}

/// Sends both records while the first one is damaged, with this many requests in flight.
fn damage_the_first_of_two(in_flight: &str, known: Known) -> Outcome {
    let kafka = known.broker();
    let proxy = kafka.take_fault_proxy();
    // Before anything is sent: a proxy that waits for data notices a new fault only after it.
    proxy.set(Fault::Garble(DAMAGED));
    let topic = unique_topic("in-flight");
    kafka.direct().create_topic(&topic, 1);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", proxy.bootstrap()).set("acks", "all").set("enable.idempotence", "true");
    // Each record has a request of its own, and none waits for another.
    config.set("batch.num.messages", "1").set("linger.ms", "0").set(IN_FLIGHT, in_flight);
    let producer: BaseProducer<Reports> = config.create_with_context(Reports::default()).unwrap();
    if known != Known::Nothing {
        send(&producer, &topic, EARLIER);
        serve(&producer, 1, &proxy, usize::MAX);
    }
    if known == Known::Expired {
        wait_for("the broker forgets the producer", || (kafka.producer_count(&topic) == 0).then_some(()));
    }
    let earlier = producer.context().0.lock().unwrap().len();
    send(&producer, &topic, FIRST);
    send(&producer, &topic, SECOND);
    // Counted from here: on a busy machine, the first record can have been rejected often before the second one is sent.
    let requests = proxy.produce_count() + DAMAGED_REQUESTS;
    serve(&producer, earlier + 2, &proxy, requests);
    proxy.set(Fault::None);
    serve(&producer, earlier + 2, &proxy, usize::MAX);
    let written = kafka.direct().read_to_end(&topic).into_iter().map(|record| text_of(record.payload.as_deref()));
    let mut reported = producer.context().0.lock().unwrap().clone();
    Outcome { reported: reported.split_off(earlier), written: written.skip(earlier).collect() }
}

fn texts(records: &[&str]) -> Vec<String> {
    records.iter().map(|text| (*text).to_owned()).collect()
}

/// If this fails, librdkafka has changed, and the decision for one request can be made again.
#[test]
fn with_five_requests_librdkafka_reports_a_record_that_was_rejected() {
    for known in [Known::Nothing, Known::Expired] {
        let result = damage_the_first_of_two("5", known);
        let expected = Outcome { reported: texts(&[FIRST, SECOND]), written: texts(&[SECOND]) };
        assert_eq!(result, expected, "{known:?}");
    }
}

#[test]
fn with_five_requests_a_broker_that_knows_the_producer_loses_nothing() {
    let result = damage_the_first_of_two("5", Known::EarlierRecord);
    assert_eq!((&result.reported, &result.written), (&texts(&[FIRST, SECOND]), &texts(&[FIRST, SECOND])));
}

#[test]
fn with_one_request_every_record_is_written_whatever_the_broker_knows() {
    for known in [Known::Nothing, Known::EarlierRecord, Known::Expired] {
        let result = damage_the_first_of_two("1", known);
        let both = texts(&[FIRST, SECOND]);
        assert_eq!(result, Outcome { reported: both.clone(), written: both }, "{known:?}");
    }
}
