//! Whether a batch's records are what its header says.

use ottla_core::records::{BATCH_HEADER_BYTES, BatchHeader, Records};

/// What is wrong with the records of an intact batch, if anything is. Where records were compacted away, there may be fewer.
pub(super) fn problem(header: &BatchHeader, batch: &[u8], is_compacted: bool) -> Option<String> {
    let Some(compression) = header.attributes.compression() else {
        return Some("the batch's codec is unknown".to_owned());
    };
    let Ok(body) = compression.decompress(&batch[BATCH_HEADER_BYTES..]) else {
        return Some(format!("the batch's records are not {}", compression.name()));
    };
    let mut count = 0;
    let mut last = -1;
    for record in Records::new(&body) {
        let Ok(record) = record else {
            return Some(format!("record {count} of the batch is malformed"));
        };
        let delta = record.offset_delta;
        if delta <= last || delta > header.last_offset_delta || !is_compacted && delta != last + 1 {
            return Some(format!("record {count} of the batch has the wrong offset"));
        }
        last = delta;
        count += 1;
    }
    let expected = header.record_count;
    let is_whole = count == expected && (is_compacted || last == header.last_offset_delta);
    (!is_whole).then(|| format!("the batch has {count} records, but should have {expected}"))
}
