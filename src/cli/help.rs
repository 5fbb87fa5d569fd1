//! Wraps the help texts to the terminal.
//!
//! clap wraps them only with its feature `wrap_help`, whose library needs a second version of `rustix`.

use clap::{Arg, Command};

use super::text::wrapped;

/// How far clap indents the text of an option that begins on a line of its own.
const OPTION_INDENT: usize = 10;

/// Wraps the texts of a command, of its options and of its subcommands.
pub(super) fn wrap(command: Command, width: usize) -> Command {
    let names = command.get_subcommands().map(|subcommand| subcommand.get_name().len());
    // clap lists subcommands in two columns, and options with their texts below them.
    let list_width = names.max().map_or(width, |longest| width.saturating_sub(longest + 4));
    let (about, long_about) = (command.get_about().cloned(), command.get_long_about().cloned());
    let mut command = match command.has_subcommands() {
        true => command,
        false => command.next_line_help(true),
    };
    if let Some(about) = about {
        command = command.about(wrapped(&about.to_string(), width));
    }
    if let Some(long_about) = long_about {
        command = command.long_about(wrapped(&long_about.to_string(), width));
    }
    command.mut_args(|arg| wrap_option(arg, width.saturating_sub(OPTION_INDENT))).mut_subcommands(|subcommand| {
        // Its short text has to fit into the list, too.
        let subcommand = wrap(subcommand, width);
        let about = subcommand.get_about().map(|about| wrapped(&about.to_string(), list_width));
        match about {
            Some(about) => subcommand.about(about),
            None => subcommand,
        }
    })
}

/// Wraps the text of an option together with its default and its possible values, which clap would append to the last line.
fn wrap_option(arg: Arg, width: usize) -> Arg {
    let Some(mut help) = arg.get_help().map(ToString::to_string) else { return arg };
    if !arg.get_action().takes_values() {
        return arg.help(wrapped(&help, width));
    }
    if let Some(default) = arg.get_default_values().first() {
        help.push_str(&format!(" [default: {}]", default.to_string_lossy()));
    }
    let values: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if !values.is_empty() {
        help.push_str(&format!(" [possible values: {}]", values.join(", ")));
    }
    arg.help(wrapped(&help, width)).hide_default_value(true).hide_possible_values(true)
}
