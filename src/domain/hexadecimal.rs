//! Bytes as text.

/// Two lower-case hexadecimal digits for each byte.
pub(crate) fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_two_lower_case_digits() {
        assert_eq!(encode_hex(&[0, 0x0a, 0xff]), "000aff");
        assert_eq!(encode_hex(&[]), "");
    }
}
