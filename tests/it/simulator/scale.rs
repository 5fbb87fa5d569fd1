//! A simulator with many profiles: all pages cost the same, and memory is bounded.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::Value;

use test_support::{Request, simulator::Simulator};

const PROFILES: usize = 100_000;
const PAGE: usize = 1_000;
const PAGES: usize = PROFILES / PAGE;
const TENTH: usize = PAGES / 10;

/// How often each page of the first and of the last tenth is requested.
const ROUNDS: usize = 5;

/// Far below the ratio of walking from the newest profile to each page, far above the effect of a busy machine on the
/// shortest of many times.
const SLOWEST: u32 = 3;

/// Several times the memory that this many profiles need.
const MOST_KIB: u64 = 400 * 1024;

#[test]
fn paging_through_100_000_profiles_does_not_slow_down_or_fill_memory() {
    let simulator = Simulator::start_with(&["--profiles", &PROFILES.to_string()], &[]);
    let pages = page_through(&simulator);
    assert_eq!(pages.len(), PAGES);
    let (first, last) = shortest_times(&simulator, &pages[..TENTH], &pages[PAGES - TENTH..]);
    assert!(last <= SLOWEST * first, "the shortest time of the first tenth is {first:?}, of the last {last:?}");
    let peak = peak_kib(simulator.id());
    assert!(peak <= MOST_KIB, "{peak} KiB were resident");
}

/// Follows the links from the newest profile to the oldest and returns the pages.
fn page_through(simulator: &Simulator) -> Vec<String> {
    let mut next = Some(format!("/v1/CustomerProfiles?PageSize={PAGE}"));
    let mut pages = Vec::new();
    while let Some(path) = next {
        let page = simulator.get(&path);
        pages.push(path);
        assert_eq!(names(&page), expected_names(pages.len()));
        let url = page["meta"]["next_page_url"].as_str();
        next = url.map(|url| url.split_at(url.find("/v1/").unwrap()).1.to_owned());
    }
    pages
}

/// The shortest times of the first and of the last pages. Other load can only make a request slower, and walking to a page
/// makes each request for it slower.
fn shortest_times(simulator: &Simulator, first: &[String], last: &[String]) -> (Duration, Duration) {
    // Few profiles, so that their own cost does not hide the cost of finding them.
    let time = |page: &String| {
        let request = Request::get(&page.replace(&format!("PageSize={PAGE}"), "PageSize=10"));
        let began = Instant::now();
        assert_eq!(simulator.ask(&request).status, 200);
        began.elapsed()
    };
    let rounds = (0..ROUNDS).flat_map(|_| first.iter().zip(last));
    let (first, last): (Vec<_>, Vec<_>) = rounds.map(|(first, last)| (time(first), time(last))).unzip();
    (first.into_iter().min().unwrap(), last.into_iter().min().unwrap())
}

fn names(page: &Value) -> Vec<&str> {
    page["results"].as_array().unwrap().iter().map(|profile| profile["friendly_name"].as_str().unwrap()).collect()
}

/// The names on a page, newest first; the first page has number 1.
fn expected_names(page: usize) -> Vec<String> {
    let oldest = PROFILES - page * PAGE + 1;
    (oldest..oldest + PAGE).rev().map(|number| format!("Seeded {number}")).collect()
}

/// The peak resident memory of a process so far.
fn peak_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).unwrap();
    peak.trim().parse().unwrap()
}
