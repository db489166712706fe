//! What the fuzz targets call: the parts of the broker that read what anybody may send. They must not panic, and they must not
//! take more memory than the input accounts for.

use bytes::Bytes;
use ottla_core::{
    records::{
        Records,
        batch::{self, Requirements},
    },
    wire::{
        ApiKey, Reader, Request, RequestHeader, Writer,
        frame::{FrameDecoder, FrameLimits},
    },
};

/// How much longer than a byte of input the memory is that a request takes once it is decoded: an element of an array can be
/// a byte or two on the wire, and its place in memory is doubled as the array grows.
pub const MEMORY_PER_BYTE: usize = 256;

/// What is taken for an input of any length: buffers of a fixed size.
pub const MEMORY_FIXED: usize = 1 << 20;

const LIMITS: FrameLimits = FrameLimits { produce_bytes_max: 1 << 20, other_bytes_max: 1 << 17 };

/// A connection's bytes: cut into frames, whose headers and bodies are read. A body that can be read is the same when it is
/// written and read again.
pub fn frames(bytes: &[u8]) {
    let mut decoder = FrameDecoder::new(LIMITS);
    // The bytes arrive in two parts, of which the first tells how they are divided.
    let cut = bytes.first().map_or(0, |first| usize::from(*first).min(bytes.len()));
    for part in [&bytes[..cut], &bytes[cut..]] {
        decoder.buffer_mut().extend_from_slice(part);
        decoder.note_read(part.len());
        while let Ok(Some(frame)) = decoder.next_frame() {
            request(frame);
        }
    }
}

fn request(frame: Bytes) {
    let mut reader = Reader::new(frame);
    let Ok(header) = RequestHeader::decode(&mut reader) else { return };
    let RequestHeader { key, version, .. } = header;
    if !key.serves(version) {
        return;
    }
    let Ok(request) = Request::decode(key, version, reader) else { return };
    let mut writer = Writer::new();
    request.encode(&mut writer, version);
    let again = Request::decode(key, version, Reader::new(writer.freeze()));
    assert_eq!(again.as_ref(), Ok(&request), "{} of version {version}", key.name());
}

/// What a Produce carries for a partition: batches, which are checked as the broker does it before it appends them. Compressed
/// records are looked into only where keys are needed; `look_inside` asks for that.
pub fn batches(bytes: &[u8], look_inside: bool) {
    let mut rest = bytes;
    while let Ok(header) = batch::verify(rest) {
        let (batch, behind) = rest.split_at(header.size_bytes);
        let _ = (header.last_offset(), header.next_offset());
        let _ = batch::validate(&header, batch, Requirements { keys: look_inside });
        for record in Records::new(&batch[batch::CHECKSUMMED_FROM..]).map_while(Result::ok) {
            assert!(record.headers().count() <= batch.len());
            let _ = header.timestamp_of(record.timestamp_delta);
        }
        rest = behind;
    }
}

/// Gives a mutated batch the checksum and the length that it needs, so that what is behind the checksum is reached, too.
pub fn seal(batch: &mut [u8]) {
    const LENGTH_AT: usize = 8;
    let Some(length) = batch.len().checked_sub(batch::LOG_OVERHEAD_BYTES) else { return };
    if batch.len() < ottla_core::records::BATCH_HEADER_BYTES {
        return;
    }
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    batch[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
    batch[16] = batch::MAGIC.cast_unsigned();
    if let Ok(header) = ottla_core::records::BatchHeader::parse(batch) {
        let body = batch[ottla_core::records::BATCH_HEADER_BYTES..].to_vec();
        let sealed = header.sealed(&body).checksum;
        batch[17..21].copy_from_slice(&sealed.to_be_bytes());
    }
}

/// The APIs in all versions that are served.
pub fn apis() -> impl Iterator<Item = (ApiKey, i16)> {
    ApiKey::ALL.iter().flat_map(|key| key.versions().map(|version| (*key, version)))
}
