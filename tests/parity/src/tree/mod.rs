//! Messages as trees: read from their debug form, masked, and printed so that a line holds what belongs together.

mod parse;
mod print;

use std::fmt;

/// A message or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    /// Named fields.
    Struct(Vec<(String, Self)>),
    /// Elements.
    List(Vec<Self>),
    /// A string.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// Anything else, as it is printed.
    Atom(String),
}

/// What stands for `None`; `Some` is left out.
pub(crate) const NULL: &str = "null";

impl Tree {
    /// The tree of a value whose `Debug` is derived.
    pub(crate) fn of(value: &impl fmt::Debug) -> Self {
        parse::debug_form(&format!("{value:?}"))
    }

    /// An atom that prints like `value`.
    pub(crate) fn atom(value: impl fmt::Display) -> Self {
        Self::Atom(value.to_string())
    }

    /// A field of a struct.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Struct(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// The string, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn is_nothing(&self) -> bool {
        match self {
            Self::Struct(fields) => fields.is_empty(),
            Self::List(elements) => elements.is_empty(),
            Self::Text(text) => text.is_empty(),
            Self::Binary(bytes) => bytes.is_empty(),
            Self::Atom(atom) => atom == NULL || atom == "false" || atom == ZERO_ID,
        }
    }

    /// An empty value in place of which null could stand: it says something.
    fn that_is_there(self) -> Self {
        match &self {
            Self::Text(_) | Self::List(_) | Self::Binary(_) if self.is_nothing() => {
                Self::Atom(self.on_one_line())
            }
            Self::Struct(_) | Self::Text(_) | Self::List(_) | Self::Binary(_) | Self::Atom(_) => {
                self
            }
        }
    }

    /// Without the tagged fields that are not on the wire, because they have their defaults.
    pub(crate) fn without_absent(self) -> Self {
        self.with_fields(&|name, value| !is_usual(ABSENT, name, value))
    }

    /// Without the fields of these names.
    pub(crate) fn without_fields(self, names: &[&str]) -> Self {
        self.with_fields(&|name, _| !names.contains(&name))
    }

    /// With only the fields that are wanted.
    fn with_fields(self, wanted: &impl Fn(&str, &Self) -> bool) -> Self {
        match self {
            Self::Struct(fields) => Self::Struct(
                fields
                    .into_iter()
                    .filter(|(name, value)| wanted(name, value))
                    .map(|(name, value)| (name, value.with_fields(wanted)))
                    .collect(),
            ),
            Self::List(elements) => {
                Self::List(elements.into_iter().map(|value| value.with_fields(wanted)).collect())
            }
            Self::Text(_) | Self::Binary(_) | Self::Atom(_) => self,
        }
    }

    /// Without what says nothing: fields that are as in `default`, or empty.
    pub(crate) fn without_defaults(self, default: Option<&Self>) -> Self {
        match self {
            Self::Struct(fields) => Self::Struct(
                fields
                    .into_iter()
                    .filter(|(name, value)| {
                        let same = default.and_then(|default| default.field(name)) == Some(value);
                        !same && !value.is_nothing() && !is_usual(USUAL, name, value)
                    })
                    .map(|(name, value)| (name, value.without_defaults(None)))
                    .collect(),
            ),
            Self::List(elements) => Self::List(
                elements.into_iter().map(|element| element.without_defaults(None)).collect(),
            ),
            Self::Text(_) | Self::Binary(_) | Self::Atom(_) => self,
        }
    }
}

/// Fields of a request's parts that few cases fill otherwise.
const USUAL: &[(&str, &str)] = &[
    ("current_leader_epoch", "-1"),
    ("last_fetched_epoch", "-1"),
    ("committed_leader_epoch", "-1"),
    ("log_start_offset", "-1"),
    ("member_epoch", "-1"),
    ("timeout_ms", "10000"),
    ("high_watermark", "9223372036854775807"),
    ("replica_state", "{ replica_id: -1, replica_epoch: -1 }"),
];

/// Tagged fields of answers, and their defaults.
const ABSENT: &[(&str, &str)] = &[
    ("current_leader", "{ leader_id: -1, leader_epoch: -1 }"),
    ("diverging_epoch", "{ epoch: -1, end_offset: -1 }"),
    ("snapshot_id", "{ end_offset: -1, epoch: -1 }"),
    ("node_endpoints", "[]"),
    ("topic_config_error_code", "0"),
    ("supported_features", "[]"),
    ("finalized_features", "[]"),
    ("finalized_features_epoch", "-1"),
    ("zk_migration_ready", "false"),
];

fn is_usual(usual: &[(&str, &str)], name: &str, value: &Tree) -> bool {
    usual.iter().any(|&(field, printed)| field == name && value.on_one_line() == printed)
}

/// How the zero id prints.
pub(crate) const ZERO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[derive(Debug)]
    #[allow(dead_code, reason = "read through its debug form")]
    struct Sample {
        name: Option<String>,
        id: i32,
        parts: Vec<Part>,
        missing: Option<i8>,
    }

    #[derive(Debug)]
    #[allow(dead_code, reason = "read through its debug form")]
    struct Part {
        bytes: Bytes,
    }

    fn sample(parts: usize) -> Sample {
        let parts = (0..parts).map(|_| Part { bytes: Bytes::from_static(b"\0\xff\"x\n") });
        Sample {
            name: Some("a \"b\" \u{7f}é".to_owned()),
            id: -3,
            parts: parts.collect(),
            missing: None,
        }
    }

    #[test]
    fn a_short_value_takes_one_line() {
        assert_eq!(
            Tree::of(&sample(1)).to_string(),
            r#"{ name: "a \"b\" \u{7f}é", id: -3, parts: [{ bytes: b"\x00\xff\"x\n" }], missing: null }"#
        );
    }

    #[test]
    fn a_long_value_is_broken_where_it_must_be() {
        let printed = Tree::of(&sample(4)).to_string();
        assert!(printed.contains("\n  parts: [{ bytes: "), "{printed}");
        assert!(printed.starts_with("{\n  name: \"a \\\"b\\\" \\u{7f}é\", id: -3,\n"), "{printed}");
        assert!(Tree::of(&sample(9)).to_string().contains("\n    { bytes: "));
    }

    #[test]
    fn what_is_as_usual_can_be_left_out() {
        let usual = Tree::of(&sample(0));
        let mut other = sample(0);
        other.id = 7;
        let shown = Tree::of(&other).without_defaults(Some(&usual));
        assert_eq!(shown.to_string(), "{ id: 7 }");
    }
}
