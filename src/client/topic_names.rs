//! The names and ids of the topics in a request. Late versions of some APIs name topics by their ids alone, so that a topic
//! that was deleted and created again is not taken for the old one.

use std::{collections::BTreeMap, sync::Arc};

use ottla_core::types::Uuid;

use super::{CallOptions, Client};

/// The ids of some topics, as far as they are known.
#[derive(Debug, Clone, Default)]
pub(super) struct TopicNames {
    ids: BTreeMap<Arc<str>, Uuid>,
    complete: bool,
}

impl TopicNames {
    /// The names, with the ids that are known.
    pub(super) fn new(topics: impl IntoIterator<Item = (Arc<str>, Option<Uuid>)>) -> Self {
        let mut names = Self { ids: BTreeMap::new(), complete: true };
        for (name, id) in topics {
            match id {
                Some(id) => drop(names.ids.insert(name, id)),
                None => names.complete = false,
            }
        }
        names
    }

    /// The ids of these topics, from the metadata.
    pub(super) async fn of(client: &Client, topics: impl IntoIterator<Item = &Arc<str>>) -> Self {
        let mut pairs = Vec::new();
        for name in topics {
            let id = client.topic(name).await.ok().and_then(|topic| topic.id);
            pairs.push((Arc::clone(name), id));
        }
        Self::new(pairs)
    }

    /// Where a topic's id is missing, no version may be used that knows topics by nothing else.
    pub(super) fn options(&self, version_by_name_max: i16) -> CallOptions {
        let version_max = (!self.complete).then_some(version_by_name_max);
        CallOptions { version_max, ..Default::default() }
    }

    /// The id of a topic, or that of none.
    pub(super) fn id(&self, name: &str) -> Uuid {
        self.ids.get(name).copied().unwrap_or_default()
    }

    /// Which topic an answer is about: it has either the name or the id.
    pub(super) fn name(&self, name: String, id: Uuid) -> Option<Arc<str>> {
        if id == Uuid::ZERO {
            return Some(name.into());
        }
        self.ids.iter().find(|(_, known)| **known == id).map(|(name, _)| Arc::clone(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_found_by_what_the_answer_has() {
        let id = Uuid::from_random(1);
        let names = TopicNames::new([("a".into(), Some(id)), ("b".into(), None)]);
        assert_eq!(names.options(9).version_max, Some(9));
        assert_eq!((names.id("a"), names.id("b")), (id, Uuid::ZERO));
        assert_eq!(names.name(String::new(), id).as_deref(), Some("a"));
        assert_eq!(names.name("b".into(), Uuid::ZERO).as_deref(), Some("b"));
        assert_eq!(names.name(String::new(), Uuid::from_random(2)), None);
        let complete = TopicNames::new([("a".into(), Some(id))]);
        assert_eq!(complete.options(9).version_max, None);
    }
}
