//! Records that PostgreSQL cannot store as they are, and tombstones.

use serde_json::{Value, json};

use super::{Sink, StateRecord, StateTopic, sid, state, table, with_tables};
use test_support::{postgres::Postgres, wait_for};

/// Waits until the sink has read a profile that was written last.
fn wait_for_profile(postgres: &Postgres, sink: &Sink, profile: usize) {
    let query = format!("SELECT 1 FROM trust_hub_profiles WHERE sid = '{}'", sid(profile));
    wait_for("the last record is in the table", || {
        assert!(!sink.log().contains("Traceback"), "{}", sink.log());
        (postgres.query(&query) == "1").then_some(())
    });
}

fn with(mut state: Value, fields: &Value) -> Value {
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    state
}

#[test]
fn unusual_records_do_not_stop_the_sink() {
    let (topic, postgres) = (StateTopic::create(1), with_tables());
    let nul = with(
        state(1, "twilio-rejected", 1),
        &json!({"failure_reason": "a\u{0}b", "profile": {"friendly_name": "\u{0}", "type": "business"}, "k\u{0}": 1}),
    );
    let half = state(2, "draft", 2).to_string().replace("\"draft\"", r#""\ud800draft""#);
    let later = with(
        state(3, "paused", 3),
        &json!({
            "tags": ["new"], "valid_until": "soon", "changes": "many",
            "errors": [{"code": 18602}, {"code": 99_999_999_999_u64}, {"code": null}, "none"],
        }),
    );
    let large = with(state(4, "twilio-rejected", 4), &json!({"failure_reason": "long ".repeat(150_000)}));
    // Too large for an index, even compressed.
    let unlikely: String = (0..20_000).map(|_| fastrand::alphanumeric()).collect();
    let number = state(6, "draft", 6).to_string().replace("null", "1e999");
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let other_type = StateRecord { ce_type: "another.type.v1", ..StateRecord::put(0, &state(7, "draft", 7)) };
    let no_key = StateRecord { key: None, ..StateRecord::put(0, &state(8, "draft", 8)) };
    topic.write(&[
        StateRecord::put(0, &nul),
        StateRecord::of_value(&sid(2), half.as_bytes()),
        StateRecord::put(0, &later),
        StateRecord::put(0, &large),
        StateRecord::put(0, &state(5, &unlikely, 5)),
        StateRecord::of_value(&sid(6), number.as_bytes()),
        StateRecord::of_value(&sid(6), nested.as_bytes()),
        StateRecord::of_value(&sid(6), b"{\"status\":\"draft\"}"),
        StateRecord::of_value(&sid(6), b"\xff"),
        other_type,
        no_key,
        StateRecord::put(0, &state(9, "draft", 9)),
    ]);
    let sink = Sink::start(&topic.name, &postgres);
    wait_for_profile(&postgres, &sink, 9);
    let columns = |profile: usize, columns: &str| {
        postgres.query(&format!("SELECT {columns} FROM trust_hub_profiles WHERE sid = '{}'", sid(profile)))
    };
    assert_eq!(columns(1, "status, failure_reason, name, type"), "twilio-rejected|a\u{fffd}b|\u{fffd}|business");
    assert_eq!(columns(1, "state ->> 'k\u{fffd}', state ->> 'failure_reason'"), "1|a\u{fffd}b");
    assert_eq!(columns(2, "status"), "\u{fffd}draft");
    let values = "status, error_codes, valid_until IS NULL, changes IS NULL, state -> 'tags', state ->> 'valid_until'";
    assert_eq!(columns(3, values), r#"paused|{18602}|t|t|["new"]|soon"#);
    assert_eq!(columns(4, "length(failure_reason)"), "750000");
    assert_eq!(table(&postgres).into_keys().collect::<Vec<_>>(), [1, 2, 3, 4, 9].map(sid));

    let log = sink.stop();
    let skipped: Vec<_> = log.lines().filter(|line| line.starts_with("skipped: ")).collect();
    let reasons =
        ["@4: ", "@5 has a value", "@6 has a value", "@7 has no valid", "@8 has a value", "@9 is of", "@10 has no key"];
    for reason in reasons {
        assert!(skipped.iter().any(|line| line.contains(reason)), "{reason}: {log}");
    }
    assert_eq!(skipped.len(), reasons.len(), "{log}");
}

#[test]
fn tombstones_delete_rows_and_a_moved_profile_stays() {
    let (topic, postgres) = (StateTopic::create(2), with_tables());
    topic.write(&[
        StateRecord::put(0, &state(1, "draft", 1)),
        // Moved to another partition, read in the order of the offsets of this test.
        StateRecord::put(0, &state(2, "draft", 2)).at(1_000),
    ]);
    let sink = Sink::start(&topic.name, &postgres);
    wait_for_profile(&postgres, &sink, 2);
    topic.write(&[
        StateRecord::tombstone(0, 1),
        StateRecord::tombstone(0, 3),
        StateRecord::put(1, &state(2, "draft", 2)).at(2_000),
        StateRecord::tombstone(0, 2).at(2_000),
        StateRecord::put(0, &state(4, "draft", 4)),
    ]);
    wait_for_profile(&postgres, &sink, 4);
    wait_for("only the two that exist remain", || (table(&postgres).len() == 2).then_some(()));
    assert_eq!(table(&postgres)[&sid(2)].0, 1, "the profile has moved");

    // Moved as well, but the partition to which it moved is read first.
    topic.write(&[StateRecord::put(1, &state(5, "draft", 5)).at(2_000)]);
    wait_for_profile(&postgres, &sink, 5);
    topic.write(&[StateRecord::put(0, &state(5, "draft", 5)).at(1_000), StateRecord::put(0, &state(6, "draft", 6))]);
    wait_for_profile(&postgres, &sink, 6);
    topic.write(&[StateRecord::tombstone(0, 5).at(2_000), StateRecord::put(0, &state(7, "draft", 7))]);
    wait_for_profile(&postgres, &sink, 7);
    assert_eq!(table(&postgres)[&sid(5)].0, 1);
    sink.stop();
}
