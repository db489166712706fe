//! Which partition a record goes to: by its key as Kafka's own clients choose it, or else the same one for a while, so
//! that batches fill.

use ottla_core::types::PartitionIndex;

use crate::client::TopicMetadata;

/// Murmur2 as Kafka's clients have it: with their seed, and length in 32 bits.
pub fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const SHIFT: u32 = 24;

    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let mut chunks = bytes.chunks_exact(4);
    for chunk in &mut chunks {
        let word = chunk.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        let mut mixed = word.wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> SHIFT;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    if !chunks.remainder().is_empty() {
        hash ^= chunks.remainder().iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ hash >> 15
}

/// The partitions of one topic, as a producer chooses among them.
#[derive(Debug)]
pub(super) struct Partitioner {
    sticky_bytes: usize,
    /// Where records without a key go, and how many bytes went there.
    sticky: usize,
    bytes: usize,
}

impl Partitioner {
    /// Records without a key stay with a partition for `sticky_bytes`; `seed` chooses the first.
    pub(super) fn new(sticky_bytes: usize, seed: usize) -> Self {
        Self { sticky_bytes, sticky: seed, bytes: 0 }
    }

    /// The partition of a record of `bytes` length. None when the topic has no partition.
    pub(super) fn choose(
        &mut self,
        topic: &TopicMetadata,
        key: Option<&[u8]>,
        bytes: usize,
    ) -> Option<PartitionIndex> {
        let count = topic.partitions.len();
        if count == 0 {
            return None;
        }
        if let Some(key) = key {
            let positive = murmur2(key) & 0x7fff_ffff;
            return Some(topic.partitions[positive as usize % count].index);
        }
        if self.bytes >= self.sticky_bytes {
            self.sticky = self.sticky.wrapping_add(1);
            self.bytes = 0;
        }
        self.bytes += bytes;
        // A partition that nobody leads is passed over while another is led.
        let from = self.sticky % count;
        let led = (0..count)
            .map(|step| (from + step) % count)
            .find(|&index| topic.partitions[index].leader.is_some());
        let chosen = led.unwrap_or(from);
        self.sticky = chosen;
        Some(topic.partitions[chosen].index)
    }
}

#[cfg(test)]
mod tests {
    use ottla_core::types::{BrokerId, LeaderEpoch};

    use super::*;
    use crate::client::PartitionMetadata;

    fn topic(leaders: &[Option<i32>]) -> TopicMetadata {
        let partitions = leaders.iter().zip(0..).map(|(leader, index)| PartitionMetadata {
            index: PartitionIndex(index),
            leader: leader.map(BrokerId),
            leader_epoch: LeaderEpoch(0),
            replicas: vec![],
            isr: vec![],
        });
        let partitions = partitions.collect();
        TopicMetadata { name: "topic".into(), id: None, is_internal: false, partitions }
    }

    #[test]
    fn murmur2_is_kafkas() {
        // From Kafka's own UtilsTest.
        for (text, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }

    #[test]
    fn a_key_has_its_partition_led_or_not() {
        let mut partitioner = Partitioner::new(10, 0);
        // murmur2("foobar") without its sign is 1357151166.
        let expected = PartitionIndex(1_357_151_166 % 5);
        for leaders in [[Some(1); 5], [None; 5]] {
            let chosen = partitioner.choose(&topic(&leaders), Some(b"foobar"), 6);
            assert_eq!(chosen, Some(expected));
        }
        assert_eq!(partitioner.choose(&topic(&[]), Some(b"foobar"), 6), None);
    }

    #[test]
    fn records_without_a_key_stay_until_a_batch_is_full() {
        let topic = topic(&[Some(1), Some(1), Some(1)]);
        let mut partitioner = Partitioner::new(10, 1);
        let choose = || partitioner.choose(&topic, None, 5).map(|index| index.0);
        let chosen: Vec<_> = std::iter::from_fn(choose).take(7).collect();
        assert_eq!(chosen, [1, 1, 2, 2, 0, 0, 1]);
    }

    #[test]
    fn records_without_a_key_avoid_partitions_without_a_leader() {
        let mut partitioner = Partitioner::new(1, 0);
        let topic = topic(&[None, Some(1), None]);
        for _ in 0..4 {
            assert_eq!(partitioner.choose(&topic, None, 5), Some(PartitionIndex(1)));
        }
    }
}
