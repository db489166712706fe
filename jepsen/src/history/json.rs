//! Histories as text: one JSON value for each line, the header first.

use std::{
    fmt,
    io::{self, BufRead, Write},
};

use super::{Event, FORMAT, Header, History};

/// Why a history cannot be read.
#[derive(Debug)]
pub enum ReadError {
    /// The file cannot be read.
    Io(io::Error),
    /// The file is not a history.
    Unusable(Unusable),
}

/// What is wrong with a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// The line, from 1; the header is the first.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Unusable(unusable) => unusable.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

/// Writes the first line.
pub fn write_header(writer: &mut impl Write, header: &Header) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, header)?;
    writer.write_all(b"\n")
}

/// Writes a line.
pub fn write_event(writer: &mut impl Write, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, event)?;
    writer.write_all(b"\n")
}

/// Reads a history, and tells after each line how many bytes were read.
pub fn read(
    mut reader: impl BufRead,
    mut progress: impl FnMut(usize),
) -> Result<History, ReadError> {
    let mut line = String::new();
    let mut number = 0;
    let mut next = |line: &mut String| -> Result<usize, ReadError> {
        line.clear();
        let length = reader.read_line(line).map_err(ReadError::Io)?;
        progress(length);
        Ok(length)
    };
    let unusable = |line, reason: String| ReadError::Unusable(Unusable { line, reason });
    next(&mut line)?;
    number += 1;
    let header: Header = serde_json::from_str(&line)
        .map_err(|error| unusable(number, format!("not the header of a history: {error}")))?;
    if header.history != FORMAT {
        return Err(unusable(number, format!("format {} is not {FORMAT}", header.history)));
    }
    let mut events = Vec::new();
    while next(&mut line)? > 0 {
        number += 1;
        let event: Event =
            serde_json::from_str(&line).map_err(|error| unusable(number, error.to_string()))?;
        events.push(event);
    }
    Ok(History { header, events })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{
        Answer, Call, Note, Partition, PartitionName, Polled, Probed, ProducerIdentity, Read, Send,
        Value, What,
    };

    fn sample() -> History {
        let name = PartitionName { topic: "a".into(), id: "x".into(), index: 0 };
        let send = Send {
            partition: Partition(0),
            producer: Some(ProducerIdentity { id: 7, epoch: 0, sequence: 3 }),
            acks: -1,
            values: vec![Value::new(3, 1), Value::new(3, 2)],
            ..Send::default()
        };
        let read = Read {
            partition: Partition(0),
            position: Some(4),
            records: vec![(4, Value::new(3, 1))],
            bad: Vec::new(),
            probed: Probed { high_watermark: Some(6), ..Probed::default() },
        };
        let event = |time, operation, what| Event { time, process: 3, operation, what };
        let polled = Polled { reads: vec![read], unprocessed: false };
        History {
            header: Header { seed: 9, ..Header::default() },
            events: vec![
                event(1, 0, What::Note(Note::Partition(name))),
                event(2, 1, What::Invoke(Call::Send(send))),
                event(3, 1, What::Ok(Answer::Sent { offset: Some(4), attempts: 1 })),
                event(4, 2, What::Invoke(Call::Poll { group: None })),
                event(5, 2, What::Ok(Answer::Polled(polled))),
                event(6, 3, What::Info("timed out".into())),
            ],
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let history = sample();
        let mut text = Vec::new();
        write_header(&mut text, &history.header).expect("memory takes it");
        for event in &history.events {
            write_event(&mut text, event).expect("memory takes it");
        }
        let mut bytes = 0;
        let again = read(&text[..], |length| bytes += length).expect("it is a history");
        assert_eq!((again, bytes), (history, text.len()));
    }

    #[test]
    fn the_format_is_what_it_was() {
        let history = sample();
        let mut text = Vec::new();
        write_event(&mut text, &history.events[1]).expect("memory takes it");
        write_event(&mut text, &history.events[2]).expect("memory takes it");
        let expected = concat!(
            r#"{"t":2,"p":3,"op":1,"e":{"invoke":{"send":{"partition":0,"#,
            r#""producer":{"id":7,"epoch":0,"sequence":3},"acks":-1,"#,
            r#""values":[3298534883329,3298534883330]}}}}"#,
            "\n",
            r#"{"t":3,"p":3,"op":1,"e":{"ok":{"sent":{"offset":4}}}}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(text).expect("it is text"), expected);
    }

    #[test]
    fn what_is_no_history_is_refused_with_its_line() {
        let reason = |text: &str| match read(text.as_bytes(), |_| {}) {
            Err(ReadError::Unusable(unusable)) => (unusable.line, unusable.reason),
            other => panic!("{other:?}"),
        };
        assert_eq!(reason("").0, 1);
        assert_eq!(reason(r#"{"history":2,"seed":0}"#), (1, "format 2 is not 1".into()));
        assert_eq!(reason("{\"history\":1,\"seed\":0}\n{\"t\":1}\n").0, 2);
    }
}
