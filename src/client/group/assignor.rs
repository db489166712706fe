//! The range assignor: the partitions of each topic are laid out in order and cut into as many ranges as members want them.

use std::{collections::BTreeMap, sync::Arc};

use crate::client::TopicPartition;

/// How the assignor is called in JoinGroup.
pub(super) const NAME: &str = "range";

/// A member and the topics that it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscriber {
    /// Who.
    pub(super) member_id: String,
    /// A name that outlives the member, if it has one: it then decides the order.
    pub(super) instance_id: Option<String>,
    /// What it wants.
    pub(super) topics: Vec<Arc<str>>,
}

/// Shares the partitions: `counts` says how many each topic has. Each member is in the result, perhaps with nothing.
pub(super) fn assign(
    subscribers: &[Subscriber],
    counts: &BTreeMap<Arc<str>, usize>,
) -> BTreeMap<String, Vec<TopicPartition>> {
    let mut ordered: Vec<&Subscriber> = subscribers.iter().collect();
    // Members with an instance id come first, by that; the others by their member id.
    ordered.sort_by_key(|subscriber| {
        let instance_id = subscriber.instance_id.as_deref();
        (instance_id.is_none(), instance_id.unwrap_or(&subscriber.member_id))
    });
    let mut assignment: BTreeMap<String, Vec<TopicPartition>> =
        ordered.iter().map(|subscriber| (subscriber.member_id.clone(), vec![])).collect();
    for (topic, &count) in counts {
        let wanting: Vec<_> =
            ordered.iter().filter(|subscriber| subscriber.topics.contains(topic)).collect();
        let mut partitions = (0..).take(count);
        for (place, subscriber) in wanting.iter().enumerate() {
            let share = count / wanting.len() + usize::from(place < count % wanting.len());
            let range = partitions.by_ref().take(share);
            let range = range.map(|partition| TopicPartition::new(Arc::clone(topic), partition));
            assignment.entry(subscriber.member_id.clone()).or_default().extend(range);
        }
    }
    assignment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscriber(member_id: &str, topics: &[&str]) -> Subscriber {
        Subscriber {
            member_id: member_id.into(),
            instance_id: None,
            topics: topics.iter().map(|&topic| topic.into()).collect(),
        }
    }

    fn assigned(subscribers: &[Subscriber], counts: &[(&str, usize)]) -> Vec<(String, String)> {
        let counts = counts.iter().map(|&(topic, count)| (Arc::from(topic), count)).collect();
        assign(subscribers, &counts)
            .into_iter()
            .map(|(member, partitions)| {
                let partitions: Vec<_> = partitions.iter().map(ToString::to_string).collect();
                (member, partitions.join(" "))
            })
            .collect()
    }

    #[test]
    fn as_kafkas_documentation_has_it() {
        let subscribers = [subscriber("C1", &["t0", "t1"]), subscriber("C0", &["t0", "t1"])];
        assert_eq!(
            assigned(&subscribers, &[("t0", 3), ("t1", 3)]),
            [("C0".into(), "t0-0 t0-1 t1-0 t1-1".into()), ("C1".into(), "t0-2 t1-2".into())]
        );
    }

    // The following are those of Kafka's own RangeAssignorTest.

    #[test]
    fn only_who_wants_a_topic_gets_of_it() {
        let subscribers = [
            subscriber("consumer1", &["topic1"]),
            subscriber("consumer2", &["topic1", "topic2"]),
            subscriber("consumer3", &["topic1"]),
        ];
        assert_eq!(
            assigned(&subscribers, &[("topic1", 3), ("topic2", 2)]),
            [
                ("consumer1".into(), "topic1-0".into()),
                ("consumer2".into(), "topic1-1 topic2-0 topic2-1".into()),
                ("consumer3".into(), "topic1-2".into()),
            ]
        );
    }

    #[test]
    fn more_members_than_partitions() {
        let subscribers =
            [subscriber("consumer1", &["topic"]), subscriber("consumer2", &["topic"])];
        assert_eq!(
            assigned(&subscribers, &[("topic", 1)]),
            [("consumer1".into(), "topic-0".into()), ("consumer2".into(), String::new())]
        );
    }

    #[test]
    fn instance_ids_come_before_member_ids() {
        let mut subscribers: Vec<_> =
            ["m1", "m2", "m3"].iter().map(|member| subscriber(member, &["topic"])).collect();
        subscribers[2].instance_id = Some("i1".into());
        subscribers[1].instance_id = Some("i2".into());
        assert_eq!(
            assigned(&subscribers, &[("topic", 4)]),
            [
                ("m1".into(), "topic-3".into()),
                ("m2".into(), "topic-2".into()),
                ("m3".into(), "topic-0 topic-1".into()),
            ]
        );
    }
}
