//! Random changes of the behavior of Kafka while records are submitted.

use std::collections::BTreeMap;

use super::*;

/// Kafka changes its behavior at random while records of several profiles are submitted. In the end all accepted records
/// are in Kafka, and the first occurrences of each profile's records are in the order in which they were submitted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_failures_lose_no_record_and_keep_first_occurrences_in_order() {
    for seed in 0..40_u64 {
        let fixture = Fixture::open(&format!("random-{seed}"), Duration::from_millis(20));
        let mut random = seed;
        let mut accepted = BTreeMap::new();
        for number in 0..120 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if (random >> 33) % 8 == 0 {
                fixture.kafka.set_behavior(match (random >> 40) % 6 {
                    0 => Behavior::Hang,
                    1 => Behavior::WriteOnly,
                    2 => Behavior::Fail(PublishFailure::NotAvailable),
                    3 => Behavior::RejectEnqueue(PublishFailure::QueueFull),
                    _ => Behavior::Acknowledge,
                });
                fixture.kafka.set_purges_return((random >> 45) % 4 != 0);
            }
            let text = format!("{} {number:04}", number % 3);
            accepted.insert(quoted(&text), fixture.submit_in_task(&text));
            if (random >> 50) % 4 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        fixture.kafka.set_behavior(Behavior::Acknowledge);
        fixture.kafka.set_purges_return(true);
        for (text, delivery) in &mut accepted {
            assert!(delivery.await.unwrap().is_ok(), "seed {seed}: {text}");
        }
        fixture.wait_until("the spool is empty", || fixture.spool.is_empty()).await;
        assert_eq!(fixture.kafka.written_once(), in_submission_order(&accepted), "seed {seed}");
        assert_eq!(fixture.kafka.state.lock().unwrap().enqueued_while_purging, 0, "seed {seed}");
        fixture.close().await;
    }
}

/// The texts in the order of their numbers, in which they were submitted.
fn in_submission_order<T>(accepted: &BTreeMap<String, T>) -> Vec<String> {
    let mut texts: Vec<_> = accepted.keys().cloned().collect();
    texts.sort_by_key(|text| text.split_once(' ').map(|(_, number)| number.to_owned()));
    texts
}
