//! The command: its output and its exit codes.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

const VALID: &str = r#"{"history":1,"seed":7}
{"t":1,"p":0,"e":{"note":{"partition":{"topic":"a","id":"1","index":0}}}}
{"t":2,"p":1,"op":1,"e":{"invoke":{"send":{"partition":0,"acks":-1,"values":[5]}}}}
{"t":3,"p":1,"op":1,"e":{"ok":{"sent":{"offset":0}}}}
{"t":4,"p":2,"op":2,"e":{"invoke":{"poll":{}}}}
{"t":5,"p":2,"op":2,"e":{"ok":{"polled":{"reads":[{"partition":0,"records":[[0,5]]}]}}}}
"#;

fn run(name: &str, history: &str, flags: &[&str]) -> Output {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, history).expect("the file can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_jepsen"));
    command.arg("check").args(flags).arg(&file).output().expect("it runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it is text")
}

#[test]
fn a_valid_history() {
    let output = run("valid.jsonl", VALID, &[]);
    assert_eq!(output.status.code(), Some(0));
    let expected = "seed 7: 2 operations (2 ok, 0 fail, 0 info); 1 records sent, 1 acknowledged, 1 read\n\
                    valid: no promise was broken\n";
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn an_invalid_history_is_shown_with_its_witnesses() {
    let history = VALID.replace("[[0,5]]", "[[0,6]]");
    let output = run("invalid.jsonl", &history, &[]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains("INVALID"), "{shown}");
    assert!(shown.contains("phantom-read: 1."), "{shown}");
    assert!(shown.contains("line 6: {\"t\":5"), "{shown}");
    let output = run("invalid.jsonl", &history, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let verdict: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(verdict["valid"], false);
    assert_eq!(verdict["counts"]["phantom-read"], 1);
    let anomalies = verdict["anomalies"].as_array().expect("it is a list");
    let phantom = anomalies.iter().find(|anomaly| anomaly["kind"] == "phantom-read");
    assert_eq!(phantom.expect("it is there")["lines"], serde_json::json!([6]));
}

#[test]
fn what_cannot_be_judged() {
    let output = run("unusable.jsonl", &VALID.replace("\"op\":2", "\"op\":1"), &[]);
    assert_eq!(output.status.code(), Some(2));
    let shown = text(&output.stderr);
    assert!(shown.contains("line 5: operation 1 begins twice"), "{shown}");
    assert_eq!(run("empty.jsonl", "", &[]).status.code(), Some(2));
}
