//! What troubles the world: links that are cut, clocks that jump, processes that die.

use std::time::Duration;

use crate::{
    dice::Dice,
    faults::{Family, Fault},
    node::NodeIndex,
    sometimes,
    trace::{Kind, Place},
    world::World,
};

/// How often what happens; never, where there is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NemesisPlan {
    partition: Option<Pace>,
    slow_link: Option<Pace>,
    clock_drift: Option<Pace>,
    clock_jump: Option<Pace>,
    kill: Option<Pace>,
    power: Option<Pace>,
    /// At which operation after a start the process is killed, or the power goes, at the most.
    kill_at_operation: Option<u64>,
    power_at_operation: Option<u64>,
    pause: Option<Pace>,
    stop: Option<Pace>,
    wipe: Option<Pace>,
}

/// How often something happens, and how long it lasts; both on the average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    every: Duration,
    lasts: Duration,
}

impl Pace {
    fn draw(
        dice: &mut Dice,
        every_ms: std::ops::Range<u64>,
        lasts_ms: std::ops::Range<u64>,
    ) -> Self {
        let every = Duration::from_millis(dice.magnitude(every_ms));
        Self { every, lasts: Duration::from_millis(dice.magnitude(lasts_ms)) }
    }
}

impl NemesisPlan {
    /// Draws it.
    pub fn draw(dice: &mut Dice, has: &dyn Fn(Family) -> bool) -> Self {
        let mut pace = |family, every, lasts| {
            let pace = Pace::draw(dice, every, lasts);
            has(family).then_some(pace)
        };
        let partition = pace(Family::NetPartition, 1_000..20_000, 50..20_000);
        let slow_link = pace(Family::NetSlow, 2_000..20_000, 100..10_000);
        let clock_drift = pace(Family::ClockDrift, 1_000..20_000, 1..2);
        let clock_jump = pace(Family::ClockJump, 1_000..20_000, 1..2);
        let kill = pace(Family::ProcessKill, 1_000..20_000, 20..5_000);
        let power = pace(Family::ProcessPower, 1_000..20_000, 20..5_000);
        let pause = pace(Family::ProcessPause, 2_000..20_000, 10..60_000);
        let stop = pace(Family::ProcessStop, 2_000..20_000, 20..3_000);
        let at_operation = dice.magnitude(10..5_000);
        let kill_at_operation = has(Family::ProcessKill).then_some(at_operation);
        let power_at_operation = has(Family::ProcessPower).then_some(at_operation);
        let wipe = Pace::draw(dice, 5_000..40_000, 20..5_000);
        let wipe = has(Family::DiskWipe).then_some(wipe);
        Self {
            partition,
            slow_link,
            clock_drift,
            clock_jump,
            kill,
            power,
            kill_at_operation,
            power_at_operation,
            pause,
            stop,
            wipe,
        }
    }

    /// What was drawn, for the banner.
    pub fn banner(&self) -> String {
        let paces = [
            ("partition", self.partition),
            ("slow link", self.slow_link),
            ("clock drift", self.clock_drift),
            ("clock jump", self.clock_jump),
            ("kill", self.kill),
            ("power loss", self.power),
            ("pause", self.pause),
            ("stop", self.stop),
            ("wiped disk", self.wipe),
        ];
        let mut parts: Vec<String> = paces
            .iter()
            .filter_map(|(name, pace)| {
                pace.map(|Pace { every, lasts }| format!("{name} every {every:?} for {lasts:?}"))
            })
            .collect();
        let at_operation =
            [("kill", self.kill_at_operation), ("power loss", self.power_at_operation)];
        for (name, operations) in at_operation {
            if let Some(operations) = operations {
                parts.push(format!("{name} within {operations} operations"));
            }
        }
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    }

    /// After how many operations of a process it is killed or the power goes, if so; drawn at each start.
    pub(crate) fn draw_crash(&self, dice: &mut Dice) -> Option<(u64, Fault)> {
        let (chance, in_recovery, is_kill) =
            (dice.chance(400_000), dice.chance(500_000), dice.coin());
        let kill = self.kill_at_operation.map(|most| (most, Fault::ProcessKillAtOperation));
        let power = self.power_at_operation.map(|most| (most, Fault::ProcessPowerAtOperation));
        let crash = if is_kill { kill.or(power) } else { power.or(kill) };
        let (most, fault) = crash.unwrap_or((1, Fault::ProcessKillAtOperation));
        // As often as not while it recovers.
        let operations = dice.magnitude(1..if in_recovery { 60 } else { most.max(2) });
        (chance && crash.is_some()).then_some((operations, fault))
    }
}

/// Begins to trouble the world, until it is healed.
pub(crate) fn begin(world: &World, plan: &NemesisPlan, dice: &mut Dice) {
    let troubles: [(Option<Pace>, Cause); 9] = [
        (plan.partition, partition),
        (plan.slow_link, slow_link),
        (plan.clock_drift, clock_drift),
        (plan.clock_jump, clock_jump),
        (plan.kill, kill),
        (plan.power, power),
        (plan.pause, pause),
        (plan.stop, stop),
        (plan.wipe, wipe),
    ];
    for (pace, trouble) in troubles {
        let mut dice = dice.split();
        let Some(pace) = pace else { continue };
        let world = world.clone();
        madsim::task::spawn(async move {
            loop {
                world.environment.timers.sleep(dice.exponential(pace.every)).await;
                if world.phases.is_healed() {
                    return;
                }
                let lasts = dice.exponential(pace.lasts);
                trouble(Trouble { world: &world, dice: &mut dice, lasts });
            }
        });
    }
}

/// What causes one kind of trouble.
type Cause = fn(Trouble<'_>);

struct Trouble<'a> {
    world: &'a World,
    dice: &'a mut Dice,
    lasts: Duration,
}

impl Trouble<'_> {
    fn strike(&self, fault: Fault, place: impl Into<Place>, text: impl FnOnce() -> String) -> bool {
        self.world.environment.faults.strike(fault, place, text)
    }

    fn later(&self, then: impl FnOnce(&World) + Send + 'static) {
        let world = self.world.clone();
        self.world.environment.timers.call_after(self.lasts, move || then(&world));
    }
}

/// The machines fall into two camps, and links between them are cut.
fn partition(trouble: Trouble<'_>) {
    let nodes = trouble.world.nodes();
    let all = |wanted: &dyn Fn(NodeIndex, NodeIndex) -> bool| {
        let pairs = nodes.iter().flat_map(|from| nodes.iter().map(move |to| (*from, *to)));
        pairs.filter(|(from, to)| from != to && wanted(*from, *to)).collect::<Vec<_>>()
    };
    let lone = *trouble.dice.pick(&nodes);
    let bridge = *trouble.dice.pick(&nodes);
    let camps = trouble.dice.number();
    let camp = |node: NodeIndex| camps >> node.0 & 1;
    let (fault, links) = match trouble.dice.below(4) {
        0 => {
            let to = *trouble.dice.pick(&nodes);
            (Fault::NetLinkCut, all(&|a, b| (a, b) == (lone, to) || (b, a) == (lone, to)))
        }
        1 => (Fault::NetIsolated, all(&|a, b| a == lone || b == lone)),
        2 => (Fault::NetHalves, all(&|a, b| camp(a) != camp(b))),
        _ => (Fault::NetBridge, all(&|a, b| camp(a) != camp(b) && a != bridge && b != bridge)),
    };
    // In one direction only, as often as not: from the lower camp, or by the order of numbers.
    let is_one_way = trouble.dice.coin();
    let backwards = trouble.dice.coin();
    let kept = |&(from, to): &(NodeIndex, NodeIndex)| !is_one_way || (from < to) != backwards;
    let links: Vec<_> = links.into_iter().filter(kept).collect();
    if links.is_empty() {
        return;
    }
    let lasts = trouble.lasts;
    let text = || {
        let links: Vec<_> = links.iter().map(|(from, to)| format!("{from}>{to}")).collect();
        format!("{} for {lasts:?}", links.join(" "))
    };
    if !trouble.strike(fault, Place::World, text) {
        return;
    }
    for (from, to) in &links {
        trouble.world.net.cut(*from, *to);
    }
    trouble.later(move |world| {
        for (from, to) in &links {
            world.net.mend(*from, *to);
        }
        let figures = [links.len() as u64, 0, 0];
        world
            .environment
            .trace
            .row(Place::World, Kind::NetLink, figures, || format!("{} links mended", links.len()));
    });
}

fn slow_link(trouble: Trouble<'_>) {
    let nodes = trouble.world.nodes();
    let (from, to) = (*trouble.dice.pick(&nodes), *trouble.dice.pick(&nodes));
    let times = u32::try_from(trouble.dice.magnitude(10..1_000)).unwrap_or(10);
    let lasts = trouble.lasts;
    let text = || format!("{from}>{to} {times} times for {lasts:?}");
    if from != to && trouble.strike(Fault::NetSlowLink, from, text) {
        trouble.world.net.slow_down(from, to, times);
        trouble.later(move |world| world.net.slow_down(from, to, 1));
    }
}

fn clock_drift(trouble: Trouble<'_>) {
    let machine = trouble.dice.pick(&trouble.world.clocks).clone();
    let size = trouble.dice.magnitude(10..100_000).cast_signed();
    let rate = if trouble.dice.coin() { size } else { -size };
    let (node, clock) = machine;
    if trouble.strike(Fault::ClockDrift, node, || format!("{rate} ppm")) {
        clock.set_rate(rate);
    }
}

fn clock_jump(trouble: Trouble<'_>) {
    let (node, clock) = trouble.dice.pick(&trouble.world.clocks).clone();
    let size = trouble.dice.magnitude(1..7_200_000).cast_signed();
    let (fault, by) =
        if trouble.dice.coin() { (Fault::ClockForward, size) } else { (Fault::ClockBack, -size) };
    if trouble.strike(fault, node, || format!("{by} ms")) {
        sometimes!(ClockStepBack, by < 0);
        clock.jump(by);
    }
}

fn kill(trouble: Trouble<'_>) {
    let broker = trouble.dice.pick(&trouble.world.brokers).clone();
    let lasts = trouble.lasts;
    if broker.is_running()
        && trouble.strike(Fault::ProcessKill, broker.node(), || format!("for {lasts:?}"))
    {
        broker.kill();
        trouble.later(move |_| broker.start());
    }
}

fn power(trouble: Trouble<'_>) {
    let broker = trouble.dice.pick(&trouble.world.brokers).clone();
    let lasts = trouble.lasts;
    if broker.is_running()
        && trouble.strike(Fault::ProcessPower, broker.node(), || format!("for {lasts:?}"))
    {
        broker.power_loss();
        trouble.later(move |_| broker.start());
    }
}

/// A machine whose disk is broken comes back with another, which is empty.
fn wipe(trouble: Trouble<'_>) {
    let broker = trouble.dice.pick(&trouble.world.brokers).clone();
    let lasts = trouble.lasts;
    if broker.is_running()
        && broker.disk().may_be_wiped()
        && trouble.strike(Fault::DiskWiped, broker.node(), || format!("after {lasts:?}"))
    {
        broker.power_loss();
        broker.disk().wipe();
        trouble.later(move |_| broker.start());
    }
}

fn pause(trouble: Trouble<'_>) {
    let broker = trouble.dice.pick(&trouble.world.brokers).clone();
    let lasts = trouble.lasts.min(Duration::from_secs(60));
    if broker.is_running()
        && trouble.strike(Fault::ProcessPause, broker.node(), || format!("for {lasts:?}"))
    {
        broker.pause();
        trouble.later(move |_| broker.resume());
    }
}

/// One broker is stopped in order, or all are, one after the other.
fn stop(trouble: Trouble<'_>) {
    let brokers = trouble.world.brokers.clone();
    let one = trouble.dice.pick(&brokers).clone();
    let lasts = trouble.lasts;
    if brokers.len() > 1 && trouble.dice.coin() {
        if trouble.strike(Fault::ProcessRoll, Place::World, String::new) {
            madsim::task::spawn(async move {
                for broker in brokers {
                    broker.stop().await;
                    broker.environment().timers.sleep(lasts).await;
                    broker.start();
                    broker.ready().await;
                }
            });
        }
        return;
    }
    let text = || format!("for {lasts:?}");
    if one.is_running() && trouble.strike(Fault::ProcessStop, one.node(), text) {
        madsim::task::spawn(async move {
            one.stop().await;
            one.environment().timers.sleep(lasts).await;
            one.start();
        });
    }
}
