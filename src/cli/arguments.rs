//! How values are written in arguments.

use std::{collections::BTreeMap, fmt, time::Duration};

/// Why an argument's value is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidValue {
    /// No `KEY=VALUE`.
    Pair,
    /// No number of bytes.
    Bytes,
    /// No duration.
    Duration,
    /// No `TOPIC` or `TOPIC:PARTITION,…`.
    Partitions,
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pair => "not KEY=VALUE",
            Self::Bytes => "not a number of bytes like 65536, 64KiB or 1GB",
            Self::Duration => "not a duration like 500ms, 10s or 2m",
            Self::Partitions => "not TOPIC, TOPIC:PARTITION or TOPIC:PARTITION,PARTITION",
        })
    }
}

impl std::error::Error for InvalidValue {}

/// `KEY=VALUE`; the value may be empty and may contain further equals signs.
pub(super) fn pair(text: &str) -> Result<(String, String), InvalidValue> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(InvalidValue::Pair),
    }
}

/// The pairs by key; of several with one key the last counts.
pub(super) fn map(pairs: &[(String, String)]) -> BTreeMap<String, String> {
    pairs.iter().cloned().collect()
}

/// A number with a unit out of `units`, of which the first that fits counts.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, scale) = units
        .iter()
        .find_map(|(unit, scale)| text.strip_suffix(unit).map(|number| (number, *scale)))?;
    number.trim_end().parse::<u64>().ok()?.checked_mul(scale)
}

/// A number of bytes: plain, in powers of 1,000 (kB, MB, GB) or of 1,024 (KiB, MiB, GiB).
pub(super) fn bytes(text: &str) -> Result<u64, InvalidValue> {
    const UNITS: &[(&str, u64)] = &[
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1000),
        ("KB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("", 1),
    ];
    scaled(text, UNITS).ok_or(InvalidValue::Bytes)
}

/// A duration.
pub(super) fn duration(text: &str) -> Result<Duration, InvalidValue> {
    const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    scaled(text, UNITS).map(Duration::from_millis).ok_or(InvalidValue::Duration)
}

/// A topic, or some partitions of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicPartitions {
    pub(super) topic: String,
    /// None means all.
    pub(super) partitions: Option<Vec<i32>>,
}

/// `TOPIC`, or `TOPIC:P,P`.
pub(super) fn topic_partitions(text: &str) -> Result<TopicPartitions, InvalidValue> {
    let (topic, partitions) = match text.split_once(':') {
        None => (text, None),
        Some((topic, list)) => {
            let partitions: Result<_, _> = list.split(',').map(str::parse).collect();
            (topic, Some(partitions.map_err(|_| InvalidValue::Partitions)?))
        }
    };
    if topic.is_empty() {
        return Err(InvalidValue::Partitions);
    }
    Ok(TopicPartitions { topic: topic.to_owned(), partitions })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(pair("a="), Ok(("a".into(), String::new())));
        assert_eq!(pair("=b"), Err(InvalidValue::Pair));
        assert_eq!(pair("a"), Err(InvalidValue::Pair));
    }

    #[test]
    fn sizes_and_durations() {
        for (text, expected) in
            [("0", 0), ("64KiB", 65_536), ("2 MB", 2_000_000), ("1GiB", 1 << 30)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "KiB", "-1", "1.5GB", "99999999999GB", "1 parsec"] {
            assert_eq!(bytes(text), Err(InvalidValue::Bytes), "{text}");
        }
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("10"), Err(InvalidValue::Duration));
    }

    #[test]
    fn partitions_of_a_topic() {
        let parsed =
            |topic: &str, partitions| Ok(TopicPartitions { topic: topic.to_owned(), partitions });
        assert_eq!(topic_partitions("t"), parsed("t", None));
        assert_eq!(topic_partitions("t:0,3"), parsed("t", Some(vec![0, 3])));
        for text in ["", ":1", "t:", "t:x"] {
            assert_eq!(topic_partitions(text), Err(InvalidValue::Partitions), "{text}");
        }
    }
}
