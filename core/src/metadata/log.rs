//! The metadata log on disk: how the consensus algorithm's entries, its vote and its snapshots lie in files.
//!
//! A log file is a row of frames; each has its length, a checksum, and an entry. What does not verify at the end of the last
//! file was being written when the process ended, and was never acknowledged; a [mark](SyncedMark) tells it from what was
//! synced and has been damaged since.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::wire::{DecodeError, Reader, Version, Wire, Writer, message::message};

message! {
    /// An entry of the log.
    LogEntry {
        /// The term in which it was proposed.
        [0..] term: i64,
        /// The node that led then.
        [0..] leader: i32,
        /// Its place in the log.
        [0..] index: i64,
        /// What the payload is: see [`PayloadKind`].
        [0..] kind: i8,
        /// The payload.
        [0..] payload: Bytes,
    }

    /// What a node has promised.
    Vote {
        /// The latest term it knows.
        [0..] term: i64,
        /// The node that it voted for.
        [0..] node: i32,
        /// Whether that node was elected.
        [0..] committed: bool,
    }

    /// Up to where the log was made durable at the least. It is written after each sync and not synced itself: one that a crash
    /// has left behind says less than is true.
    SyncedMark {
        /// The file that was appended to last.
        [0..] file: i64,
        /// How many bytes of it are durable.
        [0..] length: i64,
    }

    /// The state of the log at an entry, in place of all before it.
    LogSnapshot {
        /// The term of the last entry that it covers.
        [0..] term: i64,
        /// The leader of that term.
        [0..] leader: i32,
        /// The place of that entry; -1 for none.
        [0..] index: i64 = -1,
        /// The voters as of that entry, in an encoding of the consensus library's own.
        [0..] membership: Bytes,
        /// The image.
        [0..] image: Bytes,
    }
}

/// What an entry's payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadKind {
    /// Nothing: a new leader's first entry.
    Blank = 0,
    /// Commands, one after the other.
    Commands = 1,
    /// The voters.
    Membership = 2,
}

impl PayloadKind {
    /// The kind with this number.
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(Self::Blank),
            1 => Some(Self::Commands),
            2 => Some(Self::Membership),
            _ => None,
        }
    }
}

const VERSION: Version = Version { number: 0, flexible: true };
const FRAME_HEADER_BYTES: usize = 8;

/// A message in a frame.
pub fn frame(message: &impl Wire) -> Bytes {
    let mut writer = Writer::new();
    writer.put_i16(VERSION.number);
    message.encode(&mut writer, VERSION);
    let body = writer.freeze();
    let mut framed = Writer::new();
    framed.put_u32(u32::try_from(body.len()).expect("an entry is smaller than 4 GiB"));
    framed.put_u32(crc32c::crc32c(&body));
    framed.put_slice(&body);
    framed.freeze()
}

/// Takes the message of the first frame off `bytes`, which keep the rest; none if they begin with no intact frame.
pub fn unframe<T: Wire>(bytes: &mut Bytes) -> Option<T> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let body = rest.get(..length)?;
    if crc32c::crc32c(body) != u32::from_be_bytes(*checksum) {
        return None;
    }
    let mut taken = bytes.split_to(FRAME_HEADER_BYTES + length);
    read(taken.split_off(FRAME_HEADER_BYTES)).ok()
}

fn read<T: Wire>(body: Bytes) -> Result<T, DecodeError> {
    let mut reader = Reader::new(body);
    let number = i16::decode(&mut reader, VERSION)?;
    T::decode(&mut reader, Version { number, flexible: true })
}

/// Commands as the payload of an entry.
pub fn encode_commands(commands: &[super::Command]) -> Bytes {
    let mut writer = Writer::new();
    for command in commands {
        command.encode(&mut writer);
    }
    writer.freeze()
}

/// The commands in the payload of an entry.
pub fn decode_commands(
    payload: Bytes,
) -> Result<Vec<super::Command>, super::command::CommandError> {
    let mut reader = Reader::new(payload);
    let mut commands = Vec::new();
    while reader.remaining() > 0 {
        commands.push(super::Command::decode(&mut reader)?);
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn a_torn_tail_ends_the_log() {
        let entry = |index| LogEntry {
            term: 3,
            leader: 1,
            index,
            kind: PayloadKind::Commands as i8,
            payload: Bytes::from_static(b"payload"),
        };
        let mut file = BytesMut::new();
        for index in 0..3 {
            file.extend_from_slice(&frame(&entry(index)));
        }
        let whole = file.freeze();
        for cut in 0..whole.len() {
            let mut rest = whole.slice(..cut);
            let mut count = 0;
            while let Some(found) = unframe::<LogEntry>(&mut rest) {
                assert_eq!(found, entry(count));
                count += 1;
            }
            assert_eq!(usize::try_from(count), Ok(cut / (whole.len() / 3)));
        }
    }
}
