//! gzip (RFC 1952) around deflate.

use alloc::{boxed::Box, vec::Vec};

use miniz_oxide::{
    DataFormat, MZError, MZFlush, MZStatus,
    deflate::compress_to_vec,
    inflate::stream::{InflateState, inflate},
};

use super::{DecompressError, grow};

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const HEADER_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;
const FLAG_HEADER_CHECKSUM: u8 = 0x02;
const FLAG_EXTRA: u8 = 0x04;
const FLAG_NAME: u8 = 0x08;
const FLAG_COMMENT: u8 = 0x10;

/// gzip's own default.
const LEVEL: u8 = 6;

pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut output = Vec::from([0; HEADER_BYTES]);
    output[..3].copy_from_slice(&MAGIC);
    output[9] = 255; // the operating system is unknown
    output.extend_from_slice(&compress_to_vec(bytes, LEVEL));
    output.extend_from_slice(&crc32fast::hash(bytes).to_le_bytes());
    // The length is kept modulo 2³².
    let length = (bytes.len() as u64 & u64::from(u32::MAX)).to_le_bytes();
    output.extend_from_slice(&length[..4]);
    output
}

/// Decompresses one member or several, one after the other.
pub(super) fn decompress(mut bytes: &[u8]) -> Result<Vec<u8>, DecompressError> {
    let mut output = Vec::new();
    loop {
        let start = output.len();
        bytes = skip_header(bytes)?;
        bytes = inflate_member(bytes, &mut output)?;
        let (trailer, rest) = bytes.split_first_chunk::<TRAILER_BYTES>().ok_or(DecompressError)?;
        let [a, b, c, d, ..] = *trailer;
        if u32::from_le_bytes([a, b, c, d]) != crc32fast::hash(&output[start..]) {
            return Err(DecompressError);
        }
        bytes = rest;
        if bytes.is_empty() {
            return Ok(output);
        }
    }
}

fn skip_header(bytes: &[u8]) -> Result<&[u8], DecompressError> {
    let (header, mut rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(DecompressError)?;
    if !header.starts_with(&MAGIC) {
        return Err(DecompressError);
    }
    let flags = header[3];
    if flags & FLAG_EXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(DecompressError)?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..).ok_or(DecompressError)?;
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|&byte| byte == 0).ok_or(DecompressError)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & FLAG_HEADER_CHECKSUM != 0 {
        rest = rest.get(2..).ok_or(DecompressError)?;
    }
    Ok(rest)
}

fn inflate_member<'a>(
    mut bytes: &'a [u8],
    output: &mut Vec<u8>,
) -> Result<&'a [u8], DecompressError> {
    let mut state: Box<InflateState> = InflateState::new_boxed(DataFormat::Raw);
    loop {
        let start = grow(output)?;
        let result = inflate(&mut state, bytes, &mut output[start..], MZFlush::None);
        output.truncate(start + result.bytes_written);
        bytes = &bytes[result.bytes_consumed..];
        match result.status {
            Ok(MZStatus::StreamEnd) => return Ok(bytes),
            Ok(MZStatus::Ok) if result.bytes_written > 0 || result.bytes_consumed > 0 => {}
            Ok(MZStatus::Ok | MZStatus::NeedDict) | Err(MZError::Buf) | Err(_) => {
                return Err(DecompressError);
            }
        }
    }
}
