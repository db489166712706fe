//! The lines of a file or of standard input, read by a thread of their own: reading them blocks.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::PathBuf,
    thread,
};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::cli::CliError;

/// Chunks of lines that are read ahead.
const CHUNKS_MAX: usize = 4;
/// The lines that go together where they are there at once.
const CHUNK_LINES_MAX: usize = 1000;
const BUFFER_BYTES: usize = 256 << 10;
/// The longest line: no broker takes a record like that, and something that is no text may have no line ends at all.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// A line without its end, or why it cannot be read.
#[derive(Debug)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    pub(super) text: io::Result<Bytes>,
}

/// Begins to read.
pub(super) fn read(file: Option<PathBuf>) -> Result<mpsc::Receiver<Vec<Line>>, CliError> {
    let (sender, lines) = mpsc::channel(CHUNKS_MAX);
    let input: Box<dyn Read + Send> = match file {
        Some(path) => match File::open(&path) {
            Ok(file) => Box::new(file),
            Err(error) => return Err(CliError::io(path.display().to_string(), &error)),
        },
        None => Box::new(io::stdin()),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "a terminal can only be read by a thread that it may hold up"
    )]
    thread::spawn(move || {
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, input);
        let mut number = 0;
        while let Some(chunk) = next_chunk(&mut reader, &mut number) {
            if sender.blocking_send(chunk).is_err() {
                return;
            }
        }
    });
    Ok(lines)
}

/// The next line, and those behind it that need no waiting. None at the end.
fn next_chunk(reader: &mut BufReader<impl Read>, number: &mut u64) -> Option<Vec<Line>> {
    let mut chunk = Vec::new();
    while chunk.len() < CHUNK_LINES_MAX {
        let mut text = Vec::new();
        let mut outcome = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text);
        if matches!(outcome, Ok(0)) {
            break;
        }
        if text.last() == Some(&b'\n') {
            text.pop();
        } else if text.len() as u64 >= LINE_BYTES_MAX {
            outcome = Err(io::ErrorKind::FileTooLarge.into());
        }
        *number += 1;
        let failed = outcome.is_err();
        chunk.push(Line { number: *number, text: outcome.map(|_| text.into()) });
        if failed || !reader.buffer().contains(&b'\n') {
            break;
        }
    }
    (!chunk.is_empty()).then_some(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(text: &str) -> Vec<Vec<(u64, String)>> {
        let mut reader = BufReader::new(text.as_bytes());
        let mut number = 0;
        let chunks = std::iter::from_fn(|| next_chunk(&mut reader, &mut number));
        let line = |line: Line| {
            let text = line.text.unwrap_or_default();
            (line.number, String::from_utf8_lossy(&text).into_owned())
        };
        chunks.map(|chunk| chunk.into_iter().map(line).collect()).collect()
    }

    #[test]
    fn lines_that_are_there_go_together_and_the_last_needs_no_end() {
        let line = |number, text: &str| (number, text.to_owned());
        assert_eq!(
            chunks("a\n\nb\nc"),
            [vec![line(1, "a"), line(2, ""), line(3, "b")], vec![line(4, "c")]]
        );
        assert!(chunks("").is_empty());
    }
}
