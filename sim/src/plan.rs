//! What a seed decides.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ottla_core::config::broker;
use ottla_model::advisor::Question;

use crate::{
    advised,
    dice::{Dice, MILLION},
    disk::DiskPlan,
    faults::{Family, FaultId},
    nemesis::NemesisPlan,
    net::NetPlan,
    script::Script,
    workload::WorkloadPlan,
};

/// What a seed decides.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How many brokers there are.
    pub brokers: u8,
    /// Which faults there may be.
    pub families: BTreeSet<Family>,
    /// Single faults that are left out.
    pub dropped: BTreeSet<FaultId>,
    /// The brokers' configuration.
    pub settings: BTreeMap<String, String>,
    /// The network.
    pub net: NetPlan,
    /// The brokers' disks.
    pub disks: Vec<DiskPlan>,
    /// What troubles the world.
    pub nemesis: NemesisPlan,
    /// What clients do.
    pub workload: WorkloadPlan,
    /// What happens step by step, if that is not drawn.
    pub script: Option<Script>,
    /// For how long the world is troubled.
    pub chaos: Duration,
    /// For how long everything may take to come to an end, once the world is whole.
    pub calm_max: Duration,
}

/// What somebody wants to be otherwise than the seed decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Families that are left out.
    pub without: BTreeSet<Family>,
    /// Faults that are left out.
    pub dropped: BTreeSet<FaultId>,
    /// For how long the world is troubled.
    pub chaos: Option<Duration>,
    /// How many operations clients do at the most.
    pub operations: Option<u64>,
    /// The settings and the faults are those of this question.
    pub advised: Option<Question>,
    /// Nothing is drawn that is of consequence: this is done.
    pub script: Option<Script>,
}

/// How often a run is without any faults: it tells bugs of the simulator from the broker's.
const CALM_RUNS: u64 = MILLION / 50;

/// How many of the runs that would have them keep disks that are wiped where a broker is alone: nobody can make it whole, so that
/// little may be demanded.
const WIPED_ALONE: u64 = MILLION / 8;

/// How many runs have a family.
const FAMILY: u64 = MILLION / 2;

impl Plan {
    /// Draws everything.
    pub fn draw(seed: u64, overrides: &Overrides) -> Self {
        let plan = Self::draw_world(seed, overrides);
        match &overrides.script {
            Some(script) => plan.follow(script.clone().with(overrides.advised)),
            None => plan,
        }
    }

    /// The same world without whatever was drawn of it.
    fn follow(self, script: Script) -> Self {
        let workload = script.workload();
        let mut settings = Script::settings();
        settings.extend(workload.broker_settings());
        Self {
            families: BTreeSet::new(),
            settings,
            net: Script::net(),
            disks: vec![Script::disk(); self.disks.len()],
            nemesis: NemesisPlan::draw(&mut Dice::new(self.seed, "nemesis", 0), &|_| false),
            workload,
            script: Some(script),
            ..self
        }
    }

    fn draw_world(seed: u64, overrides: &Overrides) -> Self {
        let stream = |purpose| Dice::new(seed, purpose, 0);
        let brokers = 1;
        let mut families = draw_families(&mut stream("families"));
        if brokers == 1 && !stream("wipe").chance(WIPED_ALONE) {
            families.remove(&Family::DiskWipe);
        }
        if let Some(question) = &overrides.advised {
            advised::choose_families(question, &mut families);
        }
        families.retain(|family| !overrides.without.contains(family));
        let has = |family| families.contains(&family);
        let mut workload = WorkloadPlan::draw(&mut stream("workload"));
        if let Some(question) = &overrides.advised {
            advised::choose_work(question, &mut workload, &mut stream("advised"));
        }
        if let Some(operations) = overrides.operations {
            workload.limit(operations);
        }
        let mut settings = draw_settings(&mut stream("settings"));
        settings.extend(draw_journal(&mut stream("journal")));
        settings.extend(workload.broker_settings());
        for (key, value) in &settings {
            assert!(broker::validate(key, value).is_ok(), "{key} can be set to {value}");
        }
        let net = NetPlan::draw(&mut stream("net"), &has);
        let disks = (0..brokers)
            .map(|number| DiskPlan::draw(&mut Dice::new(seed, "disk", number.into()), &has))
            .collect();
        let nemesis = NemesisPlan::draw(&mut stream("nemesis"), &has);
        let mut times = stream("times");
        let chaos = times.duration(Duration::from_secs(15)..Duration::from_secs(50));
        Self {
            seed,
            brokers,
            families,
            dropped: overrides.dropped.clone(),
            settings,
            net,
            disks,
            nemesis,
            workload,
            script: None,
            chaos: overrides.chaos.unwrap_or(chaos),
            calm_max: Duration::from_secs(900),
        }
    }

    /// What was drawn, line by line.
    pub fn banner(&self) -> Vec<(String, String)> {
        let join = |set: Vec<String>| if set.is_empty() { "none".into() } else { set.join(" ") };
        let mut lines = vec![
            ("seed".to_owned(), self.seed.to_string()),
            ("brokers".into(), self.brokers.to_string()),
            ("chaos".into(), format!("{:?}", self.chaos)),
            ("faults".into(), join(self.families.iter().map(Family::to_string).collect())),
        ];
        if !self.dropped.is_empty() {
            lines.push((
                "left out".into(),
                join(self.dropped.iter().map(FaultId::to_string).collect()),
            ));
        }
        for (key, value) in &self.settings {
            lines.push(("setting".into(), format!("{key}={value}")));
        }
        lines.push(("net".into(), self.net.banner()));
        for disk in &self.disks {
            lines.push(("disk".into(), disk.banner()));
        }
        lines.push(("nemesis".into(), self.nemesis.banner()));
        lines.push(("workload".into(), self.workload.banner()));
        if let Some(script) = &self.script {
            lines.push(("schedule".into(), script.schedule().name.into()));
        }
        lines
    }
}

fn draw_families(dice: &mut Dice) -> BTreeSet<Family> {
    let is_calm = dice.chance(CALM_RUNS);
    let mut families = BTreeSet::new();
    for family in Family::ALL {
        if dice.chance(FAMILY) && !is_calm {
            families.insert(*family);
        }
    }
    families
}

/// Settings with which segments roll, checkpoints are written and logs are compacted within seconds.
fn draw_settings(dice: &mut Dice) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut set = |key: &str, value: u64| settings.insert(key.to_owned(), value.to_string());
    set("group.initial.rebalance.delay.ms", *dice.pick(&[0, 0, 100, 500, 3_000]));
    set("group.min.session.timeout.ms", 100);
    set("log.flush.offset.checkpoint.interval.ms", dice.magnitude(200..20_000));
    set("log.retention.check.interval.ms", dice.magnitude(200..20_000));
    set("offsets.retention.check.interval.ms", dice.magnitude(500..20_000));
    set("log.cleaner.backoff.ms", dice.magnitude(100..10_000));
    set("log.cleaner.dedupe.buffer.size", dice.magnitude(1 << 10..128 << 20));
    set("offsets.topic.num.partitions", dice.range(1..4));
    set("offsets.topic.segment.bytes", dice.magnitude(1 << 10..256 << 10));
    set("num.partitions", dice.range(1..4));
    set("log.index.interval.bytes", *dice.pick(&[0, 1, 100, 512, 4_096]));
    set("log.index.size.max.bytes", dice.magnitude(24..1 << 16));
    set("max.incremental.fetch.session.cache.slots", *dice.pick(&[0, 1, 2, 1_000]));
    set("connections.max.idle.ms", *dice.pick(&[5_000, 30_000, 600_000, 600_000]));
    set("ottla.disk.reserve.bytes", dice.magnitude(1 << 10..256 << 10));
    let ratio = *dice.pick(&["0.0", "0.1", "0.5", "0.9"]);
    settings.insert("log.cleaner.min.cleanable.ratio".into(), ratio.into());
    let entries = *dice.pick(&[2, 5, 20, 100]);
    settings.insert("ottla.metadata.snapshot.entries".into(), entries.to_string());
    let bytes = dice.magnitude(2_000..2_000_000);
    settings.insert("ottla.flush.offset.checkpoint.bytes".into(), bytes.to_string());
    settings
}

/// In half of the worlds nearly all goes by the journal, and its halves are full every other moment.
fn draw_journal(dice: &mut Dice) -> BTreeMap<String, String> {
    let bytes = *dice.pick(&[0, 0, 0, 8 << 10, 16 << 10, 64 << 10]);
    let settings = [
        ("ottla.journal.bytes", bytes),
        ("ottla.journal.partitions.min", *dice.pick(&[1, 1, 2, 3])),
        ("ottla.journal.partition.bytes.max", dice.magnitude(200..64 << 10)),
    ];
    settings.map(|(key, value)| (key.to_owned(), value.to_string())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides() {
        let draw = |seed| Plan::draw(seed, &Overrides::default()).banner();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn every_family_comes_and_goes() {
        let plans = (0..200).map(|seed| Plan::draw(seed, &Overrides::default()));
        let families: Vec<_> = plans.map(|plan| plan.families).collect();
        for family in Family::ALL.iter().filter(|family| **family != Family::DiskWipe) {
            let count = families.iter().filter(|some| some.contains(family)).count();
            assert!((60..140).contains(&count), "{family}: {count}");
        }
        assert!(families.iter().any(BTreeSet::is_empty));
    }

    #[test]
    fn what_is_left_out_changes_nothing_else() {
        let without = BTreeSet::from([Family::NetLoss]);
        let overrides = Overrides { without, ..Overrides::default() };
        for seed in 0..50 {
            let (whole, less) =
                (Plan::draw(seed, &Overrides::default()), Plan::draw(seed, &overrides));
            assert_eq!(less.net, NetPlan { loss: 0, ..whole.net });
            assert_eq!((less.settings, less.chaos), (whole.settings, whole.chaos));
        }
    }
}
