//! What is seen of a shard that is told a run again: the events that the model judges.

mod offsets;

use std::collections::{BTreeMap, VecDeque};

use ottla_core::{
    machine::{ConnectionId, Effect},
    partition::Partition,
    shard::{Input, Shard},
    types::{PartitionIndex, TopicId, TopicPartition},
    wire::{
        ApiKey, Frame, Reader, RequestHeader, Response, Wire, decode_response_header,
        messages::{offset_commit::OffsetCommitRequest, produce::ProduceResponse},
    },
};
use ottla_model::conformance::{Event, Position};

use self::offsets::OffsetsWatch;

/// A request that was not answered.
#[derive(Debug)]
struct Asked {
    key: ApiKey,
    version: i16,
    /// What it is to commit, if it is to commit something.
    commit: Option<OffsetCommitRequest>,
}

/// Looks at a shard after each input.
#[derive(Debug, Default)]
pub(super) struct Watch {
    events: Vec<Event>,
    /// Where partitions stood last, and nothing for those that are not open.
    stood: BTreeMap<TopicPartition, Option<Position>>,
    /// Where the groups' offsets stand.
    offsets: OffsetsWatch,
    /// The requests of each connection that were not answered.
    asked: BTreeMap<ConnectionId, VecDeque<Asked>>,
    /// What else there was.
    other: BTreeMap<String, u64>,
}

impl Watch {
    pub(super) fn begin(&mut self, power_failed: bool) {
        self.asked.clear();
        self.offsets.begin();
        self.stood.values_mut().for_each(|position| *position = None);
        self.events.push(Event::Began { power_failed });
    }

    pub(super) fn end(mut self) -> Vec<Event> {
        let other = self.other.into_iter();
        self.events.extend(other.map(|(kind, count)| Event::Else { kind, count }));
        self.events
    }

    pub(super) fn look(&mut self, shard: &Shard, input: &Input, effects: &[Effect]) {
        self.note(input);
        self.look_at_partitions(shard);
        self.offsets.look(shard, &mut self.events);
        for effect in effects {
            if let Effect::Send { connection, frame } = effect {
                let asked = self.asked.get_mut(connection).and_then(VecDeque::pop_front);
                match asked {
                    Some(Asked { key: ApiKey::Produce, version, .. }) => {
                        self.answered(shard, version, frame);
                    }
                    Some(Asked { version, commit: Some(commit), .. }) => {
                        self.events.extend(offsets::answered(shard, &commit, version, frame));
                    }
                    Some(_) | None => {}
                }
            } else if let Effect::Done { connection } = effect {
                self.asked.get_mut(connection).and_then(VecDeque::pop_front);
            }
        }
    }

    fn note(&mut self, input: &Input) {
        let kind = match input {
            Input::Frame { connection, frame } => {
                let mut reader = Reader::new(frame.clone());
                let header = RequestHeader::decode(&mut reader);
                let Ok(RequestHeader { key, version, .. }) = header else { return };
                let is_commit = key == ApiKey::OffsetCommit;
                let commit = is_commit
                    .then(|| OffsetCommitRequest::decode(&mut reader, key.version(version)).ok());
                let asked = Asked { key, version, commit: commit.flatten() };
                self.asked.entry(*connection).or_default().push_back(asked);
                if is_commit || key == ApiKey::Produce {
                    return;
                }
                format!("{key:?}")
            }
            Input::Disconnected { connection } => {
                self.asked.remove(connection);
                return;
            }
            // What comes of these is seen of the logs, if it concerns them.
            Input::Connected { .. } | Input::Disk { .. } | Input::Rest | Input::Timeout => return,
            Input::Computed { .. } => "a computation that ended".to_owned(),
            Input::Committed { .. } => "an entry of the metadata log".to_owned(),
            Input::ProposalFailed { .. } => "a proposal that failed".to_owned(),
            Input::DiskSpace { .. } => "how much space there is".to_owned(),
            Input::Inspect => "a look at its figures".to_owned(),
            Input::Shutdown => "to stop in order".to_owned(),
        };
        *self.other.entry(kind).or_default() += 1;
    }

    fn look_at_partitions(&mut self, shard: &Shard) {
        let mut here = 0;
        for partition in shard.partitions_here() {
            let id = partition.id();
            let position = position(partition);
            here += 1;
            let before = self.stood.insert(id, position);
            if before == Some(position) {
                continue;
            }
            match position {
                Some(at) => self.events.push(Event::Stands { partition: name(id), at }),
                None if before.is_some_and(|before| before.is_some()) => {
                    self.events.push(Event::Closed { partition: name(id) });
                }
                None => {}
            }
        }
        if here == self.stood.len() {
            return;
        }
        // After a restart a partition may not be there yet.
        let ids: Vec<_> = shard.partitions_here().map(Partition::id).collect();
        let is_gone = |(id, position): &(&TopicPartition, &Option<Position>)| {
            position.is_some() && !ids.contains(id)
        };
        let gone: Vec<_> = self.stood.iter().filter(is_gone).map(|(id, _)| *id).collect();
        for id in gone {
            self.stood.remove(&id);
            self.events.push(Event::Deleted { partition: name(id) });
        }
    }

    fn answered(&mut self, shard: &Shard, version: i16, frame: &Frame) {
        // Before the header is the frame's length.
        let mut reader = Reader::new(frame.first().slice(4..));
        if decode_response_header(&mut reader, ApiKey::Produce, version).is_err() {
            return;
        }
        let response = Response::decode(ApiKey::Produce, version, reader);
        let Ok(Response::Produce(ProduceResponse { responses, .. })) = response else { return };
        for topic in responses {
            let is_it = |partition: &&Partition| {
                partition.id().topic == TopicId(topic.topic_id)
                    || !topic.name.is_empty() && partition.topic_name() == topic.name
            };
            let Some(known) = shard.partitions_here().find(is_it) else { continue };
            for answer in topic.partition_responses {
                let partition = PartitionIndex(answer.index);
                let id = TopicPartition { topic: known.id().topic, partition };
                if answer.error_code == 0 && answer.base_offset >= 0 {
                    let offset = answer.base_offset;
                    self.events.push(Event::Answered { partition: name(id), offset });
                }
            }
        }
    }
}

fn name(TopicPartition { topic, partition }: TopicPartition) -> String {
    format!("{topic}-{partition}")
}

fn position(partition: &Partition) -> Option<Position> {
    let log = partition.open_log()?;
    Some(Position {
        is_durable: partition.config().is_durable(),
        start: log.start_offset().0,
        end: log.end_offset().0,
        written: log.written().offset.0,
        durable: log.durable().offset.0,
        safe: partition.high_watermark().offset.0,
    })
}
