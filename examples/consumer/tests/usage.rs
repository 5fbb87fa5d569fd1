//! The consumer as a process. `tests/it/consumer.rs` runs it with a real Kafka.

use std::process::Command;

#[test]
fn missing_variable_is_named() {
    let mut consumer = Command::new(env!("CARGO_BIN_EXE_example-consumer"));
    let ended = consumer.env_remove("KAFKA_BOOTSTRAP_SERVERS").output().unwrap();
    assert!(!ended.status.success());
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(stderr.contains("KAFKA_BOOTSTRAP_SERVERS is required"), "{stderr}");
}
