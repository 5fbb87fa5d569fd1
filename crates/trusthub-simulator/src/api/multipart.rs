//! Forms with a file, as a client uploads a supporting document.
//!
//! The content of the file is not kept, because no reviewer reads it. Its type is, because Twilio shows it.

/// The limit on the body of an upload: Twilio accepts files of up to 5 MB.
pub(super) const MAX_UPLOAD_BYTES: usize = 6 * 1024 * 1024;
/// The limit on the parts of a form.
const MAX_PARTS: usize = 100;

/// A form with parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MultipartForm<'a> {
    /// The fields that are not files, in their order.
    pub(super) fields: Vec<(&'a str, &'a str)>,
    /// The media type of the file, if there is one.
    pub(super) file_type: Option<&'a str>,
}

/// Returns the boundary of a form with parts from its `Content-Type`; `None` for any other type.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (media_type, parameters) = content_type.split_once(';')?;
    let is_form = media_type.trim().eq_ignore_ascii_case("multipart/form-data");
    parameter(parameters, "boundary").filter(|boundary| is_form && !boundary.is_empty())
}

impl<'a> MultipartForm<'a> {
    /// Parses a body. Returns `None` if it is not such a form, or has more than [`MAX_PARTS`] parts.
    pub(super) fn parse(body: &'a [u8], boundary: &str) -> Option<Self> {
        let delimiter = format!("--{boundary}");
        let (_, mut rest) = split(body, delimiter.as_bytes())?;
        let mut form = Self { fields: Vec::new(), file_type: None };
        for _ in 0..MAX_PARTS {
            if rest.starts_with(b"--") {
                return Some(form);
            }
            let (part, following) = split(rest.strip_prefix(b"\r\n")?, delimiter.as_bytes())?;
            form.add(part.strip_suffix(b"\r\n")?)?;
            rest = following;
        }
        None
    }

    fn add(&mut self, part: &'a [u8]) -> Option<()> {
        let (head, value) = split(part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(head).ok()?;
        let disposition = header(head, "content-disposition")?;
        let name = parameter(disposition, "name")?;
        if parameter(disposition, "filename").is_some() {
            self.file_type = Some(header(head, "content-type").unwrap_or("application/octet-stream"));
        } else {
            self.fields.push((name, std::str::from_utf8(value).ok()?));
        }
        Some(())
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(field, _)| field.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Returns a parameter of a header, without its quotes.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let parameters = value.split(';').filter_map(|parameter| parameter.split_once('='));
    let found = parameters.into_iter().find(|(parameter, _)| parameter.trim().eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim().trim_matches('"'))
}

/// Splits at the first occurrence of a separator.
fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let begin = bytes.windows(separator.len()).position(|window| window == separator)?;
    let (before, rest) = bytes.split_at_checked(begin)?;
    Some((before, rest.strip_prefix(separator)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = b"preamble\r\n--x\r\nContent-Disposition: form-data; name=\"Type\"\r\n\r\nt\r\n--x\r\n\
        content-disposition: form-data; name=\"File\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n\
        \xff\r\n\r\n-\r\n--x--\r\n";

    #[test]
    fn fields_and_the_type_of_the_file_are_read() {
        let form = MultipartForm { fields: vec![("Type", "t")], file_type: Some("application/pdf") };
        assert_eq!(MultipartForm::parse(BODY, "x"), Some(form));
        assert_eq!(boundary("multipart/form-data; charset=utf-8; Boundary=\"x\""), Some("x"));
        for other in ["multipart/form-data", "text/plain; boundary=x", "multipart/form-data; boundary=", ""] {
            assert_eq!(boundary(other), None, "{other}");
        }
    }

    #[test]
    fn body_that_is_cut_off_or_has_too_many_parts_is_refused() {
        for end in 0..BODY.len() - 4 {
            assert_eq!(MultipartForm::parse(&BODY[..end], "x"), None, "{end}");
        }
        let unfinished = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue--x--";
        assert_eq!(MultipartForm::parse(unfinished, "x"), None, "no line ends before the delimiter");
        let part = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n";
        let form = |parts| format!("{}--x--", part.repeat(parts));
        assert!(MultipartForm::parse(form(MAX_PARTS - 1).as_bytes(), "x").is_some());
        assert!(MultipartForm::parse(form(MAX_PARTS).as_bytes(), "x").is_none());
    }

    proptest! {
        #[test]
        fn no_body_causes_a_panic(body in any::<Vec<u8>>(), boundary in "[a-z]{1,3}") {
            let _ = MultipartForm::parse(&body, &boundary);
        }
    }
}
