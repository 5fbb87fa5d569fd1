//! `completions` and `man`: what a shell and `man` need to know of the commands.

use std::io;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::output::{Failure, print};

/// The text of `completions --help`.
pub(super) const COMPLETIONS: &str = "Print the completions of the commands and options for a shell

  trusthub-bridge completions bash > /etc/bash_completion.d/trusthub-bridge
  trusthub-bridge completions zsh > \"${fpath[1]}/_trusthub-bridge\"
  trusthub-bridge completions fish > ~/.config/fish/completions/trusthub-bridge.fish";

/// The text of `man --help`.
pub(super) const MAN: &str = "Print the manual page of the program, or of one command

  trusthub-bridge man | man -l -
  trusthub-bridge man spool drain > trusthub-bridge-spool-drain.1";

/// The version that the footer of a manual page names.
const SOURCE: &str = concat!("trusthub-bridge ", env!("CARGO_PKG_VERSION"));

#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct ManArguments {
    /// The command, such as `spool drain`; if omitted, the whole program
    command: Vec<String>,
}

/// Prints the completions of this command.
pub(super) fn completions(arguments: &CompletionsArguments, mut command: Command) -> Result<(), Failure> {
    let (name, mut script) = (command.get_name().to_owned(), Vec::new());
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    print_text(&match arguments.shell {
        Shell::Bash => with_consistent_labels(&String::from_utf8_lossy(&script)),
        _ => String::from_utf8_lossy(&script).into_owned(),
    })
}

/// clap_complete 4.6.11 writes the hyphen of the program's name in two ways, `__` and `__subcmd__`, so that bash would find
/// nothing after a subcommand.
fn with_consistent_labels(script: &str) -> String {
    script.replace("trusthub__subcmd__bridge", "trusthub__bridge")
}

/// Prints the manual page of this command or of one below it, in the language of `man`, roff.
pub(super) fn man(arguments: &ManArguments, mut command: Command) -> Result<(), Failure> {
    // Gives each subcommand its full name.
    command.build();
    let mut found = &command;
    for name in &arguments.command {
        found = found.find_subcommand(name).ok_or_else(|| {
            Failure::usage(format!("there is no command `{name}` in `{}`; `--help` lists them", found.get_name()))
        })?;
    }
    let page = page(found).map_err(Failure::failed)?;
    print_text(&String::from_utf8_lossy(&page))
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).source(SOURCE).manual("trusthub-bridge").render(&mut page)?;
    Ok(page)
}

fn print_text(text: &str) -> Result<(), Failure> {
    print(text.trim_end())
}
