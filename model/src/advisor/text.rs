//! An answer in plain words.

use std::fmt::Write as _;

use super::{Answer, Tale, Verdict};
use crate::harness::{Line, counted};

/// A line of a story as a sentence.
pub fn sentence(lanes: &[String], line: &Line) -> String {
    let who = &lanes[line.from];
    let mut letters = who.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let the = if who.contains(' ') { "" } else { "The " };
    let who = match (the, first) {
        ("", Some(first)) => format!("{first}{}", letters.as_str()),
        _ => format!("{the}{who}"),
    };
    format!("{who} {}.", line.text)
}

/// What is to be thought of it, in one sentence.
pub(super) fn verdict(answer: &Answer) -> String {
    let states = counted(answer.parts.iter().map(|part| part.states).sum());
    match answer.verdict {
        Verdict::Holds => format!(
            "HOLDS: each acknowledged record is processed at least once, in all {states} states within \
             these bounds."
        ),
        Verdict::CanLose => {
            "CAN LOSE RECORDS: an acknowledged record need not be processed.".into()
        }
        Verdict::NotExhausted => format!(
            "NOT DECIDED: {states} states were visited and in none is a record lost, but there are more."
        ),
    }
}

/// What would keep the promise, in one sentence.
pub(super) fn mend(answer: &Answer) -> Option<String> {
    if answer.verdict != Verdict::CanLose {
        return None;
    }
    Some(answer.mend.as_ref().map_or_else(
        || "No change of one or two of these settings keeps the promise with these faults.".into(),
        |mend| {
            let (changes, states) = (mend.changes.join(" and "), counted(mend.states));
            format!(
                "What would mend it: {changes}. With that, nothing is lost in all {states} states."
            )
        },
    ))
}

/// The answer, as it is printed.
pub fn text(answer: &Answer) -> String {
    let mut text = format!("settings   {}\n", answer.question);
    // Writing to a string does not fail.
    let _ = writeln!(text, "faults     at most {}", answer.question.faults);
    for part in &answer.parts {
        let states = counted(part.states);
        let visited = if part.exhausted { "all of them" } else { "not all of them" };
        let _ =
            writeln!(text, "{:10} {}. Visited: {states} states, {visited}", part.name, part.bounds);
    }
    let _ = writeln!(text, "\n{}", verdict(answer));
    for tale in &answer.losses {
        let _ = write!(text, "\nThe shortest story of it:\n{}", told(tale));
    }
    if let Some(mend) = mend(answer) {
        let _ = writeln!(text, "\n{mend}");
    }
    if let Some(tale) = &answer.repeat {
        let _ = write!(
            text,
            "\nA record can be processed twice. The shortest story of it:\n{}",
            told(tale)
        );
    }
    text
}

fn told(tale: &Tale) -> String {
    let mut text = String::new();
    for (number, line) in tale.lines.iter().enumerate() {
        let _ = writeln!(text, "{:4}. {}", number + 1, sentence(&tale.lanes, line));
    }
    let _ = writeln!(text, "      So {}.", tale.ending);
    text
}
