//! `dev --once` on a terminal, which is what `make demo` shows.

use std::{env, process::Command, thread};

use test_support::program;

/// What a terminal of this width shows, without carriage returns. `script` is the terminal.
fn shown(columns: usize, variables: &[(&str, &str)]) -> String {
    let program = program();
    let command = format!("stty cols {columns}; exec {} dev --once", program.get_program().display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).env_clear();
    let output = script.env("PATH", env::var_os("PATH").unwrap()).envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace('\r', "");
    assert!(output.status.success(), "{text}");
    text
}

/// The text without colors.
fn plain(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
}

/// The steps, each with its lines.
const STEPS: [(&str, &[&str]); 9] = [
    ("1  The profile is submitted", &["pending-review 204 in", "in-review 204 in", "partition", "offset 1"]),
    ("2  A reviewer of Twilio rejects it", &["twilio-rejected 204 in", "18602 business_registration", "18603 address"]),
    ("3  An attacker sends a callback", &["twilio-approved 403 in", "none: signature_mismatch", "Diagnosis: no key"]),
    ("4  Kafka is stopped", &["204 in", "waits in the spool: 1 record", "waits in the spool: 2 records"]),
    ("5  Kafka is started again", &["pending-review from the spool", "in-review from the spool", "The spool is empty"]),
    (
        "6  Twilio approves the profile",
        &["never arrived", "Reconciliation", "twilio-approved reconciliation partition"],
    ),
    (
        "7  The topic trusthub.profiles",
        &[
            "name Corner Shop Ltd",
            "status twilio-approved",
            "changes 6, rejections: 1",
            "history pending-review, in-review",
        ],
    ),
    ("Result", &["6 changes of the profile became 6 events"]),
    ("Try next", &["dev keep all of this running", "dev --once | cat", "--help all commands"]),
];

fn assert_tells_all_steps(shown: &str) {
    let mut rest = shown;
    for (index, (heading, parts)) in STEPS.iter().enumerate() {
        let (_, after) = rest.split_once(&format!("\n{heading}")).unwrap_or_else(|| panic!("{heading}\n{shown}"));
        let end = STEPS.get(index + 1).and_then(|(next, _)| after.find(&format!("\n{next}"))).unwrap_or(after.len());
        // Columns and line breaks do not matter.
        let mut step = after[..end].split_whitespace().collect::<Vec<_>>().join(" ");
        for part in *parts {
            let (_, after) = step.split_once(part).unwrap_or_else(|| panic!("{heading}: {part}\n{shown}"));
            step = after.to_owned();
        }
        rest = after;
    }
}

#[test]
fn story_fits_the_terminal_and_tells_every_step_in_order() {
    let [narrow, wide] = thread::scope(|scope| {
        let wide = scope.spawn(|| shown(120, &[("NO_COLOR", "1")]));
        [shown(80, &[]), wide.join().unwrap()]
    });
    assert!(narrow.contains('\x1b') && !wide.contains('\x1b'), "{wide}");
    for (text, columns) in [(plain(&narrow), 80), (wide, 120)] {
        let too_wide: Vec<_> = text.lines().filter(|line| line.chars().count() > columns).collect();
        // The path of the program, which the last commands begin with, has any length.
        assert!(too_wide.iter().all(|line| line.contains("/trusthub-bridge ")), "{too_wide:#?}");
        assert_tells_all_steps(&text);
    }
}
