//! The tables of README.md that follow from the code are what the code says.
//!
//! `UPDATE_README=1 cargo test --test readme` writes them anew.

use std::fmt::Write as _;

use ottla_core::{
    config::{Definition, Kind, Rule, Scope, broker, topic},
    wire::ApiKey,
};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// The unit in which a key counts, by the end of its name.
fn unit(key: &str) -> &'static str {
    let units = [
        (".ms", " ms"),
        (".minutes", " min"),
        (".hours", " h"),
        (".bytes", " bytes"),
        ("buffer.size", " bytes"),
        ("size.max.bytes", " bytes"),
    ];
    units.iter().find(|(end, _)| key.ends_with(end)).map_or("", |(_, unit)| unit)
}

fn quoted(values: &[&str]) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
}

/// Which values a key takes.
fn values(definition: &Definition) -> String {
    let range = match definition.rule {
        Rule::Any => match definition.kind {
            Kind::Boolean => return "`true`, `false`".into(),
            Kind::String => return "text".into(),
            Kind::List => return "list".into(),
            Kind::Int | Kind::Short | Kind::Long => "integer".into(),
            Kind::Double => "number".into(),
        },
        Rule::AtLeast(least) => format!("≥ {least}"),
        Rule::Between(least, most) => format!("{least} … {most}"),
        Rule::PermilleBetween(least, most) => {
            assert_eq!((least % 1_000, most % 1_000), (0, 0), "write thousandths out");
            format!("{} … {}", least / 1_000, most / 1_000)
        }
        Rule::OneOf(known) => return quoted(known),
        Rule::SomeOf(known) => return format!("some of {}", quoted(known)),
        Rule::Level(special, least, most) => format!("{special}, or {least} … {most}"),
    };
    range + unit(definition.key)
}

fn default(definition: &Definition) -> String {
    match definition.default {
        None => "–".into(),
        Some("") => "empty".into(),
        Some(value) => format!("`{value}`"),
    }
}

fn broker_table() -> String {
    let mut table = String::from("| key | default | values | what it does |\n|---|---|---|---|\n");
    for definition in broker::DEFINITIONS.iter().filter(|definition| !definition.is_internal()) {
        let dynamic = if definition.scope == Scope::DynamicBroker { " *" } else { "" };
        let (key, doc) = (definition.key, definition.doc);
        let (default, values) = (default(definition), values(definition));
        writeln!(table, "| `{key}`{dynamic} | {default} | {values} | {doc} |").expect("it is text");
    }
    table
}

fn topic_table() -> String {
    let mut table = String::from(
        "| key | default | values | what it does | the broker's key |\n|---|---|---|---|---|\n",
    );
    for definition in topic::DEFINITIONS.iter().filter(|definition| !definition.is_internal()) {
        let Scope::Topic(keys) = definition.scope else {
            panic!("{} is not a topic's", definition.key);
        };
        let keys = quoted(keys);
        let (key, doc) = (definition.key, definition.doc);
        let (default, values) = (default(definition), values(definition));
        writeln!(table, "| `{key}` | {default} | {values} | {doc} | {keys} |").expect("it is text");
    }
    table
}

fn api_table() -> String {
    let mut table = String::from("| API | versions |\n|---|---|\n");
    for api in ApiKey::ALL {
        let versions = api.versions();
        let (first, last) = (versions.start(), versions.end());
        let versions =
            if first == last { first.to_string() } else { format!("{first} … {last}") };
        writeln!(table, "| {} | {versions} |", api.name()).expect("it is text");
    }
    table
}

/// The text with `table` between the comments that name it.
fn with_table(text: &str, name: &str, table: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).ok_or(format!("{begin} is not there"))?;
    let (_, after) = rest.split_once(&end).ok_or(format!("{end} is not there"))?;
    Ok(format!("{before}{begin}\n{table}\n{end}{after}"))
}

#[test]
fn tables_are_what_the_code_says() {
    let text = std::fs::read_to_string(README).expect("README.md is there");
    let tables = [
        ("broker settings", broker_table()),
        ("topic settings", topic_table()),
        ("apis", api_table()),
    ];
    let wanted = tables.iter().fold(text.clone(), |text, (name, table)| {
        with_table(&text, name, table).expect("README.md has a place for each table")
    });
    if wanted != text && std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(README, wanted).expect("README.md can be written");
        return;
    }
    assert!(wanted == text, "README.md is out of date: UPDATE_README=1 cargo test --test readme");
}

#[test]
fn a_table_that_is_out_of_date_shows() {
    let text = "a\n<!-- t -->\nold\n<!-- end of t -->\nb";
    let new = with_table(text, "t", "new").expect("there is a place");
    assert_eq!(new, "a\n<!-- t -->\n\nnew\n<!-- end of t -->\nb");
    assert_eq!(with_table(&new, "t", "new").as_ref(), Ok(&new), "it does not change again");
    assert!(with_table(text, "u", "new").is_err());
}
