//! The commands in `docs/simulator.md`, executed exactly as printed except for the port.

use std::process::Command;

use test_support::{ACCOUNT, oracle::libraries, simulator::Simulator};

const GUIDE: &str = include_str!("../../../docs/simulator.md");
/// The token of the account in the guide.
const TOKEN: &str = "secret";

/// The code blocks in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    GUIDE.split(&start[..]).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// A simulator started like the one in the guide, and the text with its address.
fn simulator_for(text: &str) -> (Simulator, String) {
    let simulator = Simulator::start_with(&[], &[("TWILIO_AUTH_TOKEN", TOKEN)]);
    let text = text.replace("127.0.0.1:8090", &simulator.address.to_string());
    // No process listens on this port.
    let text = text.replace("127.0.0.1:8080", "127.0.0.1:1");
    (simulator, text)
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn curl_lines_of_the_guide_take_a_profile_from_draft_to_approval() {
    let lines = blocks("sh").into_iter().find(|block| block.contains("sid=$(")).unwrap();
    let (simulator, lines) = simulator_for(lines);
    let mut shell = Command::new("sh");
    shell.args(["-ec", &lines]).env("TWILIO_ACCOUNT_SID", ACCOUNT).env("TWILIO_AUTH_TOKEN", TOKEN);
    let said = output(&mut shell);
    let attempts = said.rsplit_once(r#"{"attempts":"#).unwrap().1;
    for status in ["pending-review", "in-review", "twilio-rejected"] {
        assert!(attempts.contains(status), "{attempts}");
    }
    assert!(said.contains(r#""errors":[{"code":18602}]"#) && said.contains("twilio-approved"), "{said}");
    drop(simulator);
}

#[test]
fn python_lines_of_the_guide_print_what_it_says() {
    let [lines] = blocks("python")[..] else { panic!("one example") };
    let (_simulator, lines) = simulator_for(lines);
    let said = output(Command::new(libraries().join("python/bin/python")).args(["-c", &lines]));
    let promised = lines.lines().filter_map(|line| line.strip_prefix("print(")?.split_once("# "));
    let promised: Vec<_> = promised.map(|(_, comment)| comment.split(": an").next().unwrap()).collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), promised);
}
