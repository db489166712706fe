//! Reads what `#[derive(Debug)]` writes.

use super::{NULL, Tree};

/// The tree of a debug form.
pub(super) fn debug_form(text: &str) -> Tree {
    let mut parser = Parser { rest: text };
    let tree = parser.value();
    assert!(parser.rest.is_empty(), "not a derived debug form: {text}");
    tree
}

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
