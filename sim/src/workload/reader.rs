//! A consumer that assigns partitions to itself, and seeks.

use ottla_core::types::ErrorCode;
use ottla_jepsen::history::{Note, Partition};

use super::{
    Progress,
    client::Client,
    fetcher::{Fetched, Fetcher, Limits, Position, Positions, Reading},
    offsets::{EARLIEST, LATEST},
    plan::TopicKind,
};
use crate::dice::MILLION;

/// A consumer.
#[derive(Debug)]
pub struct Reader {
    client: Client,
    fetcher: Fetcher,
    positions: Positions,
    progress: Progress,
}

impl Reader {
    /// One that has nothing to read yet.
    pub fn new(mut client: Client, progress: Progress) -> Self {
        let has_session = client.dice.chance(MILLION * 3 / 4);
        let fetcher = Fetcher::new(&mut client, 4, has_session);
        Self { client, fetcher, positions: Positions::new(), progress }
    }

    /// Reads until the world is whole, everything is written, and all that it reads is read.
    pub async fn run(mut self) {
        loop {
            self.client.rest().await;
            if self.client.refresh().await.is_err() {
                self.client.back_off().await;
                continue;
            }
            self.assign().await;
            let polls = self.client.dice.range(3..60);
            for _ in 0..polls {
                if self.positions.is_empty() {
                    self.client.back_off().await;
                    break;
                }
                self.client.rest().await;
                self.poll().await;
                if self.progress.is_all_written() {
                    break;
                }
            }
            if self.progress.is_all_written() {
                return self.read_to_the_end().await;
            }
        }
    }

    /// Goes on where it is until it has come to the end: nothing may be kept from it.
    async fn read_to_the_end(mut self) {
        let places: Vec<Partition> = self.positions.keys().copied().collect();
        for partition in places {
            let mut fruitless = 0;
            while let Some(position) = self.positions.get(&partition).cloned() {
                let Some(topic) = self.client.topics.get(&position.topic).cloned() else { break };
                match self.client.offset_at(&topic, position.index, LATEST).await {
                    Ok(end) if topic.id != position.id || position.offset >= end => break,
                    // Compaction may leave nothing at the end.
                    Ok(_) if fruitless > 20 && topic.name == TopicKind::Keyed.name() => break,
                    Ok(_) => {
                        let at = position.offset;
                        // A fetch brings one segment's records at the most: who paused after each would be at it for minutes.
                        self.fetch().await;
                        let now = self.positions.get(&partition);
                        let stands = now.is_some_and(|position| position.offset == at);
                        fruitless = if stands { fruitless + 1 } else { 0 };
                    }
                    Err(_) => {
                        let _ = self.client.refresh().await;
                        self.client.back_off().await;
                    }
                }
            }
        }
    }

    async fn assign(&mut self) {
        let count = self.client.dice.range(1..6);
        self.positions.clear();
        let mut has_fleeting = false;
        for _ in 0..count {
            let Some((plan, topic)) = self.client.any_topic(|_| true) else { return };
            let index = self.client.any_partition(&topic);
            let partition = self.client.partition(&topic, index);
            if self.client.dice.chance(MILLION / 12) {
                self.client.try_wrong_epoch(&topic, index).await;
            }
            let offset = match self.client.dice.below(10) {
                0..4 => self.client.offset_at(&topic, index, EARLIEST).await,
                4..6 => self.client.offset_at(&topic, index, LATEST).await,
                6 => {
                    let ago = i64::try_from(self.client.dice.below(30_000)).unwrap_or(0);
                    let timestamp = self.client.clock_ms() - ago;
                    self.client.offset_at(&topic, index, timestamp).await
                }
                7 => Ok(0),
                _ => match self.client.offset_at(&topic, index, LATEST).await {
                    Ok(end) => Ok(i64::try_from(
                        self.client.dice.below(u64::try_from(end).unwrap_or(0) + 2),
                    )
                    .unwrap_or(0)),
                    Err(reason) => Err(reason),
                },
            };
            // Nothing is as young as that.
            let Some(offset) = offset.ok().filter(|offset| *offset >= 0) else { continue };
            has_fleeting |= plan.kind == TopicKind::Fleeting;
            let mut position = Position::new(&topic, index, offset);
            if self.client.dice.coin() {
                let place = usize::try_from(index).unwrap_or(0);
                position.leader_epoch = topic.epochs.get(place).copied().unwrap_or(-1);
            }
            self.seek(partition, offset);
            self.positions.insert(partition, position);
        }
        if has_fleeting || self.client.dice.chance(MILLION / 4) {
            let has_session = self.client.dice.chance(MILLION * 3 / 4);
            let least = if has_fleeting { 13 } else { 4 };
            self.fetcher = Fetcher::new(&mut self.client, least, has_session);
        }
    }

    fn seek(&self, partition: Partition, offset: i64) {
        self.client.note(Note::Seek { partition, offset: Some(offset) });
    }

    async fn poll(&mut self) {
        let is_well = self.fetch().await;
        if is_well && self.client.dice.coin() {
            let wait = self.client.dice.below(200);
            self.client.sleep_ms(wait).await;
        }
    }

    /// Fetches once. After an error it waits, and returns false.
    async fn fetch(&mut self) -> bool {
        let limits = Limits::draw(&mut self.client);
        let Self { client, fetcher, positions, .. } = self;
        let Ok(fetched) = fetcher.fetch(client, positions, limits, None, Reading::Processed).await
        else {
            self.client.back_off().await;
            return false;
        };
        let mut any_error = false;
        for fetched in fetched {
            any_error |= fetched.error != ErrorCode::None;
            self.react(&fetched).await;
        }
        if any_error {
            self.client.back_off().await;
        }
        !any_error
    }

    async fn react(&mut self, fetched: &Fetched) {
        let partition = fetched.partition;
        if let Some(offset) = fetched.diverged_at {
            if let Some(position) = self.positions.get_mut(&partition) {
                position.offset = offset.max(0);
                position.last_epoch = -1;
            }
            self.seek(partition, offset.max(0));
        }
        if fetched.error == ErrorCode::None {
            return;
        }
        self.client.recorder.count(&format!("fetch {}", fetched.error.name()));
        let _ = self.client.refresh().await;
        let Some(position) = self.positions.get(&partition).cloned() else { return };
        let topic = self.client.topics.get(&position.topic);
        let Some(topic) = topic.filter(|topic| topic.id == position.id).cloned() else {
            self.positions.remove(&partition);
            return;
        };
        let place = usize::try_from(position.index).unwrap_or(0);
        let epoch = topic.epochs.get(place).copied().unwrap_or(-1);
        if let Some(position) = self.positions.get_mut(&partition) {
            position.leader_epoch = if position.leader_epoch < 0 { -1 } else { epoch };
        }
        if fetched.error == ErrorCode::OffsetOutOfRange {
            let policy = if self.client.dice.coin() { EARLIEST } else { LATEST };
            if let Ok(offset) = self.client.offset_at(&topic, position.index, policy).await
                && let Some(position) = self.positions.get_mut(&partition)
            {
                (position.offset, position.last_epoch) = (offset, -1);
                self.seek(partition, offset);
            }
        }
    }
}
