//! Trees as text.

use std::fmt::{self, Write};

use super::Tree;

const WIDTH: usize = 132;
/// Fields up to this length share lines.
const SHORT_FIELD: usize = 66;
/// Longer values are shown by their length and checksum.
const BINARY_BYTES_SHOWN: usize = 64;
const TEXT_BYTES_SHOWN: usize = 500;

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
