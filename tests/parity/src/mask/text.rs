//! Placeholders within strings.

use std::time::{Duration, SystemTime};

/// Timestamps this near the present are the broker's own, or made from the clock.
const NEAR: Duration = Duration::from_hours(48);

/// Whether the timestamp is that of the present, more or less.
pub(super) fn is_near_now(timestamp: i64) -> bool {
    let Ok(timestamp) = u64::try_from(timestamp) else { return false };
    let then = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(timestamp));
    let now = SystemTime::now();
    then.is_some_and(|then| {
        now.duration_since(then).or_else(|_| then.duration_since(now)).is_ok_and(|gap| gap < NEAR)
    })
}

/// Replaces what is a timestamp of the present.
pub(super) fn replace_times(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, digits) = rest.split_at(start);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (number, after) = digits.split_at(end);
        replaced.push_str(before);
        replaced.push_str(match number.parse::<i64>() {
            Ok(time) if is_near_now(time) => "<now>",
            // How far back a broker reckons that accepts records of any age.
            Ok(time) if is_near_now(i64::MAX - time) => "<all time before now>",
            _ => number,
        });
        rest = after;
    }
    replaced + rest
}

const UUID_BYTES: usize = 36;

fn is_uuid(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(index, byte)| {
        if matches!(index, 8 | 13 | 18 | 23) { *byte == b'-' } else { byte.is_ascii_hexdigit() }
    })
}

/// Replaces what has the form of a UUID: the random part of a member id.
pub(super) fn replace_uuids(text: &str, mut placeholder: impl FnMut(&str) -> String) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.as_bytes().windows(UUID_BYTES).position(is_uuid) {
        let (before, uuid) = rest.split_at(start);
        let (uuid, after) = uuid.split_at(UUID_BYTES);
        replaced.push_str(before);
        replaced.push_str(&placeholder(uuid));
        rest = after;
    }
    replaced + rest
}

/// Takes out what has the form of a UUID.
pub(super) fn blank_uuids(text: &str) -> String {
    replace_uuids(text, |_| String::new())
}
