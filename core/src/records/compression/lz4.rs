//! The LZ4 frame format (<https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>) around LZ4 blocks.

use alloc::vec::Vec;

use lz4_flex::block;
use twox_hash::XxHash32;

use super::{DECOMPRESSED_BYTES_MAX, DecompressError};

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
/// Version 1, independent blocks.
const FLAGS: u8 = 0x60;
const FLAG_VERSION_MASK: u8 = 0xc0;
const FLAG_VERSION: u8 = 0x40;
const FLAG_INDEPENDENT_BLOCKS: u8 = 0x20;
const FLAG_BLOCK_CHECKSUM: u8 = 0x10;
const FLAG_CONTENT_SIZE: u8 = 0x08;
const FLAG_CONTENT_CHECKSUM: u8 = 0x04;
const FLAG_DICTIONARY: u8 = 0x01;
/// Blocks of 64 KiB, as Kafka's Java clients write them.
const BLOCK_DESCRIPTOR: u8 = 4 << 4;
const BLOCK_BYTES: usize = 64 << 10;
const UNCOMPRESSED_BLOCK: u32 = 0x8000_0000;
/// How far back a linked block may refer.
const WINDOW_BYTES: usize = 64 << 10;

pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut output = MAGIC.to_vec();
    let descriptor = [FLAGS, BLOCK_DESCRIPTOR];
    output.extend_from_slice(&descriptor);
    output.push(header_checksum(&descriptor));
    for chunk in bytes.chunks(BLOCK_BYTES) {
        let compressed = block::compress(chunk);
        let (block, flag) = if compressed.len() < chunk.len() {
            (&compressed[..], 0)
        } else {
            (chunk, UNCOMPRESSED_BLOCK)
        };
        let length = u32::try_from(block.len()).expect("a block stays small");
        output.extend_from_slice(&(length | flag).to_le_bytes());
        output.extend_from_slice(block);
    }
    output.extend_from_slice(&0_u32.to_le_bytes());
    output
}

fn header_checksum(descriptor: &[u8]) -> u8 {
    XxHash32::oneshot(0, descriptor).to_le_bytes()[1]
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], DecompressError> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(DecompressError)?;
    *bytes = rest;
    Ok(taken)
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32, DecompressError> {
    take(bytes, 4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}

pub(super) fn decompress(mut bytes: &[u8]) -> Result<Vec<u8>, DecompressError> {
    let bytes = &mut bytes;
    if take(bytes, 4)? != MAGIC {
        return Err(DecompressError);
    }
    let (flags, block_bytes_max) = take_descriptor(bytes)?;
    let mut output = Vec::new();
    loop {
        let length = take_u32(bytes)?;
        if length == 0 {
            break;
        }
        let block = take(bytes, (length & !UNCOMPRESSED_BLOCK) as usize)?;
        if length & UNCOMPRESSED_BLOCK == 0 {
            decompress_block(block, flags, block_bytes_max, &mut output)?;
        } else {
            output.extend_from_slice(block);
        }
        if output.len() > DECOMPRESSED_BYTES_MAX {
            return Err(DecompressError);
        }
        if flags & FLAG_BLOCK_CHECKSUM != 0 && take_u32(bytes)? != XxHash32::oneshot(0, block) {
            return Err(DecompressError);
        }
    }
    if flags & FLAG_CONTENT_CHECKSUM != 0 && take_u32(bytes)? != XxHash32::oneshot(0, &output) {
        return Err(DecompressError);
    }
    Ok(output)
}

/// Reads the frame's descriptor: its flags, and how large a block may become.
fn take_descriptor(bytes: &mut &[u8]) -> Result<(u8, usize), DecompressError> {
    let whole = *bytes;
    let &[flags, block_descriptor] = take(bytes, 2)? else { return Err(DecompressError) };
    if flags & FLAG_VERSION_MASK != FLAG_VERSION || flags & FLAG_DICTIONARY != 0 {
        return Err(DecompressError);
    }
    if flags & FLAG_CONTENT_SIZE != 0 {
        take(bytes, 8)?;
    }
    let descriptor = &whole[..whole.len() - bytes.len()];
    if take(bytes, 1)? != [header_checksum(descriptor)] {
        return Err(DecompressError);
    }
    match block_descriptor >> 4 {
        size @ 4..=7 => Ok((flags, 1 << (8 + 2 * usize::from(size)))),
        _ => Err(DecompressError),
    }
}

fn decompress_block(
    block: &[u8],
    flags: u8,
    block_bytes_max: usize,
    output: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let start = output.len();
    output.resize(start + block_bytes_max, 0);
    let (before, room) = output.split_at_mut(start);
    let length = if flags & FLAG_INDEPENDENT_BLOCKS == 0 {
        let window = &before[start.saturating_sub(WINDOW_BYTES)..];
        block::decompress_into_with_dict(block, room, window)
    } else {
        block::decompress_into(block, room)
    }
    .map_err(|_| DecompressError)?;
    output.truncate(start + length);
    Ok(())
}
