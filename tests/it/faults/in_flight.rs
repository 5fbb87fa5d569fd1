//! Why the producer has only one produce request in flight: with several, librdkafka reports records as delivered that Kafka
//! does not have. Two records travel in a request each, and the network damages the first one, so that the broker rejects
//! it with an error after which it is sent again.
//!
//! When the second request succeeds, librdkafka concludes that the broker has the first one too, because it would have rejected
//! the second one as out of order. A broker does so only if it knows the producer: without a record of the producer in the
//! partition, or after `producer.id.expiration.ms`, it accepts any sequence number.

use std::{
    sync::{LazyLock, Mutex},
    thread,
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};
use test_support::{
    Request,
    kafka::{Cluster, FaultProxy, unique_topic},
    proxy::Fault,
    wait_for,
};

use super::publishing_to;

/// The text in the first record that the network damages.
const DAMAGED: &str = "damaged-on-its-way";
/// The first record, with this text.
const FIRST: &str = "the first record, damaged-on-its-way";
const SECOND: &str = "the second record";
/// A record that made the producer known to the broker.
const EARLIER: &str = "an earlier record";
/// Brings a record to more than half of [`BATCH_BYTES`].
const PADDING: usize = 800;
/// The first record waits for the second one, and a request holds only one of them.
const BATCH_BYTES: &str = "1500";
const LINGER_MS: &str = "1000";
/// How many requests librdkafka creates before it has written the first one; 1 by default.
const REQUESTS_AT_ONCE: &str = "10";
/// The number of requests after which the network works again: both records were sent, and the first one again, if it was.
const DAMAGED_REQUESTS: usize = 4;
/// The property that decides; the program always sets it to 1.
const IN_FLIGHT: &str = "max.in.flight.requests.per.connection";

const PATH: &str = "/callbacks/customer-profiles";
/// The form of a callback up to its reason.
const CALLBACK: &str = "AccountSid=AC00000000000000000000000000000001&BundleSid=BU00000000000000000000000000000002&\
                        Status=twilio-rejected&FailureReason=";
const RECEIVED: &str = r#"trusthub_callbacks_received_total{resource="customer-profile"}"#;

/// A broker that forgets a producer two seconds after its last record, instead of a day.
fn kafka() -> &'static Cluster {
    static KAFKA: LazyLock<Cluster> = LazyLock::new(|| {
        let forgetful = [("producer.id.expiration.ms", "2000"), ("producer.id.expiration.check.interval.ms", "100")];
        Cluster::start_with("forgetful", 1, 7, &forgetful)
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
    String::from_utf8(payload.unwrap().to_vec()).unwrap().trim_end().to_owned()
}

fn send(producer: &BaseProducer<Reports>, topic: &str, text: &str) {
    let payload = format!("{text}{}", " ".repeat(PADDING));
    producer.send(BaseRecord::<(), _>::to(topic).payload(&payload)).map_err(|(error, _)| error).unwrap();
}

/// Serves the reports until there are this many, or the proxy has seen this many requests.
fn serve(producer: &BaseProducer<Reports>, reports: usize, proxy: &FaultProxy, requests: usize) {
    wait_for("reports", || {
        producer.poll(Duration::from_millis(10));
        let reported = producer.context().0.lock().unwrap().len();
        (reported >= reports || proxy.produce_count() >= requests).then_some(())
    });
}

/// Sends both records while the first one is damaged, with these many requests in flight.
fn damage_the_first_of_two(in_flight: &str, known: Known) -> Outcome {
    let proxy = kafka().take_fault_proxy();
    // Before anything is sent: a proxy that waits for data notices a new fault only after it.
    proxy.set(Fault::Garble(DAMAGED));
    let topic = unique_topic("in-flight");
    kafka().direct().create_topic(&topic, 1);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", proxy.bootstrap()).set("acks", "all").set("enable.idempotence", "true");
    config.set("batch.size", BATCH_BYTES).set("linger.ms", LINGER_MS).set(IN_FLIGHT, in_flight);
    config.set("queue.buffering.backpressure.threshold", REQUESTS_AT_ONCE);
    let producer: BaseProducer<Reports> = config.create_with_context(Reports::default()).unwrap();
    if known != Known::Nothing {
        send(&producer, &topic, EARLIER);
        serve(&producer, 1, &proxy, usize::MAX);
    }
    if known == Known::Expired {
        wait_for("the broker forgets the producer", || (kafka().producer_count(&topic) == 0).then_some(()));
    }
    let earlier = producer.context().0.lock().unwrap().len();
    let requests = proxy.produce_count() + DAMAGED_REQUESTS;
    send(&producer, &topic, FIRST);
    send(&producer, &topic, SECOND);
    serve(&producer, earlier + 2, &proxy, requests);
    proxy.set(Fault::None);
    serve(&producer, earlier + 2, &proxy, usize::MAX);
    let written = kafka().direct().read_to_end(&topic).into_iter().map(|record| text_of(record.payload.as_deref()));
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

/// The same with the program, whose first two events of a partition are sent in two requests.
#[test]
fn first_event_of_a_partition_is_written_although_it_is_rejected_at_first() {
    let proxy = kafka().take_fault_proxy();
    let at_once = format!("queue.buffering.backpressure.threshold={REQUESTS_AT_ONCE}");
    let properties = format!("batch.size={BATCH_BYTES};linger.ms={LINGER_MS};{at_once}");
    let variables =
        [("KAFKA_TOPIC_PARTITIONS", "1"), ("KAFKA_PROPERTIES", &properties[..]), ("KAFKA_ACK_TIMEOUT_MS", "5000")];
    proxy.set(Fault::Garble(DAMAGED));
    let bridge = publishing_to(&proxy.bootstrap(), &variables);
    let requests = proxy.produce_count() + DAMAGED_REQUESTS;
    let callback = |text: &str| Request::form(PATH, &format!("{CALLBACK}{}", text.replace(' ', "+"))).signed();
    thread::scope(|scope| {
        let first = scope.spawn(|| bridge.send(&callback(FIRST)));
        wait_for("the first callback", || (bridge.metric(RECEIVED) == 1.0).then_some(()));
        let second = scope.spawn(|| bridge.send(&callback(SECOND)));
        wait_for("requests or answers", || {
            (proxy.produce_count() >= requests || (first.is_finished() && second.is_finished())).then_some(())
        });
        proxy.set(Fault::None);
        assert_eq!([first, second].map(|sent| sent.join().unwrap().status), [204, 204]);
    });
    bridge.wait_until_publishing();
    let records = kafka().direct().wait_for_records(&bridge.topic, 2, test_support::TIMEOUT);
    let has = |text: &str| records.iter().any(|record| text_of(record.payload.as_deref()).contains(text));
    assert!(has(FIRST) && has(SECOND), "{records:?}");
}
