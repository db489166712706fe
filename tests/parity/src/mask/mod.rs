//! Puts placeholders where two brokers may rightly differ: ids, times, addresses.

mod order;
mod text;

use ottla_core::types::{ErrorCode, Uuid};

pub(crate) use self::order::{retain_own, sort_unordered};
use self::text::{blank_uuids, is_near_now, replace_times, replace_uuids};
use crate::{
    batch,
    tree::{NULL, Tree, ZERO_ID},
};

/// A topic id that no topic has.
pub(crate) const UNKNOWN_TOPIC_ID: Uuid = Uuid::from_bytes([0x77; 16]);

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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

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
}
