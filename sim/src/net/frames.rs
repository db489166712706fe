//! What goes over a connection, in words.

use ottla_core::wire::ApiKey;

/// What these bytes are, if a frame begins with them.
pub(super) fn describe(bytes: &[u8], is_request: bool) -> String {
    let length = bytes.len();
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else {
        return format!("{length} bytes");
    };
    let announced = u32::from_be_bytes(*head) as usize;
    // A frame is seldom longer than what comes at once, and what follows of it hardly looks like one.
    if announced > 16 << 20 || announced + 4 < 8 {
        return format!("{length} bytes");
    }
    let number = |at: usize| rest.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    let id = |at| number(at).map_or(-1, i32::from_be_bytes);
    if !is_request {
        return format!("{length} bytes, answer #{}", id(0));
    }
    let Some([key_0, key_1, version_0, version_1]) = number(0) else {
        return format!("{length} bytes");
    };
    match ApiKey::from_code(i16::from_be_bytes([key_0, key_1])) {
        Some(key) => {
            let version = i16::from_be_bytes([version_0, version_1]);
            format!("{length} bytes, {} v{version} #{}", key.name(), id(4))
        }
        None => format!("{length} bytes"),
    }
}
