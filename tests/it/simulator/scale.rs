//! A simulator full of profiles: a page costs the same wherever it stands, and memory is bounded.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Request, simulator::Simulator};

const PROFILES: usize = 100_000;
const PAGE: usize = 1_000;
const PAGES: usize = PROFILES / PAGE;
const TENTH: usize = PAGES / 10;

/// How often each page of the first and of the last tenth is asked for.
const ROUNDS: usize = 5;

/// Far below what a walk from the newest profile to each page adds up to, far above what a busy machine does to a
/// median.
const SLOWEST: u32 = 3;

/// Several times what so many profiles take.
const MOST_KIB: u64 = 400 * 1024;

#[test]
fn a_hundred_thousand_profiles_are_paged_through_without_slowing_down_and_in_bounded_memory() {
    let simulator = Simulator::start_with(&["--profiles", &PROFILES.to_string()], &[]);
    let pages = page_through(&simulator);
    assert_eq!(pages.len(), PAGES);
    let (first, last) = medians(&simulator, &pages[..TENTH], &pages[PAGES - TENTH..]);
    assert!(last <= SLOWEST * first, "the median of the first tenth is {first:?}, of the last {last:?}");
    let peak = peak_kib(simulator.id());
    assert!(peak <= MOST_KIB, "{peak} KiB were resident");
}

/// Follows the links from the newest profile to the oldest; returns the pages.
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

/// What the first profiles of these pages take and of those, in turn, so that what else the machine does meets both.
fn medians(simulator: &Simulator, these: &[String], those: &[String]) -> (Duration, Duration) {
    // A few profiles, so that they do not hide what the way to them takes.
    let time = |page: &String| {
        let request = Request::get(&page.replace(&format!("PageSize={PAGE}"), "PageSize=10"));
        let asked = Instant::now();
        assert_eq!(simulator.ask(&request).status, 200);
        asked.elapsed()
    };
    let rounds = (0..ROUNDS).flat_map(|_| these.iter().zip(those));
    let (these, those): (Vec<_>, Vec<_>) = rounds.map(|(this, that)| (time(this), time(that))).unzip();
    (median(these), median(those))
}

fn names(page: &Value) -> Vec<&str> {
    page["results"].as_array().unwrap().iter().map(|profile| profile["friendly_name"].as_str().unwrap()).collect()
}

/// Those of a page, of which the first is number 1; newest first.
fn expected_names(page: usize) -> Vec<String> {
    let oldest = PROFILES - page * PAGE + 1;
    (oldest..oldest + PAGE).rev().map(|number| format!("Seeded {number}")).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The most memory that a process had resident so far.
fn peak_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).unwrap();
    peak.trim().parse().unwrap()
}
