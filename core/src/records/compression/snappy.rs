//! Snappy: in the blocks of snappy-java ("xerial"), as Java and most other clients write it, or as one bare block.

use alloc::{vec, vec::Vec};

use super::{DECOMPRESSED_BYTES_MAX, DecompressError};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// The magic, then a version and the least version that can read it.
const HEADER_BYTES: usize = 16;
/// snappy-java's block size.
const BLOCK_BYTES: usize = 32 << 10;

pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut output = MAGIC.to_vec();
    output.extend_from_slice(&1_u32.to_be_bytes());
    output.extend_from_slice(&1_u32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in bytes.chunks(BLOCK_BYTES) {
        let compressed = encoder.compress_vec(block).expect("a block is smaller than 4 GiB");
        let length = u32::try_from(compressed.len()).expect("a block stays small");
        output.extend_from_slice(&length.to_be_bytes());
        output.extend_from_slice(&compressed);
    }
    output
}

pub(super) fn decompress(bytes: &[u8]) -> Result<Vec<u8>, DecompressError> {
    let mut output = Vec::new();
    if !bytes.starts_with(&MAGIC) {
        decompress_block(bytes, &mut output)?;
        return Ok(output);
    }
    let mut rest = bytes.get(HEADER_BYTES..).ok_or(DecompressError)?;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or(DecompressError)?;
        let (block, after) =
            after.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(DecompressError)?;
        decompress_block(block, &mut output)?;
        rest = after;
    }
    Ok(output)
}

fn decompress_block(block: &[u8], output: &mut Vec<u8>) -> Result<(), DecompressError> {
    let length = snap::raw::decompress_len(block).map_err(|_| DecompressError)?;
    // Snappy's best is a copy of 64 bytes by a tag of three: what claims more is lying.
    if length > block.len().saturating_mul(64) || length > DECOMPRESSED_BYTES_MAX - output.len() {
        return Err(DecompressError);
    }
    let mut decompressed = vec![0; length];
    snap::raw::Decoder::new().decompress(block, &mut decompressed).map_err(|_| DecompressError)?;
    output.append(&mut decompressed);
    Ok(())
}
