//! How long the checker takes for a long history: `cargo run --release -p ottla-jepsen --example speed [OPERATIONS]`.

use std::{io::Write, time::Duration};

use ottla_jepsen::{
    check::check,
    history::{
        Answer, Call, Event, History, Note, Partition, PartitionName, Polled, Probed,
        ProducerIdentity, Read, Send, Value, What, read, write_event, write_header,
    },
};

const PARTITIONS: u32 = 64;
const PRODUCERS: u32 = 16;
const CONSUMERS: u32 = 32;

/// Half of the operations send one record, half of them read up to forty.
fn history(operations: u64) -> History {
    let mut history = History::default();
    let mut logs: Vec<Vec<u64>> = vec![Vec::new(); PARTITIONS as usize];
    let mut positions = vec![vec![0; PARTITIONS as usize]; CONSUMERS as usize];
    for index in 0..PARTITIONS {
        let index = i32::try_from(index).expect("there are few");
        let name = PartitionName { topic: "a".into(), id: "1".into(), index };
        let what = What::Note(Note::Partition(name));
        history.events.push(Event { time: 0, process: 0, operation: 0, what });
    }
    for operation in 1..=operations {
        let mut say = |process, what| {
            history.events.push(Event { time: operation, process, operation, what });
        };
        let turn = u32::try_from(operation / 2 % (1 << 31)).expect("it was cut");
        if operation % 2 == 0 {
            let process = turn % PRODUCERS;
            let partition = turn.wrapping_mul(2_654_435_761) >> 26;
            let log = &mut logs[partition as usize];
            let sequence = i32::try_from(log.len()).expect("there are few");
            let send = Send {
                partition: Partition(partition),
                producer: Some(ProducerIdentity { id: i64::from(partition), epoch: 0, sequence }),
                acks: -1,
                values: vec![Value::new(process, operation)],
                ..Send::default()
            };
            let offset = Some(i64::from(sequence));
            log.push(send.values[0].0);
            say(process, What::Invoke(Call::Send(send)));
            say(process, What::Ok(Answer::Sent { offset, attempts: 1 }));
        } else {
            let consumer = turn % CONSUMERS;
            let partition = (consumer * 7 + turn / CONSUMERS % 4) % PARTITIONS;
            let log = &logs[partition as usize];
            let position = &mut positions[consumer as usize][partition as usize];
            let end = log.len().min(*position + 40);
            let records = (*position..end)
                .map(|at| (i64::try_from(at).expect("there are few"), Value(log[at])));
            let high_watermark = i64::try_from(log.len()).ok();
            let read = Read {
                partition: Partition(partition),
                records: records.collect(),
                probed: Probed { high_watermark, ..Probed::default() },
                ..Read::default()
            };
            *position = end;
            say(PRODUCERS + consumer, What::Invoke(Call::Poll { group: None }));
            let polled = Polled { reads: vec![read], unprocessed: false };
            say(PRODUCERS + consumer, What::Ok(Answer::Polled(polled)));
        }
    }
    history
}

/// Time on a processor: unlike real time, what else the machine does matters little.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

fn main() {
    let operations = std::env::args().nth(1).and_then(|count| count.parse().ok());
    let history = history(operations.unwrap_or(1_000_000));
    let mut text = Vec::new();
    write_header(&mut text, &history.header).expect("memory takes it");
    for event in &history.events {
        write_event(&mut text, event).expect("memory takes it");
    }
    let begin = processor_time();
    let again = read(&text[..], |_| {}).expect("it is a history");
    let parsed = processor_time() - begin;
    let begin = processor_time();
    let report = check(&again).expect("it is a history");
    let checked = processor_time() - begin;
    let figures = report.figures;
    let _ = writeln!(
        std::io::stdout(),
        "{} operations, {} records sent, {} read: {} MiB parsed in {parsed:.2?}, checked in {checked:.2?}; {:?}",
        figures.operations,
        figures.records_sent,
        figures.records_read,
        text.len() >> 20,
        report.anomalies.kinds(),
    );
}
