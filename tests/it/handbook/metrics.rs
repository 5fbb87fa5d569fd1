//! Compares docs/metrics.md with the metrics that the program serves.

use std::collections::{BTreeMap, BTreeSet};

use test_support::Bridge;

use super::document::{METRICS, Row, code, rows};

/// Metrics by name.
type Catalogue = BTreeMap<String, Metric>;

#[derive(Debug, Default, PartialEq, Eq)]
struct Metric {
    kind: String,
    help: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

#[test]
fn page_lists_exactly_the_metrics_that_the_program_serves() {
    let (documented, served) = (documented(), served());
    let names = |metrics: &Catalogue| metrics.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&documented), names(&served), "docs/metrics.md (left) and /metrics (right)");
    for (name, metric) in &served {
        assert_eq!(&documented[name], metric, "{name}: docs/metrics.md (left) and /metrics (right)");
    }
}

fn documented() -> Catalogue {
    let rows = rows(METRICS);
    let described = rows.iter().filter_map(|row| {
        let name = code(row.get("Metric")?).remove(0);
        let cell = |column: &str| row.get(column).unwrap().to_owned();
        let labels = code(&cell("Labels")).into_iter().map(|label| (label.clone(), values(&rows, &label, &name)));
        Some((name.clone(), Metric { kind: cell("Type"), help: cell("Meaning"), labels: labels.collect() }))
    });
    described.collect()
}

/// The documented values of a label in a metric. The table of labels must have exactly one row for them.
fn values(rows: &[Row], label: &str, metric: &str) -> BTreeSet<String> {
    let is_meant = |row: &&Row| {
        let metrics = row.get("Of").map(code);
        row.get("Label").is_some_and(|cell| code(cell) == [label])
            && metrics.is_some_and(|of| of.is_empty() || of.iter().any(|name| name == metric))
    };
    let meant: Vec<_> = rows.iter().filter(is_meant).collect();
    let [row] = meant[..] else { panic!("{label} of {metric} is in {} rows", meant.len()) };
    row.get("Values").unwrap().split(',').flat_map(values_in).collect()
}

/// The values in a part of a cell: one, several, or all numbers from one `to` another.
fn values_in(part: &str) -> Vec<String> {
    let spans = code(part);
    match &spans[..] {
        [first, last] if part.contains("` to `") => {
            let range = first.parse::<u32>().unwrap()..=last.parse().unwrap();
            range.map(|number| number.to_string()).collect()
        }
        _ => spans,
    }
}

fn served() -> Catalogue {
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")]);
    let mut metrics = Catalogue::new();
    for line in bridge.ask_admin("/metrics").body.lines() {
        let words = line.splitn(4, ' ').collect::<Vec<_>>();
        match words[..] {
            ["#", "HELP", name, help] => help.clone_into(&mut metrics.entry(name.to_owned()).or_default().help),
            ["#", "TYPE", name, kind] => kind.clone_into(&mut metrics.entry(name.to_owned()).or_default().kind),
            [series, _value] => add_labels(&mut metrics, &bridge, series),
            _ => panic!("cannot parse {line}"),
        }
    }
    metrics
}

fn add_labels(metrics: &mut Catalogue, bridge: &Bridge, series: &str) {
    let (name, labels) = series.strip_suffix('}').and_then(|series| series.split_once('{')).unwrap_or((series, ""));
    let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
    let name = of_histogram.filter(|_| !metrics.contains_key(name)).unwrap_or(name);
    let metric = metrics.get_mut(name).unwrap_or_else(|| panic!("{name} has no type"));
    for label in labels.split(',').filter(|label| !label.is_empty()) {
        let (label, value) = label.split_once('=').unwrap();
        // All histograms have this label.
        if label != "le" {
            let value = as_documented(bridge, value.trim_matches('"'));
            metric.labels.entry(label.to_owned()).or_default().insert(value);
        }
    }
}

/// Replaces a value that differs between installations with the name of its setting.
fn as_documented(bridge: &Bridge, value: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let output = [
        (bridge.topic.as_str(), "KAFKA_TOPIC"),
        (&bridge.dead_letter_topic, "KAFKA_DEAD_LETTER_TOPIC"),
        (version, "trusthub-bridge --version"),
    ];
    output.iter().find(|(found, _)| *found == value).map_or(value, |(_, by)| *by).to_owned()
}
