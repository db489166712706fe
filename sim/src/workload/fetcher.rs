//! Fetching: with sessions and without, in any version, with any limits.

use std::{collections::BTreeMap, time::Duration};

use ottla_core::{
    types::{ErrorCode, Uuid},
    wire::{
        ApiKey,
        codec::RecordData,
        messages::fetch::{
            FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic, PartitionData,
        },
    },
};
use ottla_jepsen::history::{Answer, Call, Partition, Polled, Probed, Read};

use super::{
    client::{Client, REQUEST_LIMIT, Topic},
    connection::Unanswered,
    plan::TopicKind,
    recorder::Begun,
    records::{Decoded, decode},
};
use crate::dice::MILLION;

/// Where a consumer reads next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The topic's name.
    pub topic: String,
    /// Its id.
    pub id: Uuid,
    /// The partition's index.
    pub index: i32,
    /// The next offset.
    pub offset: i64,
    /// The epoch of the last batch that was read; -1 if nothing was.
    pub last_epoch: i32,
    /// The epoch that the leader is thought to have; -1 for whatever it is.
    pub leader_epoch: i32,
}

impl Position {
    /// A position to begin at.
    pub fn new(topic: &Topic, index: i32, offset: i64) -> Self {
        let (topic, id) = (topic.name.clone(), topic.id);
        Self { topic, id, index, offset, last_epoch: -1, leader_epoch: -1 }
    }
}

/// What came of a partition.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Which one.
    pub partition: Partition,
    /// An error, if it is one.
    pub error: ErrorCode,
    /// What was read.
    pub decoded: Decoded,
    /// What was said of it.
    pub probed: Probed,
    /// The end of the epoch that the client's log shares with the broker's, if they have parted.
    pub diverged_at: Option<i64>,
}

/// Positions, by the partitions' numbers in the history.
pub type Positions = BTreeMap<Partition, Position>;

/// Fetches, and remembers its session.
#[derive(Debug)]
pub struct Fetcher {
    version: i16,
    session_id: i32,
    session_epoch: i32,
    has_session: bool,
    in_session: BTreeMap<Partition, (Position, i32)>,
    handed: Option<(Begun, Polled)>,
}

/// What becomes of what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It is processed at once.
    Processed,
    /// The consumer crashes before it processes it.
    Unprocessed,
    /// It is processed, if ever, when [`Fetcher::process`] says so.
    Handed,
}

/// How much is waited for, and how much is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long the broker may wait.
    pub max_wait_ms: i32,
    /// For how many bytes it waits.
    pub min_bytes: i32,
    /// How many bytes it may answer.
    pub max_bytes: i32,
    /// How many of one partition.
    pub partition_max_bytes: i32,
}

impl Limits {
    /// Draws them.
    pub fn draw(client: &mut Client) -> Self {
        let dice = &mut client.dice;
        let bytes = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
        Self {
            max_wait_ms: bytes(dice.magnitude(1..3_000)),
            min_bytes: if dice.chance(MILLION / 10) { bytes(dice.magnitude(1..5_000)) } else { 1 },
            max_bytes: if dice.chance(MILLION / 4) {
                bytes(dice.magnitude(1..20_000))
            } else {
                50 << 20
            },
            partition_max_bytes: if dice.chance(MILLION / 4) {
                bytes(dice.magnitude(1..5_000))
            } else {
                1 << 20
            },
        }
    }
}

impl Fetcher {
    /// One that speaks any version from `least` on, with sessions or without.
    pub fn new(client: &mut Client, least: i16, has_session: bool) -> Self {
        let least = if has_session { least.max(7) } else { least };
        let version = client.version(ApiKey::Fetch, least);
        Self {
            version,
            session_id: 0,
            session_epoch: 0,
            has_session,
            in_session: BTreeMap::new(),
            handed: None,
        }
    }

    /// What was handed out is processed; or never will be.
    pub fn process(&mut self, client: &Client, is_processed: bool) {
        if let Some((begun, mut polled)) = self.handed.take() {
            polled.unprocessed = !is_processed;
            client.recorder.ok(begun, Answer::Polled(polled));
        }
    }

    /// Begins a new session with the next request.
    pub fn reset(&mut self) {
        (self.session_id, self.session_epoch) = (0, 0);
        self.in_session.clear();
    }

    fn request(&self, positions: &Positions, limits: Limits) -> FetchRequest {
        let is_incremental = self.has_session && self.session_epoch > 0;
        let max_bytes = limits.partition_max_bytes;
        let changed = positions.iter().filter(|(partition, position)| {
            let known = self.in_session.get(partition);
            !is_incremental
                || known.is_none_or(|(known, bytes)| (known, *bytes) != (*position, max_bytes))
        });
        let mut topics: Vec<FetchTopic> = Vec::new();
        for position in changed.map(|(_, position)| position) {
            let partition = FetchPartition {
                partition: position.index,
                current_leader_epoch: position.leader_epoch,
                fetch_offset: position.offset,
                last_fetched_epoch: position.last_epoch,
                partition_max_bytes: max_bytes,
                ..Default::default()
            };
            match topics.last_mut().filter(|topic| topic.topic_id == position.id) {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(FetchTopic {
                    topic: position.topic.clone(),
                    topic_id: position.id,
                    partitions: vec![partition],
                }),
            }
        }
        let forgotten = self
            .in_session
            .iter()
            .filter(|(partition, _)| is_incremental && !positions.contains_key(partition));
        let forgotten = forgotten.map(|(_, (position, _))| ForgottenTopic {
            topic: position.topic.clone(),
            topic_id: position.id,
            partitions: vec![position.index],
        });
        FetchRequest {
            max_wait_ms: limits.max_wait_ms,
            min_bytes: limits.min_bytes,
            max_bytes: limits.max_bytes,
            session_id: self.session_id,
            session_epoch: if self.has_session { self.session_epoch } else { -1 },
            topics,
            forgotten_topics_data: forgotten.collect(),
            ..Default::default()
        }
    }

    /// Fetches from all positions, and moves them on. What came is written down as read by the process, and as processed by
    /// its group as `reading` says.
    pub async fn fetch(
        &mut self,
        client: &mut Client,
        positions: &mut Positions,
        limits: Limits,
        group: Option<&str>,
        reading: Reading,
    ) -> Result<Vec<Fetched>, Unanswered> {
        let request = self.request(positions, limits);
        let begun = client.invoke(Call::Poll { group: group.map(ToOwned::to_owned) });
        // An answer may be from a broker that is gone.
        let is_healed = client.phases.is_healed();
        let wait = u64::try_from(limits.max_wait_ms).unwrap_or(0);
        let limit = REQUEST_LIMIT + Duration::from_millis(wait);
        let response = match client.call(&request, self.version, limit).await {
            Ok(response) => response,
            Err(why) => {
                self.reset();
                client.recorder.fail(begun, why.reason.clone());
                return Err(why);
            }
        };
        if response.error_code != 0 {
            let reason = super::client::error_name(response.error_code);
            self.reset();
            client.recorder.count(&format!("fetch {reason}"));
            client.recorder.fail(begun, reason);
            return Ok(Vec::new());
        }
        if self.has_session {
            for (partition, position) in positions.iter() {
                let sent = (position.clone(), limits.partition_max_bytes);
                self.in_session.insert(*partition, sent);
            }
            self.in_session.retain(|partition, _| positions.contains_key(partition));
            if self.session_epoch > 0 {
                client.recorder.count("fetch in a session");
            }
            self.session_id = response.session_id;
            self.session_epoch = if response.session_id == 0 { 0 } else { self.session_epoch + 1 };
        }
        Ok(self.take(client, begun, is_healed, positions, response, reading))
    }

    fn take(
        &mut self,
        client: &Client,
        begun: Begun,
        is_healed: bool,
        positions: &mut Positions,
        response: FetchResponse,
        reading: Reading,
    ) -> Vec<Fetched> {
        let mut all = Vec::new();
        let mut reads = Vec::new();
        for topic in response.responses {
            for data in topic.partitions {
                let found = positions.iter_mut().find(|(_, position)| {
                    let is_topic = if self.version >= 13 {
                        position.id == topic.topic_id
                    } else {
                        position.topic == topic.topic
                    };
                    is_topic && position.index == data.partition_index
                });
                let Some((partition, position)) = found else {
                    let detail = format!("{} {}", topic.topic, data.partition_index);
                    client.recorder.violation("only what is asked for is answered", detail);
                    continue;
                };
                let mut fetched = read_partition(*partition, position, data);
                let is_bad = !fetched.decoded.bad.is_empty();
                if is_bad && client.forgive_damage(&mut fetched.decoded, is_healed) {
                    // Whoever reads it notices, as does every client.
                    client.recorder.count("damaged batch noticed");
                }
                if fetched.error == ErrorCode::None {
                    if position.topic == TopicKind::Relaxed.name() {
                        let records = fetched.decoded.records.iter();
                        for (record, epoch) in records.zip(&fetched.decoded.epochs) {
                            client.recorder.record_read(*partition, *record, *epoch);
                        }
                    }
                    reads.push(Read {
                        partition: *partition,
                        position: Some(position.offset),
                        records: fetched.decoded.records.clone(),
                        bad: fetched.decoded.bad.clone(),
                        probed: fetched.probed,
                    });
                    if fetched.decoded.next > position.offset {
                        position.offset = fetched.decoded.next;
                        position.last_epoch = fetched.decoded.last_epoch;
                    }
                }
                all.push(fetched);
            }
        }
        self.handed = Some((begun, Polled { reads, unprocessed: false }));
        if reading != Reading::Handed {
            self.process(client, reading == Reading::Processed);
        }
        all
    }
}

fn read_partition(partition: Partition, position: &Position, data: PartitionData) -> Fetched {
    let known = |offset: i64| Some(offset).filter(|offset| *offset >= 0);
    let error = ErrorCode::from_code(data.error_code).unwrap_or(ErrorCode::UnknownServerError);
    let bytes = match data.records {
        Some(RecordData::Bytes(bytes)) => bytes,
        Some(RecordData::Range(_)) | None => bytes::Bytes::new(),
    };
    let probed = Probed {
        log_start: known(data.log_start_offset),
        high_watermark: known(data.high_watermark),
        ..Probed::default()
    };
    let diverging = data.diverging_epoch;
    Fetched {
        partition,
        error,
        decoded: decode(bytes, position.offset, position.id, position.index),
        probed,
        diverged_at: (diverging.epoch >= 0).then_some(diverging.end_offset),
    }
}
