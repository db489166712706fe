//! What a key means.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

/// The type of a setting, with Kafka's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean = 1,
    /// Text.
    String = 2,
    /// A 32-bit integer.
    Int = 3,
    /// A 16-bit integer.
    Short = 4,
    /// A 64-bit integer.
    Long = 5,
    /// A decimal fraction.
    Double = 6,
    /// Texts, separated by commas.
    List = 7,
}

impl Kind {
    /// Kafka's number.
    pub const fn code(self) -> i8 {
        self as i8
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
        }
    }
}

/// Which values of its type a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// All.
    Any,
    /// This or more.
    AtLeast(i64),
    /// From the first to the second.
    Between(i64, i64),
    /// Thousandths, from the first to the second: of a decimal fraction.
    PermilleBetween(i64, i64),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A list of some of these.
    SomeOf(&'static [&'static str]),
    /// One of these levels, or from the first to the second.
    Level(i64, i64, i64),
}

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub key: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The value that it has unless another is given; a few have none.
    pub default: Option<&'static str>,
    /// Which values it takes.
    pub rule: Rule,
    /// The broker's keys that set the default for all topics, the strongest first; for a broker's key, whether it may change
    /// while the broker runs.
    pub scope: Scope,
    /// What it does.
    pub doc: &'static str,
}

/// Where a key belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// It is a topic's; these keys of the broker set its default.
    Topic(&'static [&'static str]),
    /// It is the broker's, and may change while the broker runs.
    DynamicBroker,
    /// It is the broker's, and needs a new start.
    Broker,
}

/// A setting that is not possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// No such key.
    UnknownKey {
        /// The key.
        key: String,
        /// The known key that is most like it.
        nearest: &'static str,
    },
    /// The value is not one that the key takes.
    InvalidValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it should be, in Kafka's words.
        expected: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { key, nearest } => {
                write!(f, "there is no setting {key}; the nearest is {nearest}")
            }
            Self::InvalidValue { key, value, expected } => {
                write!(f, "Invalid value {value} for configuration {key}: {expected}")
            }
        }
    }
}

impl core::error::Error for ConfigError {}

/// A decimal fraction in thousandths; what is finer is cut off.
pub(super) fn permille(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let thousandths = fraction.bytes().chain(*b"000").take(3);
    let fraction = thousandths.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    whole.checked_mul(1_000)?.checked_add(fraction).map(|value| sign * value)
}

/// The members of a list.
pub(super) fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|member| !member.is_empty())
}

impl Definition {
    /// Whether the key is for tests alone, and told to nobody.
    pub fn is_internal(&self) -> bool {
        self.key.starts_with("internal.")
    }

    /// Checks a value.
    pub fn validate(&self, value: &str) -> Result<(), ConfigError> {
        let problem = match self.kind {
            Kind::Boolean => self.check_boolean(value),
            Kind::Int => self.check_integer(value, i64::from(i32::MIN), i64::from(i32::MAX)),
            Kind::Short => self.check_integer(value, i64::from(i16::MIN), i64::from(i16::MAX)),
            Kind::Long => self.check_integer(value, i64::MIN, i64::MAX),
            Kind::Double => self.check_double(value),
            Kind::String => self.check_text(value),
            Kind::List => self.check_list(value),
        };
        problem.map_or(Ok(()), |expected| {
            let value = self.offending_part(value).into();
            Err(ConfigError::InvalidValue { key: self.key.into(), value, expected })
        })
    }

    /// The part of an invalid value that is to blame: of a list, its first member that is unknown.
    fn offending_part<'a>(&self, value: &'a str) -> &'a str {
        let Rule::SomeOf(known) = self.rule else { return value };
        list(value).find(|member| !known.contains(member)).unwrap_or(value)
    }

    fn check_boolean(&self, value: &str) -> Option<String> {
        let known = ["true", "false"].iter().any(|known| value.trim().eq_ignore_ascii_case(known));
        (!known).then(|| "Expected value to be either true or false".into())
    }

    fn not_a_number(&self) -> String {
        format!("Not a number of type {}", self.kind.name())
    }

    fn check_integer(&self, value: &str, min: i64, max: i64) -> Option<String> {
        let Some(number) = value.trim().parse::<i64>().ok().filter(|n| (min..=max).contains(n))
        else {
            return Some(self.not_a_number());
        };
        match self.rule {
            Rule::AtLeast(least) if number < least => {
                Some(format!("Value must be at least {least}"))
            }
            Rule::Between(least, _) if number < least => {
                Some(format!("Value must be at least {least}"))
            }
            Rule::Between(_, most) if number > most => {
                Some(format!("Value must be no more than {most}"))
            }
            Rule::Level(special, least, most)
                if number != special && !(least..=most).contains(&number) =>
            {
                Some(format!("Value must be between {least} and {most} or equal to {special}"))
            }
            Rule::Any
            | Rule::AtLeast(_)
            | Rule::Between(..)
            | Rule::Level(..)
            | Rule::PermilleBetween(..)
            | Rule::OneOf(_)
            | Rule::SomeOf(_) => None,
        }
    }

    fn check_double(&self, value: &str) -> Option<String> {
        let Some(number) = permille(value.trim()) else { return Some(self.not_a_number()) };
        let Rule::PermilleBetween(least, most) = self.rule else { return None };
        if number < least {
            Some(format!("Value must be at least {}", least / 1_000))
        } else if number > most {
            Some(format!("Value must be no more than {}", most / 1_000))
        } else {
            None
        }
    }

    fn check_text(&self, value: &str) -> Option<String> {
        let Rule::OneOf(known) = self.rule else { return None };
        (!known.contains(&value)).then(|| format!("String must be one of: {}", known.join(", ")))
    }

    fn check_list(&self, value: &str) -> Option<String> {
        let Rule::SomeOf(known) = self.rule else { return None };
        let unknown = list(value).any(|member| !known.contains(&member));
        unknown.then(|| format!("String must be one of: {}", known.join(", ")))
    }

    /// The value as it is told: the way Kafka prints what it has parsed.
    pub fn canonical(&self, value: &str) -> String {
        match self.kind {
            Kind::Boolean => value.trim().to_ascii_lowercase(),
            Kind::String | Kind::Int | Kind::Short | Kind::Long | Kind::Double => {
                value.trim().into()
            }
            Kind::List => {
                let mut members: Vec<&str> = Vec::new();
                for member in list(value) {
                    if !members.contains(&member) {
                        members.push(member);
                    }
                }
                members.join(",")
            }
        }
    }
}

/// How many insertions, deletions and replacements make one text the other.
pub(super) fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_fractions() {
        assert_eq!(permille("0.5"), Some(500));
        assert_eq!(permille("1"), Some(1_000));
        assert_eq!(permille(".05"), Some(50));
        assert_eq!(permille("-0.25"), Some(-250));
        assert_eq!(permille("0.1239"), Some(123));
        assert_eq!(permille("a"), None);
        assert_eq!(permille("1.x"), None);
        assert_eq!(permille(""), None);
    }

    #[test]
    fn distances() {
        assert_eq!(distance("retention.ms", "retention.ms"), 0);
        assert_eq!(distance("retentoin.ms", "retention.ms"), 2);
        assert_eq!(distance("", "abc"), 3);
    }
}
