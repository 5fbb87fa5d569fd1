//! The queries of the example's README.

use super::{example, sid, with_tables};

/// Five profiles: two are rejected, two are approved and expire in ten and in ninety days, and one is in review.
const PROFILES: &str = "
    INSERT INTO trust_hub_profiles (sid, account_sid, resource, status, since, valid_until, error_codes, updated_at,
        source_partition, source_offset, written_at, state)
    SELECT 'BU' || lpad(number::text, 32, '0'), 'AC', 'customer-profile', status, now() - age * interval '1 day',
        now() + valid * interval '1 day', codes, now(), 0, number, now(), '{}'
    FROM (VALUES
        (1, 'twilio-rejected', 3, NULL, ARRAY[18602, 18603]), (2, 'twilio-rejected', 2, NULL, ARRAY[18603]),
        (3, 'twilio-approved', 9, 10, ARRAY[]::integer[]), (4, 'in-review', 6, NULL, ARRAY[]::integer[]),
        (5, 'twilio-approved', 9, 90, ARRAY[]::integer[])
    ) AS profiles (number, status, age, valid, codes)
";

#[test]
fn queries_of_the_readme_answer_their_questions() {
    let readme = std::fs::read_to_string(example("README.md")).unwrap();
    let queries: Vec<_> = readme.split("```sql\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    let postgres = with_tables();
    postgres.query(PROFILES);
    let answers: Vec<_> = queries.iter().map(|query| postgres.query(query)).collect();
    let [statuses, waiting, expiring, codes] = &answers[..] else { panic!("{queries:?}") };
    assert_eq!(
        statuses,
        "customer-profile|in-review|1\ncustomer-profile|twilio-approved|2\ncustomer-profile|twilio-rejected|2"
    );
    let [first, ..] = &waiting.lines().collect::<Vec<_>>()[..] else { panic!("{waiting}") };
    assert!(first.starts_with(&format!("{}|", sid(4))) && first.contains("6 days"), "{waiting}");
    assert!(expiring.starts_with(&format!("{}|", sid(3))) && expiring.lines().count() == 1, "{expiring}");
    assert_eq!(codes, "18603|2\n18602|1");
}
