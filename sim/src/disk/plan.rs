//! How a disk behaves: drawn once for each.

use std::time::Duration;

use super::{
    atlas::Atlas,
    image::{NameOrder, Survival},
};
use crate::{dice::Dice, faults::Family};

/// When operations take effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// When they are asked for, as the page cache of an operating system does it: only reads, syncs, lists and removals of
    /// directories go on in the background.
    #[default]
    AtOnce,
    /// Some time later, in the order in which they were asked for.
    InOrder,
    /// Some time later; those on one file in the order in which they were asked for.
    ByFile,
}

/// How long operations take on average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latencies {
    /// What touches the page cache only. Nothing: told before it was asked for to the end.
    pub cache: Duration,
    /// Reads that the page cache does not answer.
    pub read: Duration,
    /// Syncs.
    pub sync: Duration,
}

/// How often something happens, in a million operations of the kind that it can happen to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// The operating system writes what nobody asked it to write.
    pub write_back: u64,
    /// The operating system forgets clean pages.
    pub evict: u64,
    /// An operation is slow.
    pub slow: u64,
    /// The disk stands still.
    pub stall: u64,
    /// A read fails.
    pub read_error: u64,
    /// A write fails.
    pub write_error: u64,
    /// A write fails after a part of it.
    pub short_write: u64,
    /// An operation on names fails.
    pub name_error: u64,
    /// A sync fails.
    pub sync_error: u64,
    /// The disk becomes full for a while.
    pub full: u64,
    /// A bit turns.
    pub rot: u64,
    /// A write lands elsewhere.
    pub misdirect: u64,
}

/// How a disk behaves.
#[derive(Debug, Clone)]
pub struct DiskPlan {
    /// In which order names become durable.
    pub names: NameOrder,
    /// When operations take effect.
    pub start: Start,
    /// How long they take.
    pub latencies: Latencies,
    /// How many reads in a million the page cache answers at once.
    pub cached_reads: u64,
    /// How often something happens.
    pub rates: Rates,
    /// How long a stall lasts at the most.
    pub stall_max: Duration,
    /// How long the disk is full at the most.
    pub full_max: Duration,
    /// How large it is.
    pub bytes: u64,
    /// What survives a power loss, each as often as it is named here.
    pub survivals: Vec<Survival>,
    /// A sync that is under way when a process ends has done nothing; else the dice say what of it was done.
    pub drops_syncs: bool,
    /// Where it may spoil what is durable.
    pub atlas: Atlas,
}

impl Default for DiskPlan {
    fn default() -> Self {
        Self {
            names: NameOrder::Journal,
            start: Start::AtOnce,
            latencies: Latencies {
                cache: Duration::ZERO,
                read: Duration::from_micros(200),
                sync: Duration::from_millis(2),
            },
            cached_reads: 800_000,
            rates: Rates::default(),
            stall_max: Duration::from_secs(10),
            full_max: Duration::from_secs(10),
            bytes: 16 << 30,
            survivals: vec![Survival::All],
            drops_syncs: false,
            atlas: Atlas::Spared,
        }
    }
}

impl DiskPlan {
    /// Draws it for a machine that holds the only copy of what it acknowledges.
    pub fn draw(dice: &mut Dice, has: &dyn Fn(Family) -> bool) -> Self {
        let spoils = has(Family::DiskRot) || has(Family::DiskWipe);
        let atlas = if spoils { Atlas::Everywhere } else { Atlas::Spared };
        Self::draw_with(dice, has, atlas)
    }

    /// Draws it for one machine of several, that may spoil what the `atlas` says.
    pub fn draw_with(dice: &mut Dice, has: &dyn Fn(Family) -> bool, atlas: Atlas) -> Self {
        let mut rate = |family: Family, range: std::ops::Range<u64>| {
            let drawn = dice.magnitude(range);
            if has(family) { drawn } else { 0 }
        };
        let rates = Rates {
            slow: rate(Family::DiskSlow, 1_000..60_000),
            stall: rate(Family::DiskSlow, 10..1_500),
            read_error: rate(Family::DiskError, 100..10_000),
            write_error: rate(Family::DiskError, 20..1_500),
            short_write: rate(Family::DiskError, 20..1_500),
            name_error: rate(Family::DiskError, 50..5_000),
            sync_error: rate(Family::DiskSync, 100..8_000),
            full: rate(Family::DiskFull, 50..5_000),
            rot: rate(Family::DiskRot, 20..2_000),
            misdirect: rate(Family::DiskRot, 100..20_000),
            write_back: *dice.pick(&[0, 1_000, 20_000, 200_000]),
            evict: *dice.pick(&[0, 1_000, 20_000]),
        };
        let survivals =
            if has(Family::DiskCrash) { draw_survivals(dice) } else { vec![Survival::All] };
        let micros = |dice: &mut Dice, range| Duration::from_micros(dice.magnitude(range));
        Self {
            names: *dice.pick(&NameOrder::ALL),
            start: *dice.pick(&[Start::AtOnce, Start::AtOnce, Start::InOrder, Start::ByFile]),
            latencies: Latencies {
                cache: if dice.coin() { Duration::ZERO } else { micros(dice, 1..2_000) },
                read: micros(dice, 20..10_000),
                sync: micros(dice, 50..60_000),
            },
            cached_reads: *dice.pick(&[0, 500_000, 900_000, 1_000_000]),
            rates,
            stall_max: Duration::from_millis(dice.magnitude(500..60_000)),
            full_max: Duration::from_millis(dice.magnitude(500..20_000)),
            bytes: 16 << 30,
            survivals,
            drops_syncs: false,
            atlas,
        }
    }

    /// Whether what was acknowledged must be there in the end.
    pub fn demands_recovery(&self) -> bool {
        self.atlas.demands_recovery()
    }

    /// What was drawn, for the banner.
    pub fn banner(&self) -> String {
        let Self { names, start, latencies, cached_reads, rates, stall_max, full_max, .. } = self;
        let Latencies { cache, read, sync } = latencies;
        let mut text = format!(
            "names {names:?}, operations {start:?}, cache {cache:?} read {read:?} sync {sync:?}, \
             {}% of reads cached, stalls to {stall_max:?}, full to {full_max:?}, \
             after a power loss {:?}, spoilt {:?}; in a million:",
            cached_reads / 10_000,
            self.survivals,
            self.atlas,
        );
        for (name, rate) in rates.named() {
            if rate > 0 {
                text += &format!(" {name} {rate}");
            }
        }
        text
    }
}

impl Rates {
    const fn named(&self) -> [(&'static str, u64); 12] {
        [
            ("write-back", self.write_back),
            ("evict", self.evict),
            ("slow", self.slow),
            ("stall", self.stall),
            ("read-error", self.read_error),
            ("write-error", self.write_error),
            ("short-write", self.short_write),
            ("name-error", self.name_error),
            ("sync-error", self.sync_error),
            ("full", self.full),
            ("rot", self.rot),
            ("misdirect", self.misdirect),
        ]
    }
}

fn draw_survivals(dice: &mut Dice) -> Vec<Survival> {
    use Survival::{All, Nothing, Pages, Torn};
    let mixes: [&[Survival]; 5] = [
        &[Nothing],
        &[Pages],
        &[Torn],
        &[Nothing, Pages, Torn, Torn],
        &[All, Nothing, Pages, Torn],
    ];
    dice.pick(&mixes).to_vec()
}
