//! The results for people.

use super::results::{Results, Row};
use crate::cli::{
    bench::meter::three_digits,
    table::{Align, Table, or_dash},
};

/// The tables, one below the other.
pub(super) fn tables(results: &Results) -> String {
    let mut text = String::new();
    let mut add = |title: &str, table: Option<Table>| {
        if let Some(table) = table {
            text.push_str(&format!("\n{title}\n\n{table}"));
        }
    };
    add("Medians (least–most)", of_brokers(results));
    add("Durable here, not durable at the peers", unequal(results));
    add("What the machine gives without a broker", limits(results));
    for failure in &results.failures {
        let broker = &results.brokers[failure.broker];
        text.push_str(&format!("\n{broker} failed in {}: {}\n", failure.case, failure.why));
    }
    text
}

fn of_brokers(results: &Results) -> Option<Table> {
    let mut headings = vec![("CASE".to_owned(), Align::Left), ("FIGURE".to_owned(), Align::Left)];
    for (place, name) in results.brokers.iter().enumerate() {
        headings.push((name.to_uppercase(), Align::Right));
        if place > 0 {
            headings.push((against(name), Align::Right));
        }
    }
    let rows = results.of_brokers().map(|row| {
        let mut cells = vec![row.case.to_string(), row.metric.name.to_owned()];
        for place in 0..results.brokers.len() {
            cells.push(cell(results, row, place));
            if place > 0 {
                cells.push(ratio(row, row, place));
            }
        }
        cells
    });
    table(&headings, rows)
}

fn unequal(results: &Results) -> Option<Table> {
    let mut headings =
        ["CASE HERE", "AT THE PEERS", "FIGURE"].map(|name| (name.to_owned(), Align::Left)).to_vec();
    headings.extend(results.peers().map(|(_, name)| (against(name), Align::Right)));
    let has_peers = results.peers().next().is_some();
    let rows = results.unequal().filter(|_| has_peers).map(|unequal| {
        let (durable, plain) = (unequal.durable, unequal.plain);
        let cases = [&durable.case, &plain.case].map(ToString::to_string);
        let ratios = results.peers().map(|(place, _)| ratio(durable, plain, place));
        cases.into_iter().chain([durable.metric.name.to_owned()]).chain(ratios).collect()
    });
    table(&headings, rows)
}

fn limits(results: &Results) -> Option<Table> {
    let headings = [("LIMIT".to_owned(), Align::Left), ("MEDIAN".to_owned(), Align::Right)];
    table(
        &headings,
        results.limits().map(|row| vec![row.metric.name.to_owned(), cell(results, row, 0)]),
    )
}

/// None without any rows.
fn table(headings: &[(String, Align)], rows: impl Iterator<Item = Vec<String>>) -> Option<Table> {
    let mut rows = rows.peekable();
    rows.peek()?;
    let headings: Vec<_> = headings.iter().map(|(name, align)| (name.as_str(), *align)).collect();
    let mut table = Table::new(&headings);
    rows.for_each(|row| table.row(row));
    Some(table)
}

fn against(name: &str) -> String {
    format!("÷ {}", name.to_uppercase())
}

fn cell(results: &Results, row: &Row, place: usize) -> String {
    if results.has_failed(row.case, place) {
        return "failed".to_owned();
    }
    or_dash(row.samples[place].summary().map(|summary| summary.text()))
}

fn ratio(own: &Row, theirs: &Row, place: usize) -> String {
    or_dash(own.samples[0].ratio(&theirs.samples[place]).map(three_digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::compare::results::example;

    /// Of which the distances between the columns do not count.
    const EXPECTED: &str = "
Medians (least–most)

CASE FIGURE OTTLA KAFKA ÷ KAFKA A<B ÷ A<B
produce-64KiB-1 CPU-s/GB 0.500 (0.250–0.750) 4.00 (2.00–6.00) 0.125 failed -
produce-64KiB-1 MB/s 1002 (1001–1003) 250 (250–250) 4.01 failed -
durable-64KiB-1 MB/s 500 (500–500) 50.0 (50.0–50.0) 10.0 100 (100–100) 5.00
durable-64KiB-1 CPU-s/GB 1.00 (1.00–1.00) 4.00 (4.00–4.00) 0.250 5.00 (5.00–5.00) 0.200

Durable here, not durable at the peers

CASE HERE AT THE PEERS FIGURE ÷ KAFKA ÷ A<B
durable-64KiB-1 produce-64KiB-1 MB/s 2.00 -
durable-64KiB-1 produce-64KiB-1 CPU-s/GB 0.250 -

What the machine gives without a broker

LIMIT MEDIAN
CRC-32C of 64 KiB GB/s 20.0 (10.0–30.0)

a<b failed in produce-64KiB-1: the broker closed a connection
";

    #[test]
    fn people_see_medians_and_ratios() {
        let mut results = example();
        results.rows.retain(|row| row.samples.iter().any(|samples| !samples.0.is_empty()));
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
        assert_eq!(tables(&results).lines().map(words).collect::<String>(), EXPECTED);
    }

    #[test]
    fn without_peers_there_is_nothing_to_compare() {
        let mut results = example();
        results.brokers.truncate(1);
        results.failures.clear();
        let text = tables(&results);
        assert!(!text.contains('÷') && text.contains("durable-64KiB-1"), "{text}");
    }
}
