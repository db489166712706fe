//! Reading a segment batch by batch, in bounded memory.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use ottla_core::records::{
    BATCH_HEADER_BYTES,
    batch::{self, BatchError, BatchHeader, CHECKSUMMED_FROM},
};

/// How much is read at once.
const READ_BYTES: usize = 256 << 10;

/// A batch that is longer is not kept in memory: its checksum is all that is looked at.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// The batches of a segment's file.
#[derive(Debug)]
pub(super) struct Batches {
    file: BufReader<File>,
    position: u64,
    end: u64,
    /// The last batch, unless it was too long.
    bytes: Vec<u8>,
}

/// What stands in the file at a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) position: u64,
    pub(super) batch: Result<BatchHeader, Bad>,
}

/// Bytes that are no intact batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) error: BatchError,
    /// The header, if it can be read.
    pub(super) header: Option<BatchHeader>,
}

impl Batches {
    /// Those of the file as it is now; what is appended meanwhile is not looked at.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let end = file.metadata()?.len();
        let file = BufReader::with_capacity(
            usize::try_from(end).unwrap_or(READ_BYTES).min(READ_BYTES),
            file,
        );
        Ok(Self { file, position: 0, end, bytes: Vec::new() })
    }

    /// How long the file is.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// The last batch that was found, if it is intact and not too long to be kept.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        (!self.bytes.is_empty()).then_some(&self.bytes)
    }

    /// Goes on at another byte.
    pub(super) fn seek(&mut self, position: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(position))?;
        self.position = position;
        Ok(())
    }

    /// What stands next; none at the end of the file. After a batch that is not intact it goes on behind it if the header says
    /// where that is, and nowhere otherwise.
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        let position = self.position;
        let left = self.end.saturating_sub(position);
        self.bytes.clear();
        if left == 0 {
            return Ok(None);
        }
        let found = |batch| Ok(Some(Found { position, batch }));
        let bad = |error, header| Err(Bad { error, header });
        let header_bytes = left.min(BATCH_HEADER_BYTES as u64);
        self.read(header_bytes)?;
        let header = match BatchHeader::parse(&self.bytes) {
            Ok(header) => header,
            Err(error) => {
                self.bytes.clear();
                self.position = self.end;
                return found(bad(error, None));
            }
        };
        if header.size_bytes as u64 > left {
            self.bytes.clear();
            self.position = self.end;
            return found(bad(BatchError::Incomplete, Some(header)));
        }
        self.position = position + header.size_bytes as u64;
        let verified = if header.size_bytes <= KEPT_BYTES_MAX {
            self.read((header.size_bytes - BATCH_HEADER_BYTES) as u64)?;
            batch::verify(&self.bytes)
        } else {
            self.verify_long(header)?
        };
        match verified {
            Ok(header) => found(Ok(header)),
            Err(error) => {
                self.bytes.clear();
                found(bad(error, Some(header)))
            }
        }
    }

    /// Reads so many bytes behind those that are there.
    fn read(&mut self, count: u64) -> io::Result<()> {
        let read = self.file.by_ref().take(count).read_to_end(&mut self.bytes)?;
        if read as u64 == count { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// As [`batch::verify`], a piece after the other.
    fn verify_long(&mut self, header: BatchHeader) -> io::Result<Result<BatchHeader, BatchError>> {
        let mut actual = crc32c::crc32c(&self.bytes[CHECKSUMMED_FROM..]);
        let mut left = (header.size_bytes - BATCH_HEADER_BYTES) as u64;
        while left > 0 {
            self.bytes.clear();
            let part = left.min(READ_BYTES as u64);
            self.read(part)?;
            actual = crc32c::crc32c_append(actual, &self.bytes);
            left -= part;
        }
        self.bytes.clear();
        let expected = header.checksum;
        Ok(if actual != expected {
            Err(BatchError::Checksum { expected, actual })
        } else if header.last_offset_delta < 0 || header.record_count < 0 {
            Err(BatchError::Count)
        } else {
            Ok(header)
        })
    }
}
