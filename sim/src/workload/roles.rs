//! Who takes part: each role is played by one process after the other, for processes crash.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    Parts, Progress,
    admin::Admin,
    calm::Auditor,
    client::Client,
    connection::within,
    member::Member,
    plan::{GroupPlan, ProducerPlan},
    producer::Producer,
    reader::Reader,
};
use crate::{
    dice::{Dice, MILLION},
    world::ClientProcess,
};

/// Something that becomes true once. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Flag(Arc<(AtomicBool, Notify)>);

impl Flag {
    fn raise(&self) {
        self.0.0.store(true, Ordering::Relaxed);
        self.0.1.notify_waiters();
    }

    async fn raised(&self) {
        let raised = self.0.1.notified();
        if !self.0.0.load(Ordering::Relaxed) {
            raised.await;
        }
    }
}

/// What a role does.
#[derive(Debug, Clone)]
enum Part {
    Produce(ProducerPlan),
    Read,
    Join { group: GroupPlan, instance_id: Option<String> },
    Administer { is_first: bool },
}

/// Who takes part.
#[derive(Debug)]
pub struct Cast {
    topics_made: Flag,
    producers: Vec<Flag>,
    readers: Vec<Flag>,
    members: Vec<Flag>,
    admins: Vec<Flag>,
    auditors: [Dice; 3],
}

impl Cast {
    /// All begin.
    pub fn begin(parts: &Parts, dice: &mut Dice) -> Self {
        let auditors = [dice.split(), dice.split(), dice.split()];
        let topics_made = Flag::default();
        let mut cast = Self {
            topics_made,
            producers: Vec::new(),
            readers: Vec::new(),
            members: Vec::new(),
            admins: Vec::new(),
            auditors,
        };
        let mut seats = 0;
        let mut play = |name: String, part: Part, flag: &Flag, dice: Dice| {
            seats += 1;
            let machine = seats % parts.stage.machines.len();
            let (parts, done) = (parts.clone(), flag.clone());
            let role = Role { name, part, machine, parts, done, alive: Arc::default() };
            tokio::spawn(role.play(dice));
        };
        let first = Part::Administer { is_first: true };
        play("setup".into(), first, &cast.topics_made, dice.split());
        for (number, plan) in parts.plan.producers.iter().enumerate() {
            cast.producers.push(Flag::default());
            let name = format!("producer-{number}");
            play(name, Part::Produce(*plan), &cast.producers[number], dice.split());
        }
        for number in 0..usize::from(parts.plan.readers) {
            cast.readers.push(Flag::default());
            let name = format!("reader-{number}");
            play(name, Part::Read, &cast.readers[number], dice.split());
        }
        for group in &parts.plan.groups {
            for number in 0..group.members {
                let name = format!("{}-member-{number}", group.name);
                let instance_id = group.is_static.then(|| name.clone());
                let flag = Flag::default();
                let part = Part::Join { group: group.clone(), instance_id };
                play(name, part, &flag, dice.split());
                cast.members.push(flag);
            }
        }
        for number in 0..parts.plan.admins {
            let part = Part::Administer { is_first: false };
            let flag = Flag::default();
            play(format!("admin-{number}"), part, &flag, dice.split());
            cast.admins.push(flag);
        }
        cast
    }

    /// Waits until all topics were there once.
    pub async fn topics_are_made(&self) {
        self.topics_made.raised().await;
    }

    /// Waits until nobody changes topics any more: who read one to its end while it is deleted would never come there.
    pub async fn admins_end(&self) {
        for admin in &self.admins {
            admin.raised().await;
        }
    }

    /// Waits until everything that was sent is answered.
    pub async fn producers_end(&self) {
        for producer in &self.producers {
            producer.raised().await;
        }
    }

    /// Waits until readers have read on to the end.
    pub async fn readers_end(&self) {
        for reader in &self.readers {
            reader.raised().await;
        }
    }

    /// Waits until all members have left.
    pub async fn members_end(&self) {
        for member in &self.members {
            member.raised().await;
        }
    }

    fn client(&self, parts: &Parts, process: ClientProcess, number: usize) -> Client {
        let name = format!("auditor-{number}");
        Client::new(process, name, parts, self.auditors[number].clone())
    }

    async fn on_a_machine<F: Future<Output = ()> + Send + 'static>(
        &self,
        parts: &Parts,
        number: usize,
        act: impl FnOnce(Client, Parts) -> F + Send + 'static,
    ) {
        let done = Flag::default();
        let raise = done.clone();
        let machines = &parts.stage.machines;
        machines[number % machines.len()].begin(|process| {
            let acts = act(self.client(parts, process, number), parts.clone());
            async move {
                acts.await;
                raise.raise();
            }
        });
        done.raised().await;
    }

    /// Whether a fetch that waits is woken.
    pub async fn try_waiting(&self, parts: &Parts) {
        let act = |mut client: Client, parts: Parts| async move {
            let writer = Client::new(
                client.process.clone(),
                "auditing-producer".into(),
                &parts,
                client.dice.split(),
            );
            while client.refresh().await.is_err() {
                client.back_off().await;
            }
            let plan =
                ProducerPlan { is_idempotent: false, acks: None, in_flight_max: 1, pace_ms: 1 };
            Auditor::new(client, true).is_woken(Producer::new(writer, plan)).await;
        };
        self.on_a_machine(parts, 2, act).await;
    }

    /// Two clients read everything, each in its way.
    pub async fn audit(&self, parts: &Parts) {
        for number in 0..2 {
            let act = move |client: Client, parts: Parts| async move {
                Auditor::new(client, number == 0).read_everything(&parts.progress).await;
            };
            self.on_a_machine(parts, number, act).await;
        }
    }

    /// Waits until all groups are at rest.
    pub async fn groups_rest(&self, parts: &Parts) {
        let act = |client: Client, parts: Parts| async move {
            let mut auditor = Auditor::new(client, false);
            for group in &parts.plan.groups {
                auditor.await_group(group, &parts.progress).await;
            }
        };
        self.on_a_machine(parts, 2, act).await;
    }

    /// The groups' offsets are still there.
    pub async fn offsets_stay(&self, parts: &Parts) {
        let act = |mut client: Client, parts: Parts| async move {
            while client.refresh().await.is_err() {
                client.back_off().await;
            }
            let mut auditor = Auditor::new(client, false);
            for group in &parts.plan.groups {
                auditor.offsets_stay(group).await;
            }
        };
        self.on_a_machine(parts, 2, act).await;
    }
}

/// The life of a process that plays a role.
#[derive(Debug)]
struct Life {
    /// How many processes play the role.
    alive: Arc<AtomicU32>,
    is_over: AtomicBool,
}

impl Life {
    fn begin(alive: &Arc<AtomicU32>) -> Arc<Self> {
        alive.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { alive: Arc::clone(alive), is_over: AtomicBool::new(false) })
    }

    /// It ends, if it has not before. True if nobody plays the role any more.
    fn end(&self) -> bool {
        !self.is_over.swap(true, Ordering::Relaxed)
            && self.alive.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

/// A role.
#[derive(Debug)]
struct Role {
    name: String,
    part: Part,
    machine: usize,
    parts: Parts,
    /// It has come to its end.
    done: Flag,
    /// How many processes play it.
    alive: Arc<AtomicU32>,
}

impl Role {
    /// Begins a process that plays it.
    fn begin(&self, dice: Dice) -> (ClientProcess, Arc<Life>) {
        let Self { name, part, machine, parts, done, alive } = self;
        let life = Life::begin(alive);
        let lives = Arc::clone(&life);
        let (name, part, done) = (name.clone(), part.clone(), done.clone());
        let progress: Progress = parts.progress.clone();
        let process = parts.stage.machines[*machine].begin(move |process| {
            let client = Client::new(process, name.clone(), parts, dice);
            let groups = parts.plan.groups.clone();
            async move {
                progress.begins(&name, "at work");
                match part {
                    Part::Produce(plan) => Producer::new(client, plan).run().await,
                    Part::Read => Reader::new(client, progress.clone()).run().await,
                    Part::Join { group, instance_id } => {
                        Member::new(client, group, instance_id, progress.clone()).run().await;
                    }
                    Part::Administer { is_first } => {
                        let mut admin = Admin::new(client, groups);
                        if is_first {
                            admin.make_topics().await;
                        } else {
                            admin.run().await;
                        }
                    }
                }
                progress.ends(&name);
                // Where two overlap, the other may have something under way.
                if lives.end() {
                    done.raise();
                }
            }
        });
        (process, life)
    }

    /// Has processes play it, one after the other, until one has come to its end.
    async fn play(self, mut dice: Dice) {
        let timers = self.parts.stage.environment.timers.clone();
        let phases = self.parts.stage.phases.clone();
        let mean = self.parts.plan.crash_ms;
        let is_setup = matches!(self.part, Part::Administer { is_first: true });
        let (mut process, mut life) = self.begin(dice.split());
        if mean == 0 || is_setup {
            return;
        }
        loop {
            let lives = dice.exponential(Duration::from_millis(mean));
            if within(&timers, lives, self.done.raised()).await.is_some() || phases.is_healed() {
                break;
            }
            // It may be thought dead, and begun anew, before it is.
            let overlaps = dice.chance(MILLION / 4);
            if !overlaps {
                process.kill();
                life.end();
                timers.sleep(dice.exponential(Duration::from_millis(500))).await;
            }
            let (next, next_life) = self.begin(dice.split());
            if overlaps {
                timers.sleep(dice.exponential(Duration::from_secs(2))).await;
                process.kill();
                if life.end() {
                    self.done.raise();
                }
            }
            (process, life) = (next, next_life);
            self.parts.recorder.count("client crashed");
        }
    }
}
