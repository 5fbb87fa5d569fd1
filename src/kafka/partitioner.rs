//! The partition of a key, as the producer and Java clients determine it.

use crate::domain::ProfileSid;

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;

/// The partition of a profile in a topic with this many partitions.
#[must_use]
pub(crate) fn partition_of(profile: &ProfileSid, partitions: i32) -> i32 {
    let positive = i32::try_from(murmur2(profile.as_str().as_bytes()) & 0x7fff_ffff).unwrap_or_default();
    positive.checked_rem(partitions).unwrap_or_default()
}

/// The hash function of Kafka's partitioner, Murmur2 in 32 bits.
fn murmur2(data: &[u8]) -> u32 {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, rest) = data.as_chunks::<4>();
    let mut hash = words.iter().fold(SEED ^ length, |hash, word| {
        let word = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        hash.wrapping_mul(MULTIPLIER) ^ (word ^ (word >> 24)).wrapping_mul(MULTIPLIER)
    });
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |last, byte| (last << 8) | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values are those of the tests of Apache Kafka.
    #[test]
    fn hash_equals_that_of_java_clients() {
        for (text, expected) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), expected, "{text}");
        }
    }

    #[test]
    fn partition_is_below_the_number_of_partitions() {
        for digit in '0'..='9' {
            let profile = ProfileSid::parse(&format!("BU{}", digit.to_string().repeat(32))).unwrap();
            assert!((0..6).contains(&partition_of(&profile, 6)), "{profile}");
        }
    }
}
