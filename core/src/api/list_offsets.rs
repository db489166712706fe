//! ListOffsets and OffsetForLeaderEpoch: where things are in a log.

use alloc::{collections::BTreeSet, string::String, vec::Vec};

use crate::{
    api::{Pending, fetch_errors::error_code},
    log::timestamps::{TimeTarget, TimedRecord},
    mutants::{Mutant, planted},
    partition::{Asker, ReadError},
    shard::{Incoming, Shard, Step},
    types::{ErrorCode, LeaderEpoch, Offset, Timestamp},
    wire::messages::{
        list_offsets::{
            ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest,
            ListOffsetsResponse, ListOffsetsTopicResponse,
        },
        offset_for_leader_epoch::{
            EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
            OffsetForLeaderTopicResult,
        },
    },
};

/// Timestamps with a meaning of their own.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

/// A ListOffsets that waits for records to be found by time.
#[derive(Debug)]
pub(crate) struct PendingListOffsets {
    response: ListOffsetsResponse,
    /// Where each search's answer belongs, and in which slot it searches.
    places: Vec<(usize, usize, u32)>,
    left: usize,
}

/// What a ListOffsets wants of a partition.
enum Wanted {
    Known(Result<Found, ErrorCode>),
    Time(u32, TimeTarget),
}

#[derive(Debug, Clone, Copy)]
struct Found {
    timestamp: Timestamp,
    offset: i64,
    epoch: Option<LeaderEpoch>,
}

const NOT_FOUND: Found = Found { timestamp: Timestamp::NONE, offset: -1, epoch: None };

impl Shard {
    pub(super) fn list_offsets(
        &mut self,
        asked: &Incoming,
        request: ListOffsetsRequest,
        step: &mut Step<'_>,
    ) {
        let is_known_level = matches!(request.isolation_level, 0 | 1);
        let mut seen: BTreeSet<(String, i32)> = BTreeSet::new();
        let mut twice = BTreeSet::new();
        for topic in &request.topics {
            for partition in &topic.partitions {
                let key = (topic.name.clone(), partition.partition_index);
                if let Some(key) = seen.replace(key) {
                    twice.insert(key);
                }
            }
        }
        let mut topics = Vec::with_capacity(request.topics.len());
        let mut places = Vec::new();
        let mut searches = Vec::new();
        for topic in request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in topic.partitions {
                let index = partition.partition_index;
                let key = (topic.name.clone(), index);
                let wanted = if !is_known_level {
                    Wanted::Known(Err(ErrorCode::UnknownServerError))
                } else if twice.contains(&key) {
                    // It is answered once.
                    if !seen.remove(&key) {
                        continue;
                    }
                    Wanted::Known(Err(ErrorCode::InvalidRequest))
                } else {
                    self.what_offset(&topic.name, &partition, asked.version)
                };
                let response = match wanted {
                    Wanted::Known(result) => respond(index, result),
                    Wanted::Time(slot, target) => {
                        searches.push((slot, target));
                        places.push((topics.len(), partitions.len(), slot));
                        respond(index, Ok(NOT_FOUND))
                    }
                };
                partitions.push(response);
            }
            topics.push(ListOffsetsTopicResponse { name: topic.name, partitions });
        }
        let response = ListOffsetsResponse { topics, ..Default::default() };
        if searches.is_empty() {
            self.answer(asked.id, response, step);
            return;
        }
        let left = searches.len();
        let pending = PendingListOffsets { response, places, left };
        self.pending.insert(asked.id, Pending::ListOffsets(pending));
        for (index, (slot, target)) in searches.into_iter().enumerate() {
            let asker = Asker::Request { request: asked.id, index };
            self.with_partition(slot, step, |partition, context| {
                partition.find_time(asker, target, context);
            });
        }
    }

    fn what_offset(&self, topic: &str, asked: &ListOffsetsPartition, version: i16) -> Wanted {
        let Some(slot) = self.slot_by_name(topic, asked.partition_index) else {
            return Wanted::Known(Err(ErrorCode::UnknownTopicOrPartition));
        };
        let partition = self.partitions.get(slot as usize).and_then(Option::as_deref);
        let Some(partition) = partition else {
            return Wanted::Known(Err(ErrorCode::UnknownTopicOrPartition));
        };
        let Some(log) = partition.log() else {
            return Wanted::Known(Err(ErrorCode::KafkaStorageError));
        };
        if let Err(error) = partition.judge_reader(asked.current_leader_epoch) {
            return Wanted::Known(Err(error));
        }
        let at = |offset: Offset, epoch| {
            let timestamp = Timestamp::NONE;
            Wanted::Known(Ok(Found { timestamp, offset: offset.0, epoch }))
        };
        match asked.timestamp {
            LATEST if planted(Mutant::EndAboveHighWatermark) => {
                at(log.end_offset(), log.epochs().latest())
            }
            LATEST => at(partition.high_watermark().offset, log.epochs().latest()),
            EARLIEST => at(log.start_offset(), log.epochs().epoch_of(log.start_offset())),
            EARLIEST_LOCAL if version >= 8 => {
                at(log.start_offset(), log.epochs().epoch_of(log.start_offset()))
            }
            MAX_TIMESTAMP if version >= 7 => Wanted::Time(slot, TimeTarget::Latest),
            LATEST_TIERED if version >= 9 => Wanted::Known(Ok(NOT_FOUND)),
            ..0 => Wanted::Known(Err(ErrorCode::UnsupportedVersion)),
            timestamp => Wanted::Time(slot, TimeTarget::AtLeast(Timestamp(timestamp))),
        }
    }

    /// A record was found by its time, or there is none.
    pub(crate) fn time_found(
        &mut self,
        asker: Asker,
        result: Result<Option<TimedRecord>, ReadError>,
        step: &mut Step<'_>,
    ) {
        let Asker::Request { request, index } = asker else { return };
        let Some(Pending::ListOffsets(pending)) = self.pending.get_mut(&request) else { return };
        let (topic, partition, slot) = pending.places[index];
        let place = &mut pending.response.topics[topic].partitions[partition];
        // What is above the high watermark is not there for a consumer.
        let partition = self.partitions.get(slot as usize).and_then(Option::as_deref);
        let high_watermark = partition.map(|partition| partition.high_watermark().offset);
        let found = result.map_err(error_code).map(|record| match record {
            Some(record) if high_watermark.is_some_and(|limit| record.offset < limit) => Found {
                timestamp: record.timestamp,
                offset: record.offset.0,
                epoch: Some(record.leader_epoch),
            },
            Some(_) | None => NOT_FOUND,
        });
        *place = respond(place.partition_index, found);
        pending.left -= 1;
        if pending.left == 0
            && let Some(Pending::ListOffsets(pending)) = self.pending.remove(&request)
        {
            self.answer(request, pending.response, step);
        }
    }

    pub(super) fn offset_for_leader_epoch(
        &mut self,
        asked: &Incoming,
        request: OffsetForLeaderEpochRequest,
        step: &mut Step<'_>,
    ) {
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let partitions = topic.partitions.iter().map(|partition| {
                let slot = self.slot_by_name(&topic.topic, partition.partition);
                let state = slot.and_then(|slot| self.partition(slot));
                let known = partition.current_leader_epoch;
                let state = state.ok_or(ErrorCode::UnknownTopicOrPartition);
                let epoch = LeaderEpoch(partition.leader_epoch);
                let result = state.and_then(|state| state.end_of_epoch(known, epoch));
                let index = partition.partition;
                match result {
                    Err(error) => EpochEndOffset {
                        error_code: error.code(),
                        partition: index,
                        ..Default::default()
                    },
                    Ok(None) => EpochEndOffset { partition: index, ..Default::default() },
                    Ok(Some((epoch, end_offset))) => EpochEndOffset {
                        partition: index,
                        leader_epoch: epoch.0,
                        end_offset: end_offset.0,
                        ..Default::default()
                    },
                }
            });
            let partitions = partitions.collect();
            topics.push(OffsetForLeaderTopicResult { topic: topic.topic, partitions });
        }
        let response = OffsetForLeaderEpochResponse { topics, ..Default::default() };
        self.answer(asked.id, response, step);
    }
}

fn respond(partition_index: i32, result: Result<Found, ErrorCode>) -> ListOffsetsPartitionResponse {
    let (error, found) = match result {
        Ok(found) => (ErrorCode::None, found),
        Err(error) => (error, NOT_FOUND),
    };
    ListOffsetsPartitionResponse {
        partition_index,
        error_code: error.code(),
        timestamp: found.timestamp.0,
        offset: found.offset,
        leader_epoch: found.epoch.map_or(-1, |epoch| epoch.0),
    }
}
