//! `ottla log dump`.

use std::{
    fs,
    io::{self, BufWriter, Stdout, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use ottla_core::{
    log::{
        checkpoint_file,
        index::{Entry, OffsetEntry, TimeEntry},
        snapshot::{self, Snapshot},
    },
    records::{BATCH_HEADER_BYTES, BatchHeader, Record, Records},
    types::{Offset, Timestamp},
};
use serde_json::{Map, Value, json};

use super::{
    Verdict,
    batches::{Batches, Found},
    files::{self, Kind},
};
use crate::cli::{CliError, base64, timestamp};

#[derive(Debug, Args)]
pub(in crate::cli) struct DumpArgs {
    /// Partitions' directories, or single files: segments, indexes, snapshots, leader-epoch-checkpoint
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print the records of the batches as well
    #[arg(long)]
    records: bool,
}

/// Where it is printed.
struct Output {
    out: BufWriter<Stdout>,
    json: bool,
}

impl Output {
    /// Prints one of the two as a line, as it was asked for.
    fn line(
        &mut self,
        json: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> io::Result<()> {
        if self.json { writeln!(self.out, "{}", json()) } else { writeln!(self.out, "{}", text()) }
    }
}

/// What stopped it.
enum Stop {
    /// A file cannot be read.
    File(PathBuf, io::Error),
    /// Nobody takes what is printed.
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

pub(super) fn run(args: &DumpArgs, json: bool) -> Result<Verdict, CliError> {
    let mut output = Output { out: BufWriter::new(io::stdout()), json };
    let files = files_of(&args.paths)?;
    let mut verdict = Verdict::Sound;
    let mut dump_all = || -> Result<(), Stop> {
        for (path, kind) in &files {
            if dump(path, *kind, args.records, &mut output)? == Verdict::Damaged {
                verdict = Verdict::Damaged;
            }
        }
        output.out.flush()?;
        Ok(())
    };
    match dump_all() {
        Ok(()) => Ok(verdict),
        // Who reads has seen enough.
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(verdict),
        Err(Stop::Output(error)) => Err(CliError::io("standard output", &error)),
        Err(Stop::File(path, error)) => Err(CliError::io(path.display().to_string(), &error)),
    }
}

/// The files that are meant, those of directories in order.
fn files_of(paths: &[PathBuf]) -> Result<Vec<(PathBuf, Kind)>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        let shown = path.display();
        let metadata =
            fs::metadata(path).map_err(|error| CliError::io(shown.to_string(), &error))?;
        if !metadata.is_dir() {
            let kind = path.file_name().and_then(|name| Kind::of(&name.to_string_lossy()));
            let kind = kind.ok_or_else(|| {
                CliError::Usage(format!("{shown} is not named like a file of a partition"))
            })?;
            files.push((path.clone(), kind));
            continue;
        }
        let names = files::list(path).map_err(|error| CliError::io(shown.to_string(), &error))?;
        let before = files.len();
        files.extend(names.iter().filter_map(|name| Some((path.join(name), Kind::of(name)?))));
        if files.len() == before && !names.is_empty() {
            return Err(CliError::Usage(format!("{shown} is no directory of a partition")));
        }
    }
    Ok(files)
}

fn dump(path: &Path, kind: Kind, records: bool, output: &mut Output) -> Result<Verdict, Stop> {
    let failed = |error| Stop::File(path.to_owned(), error);
    let shown = path.display().to_string();
    if !output.json {
        writeln!(output.out, "{shown}")?;
    }
    match kind {
        Kind::Segment(_) => dump_segment(path, &shown, records, output),
        Kind::OffsetIndex(base) => {
            let bytes = fs::read(path).map_err(failed)?;
            dump_index::<OffsetEntry>(&bytes, &shown, output, |entry| {
                let offset = (base + i64::from(entry.offset_delta)).0;
                let byte = entry.byte;
                (
                    json!({ "file": shown, "offset": offset, "position": byte }),
                    format!("  offset {offset} at byte {byte}"),
                )
            })
        }
        Kind::TimeIndex(base) => {
            let bytes = fs::read(path).map_err(failed)?;
            dump_index::<TimeEntry>(&bytes, &shown, output, |entry| {
                let offset = (base + i64::from(entry.offset_delta)).0;
                let time = entry.timestamp;
                (
                    json!({ "file": shown, "timestamp": time.0, "offset": offset }),
                    format!("  {} at offset {offset}", shown_time(time)),
                )
            })
        }
        Kind::Snapshot(_) => {
            let bytes = fs::read(path).map_err(failed)?;
            match snapshot::decode(&bytes) {
                Some(snapshot) => dump_snapshot(&snapshot, &shown, output),
                None => damaged(&shown, 0, "the snapshot is not as it was written", output),
            }
        }
        Kind::Epochs => {
            let bytes = fs::read(path).map_err(failed)?;
            match checkpoint_file::decode_epochs(&bytes) {
                Ok(epochs) => {
                    for entry in epochs.entries() {
                        let (epoch, start) = (entry.epoch.0, entry.start_offset.0);
                        output.line(
                            || json!({ "file": shown, "epoch": epoch, "start_offset": start }),
                            || format!("  epoch {epoch} from offset {start}"),
                        )?;
                    }
                    Ok(Verdict::Sound)
                }
                Err(invalid) => {
                    let what = format!("line {} is not as it was written", invalid.line);
                    damaged(&shown, 0, &what, output)
                }
            }
        }
    }
}

fn damaged(file: &str, position: u64, what: &str, output: &mut Output) -> Result<Verdict, Stop> {
    output.line(
        || json!({ "file": file, "position": position, "damage": what }),
        || format!("  damage at byte {position}: {what}"),
    )?;
    Ok(Verdict::Damaged)
}

fn dump_segment(
    path: &Path,
    shown: &str,
    records: bool,
    output: &mut Output,
) -> Result<Verdict, Stop> {
    let failed = |error| Stop::File(path.to_owned(), error);
    let mut batches = Batches::open(path).map_err(failed)?;
    let mut verdict = Verdict::Sound;
    while let Some(Found { position, batch }) = batches.next().map_err(failed)? {
        match batch {
            Ok(header) => {
                output.line(
                    || json_batch(shown, position, &header),
                    || text_batch(position, &header),
                )?;
                if records
                    && let Some(bytes) = batches.bytes()
                    && !dump_records(shown, &header, bytes, output)?
                {
                    verdict = damaged(shown, position, "the records are malformed", output)?;
                }
            }
            Err(bad) => verdict = damaged(shown, position, &bad.error.to_string(), output)?,
        }
    }
    Ok(verdict)
}

fn shown_time(time: Timestamp) -> String {
    if time == Timestamp::NONE { "no time".to_owned() } else { timestamp::format(time) }
}

fn text_batch(position: u64, header: &BatchHeader) -> String {
    let attributes = header.attributes;
    let codec = attributes.compression().map_or("unknown codec", |codec| codec.name());
    let mut text = format!(
        "  byte {position}: offsets {} to {}, {} records, {} bytes, leader epoch {}, {codec}, {} {} to {}",
        header.base_offset,
        header.last_offset(),
        header.record_count,
        header.size_bytes,
        header.leader_epoch,
        if attributes.is_log_append_time() { "appended" } else { "created" },
        shown_time(header.base_timestamp),
        shown_time(header.max_timestamp),
    );
    if let Some(producer) = header.producer {
        text.push_str(&format!(
            ", producer {} epoch {} sequence {}",
            producer.id.0, producer.epoch.0, producer.base_sequence.0
        ));
    }
    for (is_so, word) in [
        (attributes.is_transactional(), ", transactional"),
        (attributes.is_control(), ", control"),
        (attributes.has_delete_horizon(), ", with delete horizon"),
    ] {
        if is_so {
            text.push_str(word);
        }
    }
    text
}

fn json_batch(file: &str, position: u64, header: &BatchHeader) -> Value {
    let attributes = header.attributes;
    json!({
        "file": file,
        "position": position,
        "base_offset": header.base_offset.0,
        "last_offset": header.last_offset().0,
        "count": header.record_count,
        "size_bytes": header.size_bytes,
        "leader_epoch": header.leader_epoch.0,
        "codec": attributes.compression().map(|codec| codec.name()),
        "log_append_time": attributes.is_log_append_time(),
        "base_timestamp": header.base_timestamp.0,
        "max_timestamp": header.max_timestamp.0,
        "producer_id": header.producer.map(|producer| producer.id.0),
        "producer_epoch": header.producer.map(|producer| producer.epoch.0),
        "base_sequence": header.producer.map(|producer| producer.base_sequence.0),
        "transactional": attributes.is_transactional(),
        "control": attributes.is_control(),
        "delete_horizon": attributes.has_delete_horizon(),
        "crc": header.checksum,
    })
}

/// Prints records; false if they are malformed.
fn dump_records(
    file: &str,
    header: &BatchHeader,
    batch: &[u8],
    output: &mut Output,
) -> io::Result<bool> {
    let body = &batch[BATCH_HEADER_BYTES..];
    let Some(Ok(body)) = header.attributes.compression().map(|codec| codec.decompress(body)) else {
        return Ok(false);
    };
    for record in Records::new(&body) {
        let Ok(record) = record else { return Ok(false) };
        let offset = header.base_offset + i64::from(record.offset_delta);
        let time = header.timestamp_of(record.timestamp_delta);
        output.line(
            || json_record(file, offset, time, &record),
            || text_record(offset, time, &record),
        )?;
    }
    Ok(true)
}

fn text_record(offset: Offset, time: Timestamp, record: &Record<'_>) -> String {
    let text = |bytes: Option<&[u8]>| {
        bytes.map_or("null".to_owned(), |bytes| format!("\"{}\"", bytes.escape_ascii()))
    };
    let headers: Vec<String> = record
        .headers()
        .map(|header| format!("{}={}", header.key.escape_debug(), text(header.value)))
        .collect();
    let headers =
        if headers.is_empty() { String::new() } else { format!(", headers {}", headers.join(" ")) };
    format!(
        "    offset {offset}: {}, key {}, value {}{headers}",
        shown_time(time),
        text(record.key),
        text(record.value)
    )
}

fn json_record(file: &str, offset: Offset, time: Timestamp, record: &Record<'_>) -> Value {
    let mut object = Map::new();
    object.insert("file".into(), file.into());
    object.insert("offset".into(), offset.0.into());
    object.insert("timestamp".into(), time.0.into());
    insert_bytes(&mut object, "key", record.key);
    insert_bytes(&mut object, "value", record.value);
    let headers = record.headers().map(|header| {
        let mut object = Map::new();
        object.insert("key".into(), header.key.into());
        insert_bytes(&mut object, "value", header.value);
        Value::Object(object)
    });
    object.insert("headers".into(), headers.collect());
    Value::Object(object)
}

/// Bytes that are not UTF-8 are in a field of another name, as base64.
fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(str::from_utf8) {
        None => object.insert(name.into(), Value::Null),
        Some(Ok(text)) => object.insert(name.into(), text.into()),
        Some(Err(_)) => {
            let encoded = base64::encode(bytes.unwrap_or_default());
            object.insert(format!("{name}_base64"), encoded.into())
        }
    };
}

fn dump_index<E: Entry>(
    bytes: &[u8],
    file: &str,
    output: &mut Output,
    show: impl Fn(E) -> (Value, String),
) -> Result<Verdict, Stop> {
    let entries = bytes.chunks_exact(E::BYTES as usize);
    let trailing = entries.remainder().len();
    for entry in entries.filter_map(E::read) {
        let (json, text) = show(entry);
        output.line(|| json, || text)?;
    }
    if trailing > 0 {
        let position = (bytes.len() - trailing) as u64;
        return damaged(file, position, "the last entry is cut off", output);
    }
    Ok(Verdict::Sound)
}

fn dump_snapshot(snapshot: &Snapshot, file: &str, output: &mut Output) -> Result<Verdict, Stop> {
    if let Some(place) = snapshot.place {
        let (offset, segment) = (place.position.offset.0, place.position.segment.0);
        output.line(
            || {
                json!({
                    "file": file,
                    "offset": offset,
                    "segment": segment,
                    "position": place.position.byte,
                    "offset_entries": place.offset_entries,
                    "time_entries": place.time_entries,
                })
            },
            || format!("  offset {offset} is at byte {} of segment {segment}", place.position.byte),
        )?;
    }
    for entry in snapshot.epochs.entries() {
        let (epoch, start) = (entry.epoch.0, entry.start_offset.0);
        output.line(
            || json!({ "file": file, "epoch": epoch, "start_offset": start }),
            || format!("  epoch {epoch} from offset {start}"),
        )?;
    }
    for (id, producer) in snapshot.producers.iter() {
        let (id, epoch) = (id.0, producer.epoch.0);
        let last = producer.batches.back();
        let sequence = last.map(|batch| batch.last_sequence.0);
        let offset = last.map(|batch| batch.last_offset.0);
        let written = producer.last_write;
        output.line(
            || {
                json!({
                    "file": file,
                    "producer_id": id,
                    "producer_epoch": epoch,
                    "last_sequence": sequence,
                    "last_offset": offset,
                    "last_write": written.0,
                })
            },
            || {
                let last = last.map_or(String::new(), |batch| {
                    format!(
                        ", last sequence {} at offset {}",
                        batch.last_sequence.0, batch.last_offset
                    )
                });
                format!("  producer {id} epoch {epoch}{last}, wrote {}", shown_time(written))
            },
        )?;
    }
    Ok(Verdict::Sound)
}
