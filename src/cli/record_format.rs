//! Records as lines: text for people, JSON for programs.

use bytes::Bytes;
use ottla_core::types::Timestamp;
use serde_json::{Map, Value};

use super::{base64, timestamp};
use crate::client::consumer::ConsumerRecord;

/// What a line of text has beside the value.
#[derive(Debug, Clone, Default)]
pub(super) struct TextFormat {
    pub(super) timestamp: bool,
    pub(super) partition: bool,
    pub(super) offset: bool,
    pub(super) headers: bool,
    pub(super) key: bool,
    pub(super) separator: String,
    pub(super) null: String,
}

impl TextFormat {
    /// Appends a record as a line.
    pub(super) fn write(&self, record: &ConsumerRecord, line: &mut Vec<u8>) {
        let mut field = |shown: bool, text: &dyn Fn() -> String| {
            if shown {
                line.extend_from_slice(text().as_bytes());
                line.extend_from_slice(self.separator.as_bytes());
            }
        };
        field(self.timestamp, &|| match record.timestamp {
            Timestamp::NONE => self.null.clone(),
            known => timestamp::format(known),
        });
        field(self.partition, &|| record.partition.partition.to_string());
        field(self.offset, &|| record.offset.to_string());
        if self.headers {
            for (index, (key, value)) in record.headers.iter().enumerate() {
                if index > 0 {
                    line.push(b',');
                }
                line.extend_from_slice(key.as_bytes());
                line.push(b'=');
                line.extend_from_slice(value.as_deref().unwrap_or(self.null.as_bytes()));
            }
            line.extend_from_slice(self.separator.as_bytes());
        }
        if self.key {
            line.extend_from_slice(record.key.as_deref().unwrap_or(self.null.as_bytes()));
            line.extend_from_slice(self.separator.as_bytes());
        }
        line.extend_from_slice(record.value.as_deref().unwrap_or(self.null.as_bytes()));
        line.push(b'\n');
    }
}

/// Appends a record as a line of JSON. Bytes that are not UTF-8 are in a field of another name, as base64.
pub(super) fn write_json(record: &ConsumerRecord, line: &mut Vec<u8>) {
    let mut object = Map::new();
    object.insert("topic".into(), Value::from(&*record.partition.topic));
    object.insert("partition".into(), Value::from(record.partition.partition.0));
    object.insert("offset".into(), Value::from(record.offset.0));
    object.insert("timestamp".into(), Value::from(record.timestamp.0));
    insert_bytes(&mut object, "key", record.key.as_ref());
    insert_bytes(&mut object, "value", record.value.as_ref());
    let headers = record.headers.iter().map(|(key, value)| {
        let mut header = Map::new();
        header.insert("key".into(), Value::from(key.as_str()));
        insert_bytes(&mut header, "value", value.as_ref());
        Value::Object(header)
    });
    object.insert("headers".into(), headers.collect());
    // A value without floats and with string keys always has a text.
    line.extend_from_slice(Value::Object(object).to_string().as_bytes());
    line.push(b'\n');
}

fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: Option<&Bytes>) {
    let Some(bytes) = bytes else {
        object.insert(name.into(), Value::Null);
        return;
    };
    match str::from_utf8(bytes) {
        Ok(text) => object.insert(name.into(), Value::from(text)),
        Err(_) => object.insert(format!("{name}_base64"), Value::from(base64::encode(bytes))),
    };
}

#[cfg(test)]
mod tests {
    use ottla_core::types::Offset;

    use super::*;
    use crate::client::TopicPartition;

    fn record() -> ConsumerRecord {
        ConsumerRecord {
            partition: TopicPartition::new("orders", 3),
            offset: Offset(42),
            timestamp: Timestamp(1_795_425_900_123),
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::from_static("Gr\u{fc}\u{df}e \"x\"".as_bytes())),
            headers: vec![("h".into(), Some(Bytes::from_static(b"v"))), ("n".into(), None)],
        }
    }

    fn text(format: &TextFormat, record: &ConsumerRecord) -> String {
        let mut line = Vec::new();
        format.write(record, &mut line);
        String::from_utf8_lossy(&line).into_owned()
    }

    fn json(record: &ConsumerRecord) -> String {
        let mut line = Vec::new();
        write_json(record, &mut line);
        String::from_utf8_lossy(&line).into_owned()
    }

    #[test]
    fn a_line_of_text_has_what_is_asked_for() {
        let plain = TextFormat { separator: "|".into(), null: "null".into(), ..Default::default() };
        assert_eq!(text(&plain, &record()), "Grüße \"x\"\n");
        let full = TextFormat {
            timestamp: true,
            partition: true,
            offset: true,
            headers: true,
            key: true,
            ..plain
        };
        assert_eq!(
            text(&full, &record()),
            "2026-11-23T09:25:00.123Z|3|42|h=v,n=null|k|Grüße \"x\"\n"
        );
        let tombstone =
            ConsumerRecord { timestamp: Timestamp::NONE, value: None, headers: vec![], ..record() };
        assert_eq!(text(&full, &tombstone), "null|3|42||k|null\n");
    }

    #[test]
    fn a_line_of_json_has_stable_names() {
        assert_eq!(
            json(&record()),
            concat!(
                r#"{"headers":[{"key":"h","value":"v"},{"key":"n","value":null}],"key":"k","#,
                r#""offset":42,"partition":3,"timestamp":1795425900123,"topic":"orders","#,
                r#""value":"Grüße \"x\""}"#,
                "\n"
            )
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let record = ConsumerRecord {
            key: None,
            value: Some(Bytes::from_static(&[0xfb, 0xff, 0xfe])),
            headers: vec![("h".into(), Some(Bytes::from_static(&[0xff])))],
            ..record()
        };
        assert_eq!(
            json(&record),
            concat!(
                r#"{"headers":[{"key":"h","value_base64":"/w=="}],"key":null,"offset":42,"#,
                r#""partition":3,"timestamp":1795425900123,"topic":"orders","#,
                r#""value_base64":"+//+"}"#,
                "\n"
            )
        );
    }
}
