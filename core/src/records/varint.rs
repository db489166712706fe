//! Zigzag variable-length integers, as records use them.

use alloc::vec::Vec;

/// Reads a varint of at most 64 bits off the front of `bytes`.
#[inline]
pub(super) fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    let mut shift = 0;
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
}

/// Reads a varint that must fit 32 bits.
#[inline]
pub(super) fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    take(bytes).and_then(|value| i32::try_from(value).ok())
}

/// Appends a varint.
pub(super) fn put(buffer: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        buffer.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    buffer.push((rest & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for value in [0, -1, 1, 63, -64, 64, i64::from(i32::MAX), i64::MIN, i64::MAX] {
            let mut buffer = Vec::new();
            put(&mut buffer, value);
            let mut rest = &buffer[..];
            assert_eq!(take(&mut rest), Some(value));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn the_end_comes_too_early_or_never() {
        assert_eq!(take(&mut &[0x80][..]), None);
        assert_eq!(take(&mut &[0xff; 11][..]), None);
        assert_eq!(take_i32(&mut &[0xfe, 0xff, 0xff, 0xff, 0x1f][..]), None);
    }
}
