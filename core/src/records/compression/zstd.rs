//! Zstandard, by its own library.

use alloc::{vec, vec::Vec};

use zstd_safe::{DCtx, InBuffer, OutBuffer, compress_bound};

use super::{DecompressError, grow};

/// The library's own default.
const LEVEL: i32 = 3;

pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut output = vec![0; compress_bound(bytes.len())];
    let length = zstd_safe::compress(&mut output[..], bytes, LEVEL)
        .expect("the output has the room that the library asks for");
    output.truncate(length);
    output
}

pub(super) fn decompress(bytes: &[u8]) -> Result<Vec<u8>, DecompressError> {
    let mut context = DCtx::create();
    let mut input = InBuffer::around(bytes);
    let mut output = Vec::new();
    loop {
        let start = grow(&mut output)?;
        let mut room = OutBuffer::around(&mut output[start..]);
        let hint = context.decompress_stream(&mut room, &mut input).map_err(|_| DecompressError)?;
        let written = room.pos();
        let room_is_full = written == room.capacity();
        output.truncate(start + written);
        if input.pos() == bytes.len() {
            // The hint is zero once a frame is complete. To ask once more would be to ask for the next one.
            match hint {
                0 => return Ok(output),
                _ if room_is_full => {}
                _ => return Err(DecompressError),
            }
        }
    }
}
