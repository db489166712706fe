//! Kafka's 128-bit ids.

use alloc::string::String;
use core::{fmt, str::FromStr};

/// A 128-bit id, written as 22 characters of URL-safe base64, as Kafka writes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(u128);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// Stands for "no id".
    pub const ZERO: Self = Self(0);

    /// From its sixteen bytes, most significant first.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// Its sixteen bytes, most significant first.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// A random (version 4) id out of 128 random bits, never one that Kafka reserves or that begins with a dash, which a
    /// command line would take for an option.
    pub fn from_random(random: u128) -> Self {
        let versioned = random & !(0xf << 76 | 0x3 << 62) | 4 << 76 | 2 << 62;
        // The first character stands for the six highest bits; 62 is the dash.
        Self(if versioned >> 122 == 62 { versioned & (u128::MAX >> 6) } else { versioned })
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(22);
        // 128 bits are 21 characters of six bits and a last one whose lower four are zero.
        for index in 0..22 {
            let shifted = if index < 21 { self.0 >> (122 - 6 * index) } else { self.0 << 4 };
            text.push(char::from(ALPHABET[(shifted & 0x3f) as usize]));
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 22 characters of URL-safe base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUuid;

impl fmt::Display for InvalidUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 22 characters of URL-safe base64")
    }
}

impl core::error::Error for InvalidUuid {}

impl FromStr for Uuid {
    type Err = InvalidUuid;
    fn from_str(text: &str) -> Result<Self, InvalidUuid> {
        let mut value = 0_u128;
        if text.len() != 22 {
            return Err(InvalidUuid);
        }
        for (index, character) in text.bytes().enumerate() {
            let digit = ALPHABET.iter().position(|&c| c == character).ok_or(InvalidUuid)? as u128;
            value |= if index < 21 { digit << (122 - 6 * index) } else { digit >> 4 };
        }
        Ok(Self(value))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn text_as_kafka_writes_it() {
        // From Kafka's own UuidTest.
        let id = Uuid::from_bytes([
            0x12, 0x34, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xef, 0x12, 0x34, 0x56, 0x78, 0x90, 0xab,
            0xcd, 0xef,
        ]);
        assert_eq!(id.to_string(), "EjRWeJCrze8SNFZ4kKvN7w");
        assert_eq!("EjRWeJCrze8SNFZ4kKvN7w".parse(), Ok(id));
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!("short".parse::<Uuid>(), Err(InvalidUuid));
        assert_eq!("EjRWeJCrze8SNFZ4kKvN7$".parse::<Uuid>(), Err(InvalidUuid));
    }

    #[test]
    fn a_random_id_has_a_version_and_no_dash_in_front() {
        for random in [0, u128::MAX, 0xF8 << 120, 1 << 127, 0x1234_5678_9abc_def0 << 64] {
            let id = Uuid::from_random(random);
            assert!(!id.to_string().starts_with('-'));
            assert_eq!(id.to_bytes()[6] >> 4, 4);
            assert_eq!(id.to_bytes()[8] >> 6, 2);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
