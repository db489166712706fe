//! The results as a picture: for each figure a bar for every broker, from nothing to the median, with a line from the least
//! to the most.

use super::results::{Results, Row};
use crate::cli::bench::meter::three_digits;

const WIDTH: f64 = 860.0;
const MARGIN: f64 = 20.0;
const LINE: f64 = 18.0;
const BAR: f64 = 12.0;
/// Where the bars begin, behind the names.
const BARS_AT: f64 = 150.0;
/// The longest bar; its value stands behind it.
const BARS_WIDTH: f64 = 560.0;
/// Told apart by those who do not see all colours, too.
const COLORS: [&str; 6] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];

/// A picture in SVG, with `caption` at its foot.
pub(super) fn svg(results: &Results, caption: &str) -> String {
    let mut y = MARGIN;
    let mut body = String::new();
    for row in results.of_brokers() {
        let is_better = if row.metric.is_less_better { "less" } else { "more" };
        let title = format!("{}: {} ({is_better} is better)", row.case, row.metric.name);
        y += LINE;
        body.push_str(&text(MARGIN, y, "font-weight=\"bold\"", &title));
        let longest = row.samples.iter().filter_map(|samples| samples.summary());
        let longest = longest.map(|summary| summary.max).fold(0.0, f64::max);
        for (place, name) in results.brokers.iter().enumerate() {
            y += LINE;
            body.push_str(&text(MARGIN, y, "", name));
            body.push_str(&bar(row, place, longest, y));
        }
        y += LINE / 2.0;
    }
    y += LINE;
    body.push_str(&text(MARGIN, y, "fill=\"#666\"", caption));
    let height = y + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

/// The bar of one broker with its value, on the line of text at `y`; `longest` is the value of the longest bar.
fn bar(row: &Row, place: usize, longest: f64, y: f64) -> String {
    let Some(summary) = row.samples[place].summary() else {
        return text(BARS_AT, y, "fill=\"#666\"", "–");
    };
    let at = |value: f64| if longest > 0.0 { value / longest * BARS_WIDTH } else { 0.0 };
    let color = COLORS[place % COLORS.len()];
    let (top, middle) = (y - BAR + 2.0, y - BAR / 2.0 + 2.0);
    let (least, most) = (BARS_AT + at(summary.min), BARS_AT + at(summary.max));
    format!(
        "<rect x=\"{BARS_AT}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{color}\"/>\n\
         <path d=\"M{least:.1} {middle:.1}H{most:.1}M{least:.1} {:.1}v6M{most:.1} {:.1}v6\" \
         stroke=\"#000\"/>\n{}",
        at(summary.median),
        middle - 3.0,
        middle - 3.0,
        text(most + 6.0, y, "", &three_digits(summary.median)),
    )
}

fn text(x: f64, y: f64, attributes: &str, content: &str) -> String {
    let content = content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let space = if attributes.is_empty() { "" } else { " " };
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\"{space}{attributes}>{content}</text>\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::compare::results::example;

    #[test]
    fn bars_are_as_long_as_their_values() {
        let svg = svg(&example(), "a & b");
        // The medians 0.5 and 4 s/GB, of which the most in any round is 6.
        assert!(svg.contains("width=\"46.7\" height=\"12\" fill=\"#0072b2\""), "{svg}");
        assert!(svg.contains("width=\"373.3\" height=\"12\" fill=\"#e69f00\""), "{svg}");
        assert!(svg.contains(">produce-64KiB-1: CPU-s/GB (less is better)<"));
        assert!(svg.contains(">a&lt;b<") && svg.contains(">a &amp; b<"));
    }

    #[test]
    fn what_begins_ends() {
        let svg = svg(&example(), "");
        for element in ["svg", "text"] {
            let begins = svg.matches(&format!("<{element} ")).count();
            assert_eq!(begins, svg.matches(&format!("</{element}>")).count());
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
