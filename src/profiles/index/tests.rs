use super::*;
use crate::{
    domain::{ProfileType, RejectionReason, Resource, Timestamp, cloud_events, state::Position},
    kafka::{EventRecord, partition_of},
    profiles::{
        SortField,
        fixtures::{account, details, sid, state, time},
    },
};

const PARTITIONS: i32 = 6;
const ENOUGH: usize = 1 << 20;

fn home(number: u32) -> i32 {
    partition_of(&sid(number), PARTITIONS)
}

fn record(partition: i32, number: u32, value: Option<Vec<u8>>) -> ProfileRecord {
    let mut record = EventRecord::of_type(cloud_events::STATE_TYPE, Position { partition, offset: 0 });
    record.key = Some(sid(number).as_str().into());
    record.value = value;
    ProfileRecord::parse(&record).unwrap()
}

fn put(index: &mut ProfileIndex, number: u32, state: &ProfileState) {
    index.apply(record(home(number), number, Some(serde_json::to_vec(state).unwrap())));
}

fn delete(index: &mut ProfileIndex, number: u32) {
    index.apply(record(home(number), number, None));
}

fn index_of(states: &[ProfileState]) -> ProfileIndex {
    let mut index = ProfileIndex::new(PARTITIONS, ENOUGH);
    for (number, state) in (1..).zip(states) {
        put(&mut index, number, state);
    }
    index
}

fn named(number: u32, name: &str) -> ProfileState {
    ProfileState { profile: Some(details(name, ProfileType::Business)), ..state(number) }
}

fn query() -> IndexQuery {
    IndexQuery { take: 50, ..IndexQuery::default() }
}

fn sids(page: &IndexPage) -> Vec<ProfileSid> {
    page.profiles.iter().map(|state| state.profile_sid).collect()
}

#[test]
fn last_record_of_a_profile_counts() {
    let mut index = index_of(&[state(1)]);
    let rejected = ProfileState {
        status: Status::TwilioRejected,
        errors: vec![RejectionReason::from(18602)],
        failure_reason: Some("The number is wrong.".to_owned()),
        ..state(1)
    };
    put(&mut index, 1, &rejected);
    let page = index.query(&query());
    assert_eq!(page.profiles, std::slice::from_ref(&rejected));
    assert_eq!((page.matching, page.total, page.unreadable), (1, 1, 0));
    let present: Vec<_> = page.statuses.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(present, [(Status::TwilioRejected, 1)]);
    assert_eq!(index.entry(&sid(1)), IndexEntry::State(Box::new(rejected)));
}

#[test]
fn deleted_profile_leaves_no_memory_behind() {
    let mut index = index_of(&[state(1)]);
    let with_one = index.bytes;
    put(&mut index, 2, &named(2, "Shop"));
    assert!(index.bytes > with_one);
    delete(&mut index, 2);
    assert_eq!((index.bytes, index.query(&query()).total), (with_one, 1));
    assert_eq!(index.entry(&sid(2)), IndexEntry::Missing);
}

#[test]
fn state_that_cannot_be_read_is_counted_and_replaces_the_one_before() {
    let mut index = index_of(&[state(1), state(2)]);
    index.apply(record(home(1), 1, Some(b"{}".to_vec())));
    let page = index.query(&query());
    assert_eq!((page.total, page.unreadable, sids(&page)), (1, 1, vec![sid(2)]));
    assert_eq!(index.entry(&sid(1)), IndexEntry::Unreadable);
}

#[test]
fn later_state_counts_while_a_profile_moves_to_another_partition() {
    let value = |state: &ProfileState| Some(serde_json::to_vec(state).unwrap());
    let [own, former] = [0, 1].map(|step| (home(1) + step) % PARTITIONS);
    let later = ProfileState { updated_at: time(12, 0), status: Status::TwilioRejected, ..state(1) };
    for deleted in [None, value(&state(1))] {
        for is_later_first in [true, false] {
            let mut index = ProfileIndex::new(PARTITIONS, ENOUGH);
            let mut records = [record(own, 1, value(&later)), record(former, 1, deleted.clone())];
            if !is_later_first {
                records.reverse();
            }
            records.into_iter().for_each(|record| index.apply(record));
            assert_eq!(index.query(&query()).profiles[0].status, Status::TwilioRejected);
        }
    }
}

#[test]
fn index_stays_within_its_memory_and_says_so() {
    let one = index_of(&[named(1, "Shop")]).bytes;
    let mut index = ProfileIndex::new(PARTITIONS, one + one / 2);
    put(&mut index, 1, &named(1, "Shop"));
    assert!(!index.query(&query()).is_truncated);
    for number in 2..20 {
        let other_account = ProfileState { account_sid: account(number), ..named(number, "Shop") };
        put(&mut index, number, &other_account);
    }
    let page = index.query(&query());
    assert!(page.is_truncated && index.bytes <= index.max_bytes + ACCOUNT_BYTES, "{}", index.bytes);
    assert_eq!(page.total, 1);
    assert!(index.accounts.len() <= 2 + one / 2 / ACCOUNT_BYTES, "{}", index.accounts.len());
    assert_eq!(index.entry(&sid(7)), IndexEntry::MaybeLeftOut);
    let grown = named(1, &"x".repeat(1_000));
    put(&mut index, 1, &grown);
    assert_eq!(index.query(&query()).total, 0, "a state that has outgrown the memory is not shown as it was before");
    assert!(index.bytes <= index.max_bytes + ACCOUNT_BYTES);
}

#[test]
fn filters_and_search_select_the_same_profiles_as_the_command_does() {
    let states = [
        named(1, "Alpha"),
        ProfileState { resource: Resource::TrustProduct, ..named(2, "beta") },
        ProfileState {
            errors: vec![RejectionReason::from(22215)],
            status: Status::TwilioRejected,
            ..named(3, "Alpine")
        },
        ProfileState { account_sid: account(9), ..state(4) },
    ];
    let index = index_of(&states);
    let found = |filter: ProfileFilter, text: &str| {
        sids(&index.query(&IndexQuery { filter, text: SearchText::new(text), ..query() }))
    };
    let all = ProfileFilter::default;
    assert_eq!(found(all(), "ALP"), [sid(1), sid(3)]);
    assert_eq!(found(ProfileFilter { codes: vec![22215], ..all() }, "alp"), [sid(3)]);
    assert_eq!(found(ProfileFilter { resources: vec![Resource::TrustProduct], ..all() }, ""), [sid(2)]);
    assert_eq!(found(ProfileFilter { types: vec![ProfileType::Business], ..all() }, ""), [1, 2, 3].map(sid));
    assert_eq!(found(all(), account(9).as_str()), [sid(4)]);
    let page = index.query(&IndexQuery { text: SearchText::new("alp"), ..query() });
    assert_eq!((page.matching, page.total), (2, 4));
}

/// Every page of every order together is the sorted whole.
#[test]
fn pages_are_parts_of_the_sorted_whole() {
    let states: Vec<_> = (1..=23)
        .map(|number: u32| {
            let minutes = u8::try_from(number * 7 % 5).unwrap();
            let since: Timestamp = time(11, minutes);
            let name = format!("Shop {}", number * 13 % 7);
            if number.is_multiple_of(4) {
                ProfileState { since, ..state(number) }
            } else {
                ProfileState { since, ..named(number, &name) }
            }
        })
        .collect();
    let index = index_of(&states);
    for field in SortField::ALL {
        for is_reversed in [false, true] {
            let order = ProfileOrder { field: *field, is_reversed };
            let pages_of = |take: usize| {
                let skips = (0..30).step_by(take);
                let page = |skip| sids(&index.query(&IndexQuery { order, skip, take, ..query() }));
                skips.flat_map(page).collect::<Vec<_>>()
            };
            let whole = pages_of(30);
            assert_eq!(whole.len(), states.len());
            let mut sorted: Vec<_> = states.iter().collect();
            sorted.sort_by(|one, other| {
                order
                    .compare(order.key_of(*one).as_ref(), order.key_of(*other).as_ref())
                    .then_with(|| one.profile_sid.cmp(&other.profile_sid))
            });
            assert_eq!(whole, sorted.iter().map(|state| state.profile_sid).collect::<Vec<_>>());
            assert_eq!(pages_of(4), whole, "{order:?}");
            assert_eq!(pages_of(7), whole, "{order:?}");
        }
    }
    assert!(index.query(&IndexQuery { skip: usize::MAX, ..query() }).profiles.is_empty());
}
