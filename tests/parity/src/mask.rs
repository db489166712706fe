//! Puts placeholders where two brokers may rightly differ: ids, times, addresses.

use std::time::{Duration, SystemTime};

use ottla_core::{
    types::{ErrorCode, Uuid},
    wire::ApiKey,
};

use crate::{
    batch,
    tree::{NULL, Tree, ZERO_ID},
};

/// A topic id that no topic has.
pub(crate) const UNKNOWN_TOPIC_ID: Uuid = Uuid::from_bytes([0x77; 16]);

/// Timestamps this near the present are the broker's own, or made from the clock.
const NEAR: Duration = Duration::from_hours(48);

/// Broker configurations that say where the broker runs, not how.
const PLACES: &[&str] = &[
    "advertised.listeners",
    "controller.listener.names",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.voters",
    "early.start.listeners",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "log.dirs",
    "metadata.log.dir",
];

/// Lists whose order Kafka leaves to a hash map, or to chance.
const UNORDERED: &[(ApiKey, &[&str])] = &[
    (ApiKey::CreatePartitions, &["results"]),
    (ApiKey::CreateTopics, &["topics"]),
    (ApiKey::DeleteGroups, &["results"]),
    (ApiKey::DeleteRecords, &["topics", "partitions"]),
    (ApiKey::DeleteTopics, &["responses"]),
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

/// The placeholders of one case: the same id has the same placeholder throughout.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    topic_ids: Ids,
    producer_ids: Ids,
    session_ids: Ids,
    member_ids: Ids,
}

#[derive(Debug, Default)]
struct Ids(Vec<String>);

impl Ids {
    fn placeholder(&mut self, kind: &str, id: &str) -> String {
        let position = self.0.iter().position(|known| known == id).unwrap_or_else(|| {
            self.0.push(id.to_owned());
            self.0.len() - 1
        });
        format!("<{kind}-{}>", position + 1)
    }
}

impl Mask {
    /// The tree with placeholders, and with error codes named.
    pub(crate) fn apply(&mut self, tree: Tree) -> Tree {
        self.value("", tree)
    }

    fn value(&mut self, field: &str, tree: Tree) -> Tree {
        match tree {
            Tree::Struct(fields) => {
                let place = is_place(&fields);
                let masked = fields.into_iter().map(|(name, value)| {
                    let value = match (place, name.as_str()) {
                        (true, "value" | "config_source" | "synonyms") => Tree::atom("<place>"),
                        _ => self.value(&name, value),
                    };
                    (name, value)
                });
                Tree::Struct(masked.collect())
            }
            Tree::List(elements) if field == "members" => Tree::List(self.members(elements)),
            Tree::List(elements) => {
                Tree::List(elements.into_iter().map(|element| self.value(field, element)).collect())
            }
            Tree::Binary(bytes) if field == "records" => self.value("", batch::shown(&bytes)),
            Tree::Binary(bytes) => Tree::Binary(bytes),
            Tree::Text(text) => self.text(field, &text),
            Tree::Atom(atom) => Tree::Atom(self.atom(field, atom)),
        }
    }

    /// Kafka keeps members by their random ids. They are ordered by what else is known of them, so that ids seen here
    /// first get the same placeholders each time, and then by their placeholders.
    fn members(&mut self, mut members: Vec<Tree>) -> Vec<Tree> {
        members.sort_by_cached_key(|member| blank_uuids(&member.on_one_line()));
        let mut members: Vec<Tree> =
            members.into_iter().map(|member| self.value("members", member)).collect();
        members.sort_by_cached_key(Tree::on_one_line);
        members
    }

    fn atom(&mut self, field: &str, atom: String) -> String {
        if atom == NULL {
            return atom;
        }
        let number = atom.parse::<i64>().ok();
        match (field, number) {
            ("error_code" | "topic_config_error_code", Some(code)) => named_error(code),
            ("topic_id" | "replica_directory_id", _) => self.topic_id(atom),
            ("producer_id", Some(0..)) => self.producer_ids.placeholder("producer", &atom),
            ("session_id", Some(1..)) => self.session_ids.placeholder("session", &atom),
            ("port", Some(1..)) => "<port>".to_owned(),
            ("finalized_features_epoch", Some(0..)) => "<epoch>".to_owned(),
            ("total_bytes" | "usable_bytes", Some(1..)) => "<bytes>".to_owned(),
            (_, Some(number)) if is_near_now(number) => "<now>".to_owned(),
            _ => atom,
        }
    }

    fn topic_id(&mut self, id: String) -> String {
        if id == ZERO_ID {
            id
        } else if id == UNKNOWN_TOPIC_ID.to_string() {
            "<unknown-topic-id>".to_owned()
        } else {
            self.topic_ids.placeholder("topic-id", &id)
        }
    }

    fn text(&mut self, field: &str, text: &str) -> Tree {
        match (field, text.is_empty()) {
            ("host", false) => Tree::atom("<host>"),
            ("cluster_id", false) => Tree::atom("<cluster-id>"),
            ("log_dir", false) => Tree::atom("<log-dir>"),
            ("documentation", false) => Tree::atom("<documentation>"),
            _ => Tree::Text(self.within_text(text)),
        }
    }

    /// Placeholders within a string, such as an error's message.
    fn within_text(&mut self, text: &str) -> String {
        let mut text = replace_uuids(text, |uuid| self.member_ids.placeholder("member", uuid));
        for (index, id) in self.topic_ids.0.iter().enumerate() {
            text = text.replace(id, &format!("<topic-id-{}>", index + 1));
        }
        text = text.replace(&UNKNOWN_TOPIC_ID.to_string(), "<unknown-topic-id>");
        for (index, id) in self.producer_ids.0.iter().enumerate() {
            for word in ["producer ", "producerId ", "producer id ", "producerId=", "producerId: "]
            {
                text = replace_number(&text, word, id, &format!("<producer-{}>", index + 1));
            }
        }
        replace_times(&text)
    }
}

/// Whether the struct is a configuration, or a synonym of one, that says where the broker runs.
fn is_place(fields: &[(String, Tree)]) -> bool {
    let name = fields.iter().find(|(field, _)| field == "name").and_then(|(_, name)| name.text());
    name.is_some_and(|name| PLACES.contains(&name))
}

fn named_error(code: i64) -> String {
    let error = i16::try_from(code).ok().and_then(ErrorCode::from_code);
    error.map_or_else(|| code.to_string(), |error| format!("{code} {}", error.name()))
}

fn is_near_now(timestamp: i64) -> bool {
    let Ok(timestamp) = u64::try_from(timestamp) else { return false };
    let then = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(timestamp));
    let now = SystemTime::now();
    then.is_some_and(|then| {
        now.duration_since(then).or_else(|_| then.duration_since(now)).is_ok_and(|gap| gap < NEAR)
    })
}

fn replace_times(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, digits) = rest.split_at(start);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (number, after) = digits.split_at(end);
        replaced.push_str(before);
        replaced.push_str(match number.parse::<i64>() {
            Ok(time) if is_near_now(time) => "<now>",
            // How far back a broker reckons that accepts records of any age.
            Ok(time) if is_near_now(i64::MAX - time) => "<all time before now>",
            _ => number,
        });
        rest = after;
    }
    replaced + rest
}

fn replace_number(text: &str, word: &str, number: &str, placeholder: &str) -> String {
    let sought = format!("{word}{number}");
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(&sought) {
        let (before, after) = (&rest[..start], &rest[start + sought.len()..]);
        let whole = !after.starts_with(|c: char| c.is_ascii_digit());
        replaced.push_str(before);
        replaced.push_str(word);
        replaced.push_str(if whole { placeholder } else { number });
        rest = after;
    }
    replaced + rest
}

const UUID_BYTES: usize = 36;

fn is_uuid(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(index, byte)| {
        if matches!(index, 8 | 13 | 18 | 23) { *byte == b'-' } else { byte.is_ascii_hexdigit() }
    })
}

/// Replaces what has the form of a UUID: the random part of a member id.
fn replace_uuids(text: &str, mut placeholder: impl FnMut(&str) -> String) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.as_bytes().windows(UUID_BYTES).position(is_uuid) {
        let (before, uuid) = rest.split_at(start);
        let (uuid, after) = uuid.split_at(UUID_BYTES);
        replaced.push_str(before);
        replaced.push_str(&placeholder(uuid));
        rest = after;
    }
    replaced + rest
}

fn blank_uuids(text: &str) -> String {
    replace_uuids(text, |_| String::new())
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

    fn structure(fields: &[(&str, Tree)]) -> Tree {
        Tree::Struct(
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        )
    }

    fn masked(mask: &mut Mask, field: &str, value: Tree) -> String {
        mask.apply(structure(&[(field, value)])).to_string()
    }

    #[test]
    fn an_id_keeps_its_identity_and_zero_stays() {
        let mut mask = Mask::default();
        for (id, shown) in [
            ("EjRWeJCrze8SNFZ4kKvN7w", "<topic-id-1>"),
            ("FjRWeJCrze8SNFZ4kKvN7w", "<topic-id-2>"),
            ("EjRWeJCrze8SNFZ4kKvN7w", "<topic-id-1>"),
            (ZERO_ID, ZERO_ID),
        ] {
            let expected = format!("{{ topic_id: {shown} }}");
            assert_eq!(masked(&mut mask, "topic_id", Tree::atom(id)), expected);
        }
    }

    #[test]
    fn member_ids_are_masked_within_strings() {
        let id = "parity-123e4567-e89b-12d3-a456-426614174000";
        let text = Tree::Text(format!("{id} is not 123e4567"));
        assert_eq!(
            masked(&mut Mask::default(), "error_message", text),
            r#"{ error_message: "parity-<member-1> is not 123e4567" }"#
        );
    }

    #[test]
    fn the_present_is_masked_and_the_past_is_not() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.expect("after 1970").as_millis();
        let text = Tree::Text(format!("{now} or {}", batch::T0));
        assert_eq!(
            masked(&mut Mask::default(), "error_message", text),
            r#"{ error_message: "<now> or 1700000000000" }"#
        );
        let timestamp = Tree::atom(now);
        assert_eq!(masked(&mut Mask::default(), "timestamp", timestamp), "{ timestamp: <now> }");
    }

    #[test]
    fn errors_have_names() {
        let code = Tree::atom(3);
        let shown = "{ error_code: 3 UNKNOWN_TOPIC_OR_PARTITION }";
        assert_eq!(masked(&mut Mask::default(), "error_code", code), shown);
    }

    #[test]
    fn what_belongs_to_others_is_left_out() {
        let [own, other] = ["parity.a.x", "parity.ab.x"]
            .map(|name| structure(&[("name", Tree::Text(name.to_owned()))]));
        let mut tree = structure(&[("topics", Tree::List(vec![own.clone(), other]))]);
        retain_own(&mut tree, "parity.a.");
        assert_eq!(tree, structure(&[("topics", Tree::List(vec![own]))]));
    }
}
