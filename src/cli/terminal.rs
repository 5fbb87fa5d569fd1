//! The width of the terminal.

use std::io::{self, IsTerminal as _};

use super::variables::Variables;

/// The width of texts that are not printed on a terminal, and the largest width on one: longer lines are hard to read.
const MAX_TEXT_WIDTH: usize = 100;
/// The smallest width. Narrower terminals break the lines themselves.
const MIN_WIDTH: usize = 40;

/// The number of columns for a text, such as help.
pub(super) fn text_width(variables: &Variables) -> usize {
    columns(variables).unwrap_or(MAX_TEXT_WIDTH).min(MAX_TEXT_WIDTH)
}

/// The number of columns for a table. `None` if stdout is no terminal: a table in a file or a pipe is complete, also where the
/// shell exports `COLUMNS`.
pub(super) fn table_width(variables: &Variables) -> Option<usize> {
    table_width_on(io::stdout().is_terminal(), variables)
}

fn table_width_on(is_terminal: bool, variables: &Variables) -> Option<usize> {
    if is_terminal { columns(variables) } else { None }
}

/// The number of columns of `COLUMNS`, or of the terminal.
fn columns(variables: &Variables) -> Option<usize> {
    let given = variables.iter().find(|(name, _)| name == "COLUMNS");
    let given = given.and_then(|(_, value)| value.to_str()?.parse().ok());
    let terminal = || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    given.or_else(terminal).filter(|width| *width > 0).map(|width| width.max(MIN_WIDTH))
}

/// The number of columns for lines on stdout if it is a terminal. Lines elsewhere have any length.
pub(super) fn line_width(variables: &Variables) -> Option<usize> {
    io::stdout().is_terminal().then(|| text_width(variables))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_columns_within_limits() {
        let variables = |columns: &str| vec![("COLUMNS".into(), columns.into())];
        let text = |columns: &str| text_width(&variables(columns));
        assert_eq!([text("80"), text("1"), text("500")], [80, MIN_WIDTH, MAX_TEXT_WIDTH]);
        let table = |columns: &str| table_width_on(true, &variables(columns));
        assert_eq!([table("80"), table("1"), table("500")], [Some(80), Some(MIN_WIDTH), Some(500)]);
        assert_eq!(table_width_on(false, &variables("80")), None, "a table in a pipe is complete");
    }
}
