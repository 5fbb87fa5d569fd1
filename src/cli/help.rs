//! Wraps the help texts to the terminal.
//!
//! clap wraps them only with its feature `wrap_help`, whose library needs a second version of `rustix`.

use std::{ffi::OsStr, io};

use clap::{Arg, Command};

use super::variables::Variables;

/// The width of help that is not printed on a terminal, and the largest width on one: longer lines are hard to read.
const MAX_WIDTH: usize = 100;
/// The smallest width. Narrower terminals break the lines themselves.
const MIN_WIDTH: usize = 40;
/// How far clap indents the text of an option that begins on a line of its own.
const OPTION_INDENT: usize = 10;

/// The number of columns for help: of `COLUMNS`, or of the terminal.
pub(super) fn width(variables: &Variables) -> usize {
    let is_columns = |name: &OsStr| name == "COLUMNS";
    let columns =
        variables.iter().find(|(name, _)| is_columns(name)).and_then(|(_, value)| value.to_str()?.parse().ok());
    let terminal = || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    let known = columns.or_else(terminal).filter(|width| *width > 0);
    known.unwrap_or(MAX_WIDTH).clamp(MIN_WIDTH, MAX_WIDTH)
}

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

/// Breaks each paragraph into lines of this width. Lines that begin with white space are examples and stay as they are.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut continues = false;
    for line in text.lines() {
        let is_prose = !line.is_empty() && !line.starts_with(' ');
        if !is_prose || !continues {
            lines.push(if is_prose { String::new() } else { line.to_owned() });
        }
        continues = is_prose;
        for word in line.split(' ').filter(|_| is_prose) {
            append(&mut lines, word, width);
        }
    }
    lines.join("\n")
}

/// Appends a word to the last line, or to a new one if it does not fit.
fn append(lines: &mut Vec<String>, word: &str, width: usize) {
    match lines.last_mut() {
        Some(last) if last.is_empty() => last.push_str(word),
        Some(last) if last.chars().count() + 1 + word.chars().count() <= width => {
            last.push(' ');
            last.push_str(word);
        }
        _ => lines.push(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_and_examples_are_kept() {
        let text = "One two three\nfour five.\n\n  curl --an-example that is longer\n\nSix";
        let expected = "One two\nthree four\nfive.\n\n  curl --an-example that is longer\n\nSix";
        assert_eq!(wrapped(text, 10), expected);
        assert_eq!(wrapped("incomprehensibilities a b", 10), "incomprehensibilities\na b");
        assert_eq!(wrapped("…… ……", 5), "…… ……", "the width counts characters");
    }

    #[test]
    fn width_is_that_of_columns_within_limits() {
        let of = |columns: &str| width(&vec![("COLUMNS".into(), columns.into())]);
        assert_eq!([of("80"), of("1"), of("500")], [80, MIN_WIDTH, MAX_WIDTH]);
    }
}
