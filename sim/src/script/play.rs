//! Taking the steps, one after the other.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{
    MEMBERS, Script, Step,
    hands::{Hand, member, producer, setup},
};
use crate::{
    advised,
    dice::Dice,
    faults::Fault,
    process::BrokerMachine,
    trace::{Kind, Place},
    workload::{GroupPlan, Parts, connection::within, member::Act},
    world::World,
};

/// How long a step is waited for: what has not come to its end by then goes on beside the next.
const STEP_MAX: Duration = Duration::from_secs(2);
/// How long it takes until what is to be sent is under way. It arrives later.
const SENDING: Duration = Duration::from_micros(20);
/// How long it takes until what nobody is told of is done.
const UNTOLD: Duration = Duration::from_secs(1);
/// How long a broker may take to serve.
const START_MAX: Duration = Duration::from_secs(60);

/// As what steps are counted that were taken, and those that could not be.
pub const TAKEN: &str = "step taken";
/// See [`TAKEN`].
pub const REFUSED: &str = "step refused";

/// Takes the steps of a script, until one cannot be taken.
pub(super) async fn play(script: &Script, world: &World, parts: &Parts, mut dice: Dice) {
    let mut stage = Stage::build(script, world, parts, &mut dice).await;
    let (trace, recorder) = (&world.environment.trace, &parts.recorder);
    for (number, step) in (1..).zip(&script.steps) {
        trace.row(Place::World, Kind::Phase, [3, number, 0], || format!("step {number}: {step:?}"));
        if stage.take(*step, &mut dice).await {
            recorder.count(TAKEN);
        } else {
            recorder.count(REFUSED);
            break;
        }
    }
    stage.clear();
}

/// Who takes the steps.
struct Stage<'a> {
    world: &'a World,
    parts: &'a Parts,
    broker: BrokerMachine,
    producer: Hand<u64>,
    group: Option<GroupPlan>,
    members: Vec<Hand<Act>>,
    /// What has not come to its end yet.
    pending: Vec<oneshot::Receiver<bool>>,
}

impl<'a> Stage<'a> {
    /// Makes the topic, and what a group is to read; begins all processes.
    async fn build(
        script: &Script,
        world: &'a World,
        parts: &'a Parts,
        dice: &mut Dice,
    ) -> Stage<'a> {
        let broker = world.brokers[0].clone();
        broker.ready().await;
        let group = parts.plan.groups.first().cloned();
        setup(parts, group.is_some(), dice.split()).await;
        let producer = producer(parts, advised::acks(&script.question), dice.split()).await;
        let members = group.iter().flat_map(|group| {
            (0..usize::from(MEMBERS)).map(|number| (group, number)).collect::<Vec<_>>()
        });
        let members = members.map(|(group, number)| member(parts, number, group, dice.split()));
        let members = members.collect();
        Self { world, parts, broker, producer, group, members, pending: Vec::new() }
    }

    /// Whether a step could be taken.
    async fn take(&mut self, step: Step, dice: &mut Dice) -> bool {
        match step {
            Step::Produce { record } => {
                let told = self.producer.tell(record);
                self.await_end(told, STEP_MAX).await
            }
            Step::Member(number, act) => {
                let Some(hand) = self.members.get(number) else { return false };
                let told = hand.tell(act);
                // It arrives when it is delivered, whatever has become of who has sent it.
                let limit = if act == Act::Commit { SENDING } else { STEP_MAX };
                self.await_end(told, limit).await
            }
            Step::Crash(number) => {
                let (Some(hand), Some(group)) = (self.members.get_mut(number), &self.group) else {
                    return false;
                };
                hand.process.kill();
                *hand = member(self.parts, number, group, dice.split());
                true
            }
            Step::Kill => self.strike(Fault::ProcessKill, BrokerMachine::kill),
            Step::PowerLoss => self.strike(Fault::ProcessPower, BrokerMachine::power_loss),
            Step::Start => {
                self.broker.start();
                within(&self.world.environment.timers, START_MAX, self.broker.ready())
                    .await
                    .is_some()
            }
            Step::Deliver(_) | Step::Rest => self.rest().await,
        }
    }

    /// Waits for the end of what somebody was told to do. False if it could not be done; what takes longer goes on.
    async fn await_end(&mut self, mut told: oneshot::Receiver<bool>, limit: Duration) -> bool {
        match within(&self.world.environment.timers, limit, &mut told).await {
            Some(is_done) => is_done.unwrap_or(true),
            None => {
                self.pending.push(told);
                true
            }
        }
    }

    /// Waits for the end of all that is under way: no longer than it takes where somebody is told of it, lest what is answered too
    /// early be durable by then; else for a while.
    async fn rest(&mut self) -> bool {
        let (mut is_well, mut is_told) = (true, false);
        for mut told in std::mem::take(&mut self.pending) {
            match within(&self.world.environment.timers, STEP_MAX, &mut told).await {
                Some(Ok(is_done)) => (is_well, is_told) = (is_well && is_done, true),
                // Who has sent it has crashed meanwhile.
                Some(Err(_)) => {}
                None => self.pending.push(told),
            }
        }
        if !is_told {
            self.world.environment.timers.sleep(UNTOLD).await;
        }
        is_well
    }

    fn strike(&self, fault: Fault, act: fn(&BrokerMachine)) -> bool {
        let text = || "as it is written".to_owned();
        let strikes = self.world.environment.faults.strike(fault, self.broker.node(), text);
        if strikes {
            act(&self.broker);
        }
        strikes
    }

    /// Ends what is left of it.
    fn clear(&self) {
        self.producer.process.kill();
        for hand in &self.members {
            hand.process.kill();
        }
    }
}
