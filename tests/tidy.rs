//! Rules of the house that no compiler checks. Each is a function from a file to its faults, and has a test that shows that
//! it finds one.

use std::{
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A file of the repository.
struct Source {
    /// Relative to the root.
    path: String,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_script(&self) -> bool {
        self.text.starts_with("#!/")
    }
}

/// Folders that hold nothing of our own writing.
const FOREIGN: &[&str] = &["target", ".git", "patches", "node_modules", "ottla-data"];

/// What is written by a program.
const GENERATED: &[&str] = &["answers", "snapshots", "seeds", "corpus"];

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![PathBuf::from(ROOT)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be listed") {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // In a worktree .git is a file.
            if FOREIGN.contains(&name) || GENERATED.contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let relative = path.strip_prefix(ROOT).expect("it lies in the repository");
                sources.push(Source { path: relative.display().to_string(), text });
            }
        }
    }
    assert!(sources.len() > 100, "the sources were found");
    sources
}

/// What a rule says of all files.
fn faults(rule: fn(&Source) -> Vec<String>) -> Vec<String> {
    let sources = sources();
    let faults = sources.iter().flat_map(|source| {
        rule(source).into_iter().map(|fault| format!("{}: {fault}", source.path))
    });
    faults.collect()
}

fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.into() }
}

/// Nothing but a table needs more.
const LINES_MAX: usize = 600;

fn is_small(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let counts = source.is_rust() || source.is_script() || source.path.ends_with(".py");
    let is_large = counts && lines > LINES_MAX;
    is_large.then(|| format!("{lines} lines are more than {LINES_MAX}")).into_iter().collect()
}

#[test]
fn files_are_small() {
    assert_eq!(faults(is_small), Vec::<String>::new());
    let large = "x\n".repeat(LINES_MAX + 1);
    assert!(!is_small(&source("a.rs", &large)).is_empty());
    assert!(is_small(&source("a.json", &large)).is_empty());
}

fn is_documented(source: &Source) -> Vec<String> {
    let first = source.text.lines().next().unwrap_or_default();
    let missing = source.is_rust() && !first.starts_with("//! ");
    missing.then(|| "it does not begin with what it is for (//!)".into()).into_iter().collect()
}

#[test]
fn modules_say_what_they_are_for() {
    assert_eq!(faults(is_documented), Vec::<String>::new());
    assert!(!is_documented(&source("a.rs", "use x;\n")).is_empty());
}

/// What belongs to somebody's machine, or to work that is not done. Put together here so that this file has none of it.
const FORBIDDEN: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("../sha", "red"),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("<<<", "<<<< "),
    concat!(">>>", ">>>> "),
];

fn is_finished(source: &Source) -> Vec<String> {
    let lines = source.text.lines().enumerate();
    let found = lines.flat_map(|(number, line)| {
        let words = FORBIDDEN.iter().filter(move |word| line.contains(**word));
        words.map(move |word| format!("line {}: {word}", number + 1))
    });
    found.collect()
}

#[test]
fn nothing_is_left_of_the_workshop() {
    assert_eq!(faults(is_finished), Vec::<String>::new());
    let text = format!("fine\n// {} later\n", FORBIDDEN[5]);
    assert_eq!(is_finished(&source("a.rs", &text)), [format!("line 2: {}", FORBIDDEN[5])]);
}

fn selects_in_order(source: &Source) -> Vec<String> {
    let mut lines = source.text.lines().enumerate().peekable();
    let mut faults = Vec::new();
    while let Some((number, line)) = lines.next() {
        let is_select = source.is_rust() && line.trim_end().ends_with("select! {");
        let is_biased = lines.peek().is_some_and(|(_, next)| next.trim() == "biased;");
        if is_select && !is_biased {
            faults.push(format!("line {}: select! without biased;", number + 1));
        }
    }
    faults
}

#[test]
fn selects_are_biased() {
    assert_eq!(faults(selects_in_order), Vec::<String>::new());
    let fair = "    tokio::select! {\n        a = b => c,\n";
    assert_eq!(selects_in_order(&source("a.rs", fair)), ["line 1: select! without biased;"]);
    let biased = "    tokio::select! {\n        biased;\n        a = b => c,\n";
    assert!(selects_in_order(&source("a.rs", biased)).is_empty());
}

/// The one place that needs a hash map: compaction looks up millions of keys, and never goes through them.
const HASH_MAP: &str = "core/src/log/cleaner/keys.rs";

fn is_ordered(source: &Source) -> Vec<String> {
    let applies = source.path.starts_with("core/src/") && source.path != HASH_MAP;
    let has_one = ["HashMap", "HashSet"].iter().find(|name| source.text.contains(**name));
    has_one.filter(|_| applies).map(|name| format!("it names {name}")).into_iter().collect()
}

#[test]
fn the_core_has_no_order_by_chance() {
    assert_eq!(faults(is_ordered), Vec::<String>::new());
    let text = "use hashbrown::HashMap;\n";
    assert!(!is_ordered(&source("core/src/a.rs", text)).is_empty());
    assert!(is_ordered(&source("src/a.rs", text)).is_empty());
}

/// openraft changes from one alpha to the next: what knows it must stay in one place.
fn keeps_openraft_apart(source: &Source) -> Vec<String> {
    let applies = source.is_rust() && !source.path.starts_with("src/quorum/");
    let names = ["openraft::", "openraft_rt::"].iter().find(|name| source.text.contains(**name));
    names.filter(|_| applies).map(|name| format!("it names {name}")).into_iter().collect()
}

#[test]
fn openraft_is_behind_the_quorum() {
    let faults = faults(|source| match source.path.as_str() {
        "tests/tidy.rs" => Vec::new(),
        _ => keeps_openraft_apart(source),
    });
    assert_eq!(faults, Vec::<String>::new());
    let text = "use openraft::Raft;\n";
    assert!(!keeps_openraft_apart(&source("src/server/a.rs", text)).is_empty());
}

fn stops_at_faults(source: &Source) -> Vec<String> {
    let is_bash = source.text.lines().next().is_some_and(|first| first.ends_with("bash"));
    let strict = source
        .text
        .lines()
        .any(|line| line.starts_with("set -") && line.contains('u') && line.contains("pipefail"));
    let fault = "a script begins with set -euo pipefail (set -uo pipefail if it counts faults)";
    (is_bash && !strict).then(|| fault.into()).into_iter().collect()
}

#[test]
fn scripts_stop_at_faults() {
    assert_eq!(faults(stops_at_faults), Vec::<String>::new());
    assert!(!stops_at_faults(&source("a", "#!/usr/bin/env bash\ncd x\n")).is_empty());
}

/// Files that a page names, in backquotes or as links, and that are not there.
fn names_what_is_there(source: &Source) -> Vec<String> {
    if !matches!(source.path.as_str(), "README.md" | "ARCHITECTURE.md" | "CHANGELOG.md") {
        return Vec::new();
    }
    let quoted = source.text.split('`').skip(1).step_by(2);
    let linked = source.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let is_path = |name: &&str| {
        let folders = ["core/", "src/", "tests/", "sim/", "model/", "patches/"];
        folders.iter().any(|folder| name.starts_with(folder))
            && !name.contains(|c: char| c.is_whitespace() || "*{<…".contains(c))
    };
    let missing =
        quoted.chain(linked).filter(is_path).filter(|name| !Path::new(ROOT).join(name).exists());
    missing.map(|name| format!("{name} is not there")).collect()
}

#[test]
fn pages_name_what_is_there() {
    assert_eq!(faults(names_what_is_there), Vec::<String>::new());
    let page = source("README.md", "See `core/src/nowhere.rs`, [this](src/none) and `src/lib.rs`.");
    let missing = ["core/src/nowhere.rs is not there", "src/none is not there"];
    assert_eq!(names_what_is_there(&page), missing);
}

/// Modules of the core and the shell that the codemap leaves out.
fn left_out(codemap: &str, modules: &[String]) -> Vec<String> {
    let missing = modules.iter().filter(|module| !codemap.contains(&format!("`{module}`")));
    missing.cloned().collect()
}

#[test]
fn the_codemap_is_complete() {
    let codemap =
        fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).expect("the page is there");
    let mut modules = Vec::new();
    for folder in ["core/src", "src"] {
        for entry in fs::read_dir(Path::new(ROOT).join(folder)).expect("the folder is there") {
            let entry = entry.expect("an entry can be read");
            let name = entry.file_name().into_string().expect("names are text");
            if !["lib.rs", "main.rs"].contains(&name.as_str()) {
                modules.push(format!("{folder}/{name}"));
            }
        }
    }
    assert_eq!(left_out(&codemap, &modules), Vec::<String>::new());
    assert_eq!(left_out("`src/a`", &["src/a".into(), "src/b".into()]), ["src/b"]);
}

fn has_unreleased(changelog: &str) -> bool {
    let mut sections = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    sections.next() == Some("[Unreleased]")
}

#[test]
fn the_changelog_begins_with_what_is_unreleased() {
    let changelog =
        fs::read_to_string(Path::new(ROOT).join("CHANGELOG.md")).expect("the page is there");
    assert!(has_unreleased(&changelog));
    assert!(!has_unreleased("# Changelog\n## [1.0.0]\n## [Unreleased]\n"));
}

/// Dependencies of a package that its sources do not name.
fn unused(manifest: &toml::Table, text: &str) -> Vec<String> {
    let tables = ["dependencies", "dev-dependencies"];
    let names = tables.iter().filter_map(|table| manifest.get(*table)?.as_table());
    let unused = names.flat_map(toml::Table::keys).filter(|name| {
        let name = name.replace('-', "_");
        !["::", ";", " as "].iter().any(|end| text.contains(&format!("{name}{end}")))
    });
    unused.cloned().collect()
}

#[test]
fn dependencies_are_used() {
    let sources = sources();
    let root: toml::Table = fs::read_to_string(Path::new(ROOT).join("Cargo.toml"))
        .expect("the manifest is there")
        .parse()
        .expect("it is TOML");
    let members = root["workspace"]["members"].as_array().expect("there are members");
    let members: Vec<&str> = members.iter().filter_map(toml::Value::as_str).collect();
    for package in members.iter().copied().chain([""]) {
        let folder = if package.is_empty() { String::new() } else { format!("{package}/") };
        let manifest = sources.iter().find(|source| source.path == format!("{folder}Cargo.toml"));
        let manifest: toml::Table =
            manifest.expect("a package has a manifest").text.parse().expect("it is TOML");
        let own = sources.iter().filter(|source| {
            let of_member = |member: &&str| source.path.starts_with(&format!("{member}/"));
            source.is_rust()
                && source.path.starts_with(&folder)
                && (!package.is_empty() || !members.iter().any(of_member))
        });
        let text: String = own.map(|source| source.text.as_str()).collect();
        assert_eq!(unused(&manifest, &text), Vec::<String>::new(), "of package {package:?}");
    }
    let manifest: toml::Table = "[dependencies]\nbytes = '1'\nmini-x = '2'".parse().expect("it is");
    assert_eq!(unused(&manifest, "use bytes::Bytes;"), ["mini-x"]);
}
