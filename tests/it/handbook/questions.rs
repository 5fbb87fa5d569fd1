//! The table of questions about profiles: each command has options that the program knows, and each query a metric that it has.

use std::process::Stdio;

use test_support::program;

use super::document::{OPERATIONS, code, rows};

/// The first piece of code in each answer, if it has any.
fn answers() -> Vec<String> {
    let rows = rows(OPERATIONS).into_iter().filter(|row| row.section == "Questions about profiles");
    rows.filter_map(|row| code(row.get("Query or command").expect("the answer")).into_iter().next()).collect()
}

#[test]
fn every_command_that_answers_a_question_has_known_options() {
    let is_command = |answer: &&String| ["profiles", "reconcile"].contains(&answer.split(' ').next().unwrap());
    let answers = answers();
    let commands: Vec<_> = answers.iter().filter(is_command).collect();
    assert_eq!(commands.len(), 7, "{answers:?}");
    for command in commands {
        let arguments = command.replace("SID", &format!("BU{:032}", 1)).replace("URL", "https://hooks.example.com");
        let output = program().args(arguments.split(' ')).stdout(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        // Nothing is configured, which the program notices after the options.
        assert!(said.starts_with("configuration is not valid, "), "{command}: {said}");
    }
}

#[test]
fn every_query_that_answers_a_question_has_a_known_metric() {
    let page = trusthub_bridge::initial_metrics_page().unwrap();
    let answers = answers();
    let queries: Vec<_> = answers.iter().filter(|answer| answer.contains(" by (")).collect();
    assert_eq!(queries.len(), 4, "{answers:?}");
    for query in queries {
        let metric = query.split(['(', ')', '{', ' ']).find(|word| word.starts_with("trusthub_")).expect(query);
        assert!(page.contains(&format!("# TYPE {metric} gauge")), "{query}");
    }
}
