//! Once the world is whole, everything must come to an end, and everything must be there.

use std::time::Duration;

use ottla_core::types::ErrorCode;
use ottla_jepsen::history::{Note, Partition};

use super::{
    Progress,
    client::{Client, Topic},
    fetcher::{Fetcher, Limits, Position, Positions, Reading},
    offsets::{EARLIEST, LATEST},
    plan::{GroupPlan, TopicKind},
};
use crate::oracle::KEEPS_OFFSETS;

/// A client that looks at everything in the end.
#[derive(Debug)]
pub struct Auditor {
    client: Client,
    fetcher: Fetcher,
}

/// The limits of a client that wants all there is.
const GREEDY: Limits =
    Limits { max_wait_ms: 300, min_bytes: 1, max_bytes: 50 << 20, partition_max_bytes: 1 << 20 };

impl Auditor {
    /// One that reads in sessions, or without.
    pub fn new(mut client: Client, has_session: bool) -> Self {
        let fetcher = Fetcher::new(&mut client, 13, has_session);
        Self { client, fetcher }
    }

    /// Reads everything from its beginning to its end. What cannot be read is told.
    pub async fn read_everything(&mut self, progress: &Progress) {
        let since = self.client.recorder.now();
        while self.client.refresh().await.is_err() {
            self.client.back_off().await;
        }
        let topics: Vec<Topic> = self.client.topics.values().cloned().collect();
        for topic in topics {
            for index in 0..topic.partitions() {
                let what = format!("reading {}-{index}", topic.name);
                progress.begins(&self.client.name, &what);
                self.read(&topic, index, since, progress).await;
            }
        }
        progress.ends(&self.client.name);
    }

    async fn offset(&mut self, topic: &Topic, index: i32, at: i64) -> i64 {
        loop {
            if let Ok(offset) = self.client.offset_at(topic, index, at).await {
                return offset;
            }
            self.client.back_off().await;
        }
    }

    async fn read(&mut self, topic: &Topic, index: i32, since: u64, progress: &Progress) {
        let partition = self.client.partition(topic, index);
        let mut start = self.offset(topic, index, EARLIEST).await;
        let end = self.offset(topic, index, LATEST).await;
        let mut positions = Positions::new();
        positions.insert(partition, Position::new(topic, index, start));
        self.client.note(Note::Seek { partition, offset: Some(start) });
        let mut fruitless = 0;
        while let Some(at) = positions.get(&partition).map(|position| position.offset)
            && at < end
        {
            let fetched = self
                .fetcher
                .fetch(&mut self.client, &mut positions, GREEDY, None, Reading::Processed)
                .await;
            let error = match fetched {
                Ok(fetched) => fetched.first().map_or(ErrorCode::None, |fetched| fetched.error),
                Err(_) => ErrorCode::UnknownServerError,
            };
            if error == ErrorCode::OffsetOutOfRange {
                // Retention goes on.
                start = self.offset(topic, index, EARLIEST).await;
                positions.insert(partition, Position::new(topic, index, start));
                self.client.note(Note::Seek { partition, offset: Some(start) });
            }
            let stands = positions.get(&partition).is_some_and(|position| position.offset == at);
            fruitless = if stands && error == ErrorCode::None { fruitless + 1 } else { 0 };
            // Compaction may leave nothing at the end.
            let is_keyed = topic.name == TopicKind::Keyed.name();
            if is_keyed && fruitless > 5 {
                break;
            }
            if matches!(error, ErrorCode::CorruptMessage | ErrorCode::KafkaStorageError)
                && progress.may_be_damaged()
            {
                self.client.recorder.count("partition is damaged");
                return;
            }
            if error != ErrorCode::None {
                self.client.back_off().await;
            }
        }
        self.client.note(Note::Complete { partition, start, end, since });
    }

    /// Waits until a group has processed everything, and is at rest.
    pub async fn await_group(&mut self, group: &GroupPlan, progress: &Progress) {
        let names: Vec<String> =
            group.topics.iter().map(|topic| self.client.plans[*topic].name.clone()).collect();
        progress.begins(&self.client.name, &format!("waiting for {}", group.name));
        while self.client.refresh().await.is_err() {
            self.client.back_off().await;
        }
        for name in names {
            let Some(topic) = self.client.topics.get(&name).cloned() else { continue };
            for index in 0..topic.partitions() {
                let partition = self.client.partition(&topic, index);
                let offset = self.await_offset(group, &topic, index, progress).await;
                let group = group.name.clone();
                self.client.note(Note::Drained { group, partition, offset });
            }
        }
        progress.begins(&self.client.name, &format!("waiting for {} to be stable", group.name));
        let expected = ("Stable".to_owned(), usize::from(group.members));
        loop {
            let described = self.client.describe_group(&group.name).await;
            if described.as_ref() == Some(&expected) {
                break;
            }
            let told = format!("waiting for {}, which is {described:?}", group.name);
            progress.begins(&self.client.name, &told);
            self.client.back_off().await;
        }
        progress.ends(&self.client.name);
    }

    async fn await_offset(
        &mut self,
        group: &GroupPlan,
        topic: &Topic,
        index: i32,
        progress: &Progress,
    ) -> i64 {
        let mut last = None;
        let mut stands = 0;
        loop {
            let end = self.offset(topic, index, LATEST).await;
            let start = self.offset(topic, index, EARLIEST).await;
            let committed = self.client.committed_offset(&group.name, topic, index).await;
            let is_empty = start == end;
            match committed {
                Ok(Some(offset)) if offset >= end || is_empty => return offset.min(end),
                // Where there is nothing to process nothing is committed.
                Ok(None) if is_empty => return start,
                // Compaction may leave nothing at the end.
                Ok(Some(offset)) if stands > 30 && topic.name == TopicKind::Keyed.name() => {
                    return offset;
                }
                Ok(committed) => {
                    stands = if last == committed { stands + 1 } else { 0 };
                    last = committed;
                    let name = &topic.name;
                    let told =
                        format!("{} at {committed:?} of {end} of {name}-{index}", group.name);
                    progress.begins(&self.client.name, &told);
                }
                Err(_) => {}
            }
            self.client.sleep_ms(500).await;
        }
    }

    /// A group that lives keeps its offsets, however long it commits nothing.
    pub async fn offsets_stay(&mut self, group: &GroupPlan) {
        let names: Vec<String> =
            group.topics.iter().map(|topic| self.client.plans[*topic].name.clone()).collect();
        for name in names {
            let Some(topic) = self.client.topics.get(&name).cloned() else { continue };
            for index in 0..topic.partitions() {
                let end = self.offset(&topic, index, LATEST).await;
                let start = self.offset(&topic, index, EARLIEST).await;
                let found = self.client.committed_offset(&group.name, &topic, index).await;
                if found == Ok(None) && start < end {
                    let detail = format!("{}: none of {name}-{index}", group.name);
                    self.client.recorder.violation(KEEPS_OFFSETS, detail);
                }
            }
        }
    }

    /// Who waits for records is told when they come, and not when its time is over.
    pub async fn is_woken(&mut self, mut producer: super::producer::Producer) {
        let Some((_, topic)) = self.client.any_topic(|plan| plan.kind == TopicKind::Orders) else {
            return;
        };
        let partition: Partition = self.client.partition(&topic, 0);
        let end = self.offset(&topic, 0, LATEST).await;
        let mut positions = Positions::new();
        positions.insert(partition, Position::new(&topic, 0, end));
        self.client.note(Note::Seek { partition, offset: Some(end) });
        let patient = Limits { max_wait_ms: 30_000, ..GREEDY };
        let timers = self.client.timers.clone();
        let began = timers.now();
        let write = async {
            timers.sleep(Duration::from_secs(1)).await;
            producer.put_one(&topic, 0).await
        };
        let fetch =
            self.fetcher.fetch(&mut self.client, &mut positions, patient, None, Reading::Processed);
        let (fetched, is_taken) = tokio::join!(fetch, write);
        let took = Duration::from_nanos(timers.now() - began);
        let any = fetched
            .is_ok_and(|fetched| fetched.iter().any(|fetched| !fetched.decoded.records.is_empty()));
        self.client.recorder.count("waited for records");
        // If the write was refused, what has come is of somebody else.
        if any && is_taken && took > Duration::from_secs(15) {
            let detail = format!("records came after a second, and were told after {took:?}");
            self.client.recorder.violation("who waits for records is woken", detail);
        }
    }
}
