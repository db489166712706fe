//! An answer as a page: what was asked, the verdict, and each story as a sequence diagram. It needs nothing but itself.

use std::fmt::Write as _;

use super::{
    Answer, Tale, Verdict,
    text::{mend, verdict},
};
use crate::harness::counted;

/// Where the lanes of a diagram are, and its rows.
const LANE: usize = 190;
const ROW: usize = 44;
const TOP: usize = 56;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2433; --soft: #667085; --line: #c9cfda; --back: #ffffff;
  --good: #12715b; --bad: #b42318; --box: #f4f6fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9f0; --soft: #98a2b3; --line: #3b4354; --back: #14181f; --good: #57c7a3; --bad: #ff8b7e;
    --box: #1e242e; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); margin: 2rem auto;
  max-width: 68rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.holds { color: var(--good); } .loses { color: var(--bad); }
dt { color: var(--soft); } dd { margin: 0 0 .6rem 0; }
figure { margin: 1rem 0; overflow-x: auto; }
svg { font: 13px system-ui, sans-serif; fill: var(--ink); }
svg .lane { stroke: var(--line); } svg .head { fill: var(--box); stroke: var(--line); }
svg .arrow { stroke: var(--ink); fill: none; } svg .tip, svg .dot { fill: var(--ink); }
svg .end { fill: var(--bad); font-weight: 600; }
";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The page.
pub fn page(answer: &Answer) -> String {
    let class = if answer.verdict == Verdict::Holds { "holds" } else { "loses" };
    let mut body = format!("<h1 class=\"{class}\">{}</h1>\n", escaped(&verdict(answer)));
    // Writing to a string does not fail.
    if let Some(mend) = mend(answer) {
        let _ = writeln!(body, "<p>{}</p>", escaped(&mend));
    }
    let _ = writeln!(
        body,
        "<dl>\n<dt>settings</dt><dd>{}</dd>\n<dt>faults</dt><dd>at most {}</dd>",
        escaped(&answer.question.to_string()),
        escaped(&answer.question.faults.to_string())
    );
    for part in &answer.parts {
        let visited = if part.exhausted { "all of them" } else { "not all of them" };
        let (bounds, states) = (escaped(&part.bounds), counted(part.states));
        let _ = writeln!(
            body,
            "<dt>{}</dt><dd>{bounds}. Visited: {states} states, {visited}</dd>",
            part.name
        );
    }
    body += "</dl>\n";
    for tale in &answer.losses {
        let _ = writeln!(body, "<h2>How a record is lost</h2>\n{}", diagram(tale));
    }
    if let Some(tale) = &answer.repeat {
        let _ = writeln!(body, "<h2>How a record is processed twice</h2>\n{}", diagram(tale));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>ottla prove</title>\n\
         <style>{STYLE}</style>\n{body}</html>\n"
    )
}

/// A story as a sequence diagram.
fn diagram(tale: &Tale) -> String {
    let place = |lane: usize| lane * LANE + LANE / 2;
    // A note on the last lane needs room to its right.
    let width = (tale.lanes.len() + 1) * LANE;
    let bottom = TOP + (tale.lines.len() + 1) * ROW;
    let mut svg = format!(
        "<figure><svg width=\"{width}\" height=\"{}\" role=\"img\" aria-label=\"sequence diagram\">\n",
        bottom + ROW
    );
    for (number, lane) in tale.lanes.iter().enumerate() {
        let x = place(number);
        let _ = writeln!(
            svg,
            "<line class=\"lane\" x1=\"{x}\" x2=\"{x}\" y1=\"34\" y2=\"{bottom}\"/>\n\
             <rect class=\"head\" x=\"{}\" y=\"6\" width=\"120\" height=\"28\" rx=\"6\"/>\n\
             <text x=\"{x}\" y=\"25\" text-anchor=\"middle\">{}</text>",
            x - 60,
            escaped(lane)
        );
    }
    for (number, line) in tale.lines.iter().enumerate() {
        let y = TOP + number * ROW + ROW / 2;
        let (from, to) = (place(line.from), place(line.to));
        let text = escaped(&line.text);
        if from == to {
            let _ = writeln!(
                svg,
                "<circle class=\"dot\" cx=\"{from}\" cy=\"{y}\" r=\"4\"/>\n\
                 <text x=\"{}\" y=\"{}\">{text}</text>",
                from + 10,
                y + 4
            );
            continue;
        }
        let back = if to > from { to - 9 } else { to + 9 };
        let _ = writeln!(
            svg,
            "<line class=\"arrow\" x1=\"{from}\" x2=\"{to}\" y1=\"{y}\" y2=\"{y}\"/>\n\
             <path class=\"tip\" d=\"M{to} {y} L{back} {} L{back} {} Z\"/>\n\
             <text x=\"{}\" y=\"{}\">{text}</text>",
            y - 4,
            y + 4,
            from.min(to) + 8,
            y - 6
        );
    }
    let _ = write!(
        svg,
        "<text class=\"end\" x=\"{}\" y=\"{}\">So {}.</text>\n</svg></figure>",
        LANE / 2,
        bottom + ROW / 2,
        escaped(tale.ending)
    );
    svg
}
