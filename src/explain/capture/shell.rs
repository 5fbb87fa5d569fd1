//! Splits a command into words as a POSIX shell does, with the quotes `$'…'` that browsers use.

use super::captured::CaptureError;

/// The words of a command. A line that ends with a backslash continues.
pub(super) fn words(command: &str) -> Result<Vec<String>, CaptureError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = command.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => match rest.next() {
                None | Some('\n') => {}
                Some('\r') => {
                    let _ = rest.next_if_eq(&'\n');
                }
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            '\'' => single_quoted(&mut rest, word.get_or_insert_default())?,
            '"' => double_quoted(&mut rest, word.get_or_insert_default())?,
            '|' | ';' | '&' | '<' | '>' => return Err(CaptureError::Operator(c)),
            '$' if rest.next_if_eq(&'\'').is_some() => ansi_quoted(&mut rest, word.get_or_insert_default())?,
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single_quoted(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), CaptureError> {
    for c in rest {
        if c == '\'' {
            return Ok(());
        }
        word.push(c);
    }
    Err(CaptureError::OpenQuote)
}

fn double_quoted(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), CaptureError> {
    while let Some(c) = rest.next() {
        match c {
            '"' => return Ok(()),
            '\\' => match rest.next().ok_or(CaptureError::OpenQuote)? {
                '\n' => {}
                escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
    Err(CaptureError::OpenQuote)
}

fn ansi_quoted(
    rest: &mut std::iter::Peekable<impl Iterator<Item = char>>,
    word: &mut String,
) -> Result<(), CaptureError> {
    while let Some(c) = rest.next() {
        match c {
            '\'' => return Ok(()),
            '\\' => match rest.next().ok_or(CaptureError::OpenQuote)? {
                'n' => word.push('\n'),
                'r' => word.push('\r'),
                't' => word.push('\t'),
                'u' => word.extend(code_point(rest, 4)),
                'x' => word.extend(code_point(rest, 2)),
                other => word.push(other),
            },
            other => word.push(other),
        }
    }
    Err(CaptureError::OpenQuote)
}

/// Reads at most this many hexadecimal digits.
fn code_point(rest: &mut std::iter::Peekable<impl Iterator<Item = char>>, digits: usize) -> Option<char> {
    let mut code = 0;
    for _ in 0..digits {
        let Some(digit) = rest.next_if(char::is_ascii_hexdigit).and_then(|digit| digit.to_digit(16)) else { break };
        code = code * 16 + digit;
    }
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_and_unquoted_like_a_shell_does() {
        let command = "curl 'a b'\\''c' \\\n  \"d\\\"\\x\"e \\\r\n $'f\\'\\u0021\\x41\\n' g\\ h ''";
        let expected = ["curl", "a b'c", "d\"\\xe", "f'!A\n", "g h", ""];
        assert_eq!(words(command).unwrap(), expected);
        for open in ["'a", "\"a", "$'a", "\"a\\", "$'a\\"] {
            assert_eq!(words(open), Err(CaptureError::OpenQuote), "{open}");
        }
    }

    #[test]
    fn unquoted_operator_of_the_shell_is_an_error() {
        for operator in ['|', ';', '&', '<', '>'] {
            for command in [format!("curl a {operator} b"), format!("curl a{operator}b"), format!("curl a 2{operator}")]
            {
                assert_eq!(words(&command), Err(CaptureError::Operator(operator)), "{command}");
            }
            let quoted = format!("curl 'a{operator}' \"{operator}\" \\{operator} $'{operator}'");
            assert_eq!(words(&quoted).unwrap().len(), 5, "{quoted}");
        }
    }
}
