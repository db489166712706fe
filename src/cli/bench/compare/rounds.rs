//! The comparison itself: all brokers run, and are measured in turns, case by case and round by round.

use serde_json::Value;

use super::{
    CompareError, Plan, broker::Broker, case::Case, case::FLUSH_MESSAGES, case::flush_messages,
    first_record, interrupt::Interrupt, limits, loader, machine::Machine, page_cache::Filler,
    progress::Progress, results::Results, scratch::Scratch, template::Contender,
};

/// A topic to ask with what a broker knows.
const PROBE: &str = "ottla-compare";

/// A broker that runs, and what it was found to know.
#[derive(Debug)]
struct Stage {
    contender: Contender,
    broker: Broker,
    knows_flush: bool,
}

/// A comparison that is under way. What it holds ends in the order of the fields: the folder goes last.
#[derive(Debug)]
pub(super) struct Rounds<'a> {
    plan: &'a Plan,
    interrupt: &'a Interrupt,
    progress: Progress,
    stages: Vec<Stage>,
    filler: Option<Filler>,
    results: Results,
    starts: u32,
    scratch: Scratch,
}

/// Starts all, measures all, stops all.
pub(super) fn run(
    plan: &Plan,
    machine: &Machine,
    interrupt: &Interrupt,
) -> Result<Results, CompareError> {
    let scratch = Scratch::create(&plan.folder)?;
    let filler = if plan.fills_page_cache {
        Some(Filler::create(scratch.path(), machine.memory_bytes)?)
    } else {
        None
    };
    let names = plan.contenders.iter().map(|contender| contender.name.clone()).collect();
    let rounds = Rounds {
        plan,
        interrupt,
        progress: Progress::new(plan.steps()),
        stages: Vec::new(),
        filler,
        results: Results::new(names, &plan.cases),
        starts: 0,
        scratch,
    };
    rounds.run()
}

impl Rounds<'_> {
    fn run(mut self) -> Result<Results, CompareError> {
        let plan = self.plan;
        if plan.cases.iter().any(|case| *case != Case::Limits) {
            for contender in &plan.contenders {
                let stage = self.start(contender)?;
                self.stages.push(stage);
            }
        }
        for round in 0..plan.warmup_rounds + plan.rounds {
            // Rounds that warm up a broker come before those that count.
            let counted = round.checked_sub(plan.warmup_rounds);
            let label = match counted {
                Some(number) => format!("round {} of {}", number + 1, plan.rounds),
                None => "warm-up".to_owned(),
            };
            self.fill(&label)?;
            for &case in &plan.cases {
                self.measure(case, &label, counted)?;
            }
        }
        Ok(self.results)
    }

    fn start(&self, contender: &Contender) -> Result<Stage, CompareError> {
        self.progress.say(format!("starting {}", contender.name));
        let mut broker = Broker::launch(contender, &self.scratch.folder(&contender.name))?;
        broker.await_ready(self.interrupt)?;
        let address = broker.address.clone();
        let topic = |arguments: &[&str]| {
            let arguments = ["topic"].iter().chain(arguments).map(|word| (*word).to_owned());
            let arguments: Vec<_> = arguments.collect();
            loader::run(&address, &arguments, self.scratch.path(), self.interrupt)
        };
        // Who answers may not yet create topics.
        broker.retry(self.interrupt, || topic(&["create", PROBE, "--if-not-exists"]))?;
        topic(&["delete", PROBE])?;
        let durable = flush_messages(true);
        let outcome = topic(&["create", "ottla-compare-flush", "--config", &durable]);
        let knows_flush = match outcome {
            Ok(_) => {
                topic(&["delete", "ottla-compare-flush"])?;
                true
            }
            Err(CompareError::Loader(why)) => {
                let name = &contender.name;
                self.progress.note(&format!(
                    "{name} does not know {FLUSH_MESSAGES} and promises what it does by itself: \
                     {why}"
                ));
                false
            }
            Err(error) => return Err(error),
        };
        Ok(Stage { contender: contender.clone(), broker, knows_flush })
    }

    fn fill(&mut self, label: &str) -> Result<(), CompareError> {
        let Some(filler) = &mut self.filler else { return Ok(()) };
        self.progress.say(format!("{label}: filling the page cache"));
        filler.fill(self.interrupt)?;
        self.progress.step();
        Ok(())
    }

    /// Measures a case of every broker. `counted` is the number of the round, if it counts.
    fn measure(
        &mut self,
        case: Case,
        label: &str,
        counted: Option<u32>,
    ) -> Result<(), CompareError> {
        if case == Case::Limits {
            self.progress.say(format!("{label}: {case}"));
            rustix::fs::sync();
            let report =
                limits::measure(self.scratch.path(), self.plan.volume.bytes, self.interrupt)?;
            if counted.is_some() {
                self.results.add(case, 0, &report);
            }
            self.progress.step();
            return Ok(());
        }
        let count = self.stages.len();
        // Who went first goes last in the next round.
        let first = usize::try_from(counted.unwrap_or(0)).unwrap_or(0) % count;
        for place in (first..count).chain(0..first) {
            if !self.results.has_failed(case, place) {
                let name = &self.stages[place].contender.name;
                self.progress.say(format!("{label}: {case} of {name}"));
                self.measure_one(case, place, counted)?;
            }
            self.progress.step();
        }
        Ok(())
    }

    fn measure_one(
        &mut self,
        case: Case,
        place: usize,
        counted: Option<u32>,
    ) -> Result<(), CompareError> {
        rustix::fs::sync();
        for stage in &mut self.stages {
            stage.broker.check_runs()?;
        }
        match self.report(case, place) {
            Ok(report) if counted.is_some() => self.results.add(case, place, &report),
            Ok(_) => {}
            Err(CompareError::Interrupted) => return Err(CompareError::Interrupted),
            Err(error) => {
                // A broker that is gone is no matter of this case alone.
                self.stages[place].broker.check_runs()?;
                let name = &self.stages[place].contender.name;
                self.progress.note(&format!("{name} failed in {case}: {error}"));
                self.results.fail(case, place, error.to_string());
            }
        }
        Ok(())
    }

    fn report(&mut self, case: Case, place: usize) -> Result<Value, CompareError> {
        let Self { plan, interrupt, scratch, .. } = self;
        let Stage { contender, broker, knows_flush } = &self.stages[place];
        match case.loader(&plan.volume, *knows_flush) {
            Some(arguments) => {
                let mut words = vec!["bench".to_owned()];
                words.extend(arguments);
                words.extend(["--pid".to_owned(), broker.pid().to_string()]);
                loader::run(&broker.address, &words, scratch.path(), interrupt)
            }
            None => {
                self.starts += 1;
                let folder = scratch.folder(&format!("start-{}", self.starts));
                first_record::measure(contender, *knows_flush, &folder, &plan.volume, interrupt)
            }
        }
    }
}
