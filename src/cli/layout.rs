//! Lines that fit into the columns of a terminal, also with colors.

use super::text::{width as columns_of, wrapped};

/// Joins two parts of a line with a space, or with a line break and the indent if the line would be wider.
pub(super) fn joined(head: &str, tail: &str, width: Option<usize>, indent: &str) -> String {
    let columns = visible_columns(head) + 1 + visible_columns(tail);
    match width {
        Some(width) if columns > width => format!("{head}\n{indent}{tail}"),
        _ => format!("{head} {tail}"),
    }
}

/// Breaks a text into lines of this width, indent included, and indents each of them.
pub(super) fn indented(text: &str, width: usize, indent: &str) -> String {
    let lines = wrapped(text, width.saturating_sub(indent.len()));
    lines.lines().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join("\n")
}

/// The number of columns that a line takes, without the characters that set colors.
fn visible_columns(text: &str) -> usize {
    let mut is_color = false;
    let is_visible = |character: &char| {
        let was_color = is_color;
        is_color = *character == '\x1b' || (is_color && *character != 'm');
        !is_color && !was_color
    };
    columns_of(&text.chars().filter(is_visible).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_take_no_columns() {
        assert_eq!(visible_columns("a \x1b[32m204\x1b[0m b"), 7);
        assert_eq!(visible_columns("…"), 1);
    }

    #[test]
    fn tail_has_a_line_of_its_own_only_if_a_terminal_would_break_the_line() {
        assert_eq!(joined("ab", "cd", Some(5), "  "), "ab cd");
        assert_eq!(joined("ab", "cde", Some(5), "  "), "ab\n  cde");
        assert_eq!(joined("ab", "cde", None, "  "), "ab cde");
        assert_eq!(indented("one two three", 9, "  "), "  one two\n  three");
    }
}
