//! Parses just enough of PromQL to find the series that an expression selects.

/// A metric, and the conditions on its labels.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) metric: String,
    /// Labels and values: each value of `=~"a|b"`, and also the values that `!=` excludes.
    pub(super) conditions: Vec<(String, String)>,
}

/// The selected series in order. Also accepts a line of the Prometheus text format.
pub(super) fn selectors_in(expression: &str) -> Vec<Selector> {
    let mut selectors = Vec::new();
    let mut rest = expression;
    while let Some(begin) = rest.find(is_of_a_name) {
        rest = &rest[begin..];
        let end = rest.find(|c| !is_of_a_name(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        if !is_metric(word) {
            continue;
        }
        let mut conditions = Vec::new();
        if let Some(inside) = after.strip_prefix('{') {
            let (inside, after) = inside.split_once('}').unwrap_or_else(|| panic!("no end of {{ in {expression}"));
            rest = after;
            conditions = inside.split(',').flat_map(conditions_in).collect();
        }
        selectors.push(Selector { metric: word.to_owned(), conditions });
    }
    selectors
}

/// The metrics named in a text.
pub(super) fn metrics_in(text: &str) -> Vec<String> {
    let words = text.split(|c| !is_of_a_name(c)).map(|word| word.trim_end_matches(':'));
    words.filter(|word| is_metric(word) && *word != "up").map(str::to_owned).collect()
}

/// The expression with its series replaced by a placeholder, and without the label lists that belong to that series.
pub(super) fn form_of(expression: &str) -> String {
    let series = expression.find("trusthub_").map(|begin| &expression[begin..]);
    let series = series.and_then(|rest| rest.split('[').next()).expect("a range of a series");
    let general = expression.replace(series, "SERIES");
    let general = ["by (", "ignoring ("].iter().fold(general, |text, list| without_lists(&text, list));
    general.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_lists(text: &str, list: &str) -> String {
    let mut parts = text.split(list);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').expect("a list has an end").1)
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

fn is_metric(word: &str) -> bool {
    word == "up" || ["trusthub_", "trusthub:", "process_"].iter().any(|begin| word.starts_with(begin))
}

fn conditions_in(condition: &str) -> Vec<(String, String)> {
    let (label, value) = condition.split_once('=').unwrap_or_else(|| panic!("{condition} is not a condition"));
    let is_pattern = value.starts_with('~');
    let label = label.trim().trim_end_matches('!').to_owned();
    let value = value.trim_start_matches('~').trim().trim_matches('"');
    let values = if is_pattern { value.split('|').collect() } else { vec![value] };
    values.into_iter().map(|value| (label.clone(), value.to_owned())).collect()
}

#[test]
fn selectors_of_an_expression_are_found_with_their_conditions() {
    let expression =
        r#"sum by (namespace) (increase(trusthub_a{x="1", y=~"2|3"}[1h])) > 0 unless up{z!="4"} == process_b"#;
    let condition = |(label, value): (&str, &str)| (label.to_owned(), value.to_owned());
    let selector = |metric: &str, conditions: &[(&str, &str)]| Selector {
        metric: metric.to_owned(),
        conditions: conditions.iter().copied().map(condition).collect(),
    };
    let expected = [
        selector("trusthub_a", &[("x", "1"), ("y", "2"), ("y", "3")]),
        selector("up", &[("z", "4")]),
        selector("process_b", &[]),
    ];
    assert_eq!(selectors_in(expression), expected);
    let form = "sum (increase(SERIES[5m]) and resets(SERIES[5m]) and a)";
    let written =
        "sum by (x, y) (increase(trusthub_a{b=\"c\"}[5m])\n  and resets(trusthub_a{b=\"c\"}[5m]) and ignoring (b) a)";
    assert_eq!(form_of(written), form);
    assert_eq!(metrics_in("by trusthub_a: 5, trusthub:b:c and up"), ["trusthub_a", "trusthub:b:c"]);
}
