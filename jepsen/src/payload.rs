//! What is written into a record, so that whoever reads it can tell whose it is and whether it is whole.
//!
//! ```text
//! magic 4 | value 8 | topic id 16 | partition 4 | key 4 (2^32-1 for none) | padding … | CRC-32 4 of all before
//! ```

use crate::history::Value;

const MAGIC: [u8; 4] = *b"OjP1";
/// Without padding.
pub const PAYLOAD_BYTES_MIN: usize = 40;
const NO_KEY: u32 = u32::MAX;

/// What a record says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// Which record it is.
    pub value: Value,
    /// The topic that it was written to.
    pub topic_id: [u8; 16],
    /// The partition that it was written to.
    pub partition: i32,
    /// Its key.
    pub key: Option<u32>,
}

impl Payload {
    /// The payload as bytes, filled up to `length`. What fills it up follows from the value, and compresses well.
    pub fn to_bytes(self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length.max(PAYLOAD_BYTES_MIN));
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.value.0.to_be_bytes());
        bytes.extend_from_slice(&self.topic_id);
        bytes.extend_from_slice(&self.partition.to_be_bytes());
        bytes.extend_from_slice(&self.key.unwrap_or(NO_KEY).to_be_bytes());
        let number = self.value.number().to_be_bytes();
        while bytes.len() + 4 < length {
            bytes.push(number[bytes.len() % number.len()]);
        }
        let checksum = crc32(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// What bytes say, or why they say nothing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() < PAYLOAD_BYTES_MIN {
            return Err(format!("{} bytes are no payload", bytes.len()));
        }
        let (body, checksum) = bytes.split_at(bytes.len() - 4);
        let expected = u32::from_be_bytes(array(checksum, 0));
        let actual = crc32(body);
        if array(body, 0) != MAGIC {
            return Err("it does not begin as a payload does".into());
        }
        if actual != expected {
            return Err(format!("checksum {actual:08x} is not {expected:08x}"));
        }
        let key = u32::from_be_bytes(array(body, 32));
        Ok(Self {
            value: Value(u64::from_be_bytes(array(body, 4))),
            topic_id: array(body, 12),
            partition: i32::from_be_bytes(array(body, 28)),
            key: (key != NO_KEY).then_some(key),
        })
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the length was checked")
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        // It is below 256.
        #[expect(clippy::cast_possible_truncation, reason = "a place in the table")]
        let mut remainder = at as u32;
        let mut bit = 0;
        while bit < 8 {
            let carry = if remainder & 1 == 1 { 0xedb8_8320 } else { 0 };
            remainder = (remainder >> 1) ^ carry;
            bit += 1;
        }
        table[at] = remainder;
        at += 1;
    }
    table
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut remainder = u32::MAX;
    for byte in bytes {
        let place = (remainder ^ u32::from(*byte)) & 0xff;
        remainder = (remainder >> 8) ^ TABLE[place as usize];
    }
    !remainder
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: Payload =
        Payload { value: Value::new(7, 0x1234), topic_id: [9; 16], partition: 2, key: Some(5) };

    #[test]
    fn what_is_written_is_read() {
        for length in [0, PAYLOAD_BYTES_MIN, 41, 300] {
            let bytes = PAYLOAD.to_bytes(length);
            assert_eq!(bytes.len(), length.max(PAYLOAD_BYTES_MIN));
            assert_eq!(Payload::from_bytes(&bytes), Ok(PAYLOAD));
        }
        let without_key = Payload { key: None, ..PAYLOAD };
        assert_eq!(Payload::from_bytes(&without_key.to_bytes(60)), Ok(without_key));
    }

    #[test]
    fn each_flipped_bit_is_noticed() {
        let bytes = PAYLOAD.to_bytes(64);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Payload::from_bytes(&damaged).is_err(), "bit {bit}");
        }
        assert!(Payload::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(Payload::from_bytes(&[]).is_err());
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
