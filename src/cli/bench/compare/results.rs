//! What was measured, of every broker, and how they compare.

use serde_json::{Map, Value, json};

use super::{
    case::{Case, Metric},
    samples::Samples,
};

/// A figure of a case, and what the rounds gave for each broker. Where no broker takes part there is one place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) case: Case,
    pub(super) metric: Metric,
    pub(super) samples: Vec<Samples>,
}

/// A broker for which a case could not be measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) case: Case,
    pub(super) broker: usize,
    pub(super) why: String,
}

/// How this broker, which keeps a promise, compares with another that gives none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unequal<'a> {
    /// With the promise.
    pub(super) durable: &'a Row,
    /// Without.
    pub(super) plain: &'a Row,
}

/// All that was measured. The first broker is the one that is compared with the others.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Results {
    pub(super) brokers: Vec<String>,
    pub(super) rows: Vec<Row>,
    pub(super) failures: Vec<Failure>,
}

impl Results {
    /// With a row for each figure of the cases.
    pub(super) fn new(brokers: Vec<String>, cases: &[Case]) -> Self {
        let row = |case: Case, metric: &Metric| {
            let places = if case == Case::Limits { 1 } else { brokers.len() };
            Row { case, metric: *metric, samples: vec![Samples::default(); places] }
        };
        let rows = cases
            .iter()
            .flat_map(|&case| case.metrics().iter().map(move |metric| row(case, metric)))
            .collect();
        Self { brokers, rows, failures: Vec::new() }
    }

    /// Takes down what a round gave for one broker.
    pub(super) fn add(&mut self, case: Case, broker: usize, report: &Value) {
        for row in self.rows.iter_mut().filter(|row| row.case == case) {
            row.samples[broker].0.extend(row.metric.value(report));
        }
    }

    /// Takes down that a case cannot be measured of one broker; what earlier rounds gave does not count.
    pub(super) fn fail(&mut self, case: Case, broker: usize, why: String) {
        for row in self.rows.iter_mut().filter(|row| row.case == case) {
            row.samples[broker].0.clear();
        }
        self.failures.push(Failure { case, broker, why });
    }

    pub(super) fn has_failed(&self, case: Case, broker: usize) -> bool {
        self.failures.iter().any(|failure| failure.case == case && failure.broker == broker)
    }

    /// The figures of the brokers.
    pub(super) fn of_brokers(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.case != Case::Limits)
    }

    /// The figures of the machine.
    pub(super) fn limits(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.case == Case::Limits)
    }

    /// The durable cases that were measured without durability as well.
    pub(super) fn unequal(&self) -> impl Iterator<Item = Unequal<'_>> {
        self.of_brokers().filter_map(|durable| {
            let case = durable.case.without_durability()?;
            let is_same = |row: &&Row| row.case == case && row.metric.name == durable.metric.name;
            Some(Unequal { durable, plain: self.rows.iter().find(is_same)? })
        })
    }

    /// The names of the brokers that the first is compared with, each with its place.
    pub(super) fn peers(&self) -> impl Iterator<Item = (usize, &String)> {
        self.brokers.iter().enumerate().skip(1)
    }

    pub(super) fn json(&self) -> Value {
        let rows = self.of_brokers().map(|row| {
            let values = self.brokers.iter().zip(&row.samples);
            let values: Map<_, _> =
                values.map(|(name, samples)| (name.clone(), samples_json(samples))).collect();
            json!({
                "case": row.case.to_string(),
                "metric": row.metric.name,
                "less_is_better": row.metric.is_less_better,
                "values": values,
                "ratios": self.ratios(row, row),
            })
        });
        let limits = self.limits().map(|row| {
            let mut object = samples_json(&row.samples[0]);
            object["metric"] = json!(row.metric.name);
            object
        });
        let unequal = self.unequal().map(|Unequal { durable, plain }| {
            json!({
                "case": durable.case.to_string(),
                "case_of_peers": plain.case.to_string(),
                "metric": durable.metric.name,
                "ratios": self.ratios(durable, plain),
            })
        });
        let failures = self.failures.iter().map(|Failure { case, broker, why }| {
            json!({ "case": case.to_string(), "broker": self.brokers.get(*broker), "why": why })
        });
        json!({
            "results": rows.collect::<Vec<_>>(),
            "durable_to_not_durable": unequal.collect::<Vec<_>>(),
            "limits": limits.collect::<Vec<_>>(),
            "failures": failures.collect::<Vec<_>>(),
        })
    }

    /// The first broker's figure in one row to each peer's in another.
    fn ratios(&self, own: &Row, theirs: &Row) -> Map<String, Value> {
        let ratio = |place: usize| own.samples[0].ratio(&theirs.samples[place]);
        self.peers().map(|(place, name)| (name.clone(), json!(ratio(place)))).collect()
    }
}

fn samples_json(samples: &Samples) -> Value {
    let summary = samples.summary();
    json!({
        "median": summary.map(|summary| summary.median),
        "min": summary.map(|summary| summary.min),
        "max": summary.map(|summary| summary.max),
        "rounds": samples.0,
    })
}

/// Results of three rounds with a broker that is slower, and one that failed.
#[cfg(test)]
pub(super) fn example() -> Results {
    let cases: Vec<Case> = ["produce-64KiB-1", "durable-64KiB-1", "limits"]
        .map(|name| name.parse().expect("a case"))
        .into();
    let brokers = ["ottla", "kafka", "a<b"].map(str::to_owned);
    let mut results = Results::new(brokers.into(), &cases);
    let report = |cost: f64, rate: f64| json!({ "broker": { "cpu_seconds_per_gb": cost }, "mb_per_second": rate });
    for round in [3.0, 1.0, 2.0] {
        results.add(cases[0], 0, &report(round / 4.0, 1000.0 + round));
        results.add(cases[0], 1, &report(round * 2.0, 250.0));
        results.add(cases[0], 2, &report(9.0, 9.0));
        results.add(cases[1], 0, &report(1.0, 500.0));
        results.add(cases[1], 1, &report(4.0, 50.0));
        results.add(cases[1], 2, &report(5.0, 100.0));
        results.add(cases[2], 0, &json!({ "crc32c_gb_per_second": round * 10.0 }));
    }
    results.fail(cases[0], 2, "the broker closed a connection".to_owned());
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_all_of_it() {
        let json = example().json();
        let first = &json["results"][0];
        assert_eq!(first["case"], "produce-64KiB-1");
        assert_eq!(first["metric"], "CPU-s/GB");
        assert_eq!(first["less_is_better"], true);
        let kafka = json!({ "median": 4.0, "min": 2.0, "max": 6.0, "rounds": [6.0, 2.0, 4.0] });
        assert_eq!(first["values"]["kafka"], kafka);
        assert_eq!(first["values"]["a<b"]["median"], Value::Null);
        assert_eq!(first["ratios"], json!({ "kafka": 0.125, "a<b": null }));
        let unequal = &json["durable_to_not_durable"][0];
        assert_eq!(unequal["metric"], "MB/s");
        assert_eq!(unequal["case"], "durable-64KiB-1");
        assert_eq!(unequal["case_of_peers"], "produce-64KiB-1");
        assert_eq!(unequal["ratios"], json!({ "kafka": 2.0, "a<b": null }));
        let sum = json["limits"].as_array().and_then(|limits| {
            limits.iter().find(|limit| limit["metric"] == "CRC-32C of 64 KiB GB/s")
        });
        assert_eq!(sum.expect("it was measured")["median"], 20.0);
        assert_eq!(json["failures"][0]["broker"], "a<b");
    }

    #[test]
    fn who_has_failed_once_has_no_figure() {
        let results = example();
        let case = results.rows[0].case;
        assert!(results.has_failed(case, 2) && !results.has_failed(case, 1));
        assert_eq!(results.rows[0].samples[2], Samples::default());
    }
}
