//! Messages as trees: read from their debug form, masked, and printed so that a line holds what belongs together.

use std::fmt::{self, Write};

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

const WIDTH: usize = 132;
const SHORT_FIELD: usize = 66;
const BINARY_BYTES_SHOWN: usize = 64;
const TEXT_BYTES_SHOWN: usize = 500;

impl Tree {
    /// The tree of a value whose `Debug` is derived.
    pub(crate) fn of(value: &impl fmt::Debug) -> Self {
        let text = format!("{value:?}");
        let mut parser = Parser { rest: &text };
        let tree = parser.value();
        assert!(parser.rest.is_empty(), "not a derived debug form: {text}");
        tree
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

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 0, 0)
    }
}

impl Tree {
    /// The printed form where this much of the first line is taken.
    pub(crate) fn printed(&self, before: usize) -> String {
        let mut printed = String::new();
        self.print(&mut printed, 0, before).expect("a string takes all that is written");
        printed
    }

    /// Prints on one line if that is short enough. `before` is how much of the line is taken.
    fn print(&self, f: &mut impl Write, indent: usize, before: usize) -> fmt::Result {
        let line = self.on_one_line();
        if before + line.len() <= WIDTH || self.is_leaf() {
            return f.write_str(&line);
        }
        let inner = indent + 2;
        match self {
            Self::Struct(fields) => {
                f.write_str("{")?;
                Self::print_fields(fields, f, inner)?;
                write!(f, "\n{:indent$}}}", "")
            }
            Self::List(elements) if elements.len() == 1 => {
                f.write_str("[")?;
                elements[0].print(f, indent, before + 1)?;
                f.write_str("]")
            }
            Self::List(elements) => {
                f.write_str("[\n")?;
                for element in elements {
                    write!(f, "{:inner$}", "")?;
                    element.print(f, inner, inner)?;
                    f.write_str(",\n")?;
                }
                write!(f, "{:indent$}]", "")
            }
            Self::Text(_) | Self::Binary(_) | Self::Atom(_) => f.write_str(&line),
        }
    }

    /// Prints fields so that short ones share lines.
    fn print_fields(fields: &[(String, Self)], f: &mut impl Write, indent: usize) -> fmt::Result {
        // How much of the line is taken, if another short field may follow on it.
        let mut taken = None;
        for (name, value) in fields {
            let field = format!("{name}: {},", value.on_one_line());
            let is_short = field.len() <= SHORT_FIELD;
            match taken {
                Some(taken) if is_short && taken + 1 + field.len() <= WIDTH => f.write_str(" ")?,
                _ => {
                    write!(f, "\n{:indent$}", "")?;
                    taken = None;
                }
            }
            if is_short {
                f.write_str(&field)?;
                taken = Some(taken.map_or(indent, |taken: usize| taken + 1) + field.len());
            } else {
                write!(f, "{name}: ")?;
                value.print(f, indent, indent + name.len() + 2)?;
                f.write_str(",")?;
                taken = None;
            }
        }
        Ok(())
    }

    fn is_leaf(&self) -> bool {
        match self {
            Self::Struct(_) | Self::List(_) => self.is_nothing(),
            Self::Text(_) | Self::Binary(_) | Self::Atom(_) => true,
        }
    }

    /// All of it on one line.
    pub(crate) fn on_one_line(&self) -> String {
        match self {
            Self::Struct(fields) if fields.is_empty() => "{}".to_owned(),
            Self::Struct(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.on_one_line()))
                    .collect();
                format!("{{ {} }}", fields.join(", "))
            }
            Self::List(elements) => {
                let elements: Vec<String> = elements.iter().map(Self::on_one_line).collect();
                format!("[{}]", elements.join(", "))
            }
            Self::Text(text) if text.len() > TEXT_BYTES_SHOWN => {
                format!(
                    "<text of {} bytes, checksum {:08x}>",
                    text.len(),
                    crc32c::crc32c(text.as_bytes())
                )
            }
            Self::Text(text) => format!("{text:?}"),
            Self::Binary(bytes) if bytes.len() > BINARY_BYTES_SHOWN => {
                format!("<{} bytes, checksum {:08x}>", bytes.len(), crc32c::crc32c(bytes))
            }
            Self::Binary(bytes) => format!("b\"{}\"", bytes.escape_ascii()),
            Self::Atom(atom) => atom.clone(),
        }
    }
}

/// Reads what `#[derive(Debug)]` writes.
struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn value(&mut self) -> Tree {
        if self.takes("[") {
            return Tree::List(self.until("]", Self::value));
        }
        if self.takes("\"") {
            let text = self.quoted();
            return Tree::Text(String::from_utf8(text).expect("a string's debug form is text"));
        }
        if self.takes("b\"") {
            return Tree::Binary(self.quoted());
        }
        let word = self.word();
        if self.takes("(") {
            let mut values = self.until(")", Self::value);
            return match values.pop() {
                Some(value) if values.is_empty() && word == "Some" => value.that_is_there(),
                Some(value) if values.is_empty() => value,
                last => Tree::List(values.into_iter().chain(last).collect()),
            };
        }
        if self.takes(" { ") {
            return Tree::Struct(self.until(" }", |parser| {
                let name = parser.word();
                assert!(parser.takes(": "), "a field has a value");
                (name, parser.value())
            }));
        }
        Tree::Atom(if word == "None" { NULL.to_owned() } else { word })
    }

    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn until<T>(&mut self, end: &str, mut next: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut values = Vec::new();
        while !self.takes(end) {
            values.push(next(self));
            self.takes(", ");
        }
        values
    }

    fn word(&mut self) -> String {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.' | '+'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        assert!(!word.is_empty(), "not a derived debug form: {rest}");
        self.rest = rest;
        word.to_owned()
    }

    /// The rest of a string or byte string, unescaped.
    fn quoted(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let c = self.rest.chars().next().expect("a string ends with a quote");
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '"' => return bytes,
                '\\' => self.escape(&mut bytes),
                _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) {
        let c = self.rest.chars().next().expect("an escape names a character");
        self.rest = &self.rest[c.len_utf8()..];
        match c {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            'x' => {
                let (digits, rest) = self.rest.split_at(2);
                bytes.push(u8::from_str_radix(digits, 16).expect("two digits follow"));
                self.rest = rest;
            }
            'u' => {
                let (digits, rest) = self.rest[1..].split_once('}').expect("braces follow");
                let code = u32::from_str_radix(digits, 16).expect("a number in braces");
                let c = char::from_u32(code).expect("a character's number");
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                self.rest = rest;
            }
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

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
