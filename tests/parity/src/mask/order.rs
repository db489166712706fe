//! Which parts of an answer are kept, and in which order.

use ottla_core::wire::ApiKey;

use crate::tree::Tree;

/// Lists whose order Kafka leaves to a hash map, or to chance.
const UNORDERED: &[(ApiKey, &[&str])] = &[
    (ApiKey::CreatePartitions, &["results"]),
    (ApiKey::CreateTopics, &["topics"]),
    (ApiKey::DeleteGroups, &["results"]),
    (ApiKey::DeleteRecords, &["topics", "partitions"]),
    (ApiKey::DeleteTopics, &["responses"]),
    (ApiKey::DescribeConfigs, &["configs"]),
    (ApiKey::DescribeGroups, &["groups"]),
    (ApiKey::DescribeLogDirs, &["topics", "partitions"]),
    (ApiKey::Fetch, &["responses", "partitions"]),
    (ApiKey::ListGroups, &["groups"]),
    (ApiKey::ListOffsets, &["topics", "partitions"]),
    (ApiKey::Metadata, &["topics"]),
    (ApiKey::OffsetCommit, &["topics", "partitions"]),
    (ApiKey::OffsetDelete, &["topics", "partitions"]),
    (ApiKey::OffsetFetch, &["groups", "topics", "partitions"]),
    (ApiKey::Produce, &["responses", "partition_responses"]),
];

/// Orders what has no order of its own in an answer that is masked already.
pub(crate) fn sort_unordered(api: ApiKey, tree: &mut Tree) {
    if let Some((_, lists)) = UNORDERED.iter().find(|(unordered, _)| *unordered == api) {
        sort_lists(lists, tree);
    }
}

fn sort_lists(lists: &[&str], tree: &mut Tree) {
    match tree {
        Tree::Struct(fields) => {
            for (name, value) in fields {
                sort_lists(lists, value);
                if let Tree::List(elements) = value
                    && lists.contains(&name.as_str())
                {
                    elements.sort_by_cached_key(Tree::on_one_line);
                }
            }
        }
        Tree::List(elements) => {
            for element in elements {
                sort_lists(lists, element);
            }
        }
        Tree::Text(_) | Tree::Binary(_) | Tree::Atom(_) => {}
    }
}

/// Takes the elements out of the lists of a listing that belong to others: those with a name that begins otherwise.
pub(crate) fn retain_own(tree: &mut Tree, own_prefix: &str) {
    match tree {
        Tree::Struct(fields) => {
            for (_, value) in fields {
                retain_own(value, own_prefix);
            }
        }
        Tree::List(elements) => {
            elements.retain(|element| {
                let name = ["name", "topic", "group_id"]
                    .into_iter()
                    .find_map(|field| element.field(field))
                    .and_then(Tree::text);
                name.is_none_or(|name| name.starts_with(own_prefix))
            });
            for element in elements {
                retain_own(element, own_prefix);
            }
        }
        Tree::Text(_) | Tree::Binary(_) | Tree::Atom(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Tree {
        Tree::Struct(vec![("name".to_owned(), Tree::Text(name.to_owned()))])
    }

    fn listing(names: &[&str]) -> Tree {
        let topics = names.iter().map(|name| named(name)).collect();
        Tree::Struct(vec![("topics".to_owned(), Tree::List(topics))])
    }

    #[test]
    fn what_belongs_to_others_is_left_out() {
        let mut tree = listing(&["parity.a.x", "parity.ab.x"]);
        retain_own(&mut tree, "parity.a.");
        assert_eq!(tree, listing(&["parity.a.x"]));
    }

    #[test]
    fn only_what_has_no_order_is_sorted() {
        let mut tree = listing(&["b", "a"]);
        sort_unordered(ApiKey::DescribeTopicPartitions, &mut tree);
        assert_eq!(tree, listing(&["b", "a"]));
        sort_unordered(ApiKey::Metadata, &mut tree);
        assert_eq!(tree, listing(&["a", "b"]));
    }
}
