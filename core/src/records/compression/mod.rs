//! The codecs of record batches. The broker passes batches on as they are; it looks inside only to compact, to search by
//! timestamp, and to check keys.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Snappy, in the framing of snappy-java or bare.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// What a batch may grow to when it is decompressed: more is a bomb.
pub const DECOMPRESSED_BYTES_MAX: usize = 128 << 20;

/// The bytes cannot be decompressed: damaged, or more than [`DECOMPRESSED_BYTES_MAX`] large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecompressError;

impl fmt::Display for DecompressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the compressed records are damaged, or too large")
    }
}

impl core::error::Error for DecompressError {}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec with this number.
    pub const fn from_code(code: i16) -> Option<Self> {
        match code {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The codec's number.
    pub const fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec's name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses the records of a batch.
    pub fn compress(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::None => Cow::Borrowed(bytes),
            Self::Gzip => Cow::Owned(gzip::compress(bytes)),
            Self::Snappy => Cow::Owned(snappy::compress(bytes)),
            Self::Lz4 => Cow::Owned(lz4::compress(bytes)),
            Self::Zstd => Cow::Owned(zstd::compress(bytes)),
        }
    }

    /// Decompresses the records of a batch.
    pub fn decompress(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>, DecompressError> {
        match self {
            Self::None => Ok(Cow::Borrowed(bytes)),
            Self::Gzip => gzip::decompress(bytes).map(Cow::Owned),
            Self::Snappy => snappy::decompress(bytes).map(Cow::Owned),
            Self::Lz4 => lz4::decompress(bytes).map(Cow::Owned),
            Self::Zstd => zstd::decompress(bytes).map(Cow::Owned),
        }
    }
}

/// Makes room for more output: doubles it, up to the bound. Returns where the new room begins.
fn grow(output: &mut Vec<u8>) -> Result<usize, DecompressError> {
    let length = output.len();
    if length >= DECOMPRESSED_BYTES_MAX {
        return Err(DecompressError);
    }
    output.resize((length * 2).clamp(16 << 10, DECOMPRESSED_BYTES_MAX), 0);
    Ok(length)
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    fn samples() -> [Vec<u8>; 4] {
        let repetitive: Vec<u8> = b"a record, and another record; ".repeat(20_000);
        let mut noise = vec![0_u8; 300_000];
        let mut state = 1_u32;
        for byte in &mut noise {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0];
        }
        [vec![], b"x".to_vec(), repetitive, noise]
    }

    /// What fills the room for the output to its last byte.
    #[test]
    fn there_and_back_at_the_edge_of_the_room() {
        let [_, _, repetitive, noise] = samples();
        for codec in Compression::ALL {
            for sample in [&repetitive, &noise] {
                for room in [16 << 10, 32 << 10, 64 << 10, 128 << 10] {
                    for length in room - 1..=room + 1 {
                        let compressed = codec.compress(&sample[..length]);
                        let decompressed = codec.decompress(&compressed).map(Cow::into_owned);
                        let is_same = decompressed.is_ok_and(|bytes| bytes == sample[..length]);
                        assert!(is_same, "{} of {length}", codec.name());
                    }
                }
            }
        }
    }

    #[test]
    fn there_and_back() {
        for codec in Compression::ALL {
            for sample in samples() {
                let compressed = codec.compress(&sample);
                let decompressed = codec.decompress(&compressed).map(Cow::into_owned);
                assert_eq!(decompressed, Ok(sample), "{}", codec.name());
            }
        }
    }

    #[test]
    fn damage_and_truncation_are_errors_and_never_panics() {
        for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let [_, _, sample, _] = samples();
            let whole = codec.compress(&sample).into_owned();
            for cut in (0..whole.len()).step_by(whole.len() / 50 + 1) {
                assert!(codec.decompress(&whole[..cut]).is_err() || cut == 0, "{}", codec.name());
                let mut damaged = whole.clone();
                damaged[cut] ^= 0x55;
                // It may still decompress, to something else; it must not panic.
                let _ = codec.decompress(&damaged);
            }
        }
    }
}
