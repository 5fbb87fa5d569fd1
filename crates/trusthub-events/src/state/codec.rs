//! Numbers and texts in few bytes.

/// Appends values to a buffer.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn into_bytes(self) -> Box<[u8]> {
        self.bytes.into_boxed_slice()
    }

    /// Seven bits in each byte, the lowest first; the highest bit of a byte says that another one follows.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// The sign is the lowest bit, so that small negative numbers are short as well.
    pub(super) fn signed(&mut self, number: i64) {
        self.number((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
    }

    /// 32 hexadecimal digits, as SIDs and most ids have, take half of their length.
    pub(super) fn text(&mut self, text: &str) {
        if let Some(digits) = packed(text) {
            self.number(0);
            self.bytes.extend_from_slice(&digits.to_be_bytes());
        } else {
            self.number(text.len() as u64 + 1);
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.number(u64::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn list<T>(&mut self, values: &[T], write: impl Fn(&mut Self, &T)) {
        self.number(values.len() as u64);
        values.iter().for_each(|value| write(self, value));
    }
}

/// The number with these 32 hexadecimal digits in lower case; `None` for any other text.
fn packed(text: &str) -> Option<u128> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == 32 && text.bytes().all(is_digit) { u128::from_str_radix(text, 16).ok() } else { None }
}

/// Takes values from a buffer, in the order in which they were written. Each function returns `None` if the buffer does not
/// begin with such a value.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let Some(length) = self.number()?.checked_sub(1) else {
            let (digits, rest) = self.bytes.split_first_chunk()?;
            self.bytes = rest;
            return Some(format!("{:032x}", u128::from_be_bytes(*digits)));
        };
        let (text, rest) = self.bytes.split_at_checked(usize::try_from(length).ok()?)?;
        self.bytes = rest;
        str::from_utf8(text).ok().map(str::to_owned)
    }

    pub(super) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.number()? {
            0 => Some(None),
            _ => read(self).map(Some),
        }
    }

    pub(super) fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        (0..count).map(|_| read(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Writer)) -> Box<[u8]> {
        let mut writer = Writer::default();
        write(&mut writer);
        writer.into_bytes()
    }

    #[test]
    fn number_takes_as_many_bytes_as_its_size_needs() {
        let lengths = [0, 127, 128, 16_383, 16_384, u64::MAX].map(|number| written(|to| to.number(number)).len());
        assert_eq!(lengths, [1, 1, 2, 2, 3, 10]);
    }

    #[test]
    fn text_of_32_hexadecimal_digits_takes_half_its_length() {
        assert_eq!(written(|to| to.text(&"0a".repeat(16))).len(), 17);
        assert_eq!(written(|to| to.text(&"0A".repeat(16))).len(), 33, "the case would be lost");
        assert_eq!(written(|to| to.text(&format!("+{}", "0".repeat(31)))).len(), 33, "a sign is no digit");
    }

    proptest! {
        #[test]
        fn values_are_read_as_they_were_written(
            unsigned: u64, signed: i64, text in ".*|[0-9a-f]{32}|[0-9a-fA-F]{32}", list: Vec<u64>, option: Option<i64>,
        ) {
            let bytes = written(|to| {
                to.number(unsigned);
                to.signed(signed);
                to.text(&text);
                to.list(&list, |to, number| to.number(*number));
                to.option(option, Writer::signed);
            });
            let mut from = Reader::new(&bytes);
            prop_assert_eq!(from.number(), Some(unsigned));
            prop_assert_eq!(from.signed(), Some(signed));
            prop_assert_eq!(from.text(), Some(text));
            prop_assert_eq!(from.list(Reader::number), Some(list));
            prop_assert_eq!(from.option(Reader::signed), Some(option));
            prop_assert!(from.is_at_end());
        }
    }
}
