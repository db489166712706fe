//! Asking where partitions begin and end.

use ottla_core::{
    types::ErrorCode,
    wire::{
        ApiKey,
        messages::list_offsets::{
            ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest,
            ListOffsetsTopic,
        },
    },
};
use ottla_jepsen::history::{Answer, Call, Probed};

use super::client::{Client, REQUEST_LIMIT, Topic, error_name};

/// The first offset that is kept.
pub const EARLIEST: i64 = -2;
/// The high watermark.
pub const LATEST: i64 = -1;

impl Client {
    async fn ask_offset(
        &mut self,
        topic: &Topic,
        index: i32,
        timestamp: i64,
        current_leader_epoch: i32,
    ) -> Result<ListOffsetsPartitionResponse, String> {
        let partition =
            ListOffsetsPartition { partition_index: index, current_leader_epoch, timestamp };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: topic.name.clone(),
                partitions: vec![partition],
            }],
            ..Default::default()
        };
        let version = self.version(ApiKey::ListOffsets, 4);
        let response = self.call(&request, version, REQUEST_LIMIT).await;
        let response = response.map_err(|why| why.reason)?;
        let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
        partitions.into_iter().next().ok_or_else(|| "nothing was answered".into())
    }

    /// Where the partition begins or ends. Topics are asked for by name: of one that is made anew nothing is written down.
    pub async fn offset_at(
        &mut self,
        topic: &Topic,
        index: i32,
        timestamp: i64,
    ) -> Result<i64, String> {
        let is_fleeting = topic.name == super::plan::TopicKind::Fleeting.name();
        let call = if timestamp < 0 && !is_fleeting {
            Call::Probe { partition: self.partition(topic, index) }
        } else {
            Call::Other("list-offsets".into())
        };
        let begun = self.invoke(call);
        match self.ask_offset(topic, index, timestamp, -1).await {
            Err(reason) => {
                self.recorder.fail(begun, reason.clone());
                Err(reason)
            }
            Ok(found) if found.error_code != 0 => {
                let reason = error_name(found.error_code);
                self.recorder.fail(begun, reason.clone());
                Err(reason)
            }
            Ok(found) => {
                let leader_epoch = Some(found.leader_epoch).filter(|epoch| *epoch >= 0);
                let answer = match timestamp {
                    _ if is_fleeting => Answer::Done,
                    // The epoch of an offset is not that of the leader.
                    EARLIEST => {
                        let log_start = Some(found.offset);
                        Answer::Probed(Probed { log_start, ..Probed::default() })
                    }
                    LATEST => {
                        let high_watermark = Some(found.offset);
                        Answer::Probed(Probed { high_watermark, leader_epoch, ..Probed::default() })
                    }
                    _ => Answer::Done,
                };
                self.recorder.ok(begun, answer);
                Ok(found.offset)
            }
        }
    }

    /// Asks with an epoch that the leader cannot have: it must say so.
    pub async fn try_wrong_epoch(&mut self, topic: &Topic, index: i32) {
        let place = usize::try_from(index).unwrap_or(0);
        let Some(known) = topic.epochs.get(place).copied().filter(|epoch| *epoch >= 0) else {
            return;
        };
        let is_future = known == 0 || self.dice.coin();
        let epoch = if is_future { known + 1_000 } else { known - 1 };
        let begun = self.invoke(Call::Other("wrong epoch".into()));
        match self.ask_offset(topic, index, LATEST, epoch).await {
            Ok(found) if found.error_code == 0 => {
                self.recorder.info(begun, "accepted");
                // Another topic of that name has epochs of its own.
                let is_told = self.refresh().await.is_ok();
                if is_told && self.topics.get(&topic.name).is_some_and(|now| now.id == topic.id) {
                    let detail = format!("{}-{index}: {epoch}, when {known} was told", topic.name);
                    self.recorder
                        .violation("a leader epoch that is not its own is refused", detail);
                }
            }
            Ok(found) => {
                let error = ErrorCode::from_code(found.error_code);
                if error == Some(ErrorCode::FencedLeaderEpoch) {
                    self.recorder.count("wrong epoch fenced");
                }
                self.recorder.fail(begun, error_name(found.error_code));
            }
            Err(reason) => self.recorder.fail(begun, reason),
        }
    }
}
