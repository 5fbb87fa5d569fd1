//! Help, completions and manual pages.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use test_support::program;

/// The commands, each with its arguments up to `--help`.
const COMMANDS: [&[&str]; 25] = [
    &[],
    &["serve"],
    &["dev"],
    &["simulate"],
    &["sign"],
    &["explain"],
    &["reconcile"],
    &["spool"],
    &["spool", "ls"],
    &["spool", "show"],
    &["spool", "export"],
    &["spool", "drain"],
    &["profiles"],
    &["profiles", "ls"],
    &["profiles", "show"],
    &["profiles", "rebuild"],
    &["dead-letters"],
    &["dead-letters", "ls"],
    &["dead-letters", "show"],
    &["dead-letters", "replay"],
    &["config"],
    &["healthcheck"],
    &["probe"],
    &["completions"],
    &["man"],
];

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn printed(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run(program().args(arguments));
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
    stdout
}

/// The lines of the help that may be wrapped: not the examples, not the synopsis, and not the text of clap's own command.
fn prose(help: &str) -> impl Iterator<Item = &str> {
    let examples = ["  trusthub-bridge ", "  curl ", "    -H \"", "Usage: ", "  help "];
    help.lines().filter(move |line| !examples.iter().any(|example| line.starts_with(example)))
}

#[test]
fn help_is_wrapped_to_the_width_of_the_terminal() {
    for command in COMMANDS {
        for option in ["-h", "--help"] {
            let of_width = |width: &str| run(program().args(command).arg(option).env("COLUMNS", width)).1;
            let (narrow, wide) = (of_width("60"), of_width("100"));
            for line in prose(&narrow) {
                assert!(line.chars().count() <= 60, "{command:?} {option}: {line}");
            }
            for line in prose(&wide) {
                assert!(line.chars().count() <= 100, "{command:?} {option}: {line}");
            }
            let words = |help: &str| help.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&narrow), words(&wide), "no word is lost");
        }
    }
    let wide = run(program().args(["reconcile", "--help"]).env("COLUMNS", "100")).1;
    assert!(prose(&wide).any(|line| line.chars().count() > 90), "the width is used: {wide}");
}

#[test]
fn help_names_the_defaults_and_the_possible_values() {
    let words = |arguments: &[&str]| printed(arguments).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&["sign", "--help"]).contains("[default: post] [possible values: get, post]"));
    assert!(words(&["spool", "drain", "--help"]).contains("[default: 60]"));
    assert!(!printed(&["probe", "--help"]).contains("possible values"), "a flag has no values");
}

#[test]
fn completions_of_bash_complete_commands_and_options() {
    let script = printed(&["completions", "bash"]);
    let complete = |words: &str, number: usize| {
        let test = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={number}; \
             _trusthub__bridge trusthub-bridge \"${{COMP_WORDS[{number}]}}\" \"${{COMP_WORDS[{number}-1]}}\"; \
             echo \"${{COMPREPLY[*]}}\""
        );
        let (code, stdout, stderr) = run(Command::new("bash").args(["-c", &test]));
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{words}");
        stdout
    };
    assert_eq!(complete("trusthub-bridge re", 1), "reconcile\n");
    assert_eq!(complete("trusthub-bridge spool dr", 2), "drain\n");
    assert_eq!(complete("trusthub-bridge probe --allow", 2), "--allow-spooled\n");
}

#[test]
fn completions_of_each_shell_name_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        for command in COMMANDS.into_iter().filter_map(|command| command.last()) {
            assert!(script.contains(command), "{command} in {shell}");
        }
    }
    assert_eq!(run(program().args(["completions", "tcsh"])).0, Some(2));
}

/// The text of a page as `man` shows it, in one line.
fn rendered(page: &str) -> String {
    let mut groff = Command::new("groff");
    let groff = groff.args(["-Kutf8", "-man", "-Tutf8", "-rHY=0", "-ww", "-P-cbou"]).stdin(Stdio::piped());
    let groff = groff.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut groff = groff.expect("groff renders manual pages; install the package groff-base");
    groff.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let Output { stdout, stderr, .. } = groff.wait_with_output().unwrap();
    assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    let text = String::from_utf8(stdout).unwrap().replace(['‐', '−'], "-");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn manual_page_of_each_command_renders_with_its_options() {
    let whole = rendered(&printed(&["man"]));
    for command in COMMANDS.into_iter().filter(|command| !command.is_empty()) {
        let name = format!("trusthub-bridge-{}", command.join("-"));
        let page = printed(&[&["man"], command].concat());
        assert!(page.contains(&format!(".TH {name} 1 ")), "{page}");
        let text = rendered(&page);
        assert!(text.contains("NAME") && text.contains("SYNOPSIS") && text.contains("DESCRIPTION"), "{text}");
        if command.len() == 1 {
            assert!(whole.contains(&format!("{name}(1)")), "{name} is missing in\n{whole}");
        }
    }
    let page = rendered(&printed(&["man", "probe"]));
    assert!(page.contains("--allow-spooled With --publish: also succeed"), "{page}");
    let (code, _, stderr) = run(program().args(["man", "spool", "frobnicate"]));
    assert_eq!(
        (code, stderr.as_str()),
        (Some(2), "there is no command `frobnicate` in `spool`; `--help` lists them\n")
    );
}
